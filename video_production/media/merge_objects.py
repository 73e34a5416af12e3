"""Merge objects of a bucket into one object: fetch, merge, verify, then replace the destination whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from video_production.media.merge import MergeInput, MergeResult, merge
from video_production.storage import S3Location, Storage, file_name

__all__ = ["MergedObject", "merge_objects"]


@dataclass(frozen=True, slots=True)
class MergedObject:
    """A finished, verified object. `duration` in seconds, measured on the finished file; `size` in bytes."""

    s3_key: str
    size: int
    result: MergeResult


def merge_objects(
    inputs: Sequence[S3Location],
    destination: S3Location,
    storage: Storage,
    work: Path,
    *,
    deadline: float | None = None,
    on_progress: Callable[[str, float], None] | None = None,
) -> MergedObject:
    """Join `inputs` in order into `destination`, which changes only when a verified file is ready.

    `deadline` is a `time.monotonic` value. Raises MediaError, OutOfTime, OperatorError, TransientError.
    """
    fetched = []
    for number, source in enumerate(inputs):
        path = work / str(number) / file_name(source.key)  # messages name the file as its owner does
        path.parent.mkdir()
        storage.download(source.bucket, source.key, path)
        fetched.append(MergeInput(path.name, path))
    output = work / "merged.mp4"
    result = merge(fetched, output, work, deadline=deadline, on_progress=on_progress)
    stored = storage.upload(output, destination.bucket, destination.key, "video/mp4")
    return MergedObject(stored.key, stored.size, result)
