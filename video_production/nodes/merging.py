"""Make a `merge-videos` node."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from video_production.media.captions import join
from video_production.media.merge import Merged, MergeInput, merge
from video_production.media.merge_result import MergeResult
from video_production.nodes.table import Claim, NodeTable
from video_production.nodes.work import NodeWork
from video_production.storage import Storage, StoredObject

__all__ = ["make_merge"]


def make_merge(
    claim: Claim, nodes: NodeTable, storage: Storage, deadline: float, *, allow_inband: bool = False
) -> Merged:
    """Join the node's segments and complete it; captions move to where their clips lie.

    `deadline` is a `time.monotonic` value; `allow_inband` is as `merge` has it.
    Raises Superseded, MediaError, OutOfTime, OperatorError, TransientError.
    """
    with tempfile.TemporaryDirectory(prefix="merge-") as folder:
        work = NodeWork(claim, nodes, storage, Path(folder))
        segments = work.sources("segments")
        draft = any(segment.output.draft for segment in segments)
        target = work.destination(draft=draft)
        merged = merge(
            [MergeInput(each.name, each.location, each.output.sha256, each.node.title) for each in segments],
            target,
            Path(folder),
            storage=storage,
            draft=draft,
            tags=work.tags,
            on_progress=work.tell,
            deadline=deadline,
            allow_inband=allow_inband,
            folder=work.folder,
        )
        result = merged.result
        clips = [
            (work.captions_of(segment.output), joined.start, joined.duration)
            for segment, joined in zip(segments, result.joins, strict=True)
        ]
        stored = StoredObject(target.bucket, target.key, merged.size, merged.sha256)
        work.finish(stored, duration=result.duration, draft=draft, cues=join(clips), details=_details(result))
    return merged


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
