"""Which operation a request asks for.

A parameter that S3 knows and this server does not (`?acl`, `?versionId`, `?tagging`, …) is refused by name, so that
nothing is half understood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from local_cloud.s3 import buckets, multipart, objects
from local_cloud.s3.errors import S3Error
from local_cloud.s3.messages import Request, Response
from local_cloud.s3.store import DiskStore

__all__ = ["Route", "route"]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation, and the parameters that it understands beside the signature's."""

    operation: Callable[[DiskStore, Request], Response]
    parameters: frozenset[str] = field(default=frozenset())

    @property
    def name(self) -> str:
        return self.operation.__name__


_SIGNATURE = {"x-id", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders"}
_SIGNATURE |= {"x-amz-signature", "x-amz-security-token", "x-amz-content-sha256"}
_LIST = {
    "list-type",
    "prefix",
    "delimiter",
    "max-keys",
    "start-after",
    "continuation-token",
    "encoding-type",
}
_LIST_UPLOADS = {"uploads", "prefix", "delimiter", "max-uploads", "key-marker", "upload-id-marker", "encoding-type"}
_READ = {"response-content-type", "response-cache-control", "response-content-disposition", "response-expires"}
_READ |= {"response-content-encoding", "response-content-language"}


def _route(operation: Callable[[DiskStore, Request], Response], *parameters: str) -> Route:
    return Route(operation, frozenset(parameters))


_SERVICE = {("GET", ""): _route(buckets.list_buckets, "prefix")}
_BUCKET = {
    ("PUT", ""): _route(buckets.create_bucket),
    ("HEAD", ""): _route(buckets.head_bucket),
    ("DELETE", ""): _route(buckets.delete_bucket),
    ("GET", ""): _route(buckets.list_objects, *_LIST),
    ("GET", "uploads"): _route(multipart.list_multipart_uploads, *_LIST_UPLOADS),
    ("POST", "delete"): _route(buckets.delete_objects, "delete"),
}
_OBJECT = {
    ("PUT", ""): _route(objects.put_object),
    ("PUT", "copy"): _route(objects.copy_object),
    ("GET", ""): _route(objects.get_object, *_READ),
    ("HEAD", ""): _route(objects.head_object, *_READ),
    ("DELETE", ""): _route(objects.delete_object),
    ("POST", "uploads"): _route(multipart.create_multipart_upload, "uploads"),
    ("PUT", "uploadId"): _route(multipart.upload_part, "uploadId", "partNumber"),
    ("PUT", "uploadId+copy"): _route(multipart.upload_part_copy, "uploadId", "partNumber"),
    ("POST", "uploadId"): _route(multipart.complete_multipart_upload, "uploadId"),
    ("DELETE", "uploadId"): _route(multipart.abort_multipart_upload, "uploadId"),
    ("GET", "uploadId"): _route(multipart.list_parts, "uploadId", "max-parts", "part-number-marker", "encoding-type"),
}


def route(request: Request) -> Route:
    """The route of a request; MethodNotAllowed or NotImplemented when there is none."""
    routes = _OBJECT if request.key else _BUCKET if request.bucket else _SERVICE
    marker = next((name for name in ("uploadId", "uploads", "delete") if name in request.query), "")
    if request.method == "PUT" and "x-amz-copy-source" in request.headers:
        marker = f"{marker}+copy" if marker else "copy"
    found = routes.get((request.method, marker))
    if found is None:
        raise S3Error("MethodNotAllowed", Method=request.method, ResourceType=marker or "object")
    unknown = {name for name in request.query if name.lower() not in _SIGNATURE} - found.parameters
    if unknown:
        names = ", ".join(sorted(unknown))
        raise S3Error("NotImplemented", f"This S3 does not know the parameter {names} of {request.method}.")
    return found
