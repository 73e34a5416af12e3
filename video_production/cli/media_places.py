"""Files and objects as a command line names them, and the FFmpeg that works on them."""

from __future__ import annotations

import shutil
from pathlib import Path

from video_production.errors import OperatorError
from video_production.storage import S3Location, file_name, parse_s3_url

__all__ = ["ffmpeg_program", "place", "short_names"]


def place(text: str) -> Path | S3Location:
    """A path, or an object for `s3://bucket/key`. Raises RequestError for an S3 URL that can't be."""
    return parse_s3_url(text) if text.startswith("s3://") else Path(text)


def short_names(texts: list[str]) -> list[str]:
    """What people call each input: its file name; all of what was typed where others have the same name."""
    places = [place(text) for text in texts]
    names = [file_name(each.key) if isinstance(each, S3Location) else each.name for each in places]
    called = {name: {text for text, other in zip(texts, names, strict=True) if other == name} for name in names}
    return [name if len(called[name]) == 1 else text for text, name in zip(texts, names, strict=True)]


def ffmpeg_program() -> str:
    """The FFmpeg that the set-up brings, or the one on PATH. Raises OperatorError where there is none."""
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        found = shutil.which("ffmpeg")
        if found is None:
            raise OperatorError("There is no FFmpeg here; run make demo, which brings one, or install it.") from error
        return found
