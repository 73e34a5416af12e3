"""`merge`: videos into one, wherever they lie; what is told while that is done, and afterwards."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from video_production.cli.aws.refusals import told
from video_production.cli.media_places import ffmpeg_program, place, short_names
from video_production.cli.rows import joined
from video_production.cli.words import clock_time, count, elapsed, file_size, visible
from video_production.errors import RequestError
from video_production.media.merge import Explanation, Merged, MergeInput, Wish, explain, merge
from video_production.media.merge_result import OnProgress
from video_production.storage import S3Location, Storage

__all__ = ["explain_inputs", "explanation_lines", "merge_inputs", "merged_lines", "progress", "to_object"]

_BEAT = 10.0
"""Seconds without a line after which plain output gives a sign of life."""

_UPLOAD_LIFETIME = 86_400.0
"""Seconds after which an upload that is still open counts as forgotten: nothing limits the time of a merge here."""

_STAGES = {
    "reading": "reading headers",
    "fetching": "fetching",
    "encoding": "encoding",
    "joining": "joining",
    "checking": "checking the joins",
}


@told()
def explain_inputs(texts: Sequence[str], method: Wish) -> Explanation:
    """How the inputs would be merged; nothing is written."""
    inputs, storage = _inputs(texts), _storage([place(text) for text in texts])
    with tempfile.TemporaryDirectory(prefix="jiki-merge-") as work:
        return explain(inputs, Path(work), storage=storage, method=method, ffmpeg=ffmpeg_program())


@told()
def merge_inputs(
    texts: Sequence[str], output: str, *, method: Wish, force: bool, on_progress: OnProgress | None
) -> Merged:
    """Merge the inputs into `output`, which is replaced only with `force`, and never when it is an input, too."""
    inputs, destination = _inputs(texts), place(output)
    storage = _storage([*(each.source for each in inputs), destination])
    _check_output(destination, output, inputs, storage, force)
    with tempfile.TemporaryDirectory(prefix="jiki-merge-") as work:
        return merge(
            inputs,
            destination,
            Path(work),
            storage=storage,
            method=method,
            on_progress=on_progress,
            ffmpeg=ffmpeg_program(),
            upload_lifetime=_UPLOAD_LIFETIME,
        )


def _inputs(texts: Sequence[str]) -> list[MergeInput]:
    names = short_names(list(texts))
    return [MergeInput(visible(name), place(text)) for name, text in zip(names, texts, strict=True)]


def _storage(places: Sequence[Path | S3Location]) -> Storage | None:
    """A connection to S3, where one is needed."""
    return Storage() if any(isinstance(each, S3Location) for each in places) else None


def _check_output(
    destination: Path | S3Location, output: str, inputs: Sequence[MergeInput], storage: Storage | None, force: bool
) -> None:
    if any(_same(each.source, destination) for each in inputs):
        raise RequestError(f"{output} is one of the inputs, which are never changed; give another -o.")
    if isinstance(destination, Path):
        if destination.is_dir():
            raise RequestError(f"{output} is a folder; name the file to write in it with -o.")
        if not destination.parent.is_dir():
            raise RequestError(f"The folder {destination.parent} does not exist; make it, or give another -o.")
        exists = destination.exists()
    else:
        assert storage is not None
        exists = not force and storage.head(destination.bucket, destination.key) is not None
    if exists and not force:
        raise RequestError(f"{output} exists already; give another -o, or replace it with --force.")


def _same(source: Path | S3Location, destination: Path | S3Location) -> bool:
    if isinstance(source, Path) and isinstance(destination, Path):
        if source.exists() and destination.exists():
            return source.samefile(destination)
        return source.resolve() == destination.resolve()
    return source == destination


def explanation_lines(plan: Explanation) -> Iterator[str]:
    """The plan for a person: the method, then every input with what would happen to it."""
    yield f"Plan: {plan.method}, {_METHOD_WORDS[plan.method]}. Nothing was done."
    width = max(len(each.name) for each in plan.inputs)
    for each in plan.inputs:
        yield f" {each.name:<{width}}  {each.why}"


_METHOD_WORDS = {
    "splice": "picture and sound are copied as they are",
    "splice-inband": "picture and sound are copied, codec settings go into the stream",
    "reencode-some": "only what differs is re-encoded",
    "reencode-all": "decoded, and encoded anew as a whole",
}


def merged_lines(merged: Merged, output: str, seconds: float) -> Iterator[str]:
    """What was done, for a person; the last line is where the video is, alone."""
    result = merged.result
    clips = count(len(result.joins), "clip")
    size = f"{result.picture.width}×{result.picture.height}"
    about = f"{clips} → {clock_time(result.duration)} · {size} · {file_size(merged.size)}"
    yield f" ✓ {result.method}  {about}  {elapsed(seconds)}"
    yield from joined({"details": _details(merged)})
    moved = merged.moved
    copier = "S3" if isinstance(place(output), S3Location) else "the system"
    copied = f", {file_size(moved.copied)} copied by {copier} itself" if moved.copied else ""
    yield f"    moved: {file_size(moved.read)} read, {file_size(moved.written)} written{copied}"
    yield output


def _details(merged: Merged) -> dict[str, Any]:
    result = merged.result
    return {
        "joins": [asdict(join) for join in result.joins],
        "frames": result.frames,
        "audio_error": abs(result.verification.audio_error_seconds),
        "warnings": [*result.verification.warnings, *result.warnings],
    }


def to_object(made: Explanation | Merged, output: str | None = None) -> dict[str, Any]:
    """A plan or a finished merge for programs. Sizes in bytes, times in seconds."""
    if isinstance(made, Explanation):
        return asdict(made)
    result = made.result
    return {
        "output": output,
        "size": made.size,
        "duration": result.duration,
        "frames": result.frames,
        "width": result.picture.width,
        "height": result.picture.height,
        "method": result.method,
        "reason": result.reason,
        "inputs": [asdict(join) for join in result.joins],
        "audio_error": result.verification.audio_error_seconds,
        "warnings": [*result.verification.warnings, *result.warnings],
        "bytes_read": made.moved.read,
        "bytes_written": made.moved.written,
        "bytes_copied": made.moved.copied,
    }


@contextmanager
def progress(*, quiet: bool) -> Iterator[OnProgress | None]:
    """Tells how far a merge is: a bar in a terminal, else a line now and then; nothing where `quiet`."""
    if quiet:
        yield None
        return
    if not sys.stderr.isatty():
        yield _Beats()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn(" {task.description:<18}"), BarColumn(None), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, expand=True) as bar:
        task = bar.add_task("", total=1.0)

        def show(stage: str, fraction: float) -> None:
            bar.update(task, description=_STAGES.get(stage, stage), completed=fraction)

        yield show


class _Beats:
    """A sign of life on standard error whenever nothing was said for a while."""

    def __init__(self) -> None:
        self._spoke_at = time.monotonic()

    def __call__(self, stage: str, fraction: float) -> None:
        if time.monotonic() - self._spoke_at >= _BEAT:
            self._spoke_at = time.monotonic()
            click.echo(f"   … {_STAGES.get(stage, stage)} {fraction:.0%}", err=True)
