"""A request as the operations see it, and their answer as the server sends it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import BinaryIO
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from local_cloud.s3.bodies import Body
from local_cloud.s3.errors import S3Error

__all__ = ["Element", "FilePart", "Request", "Response", "http_date", "iso_date", "parse_xml", "xml"]

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_XML_LIMIT = 4 << 20
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Request:
    """`bucket` and `key` are decoded ("" where the path names none); `headers` have lower-case names."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Body

    def number(self, name: str, default: int, limit: int) -> int:
        """A whole number of the query, at most `limit`; InvalidArgument for anything but digits."""
        value = self.query.get(name, "")
        if value and not value.isdecimal():
            raise S3Error("InvalidArgument", f"{name} must be a number.", ArgumentName=name, ArgumentValue=value)
        return min(int(value), limit) if value else default


@dataclass(frozen=True, slots=True)
class FilePart:
    """`length` bytes of an open file from `offset`. Whoever sends it closes the file."""

    file: BinaryIO
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `copied` is how many bytes were copied from object to object on the server."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | FilePart = b""
    copied: int = 0


Element = tuple[str, "str | int | list[Element]"]
"""An XML element: its name and its text or children."""


def xml(name: str, children: list[Element], status: int = 200, copied: int = 0) -> Response:
    """An answer whose body is one XML document. Errors have no namespace, all else has S3's."""
    namespace = "" if name == "Error" else f' xmlns="{_NAMESPACE}"'
    inner = "".join(map(_render, children))
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{namespace}>{inner}</{name}>'
    return Response(status, {"Content-Type": "application/xml"}, body.encode(errors="replace"), copied)


def _render(element: Element) -> str:
    name, content = element
    if isinstance(content, list):
        inner = "".join(map(_render, content))
    else:
        inner = escape(_NO_XML.sub("\ufffd", str(content)), {"\r": "&#13;"})
    return f"<{name}>{inner}</{name}>"


def parse_xml(body: Body, root: str) -> ElementTree.Element:
    """A request's XML document, its namespaces dropped; MalformedXML unless its outermost element is `root`."""
    body.require_length()
    try:
        document = ElementTree.fromstring(body.read(_XML_LIMIT))
    except ElementTree.ParseError:
        raise S3Error("MalformedXML") from None
    for element in document.iter():
        element.tag = element.tag.rpartition("}")[2]
    if document.tag != root:
        raise S3Error("MalformedXML")
    return document


def http_date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)


def iso_date(seconds: int) -> str:
    """A time as S3's XML shows it: whole seconds, milliseconds always zero."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
