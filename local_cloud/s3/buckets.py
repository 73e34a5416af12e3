"""Operations on buckets: create, list, delete, and everything that looks at many keys at once."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from local_cloud.s3.conditions import write_condition
from local_cloud.s3.errors import S3Error
from local_cloud.s3.messages import Element, Request, Response, iso_date, parse_xml, xml
from local_cloud.s3.store import DiskStore

__all__ = [
    "OWNER",
    "create_bucket",
    "delete_bucket",
    "delete_objects",
    "head_bucket",
    "list_buckets",
    "list_objects",
    "url_encoder",
]

_PAGE = 1000
_REGION = "us-east-1"
OWNER: Element = ("Owner", [("ID", "local"), ("DisplayName", "local")])


def create_bucket(store: DiskStore, request: Request) -> Response:
    """Create a bucket; like us-east-1, succeed when it is already there."""
    store.create_bucket(request.bucket)
    return Response(headers={"Location": f"/{request.bucket}"})


def head_bucket(store: DiskStore, request: Request) -> Response:
    store.require_bucket(request.bucket)
    return Response(headers={"x-amz-bucket-region": _REGION})


def delete_bucket(store: DiskStore, request: Request) -> Response:
    store.delete_bucket(request.bucket)
    return Response(204)


def list_buckets(store: DiskStore, request: Request) -> Response:
    prefix = request.query.get("prefix", "")
    buckets: list[Element] = [
        ("Bucket", [("Name", name), ("CreationDate", iso_date(int(created)))])
        for name, created in store.buckets()
        if name.startswith(prefix)
    ]
    return xml("ListAllMyBucketsResult", [OWNER, ("Buckets", buckets)])


def delete_objects(store: DiskStore, request: Request) -> Response:
    """Delete up to 1,000 keys; each is answered for by itself."""
    store.require_bucket(request.bucket)
    document = parse_xml(request.body, "Delete")
    entries = document.findall("Object")
    if not 0 < len(entries) <= _PAGE or any(not entry.findtext("Key") for entry in entries):
        raise S3Error("MalformedXML")
    quiet = document.findtext("Quiet", "").lower() == "true"
    results: list[Element] = []
    for entry in entries:
        key, etag = entry.findtext("Key", ""), entry.findtext("ETag")
        try:
            store.delete(request.bucket, key, write_condition({"if-match": etag} if etag else {}, key))
        except S3Error as error:
            results.append(("Error", [("Key", key), ("Code", error.code), ("Message", error.message)]))
        else:
            if not quiet:
                results.append(("Deleted", [("Key", key)]))
    return xml("DeleteResult", results)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a list: a key, or the common prefix of several."""

    name: str
    is_prefix: bool


def list_objects(store: DiskStore, request: Request) -> Response:
    """One page of ListObjectsV2."""
    if request.query.get("list-type") != "2":
        raise S3Error("NotImplemented", "Only version 2 of ListObjects is supported here; use list_objects_v2.")
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    limit = request.number("max-keys", _PAGE, _PAGE)
    encode = url_encoder(request)
    after = _read_token(request)
    rows = _rows(store, request.bucket, prefix, delimiter, after)
    contents: list[Element] = []
    prefixes: list[Element] = []
    last: _Row | None = None
    truncated = False
    for row in rows:
        if len(contents) + len(prefixes) == limit:
            truncated = limit > 0
            break
        if row.is_prefix:
            prefixes.append(("CommonPrefixes", [("Prefix", encode(row.name))]))
        elif element := _contents(store, request.bucket, row.name, encode(row.name)):
            contents.append(element)
        last = row
    head: list[Element] = [
        ("Name", request.bucket),
        ("Prefix", encode(prefix)),
        ("MaxKeys", limit),
        ("KeyCount", len(contents) + len(prefixes)),
        ("IsTruncated", "true" if truncated else "false"),
    ]
    optional = {"Delimiter": encode(delimiter), "StartAfter": encode(request.query.get("start-after", ""))}
    optional["EncodingType"] = request.query.get("encoding-type", "")
    optional["ContinuationToken"] = request.query.get("continuation-token", "")
    optional["NextContinuationToken"] = _token(last) if truncated and last else ""
    head += [(name, value) for name, value in optional.items() if value]
    return xml("ListBucketResult", head + contents + prefixes)


def url_encoder(request: Request) -> _Encoder:
    """How this answer spells keys: as they are, or percent-encoded when the request asks for it."""
    wanted = request.query.get("encoding-type")
    if wanted not in (None, "url"):
        raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request", ArgumentValue=wanted)
    return _Encoder(wanted == "url")


@dataclass(frozen=True, slots=True)
class _Encoder:
    encodes: bool

    def __call__(self, key: str) -> str:
        return quote(key, safe="/-_.~") if self.encodes else key


def _rows(store: DiskStore, bucket: str, prefix: str, delimiter: str, after: _Row) -> Iterator[_Row]:
    """The lines of the list after `after`, in order."""
    skipped = after.name if after.is_prefix else None
    for key in store.keys(bucket, prefix, after.name):
        if skipped is not None and key.startswith(skipped):
            continue
        head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        if found:
            skipped = prefix + head + delimiter
            yield _Row(skipped, is_prefix=True)
        else:
            yield _Row(key, is_prefix=False)


def _contents(store: DiskStore, bucket: str, key: str, shown: str) -> Element | None:
    """The entry of a key; None when it has been deleted meanwhile."""
    info = store.head(bucket, key)
    if info is None:
        return None
    return (
        "Contents",
        [
            ("Key", shown),
            ("LastModified", iso_date(info.modified)),
            ("ETag", info.etag),
            ("Size", info.size),
            ("StorageClass", "STANDARD"),
        ],
    )


def _token(row: _Row) -> str:
    return base64.urlsafe_b64encode(f"{'p' if row.is_prefix else 'k'}{row.name}".encode()).decode()


def _read_token(request: Request) -> _Row:
    """Where the page starts: after a continuation token's line, or after `start-after`."""
    token = request.query.get("continuation-token")
    if token is None:
        return _Row(request.query.get("start-after", ""), is_prefix=False)
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    if text[:1] not in ("p", "k"):
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect", ArgumentValue=token)
    return _Row(text[1:], is_prefix=text[0] == "p")
