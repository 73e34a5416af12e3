"""Merge objects of a bucket into one object: spliced inside S3 where they fit, else fetched, merged and stored.

The destination changes only when what is to lie there has been proven by decoding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from video_production.errors import MediaError
from video_production.media.merge import MergeInput, MergeResult, merge
from video_production.media.mp4.source import S3Object
from video_production.media.splice.engine import Splice, plan_splice, read_candidates
from video_production.media.splice.result import spliced_result
from video_production.media.splice.transfer import Transferred, write_object
from video_production.storage import S3Location, Storage

__all__ = ["MergedObject", "NamedObject", "merge_objects"]

OnProgress = Callable[[str, float], None]
_OPENED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class NamedObject:
    """One input: `name` is what people call it."""

    name: str
    location: S3Location


@dataclass(frozen=True, slots=True)
class MergedObject:
    """A finished, verified object. `moved` says how many bytes went through us and how many S3 copied by itself."""

    s3_key: str
    size: int
    result: MergeResult
    moved: Transferred


def merge_objects(
    inputs: Sequence[NamedObject],
    destination: S3Location,
    storage: Storage,
    work: Path,
    *,
    draft: bool = False,
    deadline: float | None = None,
    on_progress: OnProgress | None = None,
    ffmpeg: str = "ffmpeg",
) -> MergedObject:
    """Join `inputs` in order into `destination`.

    `work` is a folder for files, used only where something is re-encoded. `deadline` is a `time.monotonic` value.
    Raises MediaError, OutOfTime, OperatorError, TransientError, VerificationFailed.
    """
    if not inputs:
        raise MediaError("There is nothing to merge: no clips were given.")
    report = on_progress or _unheard
    with ThreadPoolExecutor(_OPENED_AT_ONCE) as pool:
        opened = list(pool.map(lambda each: S3Object(storage.client, each.location.bucket, each.location.key), inputs))
    named = [(each.name, source) for each, source in zip(inputs, opened, strict=True)]
    plan = plan_splice(read_candidates(named, partial(report, "reading")))
    if isinstance(plan, Splice):
        plan = plan.marked(draft=draft)
        report("checking", 0.0)
        plan.verify(ffmpeg=ffmpeg, deadline=deadline)
        moved = write_object(
            storage.client, plan.assembly.pieces, opened, destination, on_progress=partial(report, "joining")
        )
        return MergedObject(destination.key, moved.size, spliced_result(plan), moved)
    return _merge_files(inputs, destination, storage, work, draft, deadline, on_progress, ffmpeg)


def _merge_files(
    inputs: Sequence[NamedObject],
    destination: S3Location,
    storage: Storage,
    work: Path,
    draft: bool,
    deadline: float | None,
    on_progress: OnProgress | None,
    ffmpeg: str,
) -> MergedObject:
    fetched = []
    read = 0
    for number, each in enumerate(inputs):
        path = work / str(number) / Path(each.location.key).name  # messages name the file as its owner does
        path.parent.mkdir()
        read += storage.download(each.location.bucket, each.location.key, path).size
        fetched.append(MergeInput(each.name, path))
    output = work / "merged.mp4"
    result = merge(fetched, output, work, draft=draft, deadline=deadline, on_progress=on_progress, ffmpeg=ffmpeg)
    stored = storage.upload(output, destination.bucket, destination.key, "video/mp4")
    return MergedObject(stored.key, stored.size, result, Transferred(stored.size, read, stored.size, 0))


def _unheard(stage: str, fraction: float) -> None:
    """Progress that nobody asked for."""
