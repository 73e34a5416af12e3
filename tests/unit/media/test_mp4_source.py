"""Ranged reads: few, pinned to one version, with errors for people."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from tests.unit.media.clips import FFMPEG, make_clip
from video_production.errors import MediaError, OperatorError, TransientError
from video_production.media.mp4.source import HEAD, LocalFile, S3Object
from video_production.media.probe import probe, probe_source


class OneObject:
    """An S3 client that knows one object, with S3's rules for ranges and preconditions."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.etag = '"first"'
        self.calls: list[dict[str, Any]] = []
        self.failure = ""

    def get_object(self, **request: Any) -> dict[str, Any]:
        self.calls.append(request)
        if self.failure:
            raise ClientError({"Error": {"Code": self.failure, "Message": ""}}, "GetObject")
        if request.get("IfMatch", self.etag) != self.etag:
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": ""}}, "GetObject")
        first, last = (int(part) for part in request["Range"].removeprefix("bytes=").split("-"))
        if first >= len(self.data):
            raise ClientError({"Error": {"Code": "InvalidRange", "Message": ""}}, "GetObject")
        body = self.data[first : last + 1]
        return {
            "Body": StreamingBody(io.BytesIO(body), len(body)),
            "ETag": self.etag,
            "ContentRange": f"bytes {first}-{first + len(body) - 1}/{len(self.data)}",
        }


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A clip whose header stands behind more media than one read fetches."""
    path = make_clip(tmp_path / "large.mp4", size=(640, 360), seconds=1.5, extra=("-qp", "4"))
    assert path.stat().st_size > 2 * HEAD
    return path


def test_an_object_is_described_like_the_file_it_was(large: Path) -> None:
    client = OneObject(large.read_bytes())
    assert probe_source(S3Object(client, "bucket", "large.mp4")) == probe(large, FFMPEG)


def test_only_the_head_and_the_header_are_fetched(large: Path) -> None:
    client = OneObject(large.read_bytes())
    probe_source(S3Object(client, "bucket", "large.mp4"))
    assert len(client.calls) <= 3
    assert client.calls[0]["Range"] == "bytes=0-262143"


def test_every_read_after_the_first_is_pinned_to_the_first_version(large: Path) -> None:
    client = OneObject(large.read_bytes())
    probe_source(S3Object(client, "bucket", "large.mp4"))
    assert "IfMatch" not in client.calls[0]
    assert [call["IfMatch"] for call in client.calls[1:]] == ['"first"'] * (len(client.calls) - 1)


def test_an_object_that_is_replaced_meanwhile_is_not_mixed_up(large: Path) -> None:
    client = OneObject(large.read_bytes())
    source = S3Object(client, "bucket", "large.mp4")
    client.etag = '"second"'
    with pytest.raises(TransientError, match=r"s3://bucket/large\.mp4 was replaced"):
        probe_source(source)


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("NoSuchKey", MediaError, "does not exist"),
        ("AccessDenied", OperatorError, "access denied"),
        ("SlowDown", TransientError, "SlowDown"),
    ],
)
def test_an_answer_of_s3_becomes_one_of_our_errors(code: str, error: type[Exception], words: str) -> None:
    client = OneObject(b"")
    client.failure = code
    with pytest.raises(error, match=words):
        S3Object(client, "bucket", "clip.mp4")


def test_an_empty_object_is_said_to_be_empty() -> None:
    with pytest.raises(MediaError, match=r"s3://bucket/clip\.mp4 is empty"):
        S3Object(OneObject(b""), "bucket", "clip.mp4")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"none\.mp4 does not exist"):
        LocalFile(tmp_path / "none.mp4")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"is a folder\. Name a file in it\."):
        LocalFile(tmp_path)


def test_a_file_that_shrinks_while_it_is_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(100))
    with LocalFile(path) as source:
        path.write_bytes(bytes(10))
        with pytest.raises(MediaError, match="changed while it was being read"):
            source.read(0, 100)
