"""The operations of multipart uploads.

Limits: parts 1 to 10,000, every part but the last at least 5 MiB, each at most 5 GiB; a byte range is copied only from
a source above 5 MiB (Amazon S3 user guide, "Multipart upload limits"; API reference, UploadPartCopy).
"""

from __future__ import annotations

import hashlib
import time
import uuid
from xml.etree import ElementTree

from local_cloud.s3 import checksums
from local_cloud.s3.buckets import OWNER, url_encoder
from local_cloud.s3.conditions import check_copy_source, copy_range_of, write_condition
from local_cloud.s3.copying import copy_range
from local_cloud.s3.errors import S3Error
from local_cloud.s3.messages import Element, Request, Response, iso_date, parse_xml, xml
from local_cloud.s3.objects import MAX_SINGLE, checksum_headers, copy_source, source_md5, stored_headers, user_metadata
from local_cloud.s3.records import ObjectInfo, ObjectRecord
from local_cloud.s3.store import Condition, DiskStore
from local_cloud.s3.uploads import Part, Upload

__all__ = [
    "abort_multipart_upload",
    "complete_multipart_upload",
    "create_multipart_upload",
    "list_multipart_uploads",
    "list_parts",
    "upload_part",
    "upload_part_copy",
]

MIN_PART = 5 << 20
MAX_PARTS = 10_000
_PAGE = 1000


def create_multipart_upload(store: DiskStore, request: Request) -> Response:
    store.require_place(request.bucket, request.key)
    algorithm = request.headers.get("x-amz-checksum-algorithm", "").lower()
    upload = Upload(
        id=uuid.uuid4().hex,
        bucket=request.bucket,
        key=request.key,
        initiated=time.time(),
        headers=stored_headers(request.headers),
        metadata=user_metadata(request.headers),
        algorithm=algorithm,
        checksum_type=request.headers.get("x-amz-checksum-type", "").upper(),
    )
    store.uploads.add(upload)
    answer = xml(
        "InitiateMultipartUploadResult", [("Bucket", upload.bucket), ("Key", upload.key), ("UploadId", upload.id)]
    )
    if algorithm:
        answer.headers["x-amz-checksum-algorithm"] = algorithm.upper()
    return answer


def upload_part(store: DiskStore, request: Request) -> Response:
    """Store the body as one part."""
    request.body.require_length()
    upload, number = _find(store, request), _part_number(request)
    with store.incoming() as incoming:
        received = request.body.receive(incoming.file, MAX_SINGLE)
        part = store.uploads.add_part(upload, number, incoming, received.md5, received.checksums)
    return Response(headers={"ETag": part.etag, **checksum_headers(part.checksums)})


def upload_part_copy(store: DiskStore, request: Request) -> Response:
    """Copy an object, or a range of it, as one part, without its bytes leaving the server."""
    upload, number = _find(store, request), _part_number(request)
    with store.reading(*copy_source(request.headers)) as source, store.incoming() as incoming:
        check_copy_source(request.headers, source.info)
        offset, length = copy_range_of(request.headers, source.info.size)
        if "x-amz-copy-source-range" in request.headers and source.info.size <= MIN_PART:
            raise S3Error("InvalidRequest", "The specified copy source is not supported as a byte-range copy source")
        if length > MAX_SINGLE:
            raise S3Error("InvalidRequest", f"The copy range is larger than the maximum allowable size: {MAX_SINGLE}")
        md5 = source_md5(source.info, source.file, offset, length)
        if linked := store.link(source):
            part = store.uploads.add_range(upload, number, linked, offset, length, md5)
        else:
            copy_range(source.file, incoming.file, offset, length)
            part = store.uploads.add_part(upload, number, incoming, md5, checksums={})
    return xml("CopyPartResult", [("LastModified", iso_date(int(part.modified))), ("ETag", part.etag)], copied=length)


