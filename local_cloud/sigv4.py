"""Signature Version 4, the part that is the same for every service.

Source: "Create a signed AWS API request", AWS Identity and Access Management user guide.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import quote

__all__ = ["ALGORITHM", "authorization_fields", "canonical_request", "encode_path", "signature", "string_to_sign"]

ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


def authorization_fields(header: str) -> dict[str, str]:
    """`AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…` → its fields."""
    fields = {}
    for field in header.removeprefix(ALGORITHM).split(","):
        name, _, value = field.strip().partition("=")
        fields[name] = value
    return fields


def encode_path(path: str) -> str:
    """A path with everything but unreserved characters and slashes encoded once more."""
    return quote(path, safe=f"/{_UNRESERVED}")


def canonical_request(
    method: str,
    path: str,
    query: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    signed_headers: Sequence[str],
    payload_hash: str,
) -> str:
    """The text that stands for a request: `path` as the service encodes it, `query` decoded, `headers` by lower-case
    name."""
    encoded = sorted((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in query)
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in signed_headers]
    return "\n".join(
        [
            method,
            path,
            "&".join(f"{name}={value}" for name, value in encoded),
            "".join(lines),
            ";".join(signed_headers),
            payload_hash,
        ]
    )


def string_to_sign(stamp: str, scope: str, canonical: str) -> str:
    """`scope` is `date/region/service/aws4_request`."""
    return "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])


def signature(secret_key: str, scope: str, to_sign: str) -> str:
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
