"""The finished video on the user's disk: `output/{node}.mp4` next to the document, with its captions."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_production.errors import OperatorError
from video_production.nodes.model import Node, Output
from video_production.storage import Storage

__all__ = ["Delivery", "deliver", "delivered", "prepare"]

_FOLDER = "output"


@dataclass(frozen=True)
class Delivery:
    """Where the files lie. `captions` is empty for a video without any."""

    path: Path
    captions: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """For programs: absolute paths."""
        return {"path": str(self.path.absolute()), "captions": [str(path.absolute()) for path in self.captions]}


def prepare(folder: Path) -> None:
    """Make sure that `deliver` will be able to write, before anything is made or paid. Raises OperatorError."""
    out = folder / _FOLDER
    try:
        out.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=out, prefix=".", suffix=".part"):
            pass
    except OSError as error:
        raise OperatorError(
            f"The video could not be written to {out} ({error.strerror}), so nothing was made; "
            "make that folder writable and run the same command again."
        ) from error


def deliver(node: Node, folder: Path, storage: Storage) -> Delivery:
    """Bring a node's output and captions to `folder`/output, each whole or not at all."""
    output = _output(node)
    files = _files(node, output, folder)
    try:
        files[0][1].parent.mkdir(exist_ok=True)
        for key, path in files:
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as workplace:
                part = Path(workplace) / path.name
                storage.download(output.bucket, key, part)
                part.replace(path)
    except OSError as error:
        raise OperatorError(
            f"The video is made, but can't be written to {files[0][1].parent} ({error.strerror}); make room there and "
            "run the same command again."
        ) from error
    return _delivery(files)


def delivered(node: Node, folder: Path) -> Delivery | None:
    """What an earlier `deliver` of the same output left, if all of it is still there."""
    if node.output is None:
        return None
    files = _files(node, node.output, folder)
    if not all(path.is_file() for _, path in files):
        return None
    with files[0][1].open("rb") as video:
        same = hashlib.file_digest(video, "sha256").hexdigest() == node.output.sha256
    return _delivery(files) if same else None


def _output(node: Node) -> Output:
    if node.output is None:
        raise OperatorError(f"Node '{node.id}' has no output.")
    return node.output


def _files(node: Node, output: Output, folder: Path) -> list[tuple[str, Path]]:
    stem = f"{node.id}.draft" if output.draft else node.id
    out = folder / _FOLDER
    files = [(output.s3_key, out / f"{stem}.mp4")]
    if output.captions:
        files += [(output.captions.srt, out / f"{stem}.srt"), (output.captions.vtt, out / f"{stem}.vtt")]
    return files


def _delivery(files: list[tuple[str, Path]]) -> Delivery:
    return Delivery(files[0][1], tuple(path for _, path in files[1:]))
