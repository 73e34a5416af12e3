"""Storing what a node made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.graphs import claim, node, text_output, write
from video_production.media.captions import Cue
from video_production.nodes.table import NodeTable
from video_production.nodes.work import NodeWork
from video_production.storage import PART, Storage


@pytest.mark.parametrize("size", [10, PART + 1], ids=["one request", "multipart"])
def test_what_is_made_on_the_way_bears_a_tag_and_the_final_video_does_not(
    dynamodb: Any, s3: Any, tables: TableNames, bucket: str, tmp_path: Path, size: int
) -> None:
    table, storage = NodeTable(dynamodb, tables.nodes), Storage(s3)
    script = text_output(bucket=bucket)
    write(table, [node("script", "asset"), node("part"), node("whole", inputs=["part"])], {"script": script})
    video = tmp_path / "video.mp4"
    video.write_bytes(b"x" * size)
    tags = {}
    for name in ("part", "whole"):
        work = NodeWork(claim(table, name), table, storage, tmp_path)
        output = work.store(video, duration=1.0, draft=False, cues=[Cue(0.0, 1.0, "Hello.")], details={})
        assert output.captions is not None
        for key in (output.s3_key, output.captions.srt, output.captions.vtt):
            tags.setdefault(name, []).append(s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"])
    assert tags == {"part": [[{"Key": "jiki-video", "Value": "intermediate"}]] * 3, "whole": [[]] * 3}
