"""Preconditions and byte ranges, by RFC 9110 and as S3 deviates from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from local_cloud.s3.errors import S3Error
from local_cloud.s3.records import ObjectInfo
from local_cloud.s3.store import Condition

__all__ = ["check_copy_source", "copy_range_of", "is_not_modified", "range_of", "write_condition"]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_COPY_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


def is_not_modified(headers: Mapping[str, str], info: ObjectInfo) -> bool:
    """Whether a read is answered with 304; PreconditionFailed where the reader wants another version."""
    _check_match(headers, "", info)
    return _is_known(headers, "", info)


def check_copy_source(headers: Mapping[str, str], info: ObjectInfo) -> None:
    """PreconditionFailed unless every `x-amz-copy-source-if-*` header holds for the source."""
    _check_match(headers, "x-amz-copy-source-", info)
    if _is_known(headers, "x-amz-copy-source-", info):
        raise S3Error("PreconditionFailed", Condition="x-amz-copy-source-If-None-Match")


def write_condition(headers: Mapping[str, str], key: str) -> Condition:
    """The check of `If-None-Match: *` and `If-Match` which a write makes in the moment in which it takes effect."""
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match not in (None, "*"):
        raise S3Error("NotImplemented", "A write supports If-None-Match only as '*'.", Header="If-None-Match")

    def check(current: ObjectInfo | None) -> None:
        if none_match and current:
            raise S3Error("PreconditionFailed", Condition="If-None-Match")
        if match and current is None:
            raise S3Error("NoSuchKey", Key=key)
        if match and current and not _matches(match, current):
            raise S3Error("PreconditionFailed", Condition="If-Match")

    return check


def range_of(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """Offset and length of the `Range` of a read, or None for the whole object; InvalidRange when it has none of it.

    Anything but one range of bytes is ignored, as S3 does.
    """
    match = _RANGE.fullmatch(headers.get("range", "").strip())
    if not match or match[0] == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        if last and int(last) < int(first):
            return None
        start, end = int(first), min(int(last) if last else size, size - 1)
    if start > end:
        raise S3Error("InvalidRange", ActualObjectSize=size, RangeRequested=headers["range"])
    return start, end - start + 1


def copy_range_of(headers: Mapping[str, str], size: int) -> tuple[int, int]:
    """Offset and length of `x-amz-copy-source-range`: within the source or InvalidArgument, never shortened."""
    stated = headers.get("x-amz-copy-source-range")
    if stated is None:
        return 0, size
    match = _COPY_RANGE.fullmatch(stated.strip())
    argument: dict[str, str | int] = {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": stated}
    if not match or int(match[1]) > int(match[2]):
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            **argument,
        )
    first, last = int(match[1]), int(match[2])
    if last >= size:
        raise S3Error("InvalidArgument", f"Range specified is not valid for source object of size: {size}", **argument)
    return first, last - first + 1


def _check_match(headers: Mapping[str, str], prefix: str, info: ObjectInfo) -> None:
    match, unmodified = headers.get(f"{prefix}if-match"), _seconds(headers.get(f"{prefix}if-unmodified-since"))
    if match is not None:
        if not _matches(match, info):
            raise S3Error("PreconditionFailed", Condition=f"{prefix}If-Match")
    elif unmodified is not None and info.modified > unmodified:
        raise S3Error("PreconditionFailed", Condition=f"{prefix}If-Unmodified-Since")


def _is_known(headers: Mapping[str, str], prefix: str, info: ObjectInfo) -> bool:
    none_match, since = headers.get(f"{prefix}if-none-match"), _seconds(headers.get(f"{prefix}if-modified-since"))
    if none_match is not None:
        return _matches(none_match, info)
    return since is not None and info.modified <= since


def _matches(header: str, info: ObjectInfo) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return "*" in tags or info.record.etag in tags


def _seconds(date: str | None) -> float | None:
    """A date of HTTP in seconds since 1970; None for none and, as RFC 9110 says, for one that is no date."""
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None
