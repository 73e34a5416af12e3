"""Make a `merge-videos` node."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from video_production.media.captions import join
from video_production.media.merge import MergeInput, MergeResult, merge
from video_production.nodes.table import Claim, NodeTable
from video_production.nodes.work import NodeWork
from video_production.storage import Storage

__all__ = ["make_merge"]


def make_merge(claim: Claim, nodes: NodeTable, storage: Storage, deadline: float) -> MergeResult:
    """Join the node's segments and complete it; captions move to where their clips lie.

    `deadline` is a `time.monotonic` value. Raises Superseded, MediaError, OutOfTime, OperatorError, TransientError.
    """
    with tempfile.TemporaryDirectory(prefix="merge-") as folder:
        work = NodeWork(claim, nodes, storage, Path(folder))
        segments = work.fetch("segments")
        draft = any(segment.output.draft for segment in segments)
        output = Path(folder) / "merged.mp4"
        result = merge(
            [MergeInput(segment.name, segment.path) for segment in segments],
            output,
            Path(folder),
            draft=draft,
            on_progress=work.tell,
            deadline=deadline,
        )
        clips = [
            (work.captions_of(segment.output), joined.start, joined.duration)
            for segment, joined in zip(segments, result.joins, strict=True)
        ]
        work.finish(output, duration=result.duration, draft=draft, cues=join(clips), details=_details(result))
    return result


def _details(result: MergeResult) -> dict[str, Any]:
    """What the summary tells: how each join was made and why, what was checked."""
    picture = result.picture
    return {
        "picture": {"width": picture.width, "height": picture.height, "rate": round(float(picture.frame_rate), 3)},
        "method": result.method,
        "reason": result.reason,
        "joins": [
            {
                "name": entry.name,
                "start": round(entry.start, 6),
                "duration": round(entry.duration, 6),
                "treatment": entry.treatment,
                "why": entry.why,
            }
            for entry in result.joins
        ],
        "frames": result.frames,
        "audio_error": round(result.verification.audio_error_seconds, 6),
        "warnings": list(result.warnings),
    }
