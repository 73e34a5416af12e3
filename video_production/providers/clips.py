"""A clip as a provider delivers it: checked by our own MP4 reader, which needs no FFmpeg, and stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from video_production.errors import MediaError
from video_production.providers.interface import Destination, Made
from video_production.storage import Storage

__all__ = ["Clip", "deliver_clip", "read_clip"]


@dataclass(frozen=True, slots=True)
class Clip:
    """A checked MP4 file: `duration` in seconds; `width` and `height` in pixels as it is shown."""

    path: Path
    duration: float
    width: int
    height: int
    frames: int
    sound: bool


def read_clip(path: Path) -> Clip:
    """Read a downloaded MP4 from its boxes. Raises ValueError, saying why, where it is cut off, no MP4, or no picture.

    Every frame's bytes lie within the file; whether they decode is seen when the clip is used.
    """
    # What reads media is imported where a clip is read: most looks at a job find it unfinished.
    from video_production.media.mp4.reader import looks_like_mp4
    from video_production.media.mp4.source import LocalFile
    from video_production.media.probe import probe_source

    try:
        with LocalFile(path) as source:
            if not looks_like_mp4(source):
                raise ValueError("it is no MP4 file")
            info = probe_source(source)
    except MediaError as error:
        raise ValueError(str(error).rstrip(".")) from error
    picture = info.video
    if picture is None or not picture.frames:
        raise ValueError("it holds no picture")
    turned = picture.rotation in (90, 270)
    width, height = (picture.height, picture.width) if turned else (picture.width, picture.height)
    return Clip(path, float(info.duration), width, height, picture.frames, info.audio is not None)


def deliver_clip(storage: Storage, destination: Destination, clip: Clip, external_id: str | None) -> Made:
    """Store a checked clip as `clip.mp4`; raises what Storage raises."""
    stored = storage.upload(clip.path, destination.bucket, f"{destination.prefix}clip.mp4", "video/mp4")
    return Made(
        type="video",
        bucket=stored.bucket,
        s3_key=stored.key,
        size=stored.size,
        sha256=stored.sha256,
        duration=clip.duration,
        external_id=external_id,
    )
