"""Make a `mix-audio` node."""

from __future__ import annotations

import tempfile
from pathlib import Path

from video_production.media.captions import shift
from video_production.media.mix import MixResult, mix
from video_production.nodes.table import Claim, NodeTable
from video_production.nodes.work import NodeWork
from video_production.storage import Storage

__all__ = ["make_mix"]


def make_mix(claim: Claim, nodes: NodeTable, storage: Storage, deadline: float) -> MixResult:
    """Mix the node's audio into its video or still and complete it; captions of both inputs are kept.

    `deadline` is a `time.monotonic` value. Raises Superseded, MediaError, OutOfTime, OperatorError, TransientError.
    """
    with tempfile.TemporaryDirectory(prefix="mix-") as folder:
        work = NodeWork(claim, nodes, storage, Path(folder))
        [picture], [sound] = work.fetch("video"), work.fetch("audio")
        draft = picture.output.draft or sound.output.draft
        output = Path(folder) / "mixed.mp4"
        mode = work.node.config.get("mode", "replace")
        result = mix(
            picture.path,
            sound.path,
            output,
            Path(folder),
            mode="overlay" if mode == "overlay" else "replace",
            volume=float(work.node.config.get("volume", 1.0)),
            normalise_voice=sound.output.voice,
            draft=draft,
            on_progress=work.tell,
            deadline=deadline,
        )
        cues = shift(work.captions_of(sound.output), result.audio_offset)
        if mode == "overlay":
            cues += work.captions_of(picture.output)
        details = {"picture": result.picture, "notes": list(result.notes), "frames": result.frames}
        work.store(
            output, duration=result.duration, draft=draft, cues=sorted(cues, key=lambda cue: cue.start), details=details
        )
    return result
