"""Who signed a request to an HTTP API: Signature Version 4 of the service `execute-api`, checked with the local key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from local_cloud.doors.http_messages import HttpRequest
from local_cloud.functions import ACCOUNT
from local_cloud.sigv4 import (
    ALGORITHM,
    authorization_fields,
    canonical_request,
    encode_path,
    signature,
    string_to_sign,
)

__all__ = ["Forbidden", "IamAuthorizer"]

_MAX_SKEW = timedelta(minutes=5)


class Forbidden(Exception):
    """The signature is missing, wrong, too old or somebody else's; the message says which, for the log."""


class IamAuthorizer:
    """Knows one pair of keys, whose owner may do everything. `clock` returns the current time in UTC."""

    def __init__(
        self, access_key: str, secret_key: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._clock = clock

    def identify(self, request: HttpRequest) -> dict[str, str | None]:
        """`requestContext.authorizer.iam` of who signed the request; raise Forbidden."""
        given = request.headers.get("authorization", "")
        fields = authorization_fields(given)
        if not given.startswith(ALGORITHM) or not {"Credential", "SignedHeaders", "Signature"} <= fields.keys():
            raise Forbidden("The request is not signed.")
        stamp = request.headers.get("x-amz-date", "")
        access_key, _, scope = fields["Credential"].partition("/")
        self._check_scope(access_key, scope, stamp)
        signed = fields["SignedHeaders"].lower().split(";")
        if "host" not in signed:
            raise Forbidden("The host is not signed.")
        canonical = canonical_request(
            request.method,
            encode_path(request.path),
            parse_qsl(request.query, keep_blank_values=True),
            request.headers,
            signed,
            # What the header says is not believed: it would let anybody change the body.
            hashlib.sha256(request.body).hexdigest(),
        )
        expected = signature(self._secret_key, scope, string_to_sign(stamp, scope, canonical))
        if not hmac.compare_digest(expected.encode(), fields["Signature"].encode()):
            raise Forbidden("The signature does not fit.")
        return {
            "accessKey": access_key,
            "accountId": ACCOUNT,
            "callerId": access_key,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": f"arn:aws:iam::{ACCOUNT}:user/{access_key}",
            "userId": access_key,
        }

    def _check_scope(self, access_key: str, scope: str, stamp: str) -> None:
        if not hmac.compare_digest(access_key.encode(), self._access_key.encode()):
            raise Forbidden("The access key is unknown.")
        try:
            date, _, service, end = scope.split("/")
            signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise Forbidden("The scope or the date can't be read.") from None
        if (service, end) != ("execute-api", "aws4_request") or not stamp.startswith(date):
            raise Forbidden("The signature is for another service or day.")
        if abs(self._clock() - signed_at) > _MAX_SKEW:
            raise Forbidden("The signature is too old.")
