"""Signature Version 4, checked as S3 checks it: signed headers and presigned URLs, their age and their expiry.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html. Any region is accepted;
Signature Version 2 is refused, as in every region opened since 2014.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from local_cloud.s3.bodies import UNSIGNED, UNSIGNED_TRAILER
from local_cloud.s3.errors import S3Error
from local_cloud.sigv4 import (
    ALGORITHM,
    authorization_fields,
    canonical_request,
    encode_path,
    signature,
    string_to_sign,
)

__all__ = ["SignedRequest", "Verifier"]

_MAX_SKEW = timedelta(minutes=15)
_MAX_EXPIRES = 7 * 24 * 3600
_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIGNATURE_V2 = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers: `path` still encoded, `query` as decoded pairs, `headers` with lower-case names."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says about its own signature."""

    credential: str
    signed_headers: tuple[str, ...]
    signature: str
    stamp: str
    payload_hash: str


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Verifier:
    """Verifies requests against one pair of credentials. `clock` returns the current time in UTC."""

    def __init__(
        self, access_key: str, secret_key: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._clock = clock

    def verify(self, request: SignedRequest) -> None:
        """Return quietly, or raise the S3Error that S3 answers: AccessDenied, SignatureDoesNotMatch, …"""
        query = dict(request.query)
        if "X-Amz-Algorithm" in query:
            self._verify_presigned(request, query)
        elif request.headers.get("authorization", "").startswith(ALGORITHM):
            self._verify_headers(request)
        elif "Signature" in query or request.headers.get("authorization", "").startswith("AWS "):
            raise S3Error("InvalidRequest", _SIGNATURE_V2)
        else:
            raise S3Error("AccessDenied")

    def _verify_headers(self, request: SignedRequest) -> None:
        claim = _claim_of_headers(request.headers)
        self._check_credential(claim, "AuthorizationHeaderMalformed")
        signed_at, now = _parse_stamp(claim.stamp), self._clock()
        if abs(now - signed_at) > _MAX_SKEW:
            raise S3Error(
                "RequestTimeTooSkewed",
                RequestTime=claim.stamp,
                ServerTime=_iso(now),
                MaxAllowedSkewMilliseconds=int(_MAX_SKEW.total_seconds() * 1000),
            )
        _check_payload_hash(claim.payload_hash)
        self._check_signature(request, claim, request.query)

    def _verify_presigned(self, request: SignedRequest, query: Mapping[str, str]) -> None:
        claim, expires = _claim_of_query(query, request.headers)
        self._check_credential(claim, "AuthorizationQueryParametersError")
        signed_at, now = _parse_stamp(claim.stamp), self._clock()
        if signed_at - now > _MAX_SKEW:
            raise S3Error("AccessDenied", "Request is not yet valid", ServerTime=_iso(now))
        until = signed_at + timedelta(seconds=expires)
        if now > until:
            life: dict[str, str | int] = {"X-Amz-Expires": expires, "Expires": _iso(until), "ServerTime": _iso(now)}
            raise S3Error("AccessDenied", "Request has expired", **life)
        self._check_signature(request, claim, [pair for pair in request.query if pair[0] != "X-Amz-Signature"])

    def _check_credential(self, claim: _Claim, malformed: str) -> None:
        parts = claim.credential.rsplit("/", 4)
        if len(parts) != 5 or parts[3] != "s3" or parts[4] != "aws4_request" or not claim.stamp.startswith(parts[1]):
            raise S3Error(
                malformed, f"The credential '{claim.credential}' is not access-key/date/region/s3/aws4_request."
            )
        if not hmac.compare_digest(parts[0].encode(), self._access_key.encode()):
            raise S3Error("InvalidAccessKeyId", AWSAccessKeyId=parts[0])

    def _check_signature(self, request: SignedRequest, claim: _Claim, query: Sequence[tuple[str, str]]) -> None:
        unsigned = [
            name
            for name in request.headers
            if name.startswith("x-amz-") and name != "x-amz-content-sha256" and name not in claim.signed_headers
        ]
        if unsigned or "host" not in claim.signed_headers:
            raise S3Error(
                "AccessDenied",
                "There were headers present in the request which were not signed",
                HeadersNotSigned=", ".join(unsigned or ["host"]),
            )
        path = encode_path(unquote(request.path))
        canonical = canonical_request(
            request.method, path, query, request.headers, claim.signed_headers, claim.payload_hash
        )
        scope = "/".join(claim.credential.rsplit("/", 4)[1:])
        to_sign = string_to_sign(claim.stamp, scope, canonical)
        expected = signature(self._secret_key, scope, to_sign)
        if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
            raise S3Error("SignatureDoesNotMatch", StringToSign=to_sign, CanonicalRequest=canonical)


def _claim_of_headers(headers: Mapping[str, str]) -> _Claim:
    fields = authorization_fields(headers["authorization"])
    if missing := {"Credential", "SignedHeaders", "Signature"} - fields.keys():
        raise S3Error("AuthorizationHeaderMalformed", f"The authorization header lacks {', '.join(sorted(missing))}.")
    if "x-amz-content-sha256" not in headers:
        raise S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if "x-amz-date" not in headers:
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    return _Claim(
        credential=fields["Credential"],
        signed_headers=tuple(fields["SignedHeaders"].lower().split(";")),
        signature=fields["Signature"],
        stamp=headers["x-amz-date"],
        payload_hash=headers["x-amz-content-sha256"],
    )


def _claim_of_query(query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[_Claim, int]:
    """The claim of a presigned URL and its life in seconds."""
    required = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")
    if query["X-Amz-Algorithm"] != ALGORITHM or any(name not in query for name in required):
        raise S3Error(
            "AuthorizationQueryParametersError",
            f"Query-string authentication version 4 requires X-Amz-Algorithm={ALGORITHM}, {', '.join(required)}.",
        )
    expires = query["X-Amz-Expires"]
    if not expires.isdecimal() or not 0 < int(expires) <= _MAX_EXPIRES:
        raise S3Error(
            "AuthorizationQueryParametersError", f"X-Amz-Expires must be between 1 and {_MAX_EXPIRES} seconds (a week)."
        )
    claim = _Claim(
        credential=query["X-Amz-Credential"],
        signed_headers=tuple(query["X-Amz-SignedHeaders"].lower().split(";")),
        signature=query["X-Amz-Signature"],
        stamp=query["X-Amz-Date"],
        payload_hash=query.get("X-Amz-Content-Sha256", headers.get("x-amz-content-sha256", UNSIGNED)),
    )
    return claim, int(expires)


def _check_payload_hash(stated: str) -> None:
    if stated in (UNSIGNED, UNSIGNED_TRAILER) or _HEX_SHA256.fullmatch(stated):
        return
    if stated.startswith("STREAMING-"):
        raise S3Error("NotImplemented", f"Payload signature {stated} is not supported; use {UNSIGNED_TRAILER}.")
    raise S3Error("InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value.")


def _parse_stamp(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
