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
from video_production.storage import S3Location, Storage, StoredObject, Tags, file_name

__all__ = ["Input", "NodeWork", "Source"]

_TELL_EVERY = 1.0
_CONTENT_TYPES = {".mp4": "video/mp4", ".srt": "application/x-subrip", ".vtt": "text/vtt; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Source:
    """One input where it lies in S3: the node that made it, and its output."""

    node: Node
    output: Output

    @property
    def name(self) -> str:
        """What people call it: the asset's file name, or the node's id."""
        return _file_name(self.node, self.output) if self.node.asset else self.node.id

    @property
    def location(self) -> S3Location:
        return S3Location(self.output.bucket, self.output.s3_key)


@dataclass(frozen=True, slots=True)
class Input(Source):
    """One input on disk."""

    path: Path


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

    def sources(self, slot: str) -> list[Source]:
        """The inputs of a slot, in order, where they lie."""
        found = []
        for node_id in self.node.inputs.get(slot, ()):
            source = self.nodes.node(self.claim.pipeline_id, node_id)
            if source is None or source.output is None:
                raise Superseded(f"Input '{node_id}' of node {self.node.id} is being made anew.")
            found.append(Source(source, source.output))
        return found

    def fetch(self, slot: str) -> list[Input]:
        """Download every input of a slot, in order."""
        fetched = []
        for number, source in enumerate(self.sources(slot)):
            path = self.work / f"{slot}-{number}" / _file_name(source.node, source.output)
            path.parent.mkdir()
            self.tell("fetching")
            self.storage.download(source.output.bucket, source.output.s3_key, path)
            fetched.append(Input(source.node, source.output, path))
        return fetched

    @property
    def folder(self) -> str:
        """Where everything lies that this node ever made; every try to make it has its own folder below."""
        return f"{self.pipeline.prefix}{self.claim.pipeline_id}/nodes/{self.node.id}/"

    def destination(self, *, draft: bool) -> S3Location:
        """Where the node's video goes. The key holds the claim, so nothing that exists is replaced."""
        name = "video.draft.mp4" if draft else "video.mp4"
        return S3Location(self.pipeline.bucket, f"{self.folder}{self.claim.process_uuid}/{name}")

    @property
    def tags(self) -> Tags:
        """What marks everything but the pipeline's final video, so that a bucket may let it expire."""
        return () if self.node.id == self.pipeline.final_node else (INTERMEDIATE_TAG,)

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

    def store(
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
        target = self.destination(draft=draft)
        stored = self.storage.upload(video, target.bucket, target.key, _CONTENT_TYPES[".mp4"], self.tags)
        return self.finish(stored, duration=duration, draft=draft, cues=cues, details=details, voice=voice)

    def finish(
        self,
        stored: StoredObject,
        *,
        duration: float,
        draft: bool,
        cues: list[Cue],
        details: Mapping[str, Any],
        voice: bool = False,
    ) -> Output:
        """Store the captions of a video that lies at its place, then complete the node."""
        stem, captions = stored.key.removesuffix(".mp4"), None
        if cues:
            captions = Captions(srt=f"{stem}.srt", vtt=f"{stem}.vtt")
            self.storage.put_bytes(to_srt(cues), stored.bucket, captions.srt, _CONTENT_TYPES[".srt"], self.tags)
            self.storage.put_bytes(to_vtt(cues), stored.bucket, captions.vtt, _CONTENT_TYPES[".vtt"], self.tags)
        output = Output(
            type="video",
            s3_key=stored.key,
            size=stored.size,
            sha256=stored.sha256,
            bucket=stored.bucket,
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
