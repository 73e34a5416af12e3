"""The digests that S3 verifies: MD5 for ETags and the `x-amz-checksum-*` family.

CRC32, SHA-1, SHA-256, SHA-512 and MD5 are computed and compared. CRC32C, CRC64NVME and the XXHash family have no fast
implementation in the standard library: they are accepted and handed back, not compared.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from local_cloud.s3.errors import S3Error

__all__ = ["PREFIX", "Digest", "compare", "composite", "declared", "md5", "new_digest"]

PREFIX = "x-amz-checksum-"

_NOT_ALGORITHMS = {"algorithm", "type", "mode"}


class Digest(Protocol):
    """What hashlib's objects and `_Crc32` have in common."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def md5() -> hashlib._Hash:
    """A fresh MD5, which names content here and protects nothing."""
    return hashlib.md5(usedforsecurity=False)


_ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "crc32": _Crc32,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": md5,
}


def new_digest(algorithm: str) -> Digest | None:
    """A fresh digest of an algorithm (`crc32`, …), or None where it can't be computed here."""
    factory = _ALGORITHMS.get(algorithm)
    return factory() if factory else None


def declared(headers: Mapping[str, str]) -> dict[str, str]:
    """The checksums that a request states, as {algorithm: base64}."""
    found = {}
    for name, value in headers.items():
        algorithm = name.lower().removeprefix(PREFIX)
        if algorithm != name.lower() and algorithm not in _NOT_ALGORITHMS:
            found[algorithm] = value.strip()
    return found


def compare(stated: Mapping[str, str], computed: Mapping[str, Digest]) -> None:
    """BadDigest unless every stated checksum that was computed agrees."""
    for algorithm, value in stated.items():
        digest = computed.get(algorithm)
        if digest is not None and base64.b64encode(digest.digest()).decode() != value:
            name = algorithm.upper()
            raise S3Error("BadDigest", f"The {name} you specified did not match the calculated checksum.")


def composite(algorithm: str, parts: Iterable[str]) -> str | None:
    """The checksum of a multipart object: the digest of its parts' digests, `-`, their number."""
    digest, count = new_digest(algorithm), 0
    if digest is None:
        return None
    for part in parts:
        digest.update(base64.b64decode(part))
        count += 1
    return f"{base64.b64encode(digest.digest()).decode()}-{count}"
