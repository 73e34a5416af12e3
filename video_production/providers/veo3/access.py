"""Access tokens for Google's APIs, from the credentials in the provider's secret.

Two kinds are taken, both as the JSON that Google gives out: the key of a service account, and the configuration of
workload identity federation from AWS, with which the function's own role becomes a Google identity and no key exists.
google-auth signs and exchanges; its requests go over a session of ours, which ends after a total time, takes nothing
from the environment and follows no redirect. Tokens are kept in memory alone, until shortly before they expire.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from video_production.errors import OperatorError, TransientError
from video_production.secrets import Secret

__all__ = ["GoogleAccess", "GoogleCredentials"]

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_LONGEST = 160


class GoogleCredentials(Secret):
    """The credentials in the secret `name`: JSON as Google gives it out."""

    def __init__(self, name: str, *, client: Any = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name, what="Google credentials", client=client, clock=clock)

    def _parse(self, text: str) -> str:
        if not text.strip():
            raise self._missing()
        try:
            kind = json.loads(text).get("type")
        except (ValueError, AttributeError):
            kind = None
        if kind not in ("service_account", "external_account"):
            raise OperatorError(
                f"The secret '{self.name}' holds no Google credentials; store the JSON key of a service account, or "
                "the JSON configuration of workload identity federation."
            )
        return text


class GoogleAccess:
    """Tokens for one process. `seconds` is the total time of fetching one.

    `token_url` replaces the address in the credentials, for a stand-in. `ca_bundle` is as in `ProviderHttp`.
    """

    def __init__(
        self,
        secret: GoogleCredentials,
        *,
        token_url: str = "",
        seconds: float = 15.0,
        ca_bundle: str | None = None,
    ) -> None:
        self.secret = secret
        self._token_url = token_url
        self._seconds = seconds
        self._verify: bool | str = ca_bundle or True
        self._text = ""
        self._credentials: Any = None

    @property
    def project(self) -> str:
        """The project that the credentials belong to; empty where they don't say it. Raises what `Secret` raises."""
        return str(json.loads(self.secret.read()).get("project_id") or "")

    def token(self) -> str:
        """A token that is good for some minutes at least. Raises OperatorError, TransientError, SecretMissing."""
        text = self.secret.read()
        if self._credentials is None or text != self._text:
            self._credentials, self._text = self._read(json.loads(text)), text
        if not self._credentials.valid:
            self._fetch(self._credentials)
        return str(self._credentials.token)

    def forget(self) -> None:
        """Get another token the next time: this one was refused, and somebody may replace the credentials."""
        self.secret.forget()
        self._credentials = None

    def _read(self, info: dict[str, Any]) -> Any:
        # google-auth brings cryptography along: only what talks to Google waits for it.
        from google.auth import aws
        from google.auth.exceptions import GoogleAuthError
        from google.oauth2 import service_account

        make_key: Any = service_account.Credentials.from_service_account_info
        make_federated: Any = aws.Credentials.from_info
        try:
            if info["type"] == "service_account":
                info |= {"token_uri": self._token_url} if self._token_url else {}
                return make_key(info, scopes=[_SCOPE])
            if not str(info.get("credential_source", {}).get("environment_id", "")).startswith("aws"):
                raise ValueError("only AWS is supported as the source of an identity")
            info |= {"token_url": self._token_url} if self._token_url else {}
            return make_federated(info, scopes=[_SCOPE])
        except (GoogleAuthError, ValueError, TypeError, AttributeError) as error:
            # A broken key's error may quote it: only what we said ourselves is passed on.
            why = str(error) if "only AWS" in str(error) else type(error).__name__
            raise OperatorError(
                f"The Google credentials in the secret '{self.secret.name}' can't be used ({why}); store them again as "
                "Google gave them out."
            ) from None

    def _fetch(self, credentials: Any) -> None:
        import requests
        from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
        from google.auth.transport.requests import Request

        from video_production.providers.connection import GuardedAdapter, TimeGuard

        with TimeGuard(self._seconds) as guard, requests.Session() as session:
            session.trust_env = False
            session.max_redirects = 0
            session.verify = self._verify
            for scheme in ("https://", "http://"):
                session.mount(scheme, GuardedAdapter(guard))
            try:
                credentials.refresh(Request(session))
            except TransportError:
                raise self._unreachable("no connection") from None
            except (RefreshError, GoogleAuthError) as error:
                if guard.expired or getattr(error, "retryable", False):
                    raise self._unreachable("no answer that can be used") from None
                raise self._refused(error) from None
            except (requests.RequestException, OSError):
                raise self._unreachable("no connection") from None
        if guard.expired and not credentials.valid:
            raise self._unreachable(f"no answer within {self._seconds:.0f} s")

    def _unreachable(self, why: str) -> TransientError:
        return TransientError(f"Google's token service could not be reached ({why}); it is tried again.")

    def _refused(self, error: Exception) -> OperatorError:
        said = " ".join(str(error.args[0] if error.args else error).split())[:_LONGEST].rstrip(".")
        return OperatorError(
            f"Google refused the credentials in the secret '{self.secret.name}' ({said}). Store valid ones and retry."
        )
