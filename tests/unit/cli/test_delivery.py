"""What lies in `output` after a run: this video, its captions, and nothing of an earlier one of its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from video_production.cli.delivery import deliver, delivered
from video_production.nodes.model import Captions, Node, Output
from video_production.storage import Storage


class Desk:
    def __init__(self, storage: Storage, bucket: str, folder: Path) -> None:
        self.storage, self.bucket, self.folder = storage, bucket, folder

    def node(self, content: bytes, *, captions: bool, draft: bool = True) -> Node:
        stored = self.storage.put_bytes(content, self.bucket, "video.mp4", "video/mp4")
        pair = None
        if captions:
            self.storage.put_bytes(b"1", self.bucket, "c.srt", "text/plain")
            self.storage.put_bytes(b"WEBVTT", self.bucket, "c.vtt", "text/vtt")
            pair = Captions("c.srt", "c.vtt")
        output = Output("video", stored.key, stored.size, stored.sha256, self.bucket, 1.0, draft, captions=pair)
        return Node("lesson", "film", "Film", "merge-videos", output=output)

    def deliver(self, node: Node, document: str = "pipeline.yaml") -> list[str]:
        deliver(node, self.folder / document, self.storage)
        return sorted(path.name for path in (self.folder / "output").iterdir())


@pytest.fixture
def desk(s3: Any, bucket: str, tmp_path: Path) -> Desk:
    return Desk(Storage(s3), bucket, tmp_path)


def test_a_video_lies_beside_its_captions(desk: Desk) -> None:
    assert desk.deliver(desk.node(b"one", captions=True)) == ["film.draft.mp4", "film.draft.srt", "film.draft.vtt"]


def test_captions_that_the_new_video_does_not_have_are_gone(desk: Desk) -> None:
    desk.deliver(desk.node(b"one", captions=True))
    assert desk.deliver(desk.node(b"two", captions=False)) == ["film.draft.mp4"]


def test_a_draft_does_not_stay_beside_the_video_that_replaces_it(desk: Desk) -> None:
    desk.deliver(desk.node(b"one", captions=True))
    assert desk.deliver(desk.node(b"two", captions=False, draft=False)) == ["film.mp4"]


def test_documents_that_share_a_folder_do_not_overwrite_each_other(desk: Desk) -> None:
    desk.deliver(desk.node(b"one", captions=False), "german.yaml")
    assert desk.deliver(desk.node(b"two", captions=False), "japanese.yaml") == [
        "german.draft.mp4",
        "japanese.draft.mp4",
    ]


def test_somebody_elses_file_is_left_alone(desk: Desk) -> None:
    (desk.folder / "output").mkdir()
    (desk.folder / "output" / "film.txt").write_text("mine")
    assert "film.txt" in desk.deliver(desk.node(b"one", captions=False))


def test_a_changed_file_does_not_count_as_delivered(desk: Desk) -> None:
    node = desk.node(b"one", captions=True)
    document = desk.folder / "pipeline.yaml"
    assert delivered(node, document) is None
    desk.deliver(node)
    assert delivered(node, document) is not None
    (desk.folder / "output" / "film.draft.mp4").write_bytes(b"two")
    assert delivered(node, document) is None
