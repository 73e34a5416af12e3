"""The work on one claimed FFmpeg node: fetch its inputs, tell how far it is, store what was made, complete the node.

The output's key holds the claim, so a node that is made again writes a new object and never touches an old one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_production.errors import Cancelled, Superseded
from video_production.media.captions import Cue, read_captions, to_srt, to_vtt
from video_production.nodes.model import Captions, Desired, Node, Output, Pipeline
from video_production.nodes.table import Claim, NodeTable
from video_production.settings import INTERMEDIATE_TAG
from video_production.storage import Storage, file_name

__all__ = ["Input", "NodeWork"]

_TELL_EVERY = 1.0
_CONTENT_TYPES = {".mp4": "video/mp4", ".srt": "application/x-subrip", ".vtt": "text/vtt; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Input:
    """One input on disk: the node that made it, its output, and the file."""

    node: Node
    output: Output
    path: Path

    @property
    def name(self) -> str:
        """What people call it: the asset's file name, or the node's id."""
        return self.path.name if self.node.asset else self.node.id


class NodeWork:
    """One claimed node's work in the folder `work`. Every method raises Superseded once the claim is not current."""

    def __init__(
        self,
        claim: Claim,
        nodes: NodeTable,
        storage: Storage,
        work: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.claim = claim
        self.nodes = nodes
        self.storage = storage
        self.work = work
        self.clock = clock
        self.node = nodes.claimed(claim)
        self.pipeline = self._pipeline()
        self._told: tuple[str, float] = ("", 0.0)

    def fetch(self, slot: str) -> list[Input]:
        """Download every input of a slot, in order."""
        fetched = []
        for number, node_id in enumerate(self.node.inputs.get(slot, ())):
            source = self.nodes.node(self.claim.pipeline_id, node_id)
            if source is None or source.output is None:
                raise Superseded(f"Input '{node_id}' of node {self.node.id} is being made anew.")
            path = self.work / f"{slot}-{number}" / _file_name(source, source.output)
            path.parent.mkdir()
            self.tell("fetching")
            self.storage.download(source.output.bucket, source.output.s3_key, path)
            fetched.append(Input(source, source.output, path))
        return fetched

    def tell(self, stage: str, fraction: float | None = None) -> None:
        """Say what is going on: every new stage, and progress once a second."""
        last_stage, last_time = self._told
        if stage == last_stage and self.clock() - last_time < _TELL_EVERY:
            return
        self._told = (stage, self.clock())
        self.nodes.touch(self.claim, stage=stage, progress=None if fraction is None else round(fraction, 3))

    def captions_of(self, output: Output) -> list[Cue]:
        """The cues that belong to an input; none where it has no captions."""
        if output.captions is None:
            return []
        return read_captions(self.storage.read(output.bucket, output.captions.vtt))

    def finish(
        self,
        video: Path,
        *,
        duration: float,
        draft: bool,
        cues: list[Cue],
        details: Mapping[str, Any],
        voice: bool = False,
    ) -> Output:
        """Store the video and its captions, then complete the node."""
        self.tell("uploading")
        folder = f"{self.pipeline.prefix}{self.claim.pipeline_id}/nodes/{self.node.id}/{self.claim.process_uuid}/"
        stem = "video.draft" if draft else "video"
        bucket = self.pipeline.bucket
        tags = () if self.node.id == self.pipeline.final_node else (INTERMEDIATE_TAG,)
        captions = None
        if cues:
            captions = Captions(srt=f"{folder}{stem}.srt", vtt=f"{folder}{stem}.vtt")
            self.storage.put_bytes(to_srt(cues), bucket, captions.srt, _CONTENT_TYPES[".srt"], tags)
            self.storage.put_bytes(to_vtt(cues), bucket, captions.vtt, _CONTENT_TYPES[".vtt"], tags)
        stored = self.storage.upload(video, bucket, f"{folder}{stem}.mp4", _CONTENT_TYPES[".mp4"], tags)
        output = Output(
            type="video",
            s3_key=stored.key,
            size=stored.size,
            sha256=stored.sha256,
            bucket=bucket,
            duration=round(duration, 6),
            draft=draft,
            voice=voice,
            captions=captions,
            details=details,
        )
        self.nodes.complete(self.claim, output, stage="done", progress=1)
        return output

    def _pipeline(self) -> Pipeline:
        pipeline = self.nodes.pipeline(self.claim.pipeline_id)
        if pipeline is None:
            raise Superseded(f"Pipeline {self.claim.pipeline_id} is gone.")
        if pipeline.desired == Desired.CANCELLED:
            raise Cancelled("The pipeline was cancelled.")
        return pipeline


def _file_name(node: Node, output: Output) -> str:
    """A name that people recognise in messages, with the suffix of what it holds."""
    source = str((node.asset or {}).get("source") or node.id)
    return file_name(Path(source).stem + Path(output.s3_key).suffix)
