"""The finished video on the user's disk, with its captions: in `output` beside the document.

It is called after its last node. A document that is not called `pipeline` may share its folder with others, so its
video is called after the document.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_production.errors import OperatorError
from video_production.nodes.model import Node, Output
from video_production.storage import PUT_TOGETHER, Storage

__all__ = ["Delivery", "deliver", "delivered", "prepare"]

_FOLDER = "output"
_USUAL_NAME = "pipeline"


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


def deliver(node: Node, document: Path, storage: Storage) -> Delivery:
    """Bring a node's output and captions beside the document, each whole or not at all.

    What an earlier video of this name left and this one does not have (captions, the draft mark) is removed.
    """
    output = _output(node)
    files = _files(node, output, document)
    try:
        files[0][1].parent.mkdir(exist_ok=True)
        for key, path in files:
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as workplace:
                part = Path(workplace) / path.name
                storage.download(output.bucket, key, part)
                part.replace(path)
        for path in _namesakes(node, document) - {path for _, path in files}:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OperatorError(
            f"The video is made, but can't be written to {files[0][1].parent} ({error.strerror}); make room there and "
            "run the same command again."
        ) from error
    return _delivery(files)


def delivered(node: Node, document: Path) -> Delivery | None:
    """What an earlier `deliver` of the same output left, if all of it is still there."""
    if node.output is None:
        return None
    files = _files(node, node.output, document)
    if not all(path.is_file() for _, path in files):
        return None
    return _delivery(files) if _holds(files[0][1], node.output) else None


def _holds(path: Path, output: Output) -> bool:
    """Whether a file is that output. Of one that S3 put together itself nobody knows more than the size."""
    if output.sha256.startswith(PUT_TOGETHER):
        return path.stat().st_size == output.size
    with path.open("rb") as video:
        return hashlib.file_digest(video, "sha256").hexdigest() == output.sha256


def _output(node: Node) -> Output:
    if node.output is None:
        raise OperatorError(f"Node '{node.id}' has no output.")
    return node.output


def _name(node: Node, document: Path) -> str:
    return node.id if document.stem == _USUAL_NAME else document.stem


def _namesakes(node: Node, document: Path) -> set[Path]:
    """Every file that a video of this name can consist of."""
    out = document.parent / _FOLDER
    stems = (_name(node, document), f"{_name(node, document)}.draft")
    return {out / f"{stem}{suffix}" for stem in stems for suffix in (".mp4", ".srt", ".vtt")}


def _files(node: Node, output: Output, document: Path) -> list[tuple[str, Path]]:
    stem = f"{_name(node, document)}.draft" if output.draft else _name(node, document)
    out = document.parent / _FOLDER
    files = [(output.s3_key, out / f"{stem}.mp4")]
    if output.captions:
        files += [(output.captions.srt, out / f"{stem}.srt"), (output.captions.vtt, out / f"{stem}.vtt")]
    return files


def _delivery(files: list[tuple[str, Path]]) -> Delivery:
    return Delivery(files[0][1], tuple(path for _, path in files[1:]))