def complete_multipart_upload(store: DiskStore, request: Request) -> Response:
    """Make the parts one object. Repeated after a lost answer, it answers the same again."""
    document = parse_xml(request.body, "CompleteMultipartUpload")
    condition = write_condition(request.headers, request.key)
    try:
        upload = _find(store, request)
        info = _complete(store, upload, _chosen(store, upload, document), condition)
    except S3Error as error:
        made = _made_before(store, request) if error.code in ("NoSuchUpload", "PreconditionFailed") else None
        if made is None:
            raise
        info = made
    store_url = f"/{request.bucket}/{request.key}"
    elements: list[Element] = [("Location", store_url), ("Bucket", request.bucket), ("Key", request.key)]
    elements.append(("ETag", info.etag))
    elements += [(f"Checksum{name.upper()}", value) for name, value in info.record.checksums.items()]
    return xml("CompleteMultipartUploadResult", elements)


def abort_multipart_upload(store: DiskStore, request: Request) -> Response:
    store.uploads.remove(_find(store, request))
    return Response(204)


def list_parts(store: DiskStore, request: Request) -> Response:
    upload = _find(store, request)
    limit, marker = request.number("max-parts", _PAGE, _PAGE), request.number("part-number-marker", 0, MAX_PARTS)
    waiting = [part for number, part in store.uploads.parts(upload).items() if number > marker]
    page = waiting[:limit]
    elements: list[Element] = [
        ("Bucket", upload.bucket),
        ("Key", upload.key),
        ("UploadId", upload.id),
        ("Initiator", [("ID", "local")]),
        OWNER,
        ("StorageClass", "STANDARD"),
        ("PartNumberMarker", marker),
        ("NextPartNumberMarker", page[-1].number if page else 0),
        ("MaxParts", limit),
        ("IsTruncated", "true" if len(waiting) > limit else "false"),
    ]
    return xml("ListPartsResult", elements + [_part_element(part) for part in page])


def list_multipart_uploads(store: DiskStore, request: Request) -> Response:
    """The open uploads of a bucket, by key and age."""
    store.require_bucket(request.bucket)
    if request.query.get("delimiter"):
        raise S3Error("NotImplemented", "Listing uploads by delimiter is not supported here; use a prefix.")
    prefix, limit = request.query.get("prefix", ""), request.number("max-uploads", _PAGE, _PAGE)
    key_marker, id_marker = request.query.get("key-marker", ""), request.query.get("upload-id-marker", "")
    encode = url_encoder(request)
    waiting = [one for one in store.uploads.all(request.bucket) if one.key.startswith(prefix)]
    waiting = _after(waiting, key_marker, id_marker)
    page = waiting[:limit]
    elements: list[Element] = [
        ("Bucket", request.bucket),
        ("KeyMarker", encode(key_marker)),
        ("UploadIdMarker", id_marker),
        ("NextKeyMarker", encode(page[-1].key) if page else ""),
        ("NextUploadIdMarker", page[-1].id if page else ""),
        ("Prefix", encode(prefix)),
        ("MaxUploads", limit),
        ("IsTruncated", "true" if len(waiting) > limit else "false"),
    ]
    if encode.encodes:
        elements.append(("EncodingType", "url"))
    return xml("ListMultipartUploadsResult", elements + [_upload_element(one, encode(one.key)) for one in page])


def _find(store: DiskStore, request: Request) -> Upload:
    store.require_bucket(request.bucket)
    return store.uploads.find(request.bucket, request.key, request.query["uploadId"])


def _part_number(request: Request) -> int:
    value = request.query.get("partNumber", "")
    if not value.isdecimal() or not 1 <= int(value) <= MAX_PARTS:
        raise S3Error(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=value,
        )
    return int(value)


