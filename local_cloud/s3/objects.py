"""Operations on one object: put, get, head, copy, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO
from urllib.parse import unquote

from local_cloud.s3.checksums import PREFIX
from local_cloud.s3.conditions import check_copy_source, is_not_modified, range_of, write_condition
from local_cloud.s3.copying import copy_range, md5_of_range
from local_cloud.s3.errors import S3Error
from local_cloud.s3.messages import FilePart, Request, Response, http_date, iso_date, xml
from local_cloud.s3.records import DEFAULT_TYPE, ObjectInfo, ObjectRecord
from local_cloud.s3.store import DiskStore

__all__ = [
    "MAX_SINGLE",
    "checksum_headers",
    "copy_object",
    "copy_source",
    "delete_object",
    "get_object",
    "head_object",
    "put_object",
    "source_md5",
    "stored_headers",
    "user_metadata",
]

MAX_SINGLE = 5 << 30
"""The largest object of one PUT, one copy or one part, in bytes."""
_MAX_METADATA = 2048

_STORED = ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires")


def put_object(store: DiskStore, request: Request) -> Response:
    """Store the body; the object appears whole, once every checksum that the request states has been verified."""
    request.body.require_length()
    store.require_place(request.bucket, request.key)
    condition = write_condition(request.headers, request.key)
    condition(store.head(request.bucket, request.key))
    headers, metadata = stored_headers(request.headers), user_metadata(request.headers)
    with store.incoming() as incoming:
        received = request.body.receive(incoming.file, MAX_SINGLE)
        record = ObjectRecord(request.key, received.md5, headers, metadata, received.checksums)
        info = store.commit(incoming, request.bucket, record, condition)
    return Response(headers={"ETag": info.etag, **checksum_headers(received.checksums)})


def get_object(store: DiskStore, request: Request) -> Response:
    """The object, or the range of it that is asked for."""
    opened = store.open_object(request.bucket, request.key)
    try:
        response = _describe(request, opened.info, opened.file)
        if not isinstance(response.body, FilePart):
            opened.file.close()
        return response
    except BaseException:
        opened.file.close()
        raise


def head_object(store: DiskStore, request: Request) -> Response:
    """The headers of `get_object` without its body, which the server leaves out for every HEAD."""
    return get_object(store, request)


def delete_object(store: DiskStore, request: Request) -> Response:
    store.delete(request.bucket, request.key, write_condition(request.headers, request.key))
    return Response(204)


def copy_object(store: DiskStore, request: Request) -> Response:
    """Copy an object whole; its metadata comes along unless the request replaces it."""
    bucket, key = copy_source(request.headers)
    store.require_place(request.bucket, request.key)
    condition = write_condition(request.headers, request.key)
    replaced = _replaces_metadata(request.headers)
    if (bucket, key) == (request.bucket, request.key) and not replaced:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    with store.reading(bucket, key) as source, store.incoming() as incoming:
        check_copy_source(request.headers, source.info)
        size = source.info.size
        if size > MAX_SINGLE:
            raise S3Error("InvalidRequest", f"The copy source is larger than the maximum allowable size: {MAX_SINGLE}")
        condition(store.head(request.bucket, request.key))
        copy_range(source.file, incoming.file, 0, size)
        md5 = source_md5(source.info, source.file, 0, size)
        record = replace(source.info.record, key=request.key, etag=md5, upload_id="")
        if replaced:
            metadata = user_metadata(request.headers)
            record = replace(record, headers=stored_headers(request.headers), metadata=metadata)
        info = store.commit(incoming, request.bucket, record, condition)
    return xml("CopyObjectResult", [("ETag", info.etag), ("LastModified", iso_date(info.modified))], copied=size)


def copy_source(headers: Mapping[str, str]) -> tuple[str, str]:
    """Bucket and key that `x-amz-copy-source` names."""
    path, _, version = headers["x-amz-copy-source"].partition("?")
    if version:
        raise S3Error("NotImplemented", "Objects have no versions here; leave versionId out of x-amz-copy-source.")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if not bucket or not key:
        raise S3Error(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName="x-amz-copy-source",
            ArgumentValue=headers["x-amz-copy-source"],
        )
    return bucket, key


def source_md5(info: ObjectInfo, file: BinaryIO, offset: int, length: int) -> str:
    """The MD5 of a part of a source: its ETag where that is the MD5 of just these bytes."""
    if length == info.size and "-" not in info.record.etag:
        return info.record.etag
    return md5_of_range(file, offset, length)


def stored_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that S3 keeps with an object. `aws-chunked` described only how the body came."""
    stored = {name: headers[name] for name in _STORED if name in headers}
    stored.setdefault("content-type", DEFAULT_TYPE)
    encodings = [part.strip() for part in stored.pop("content-encoding", "").split(",")]
    if kept := [part for part in encodings if part and part != "aws-chunked"]:
        stored["content-encoding"] = ",".join(kept)
    return stored


def user_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """The `x-amz-meta-*` headers without their prefix; MetadataTooLarge above S3's 2 KB."""
    prefix = "x-amz-meta-"
    metadata = {name.removeprefix(prefix): value for name, value in headers.items() if name.startswith(prefix)}
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > _MAX_METADATA:
        raise S3Error("MetadataTooLarge", Size=size, MaxSizeAllowed=_MAX_METADATA)
    return metadata


def _replaces_metadata(headers: Mapping[str, str]) -> bool:
    directive = headers.get("x-amz-metadata-directive", "COPY")
    if directive not in ("COPY", "REPLACE"):
        raise S3Error("InvalidArgument", "Unknown metadata directive.", ArgumentValue=directive)
    return directive == "REPLACE"


def _describe(request: Request, info: ObjectInfo, file: BinaryIO) -> Response:
    """The answer to a read."""
    headers = {
        "ETag": info.etag,
        "Last-Modified": http_date(info.modified),
        "Accept-Ranges": "bytes",
        **{_title(name): value for name, value in info.record.headers.items()},
        **{f"x-amz-meta-{name}": value for name, value in info.record.metadata.items()},
    }
    if is_not_modified(request.headers, info):
        return Response(304, headers)
    for name in _STORED:
        if override := request.query.get(f"response-{name}"):
            headers[_title(name)] = _header_value(override)
    part = range_of(request.headers, info.size)
    if part is None:
        if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            headers |= checksum_headers(info.record.checksums)
        return Response(200, headers, FilePart(file, 0, info.size))
    offset, length = part
    headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{info.size}"
    return Response(206, headers, FilePart(file, offset, length))


def _header_value(value: str) -> str:
    """A value from the query that becomes a header; InvalidArgument when no header can hold it."""
    if not value.isprintable() or any(ord(character) > 255 for character in value):
        raise S3Error("InvalidArgument", "Header value cannot be represented using ISO-8859-1.", ArgumentValue=value)
    return value


def checksum_headers(checksums: Mapping[str, str]) -> dict[str, str]:
    return {f"{PREFIX}{algorithm}": value for algorithm, value in checksums.items()}


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
