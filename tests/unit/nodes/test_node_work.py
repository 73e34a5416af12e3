"""Storing what a node made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.graphs import claim, node, text_output, write
from video_production.media.captions import Cue
from video_production.nodes import merging
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


def test_every_try_of_a_node_has_its_own_place_in_the_nodes_folder(
    dynamodb: Any, s3: Any, tables: TableNames, bucket: str, tmp_path: Path
) -> None:
    table, storage = NodeTable(dynamodb, tables.nodes), Storage(s3)
    script = text_output(bucket=bucket)
    write(table, [node("script", "asset"), node("part", inputs=["script"])], {"script": script})
    first = claim(table, "part")
    work = NodeWork(first, table, storage, tmp_path)
    second = table.reclaim(first, "another-claim")
    assert second is not None
    again = NodeWork(second, table, storage, tmp_path)
    assert work.folder == again.folder
    assert work.folder.endswith("/nodes/part/")
    for each in (work, again):
        assert each.destination(draft=False).key == f"{each.folder}{each.claim.process_uuid}/video.mp4"
    assert work.destination(draft=True) != again.destination(draft=True)


def test_a_merge_cleans_up_what_earlier_tries_of_its_node_left_open(
    dynamodb: Any, s3: Any, tables: TableNames, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, asked = NodeTable(dynamodb, tables.nodes), {}

    class Enough(Exception):
        pass

    def noted(*_: object, **options: object) -> None:
        asked.update(options)
        raise Enough

    monkeypatch.setattr(merging, "merge", noted)
    write(table, [node("script", "asset"), node("part", inputs=["script"])], {"script": text_output(bucket=bucket)})
    claimed = claim(table, "part")
    with pytest.raises(Enough):
        merging.make_merge(claimed, table, Storage(s3), deadline=0.0)
    assert asked["folder"] == NodeWork(claimed, table, Storage(s3), tmp_path).folder