def _chosen(store: DiskStore, upload: Upload, document: ElementTree.Element) -> list[Part]:
    """The parts that the request names, each checked; InvalidPart, InvalidPartOrder or EntityTooSmall."""
    stored = store.uploads.parts(upload)
    chosen: list[Part] = []
    for element in document.findall("Part"):
        number = element.findtext("PartNumber", "").strip()
        if not number.isdecimal():
            raise S3Error("MalformedXML")
        if chosen and int(number) <= chosen[-1].number:
            raise S3Error("InvalidPartOrder")
        part = stored.get(int(number))
        if part is None or not _is_same(part, element):
            raise S3Error("InvalidPart", UploadId=upload.id, PartNumber=number, ETag=element.findtext("ETag", ""))
        chosen.append(part)
    if not chosen:
        raise S3Error("MalformedXML", "You must specify at least one part")
    for part in chosen[:-1]:
        if part.size < MIN_PART:
            raise S3Error(
                "EntityTooSmall",
                ProposedSize=part.size,
                MinSizeAllowed=MIN_PART,
                PartNumber=part.number,
                ETag=part.md5,
            )
    return chosen


def _is_same(part: Part, element: ElementTree.Element) -> bool:
    """Whether the ETag and the checksums that a request states for a part are those of the stored one."""
    stated = {algorithm: element.findtext(f"Checksum{algorithm.upper()}") for algorithm in part.checksums}
    agrees = all(value in (None, part.checksums[algorithm]) for algorithm, value in stated.items())
    return agrees and element.findtext("ETag", "").strip().strip('"') == part.md5


def _complete(store: DiskStore, upload: Upload, parts: list[Part], condition: Condition) -> ObjectInfo:
    condition(store.head(upload.bucket, upload.key))
    with store.incoming() as incoming:
        store.uploads.concatenate(upload, parts, incoming.file)
        record = ObjectRecord(
            key=upload.key,
            etag=_multipart_etag(parts),
            headers=upload.headers,
            metadata=upload.metadata,
            checksums=_checksums_of_whole(upload, parts),
            upload_id=upload.id,
        )
        info = store.commit(incoming, upload.bucket, record, condition)
    store.uploads.remove(upload)
    return info


def _made_before(store: DiskStore, request: Request) -> ObjectInfo | None:
    """The object, if it is this very upload that made it."""
    info = store.head(request.bucket, request.key)
    return info if info and info.record.upload_id == request.query["uploadId"] else None


def _multipart_etag(parts: list[Part]) -> str:
    md5s = b"".join(bytes.fromhex(part.md5) for part in parts)
    return f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _checksums_of_whole(upload: Upload, parts: list[Part]) -> dict[str, str]:
    """The composite checksum, where every part came with one that can be combined."""
    algorithm = upload.algorithm
    if not algorithm or upload.checksum_type == "FULL_OBJECT":
        return {}
    if any(algorithm not in part.checksums for part in parts):
        return {}
    value = checksums.composite(algorithm, [part.checksums[algorithm] for part in parts])
    return {algorithm: value} if value else {}


def _after(uploads: list[Upload], key_marker: str, id_marker: str) -> list[Upload]:
    """What follows the markers of a page."""
    if not key_marker:
        return uploads
    same_key = [one.id for one in uploads if one.key == key_marker]
    passed = set(same_key[: same_key.index(id_marker) + 1] if id_marker in same_key else same_key)
    return [one for one in uploads if one.key >= key_marker and one.id not in passed]


def _part_element(part: Part) -> Element:
    elements: list[Element] = [
        ("PartNumber", part.number),
        ("LastModified", iso_date(int(part.modified))),
        ("ETag", part.etag),
        ("Size", part.size),
    ]
    elements += [(f"Checksum{name.upper()}", value) for name, value in part.checksums.items()]
    return ("Part", elements)


def _upload_element(upload: Upload, shown: str) -> Element:
    return (
        "Upload",
        [
            ("Key", shown),
            ("UploadId", upload.id),
            ("Initiator", [("ID", "local")]),
            OWNER,
            ("StorageClass", "STANDARD"),
            ("Initiated", iso_date(int(upload.initiated))),
        ],
    )
