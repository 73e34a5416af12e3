"""Access tokens, for whoever proves to hold the service account's key or an identity of AWS.

They carry their own expiry and are signed, so they outlive a restart of the stand-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote

from cryptography.hazmat.primitives import serialization
from google.auth import exceptions, jwt

from stand_ins.server import Reply, Request
from stand_ins.veo3.errors import ApiError, TokenError
from stand_ins.veo3.service_account import TOKEN_URL, service_account

__all__ = ["Tokens"]

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class GrantType:
    """What a token is asked for with."""

    JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class Tokens:
    """Issues access tokens for good assertions and knows them again. `seconds` is how long one works."""

    def __init__(self, home: Path, seconds: float = 3600.0) -> None:
        account = service_account(home)
        self._email = account["client_email"]
        self._key_id = account["private_key_id"]
        private = serialization.load_pem_private_key(account["private_key"].encode(), None)
        self._public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._signing_key = hashlib.sha256(account["private_key"].encode()).digest()
        self._seconds = seconds

    def issue(self, request: Request) -> Reply:
        """`POST /token`: a service account's assertion (RFC 7523), or AWS's identity exchanged (RFC 8693)."""
        form = {name: values[-1] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        match form.get("grant_type"):
            case GrantType.JWT_BEARER:
                self._check_assertion(form.get("assertion", ""))
            case GrantType.EXCHANGE:
                _check_identity(form)
            case other:
                raise TokenError("unsupported_grant_type", f"Invalid grant_type: {other}")
        answer = {"access_token": self._token(), "expires_in": int(self._seconds), "token_type": "Bearer"}
        if form["grant_type"] == GrantType.EXCHANGE:
            answer["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token"
        return Reply.json(answer)

    def require(self, request: Request) -> None:
        """Raise ApiError 401 unless the request carries a token that is good now."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        expiry = _expiry(token)
        good = kind == "Bearer" and hmac.compare_digest(token, self._signed(expiry)) and expiry > time.time()
        if not good:
            message = (
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
                "valid authentication credential."
            )
            raise ApiError(401, message)

    def _check_assertion(self, assertion: str) -> None:
        try:
            claims = jwt.decode(assertion, certs=self._public, audience=TOKEN_URL)  # type: ignore[no-untyped-call]
            header = jwt.decode_header(assertion)  # type: ignore[no-untyped-call]
        except (ValueError, exceptions.GoogleAuthError) as error:
            raise TokenError("invalid_grant", f"Invalid JWT: {error}") from None
        if claims.get("iss") != self._email or header.get("kid") != self._key_id:
            raise TokenError("invalid_grant", "Invalid grant: account not found")
        if SCOPE not in str(claims.get("scope", "")).split():
            raise TokenError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")

    def _token(self) -> str:
        return self._signed(int(time.time() + self._seconds))

    def _signed(self, expiry: int) -> str:
        signature = hmac.new(self._signing_key, str(expiry).encode(), hashlib.sha256).digest()
        return f"ya29.{expiry}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _expiry(token: str) -> int:
    parts = token.split(".")
    return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else 0


def _check_identity(form: dict[str, str]) -> None:
    """An identity of AWS is a signed request to its token service, which nobody sends here; its form is checked."""
    try:
        signed = json.loads(unquote(form.get("subject_token", "")))
        headers = {entry["key"].lower(): entry["value"] for entry in signed["headers"]}
    except (ValueError, KeyError, TypeError):
        raise TokenError("invalid_request", "The subject token is not a signed request.") from None
    if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
        raise TokenError("invalid_grant", "The subject token is not signed with AWS4-HMAC-SHA256.")
    if headers.get("x-goog-cloud-target-resource") != form.get("audience"):
        raise TokenError("invalid_grant", "The subject token was signed for another audience.")
