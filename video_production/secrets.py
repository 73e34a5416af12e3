"""Secrets from AWS Secrets Manager: API keys, and what webhooks and callbacks are signed with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from video_production.clients import LazyClient
from video_production.errors import OperatorError, SecretMissing, TransientError

__all__ = ["LIFETIME", "Secret"]

LIFETIME = 300.0
"""Seconds for which a value is kept in memory: how long a warm function still uses one that was replaced."""

_DENIED = {"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidClientTokenId"}
_MISSING = {"ResourceNotFoundException", "InvalidRequestException"}
"""The second one is Secrets Manager's answer for a secret that is scheduled for deletion."""


class Secret:
    """The secret `name`, read when it is needed and kept for `LIFETIME` seconds.

    It is plain text, or JSON `{field: "…"}`. `what` is what people call it. Its value appears in no `repr` and in no
    error. That it has no value is remembered for `missing_lifetime` seconds: for a function that anybody can call,
    every look-up costs money.
    """

    def __init__(
        self,
        name: str,
        *,
        field: str = "secret",
        what: str = "signing secret",
        client: Any = None,
        clock: Callable[[], float] = time.monotonic,
        missing_lifetime: float = 0.0,
    ) -> None:
        self.name = name
        self._field = field
        self._what = what
        config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 4})
        self._client = client or LazyClient("secretsmanager", config)
        self._clock = clock
        self._value = ""
        self._until = float("-inf")
        self._missing_lifetime = missing_lifetime
        self._missing_until = float("-inf")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def read(self) -> str:
        """Its value. Raises SecretMissing, OperatorError (not allowed, no such secret) or TransientError."""
        if self._value and self._clock() < self._until:
            return self._value
        if self._clock() < self._missing_until:
            raise self._missing()
        try:
            value = self._parse(self._fetch())
        except SecretMissing:
            self._missing_until = self._clock() + self._missing_lifetime
            raise
        self._value, self._until = value, self._clock() + LIFETIME
        return value

    def forget(self) -> None:
        """Read it anew the next time: its value was refused, and somebody may replace it."""
        self._until = float("-inf")

    def _fetch(self) -> str:
        try:
            answer = self._client.get_secret_value(SecretId=self.name)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _MISSING:
                # A secret that exists without a value gives the same code as one that does not exist.
                raise self._missing() from error
            if code in _DENIED:
                raise OperatorError(
                    f"The secret '{self.name}' may not be read; give the function's role "
                    "secretsmanager:GetSecretValue on it."
                ) from error
            raise TransientError(f"Secrets Manager answered {code} for the secret '{self.name}'.") from error
        except BotoCoreError as error:
            raise TransientError(f"Secrets Manager could not be reached for the secret '{self.name}'.") from error
        binary: bytes = answer.get("SecretBinary") or b""
        return str(answer.get("SecretString") or binary.decode("utf-8", "replace"))

    def _parse(self, text: str) -> str:
        value = text.strip()
        if value.startswith("{"):
            try:
                value = str(json.loads(value).get(self._field) or "").strip()
            except ValueError:
                raise OperatorError(
                    f"The secret '{self.name}' holds broken JSON; store the {self._what} alone, or "
                    f'{{"{self._field}": "…"}}.'
                ) from None
        if not value:
            raise self._missing()
        if not value.isascii() or not value.isprintable() or " " in value:
            raise OperatorError(
                f"The secret '{self.name}' holds characters that no {self._what} has (spaces, line breaks); "
                f"store the {self._what} alone."
            )
        return value

    def _missing(self) -> SecretMissing:
        return SecretMissing(
            f"The secret '{self.name}' has no value; set it with: aws secretsmanager put-secret-value "
            f"--secret-id {self.name} --secret-string YOUR_{self._what.upper().replace(' ', '_')}"
        )
