"""A finished video on its way home: downloaded with its captions, checked, stored.

The files of an attempt: `clip.mp4`, and `captions.srt` and `captions.vtt` where HeyGen made captions.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from video_production.errors import MediaError
from video_production.media.captions import Cue, read_captions, to_srt, to_vtt
from video_production.nodes.model import Captions
from video_production.providers.clips import Clip, deliver_clip, read_clip
from video_production.providers.heygen.requests import tolerance
from video_production.providers.http import Explanation, ProviderHttp
from video_production.providers.interface import Destination, Made
from video_production.storage import Storage

__all__ = ["Delivery"]

_LARGEST_VIDEO = 3 << 30
_LARGEST_CAPTIONS = 4 << 20
_DOWNLOAD_SECONDS = 100.0
_log = logging.getLogger(__name__)


class Delivery:
    """Brings one video into S3; `folder` takes the files on their way, `base_url` is the API that names addresses."""

    def __init__(
        self, http: ProviderHttp, storage: Storage, destination: Destination, folder: Path, base_url: str
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._storage = storage
        self._destination = destination
        self._folder = folder

    def fetch(self, result: Mapping[str, Any]) -> tuple[Clip, Sequence[Cue]]:
        """Download what `result` names: `video_url`, `subtitle_url` and `duration` (seconds) where HeyGen gave them.

        Raises ProviderUnreachable: with a 4xx status where an address has expired, or for a file that is not whole.
        """
        # The captions first: they are small, and the addresses expire together.
        cues = self._cues(result.get("subtitle_url"))
        clip = self._clip(result["video_url"])
        said = result.get("duration")
        if isinstance(said, int | float) and clip.duration < said - tolerance(said):
            raise self._http.unreachable(
                f"HeyGen delivered {clip.duration:.1f} s of a video of {said:.1f} s; it is downloaded again."
            )
        return clip, cues

    def store(self, clip: Clip, cues: Sequence[Cue], external_id: str) -> Made:
        """Upload everything; raises what Storage raises."""
        where = self._destination
        made = deliver_clip(self._storage, where, clip, external_id)
        if not cues:
            return made
        captions = Captions(srt=f"{where.prefix}captions.srt", vtt=f"{where.prefix}captions.vtt")
        self._storage.put_bytes(to_srt(cues), where.bucket, captions.srt, "application/x-subrip")
        self._storage.put_bytes(to_vtt(cues), where.bucket, captions.vtt, "text/vtt")
        return replace(made, captions=captions)

    def _clip(self, url: str) -> Clip:
        try:
            return read_clip(self._download("clip.mp4", url, _LARGEST_VIDEO))
        except ValueError as error:
            raise self._http.unreachable(f"HeyGen delivered a video that is not whole: {error}.") from error

    def _cues(self, url: str | None) -> Sequence[Cue]:
        """The captions; none, with a warning, where they can't be read: the video is paid for anyway."""
        if not url:
            return ()
        path = self._download("captions.srt", url, _LARGEST_CAPTIONS)
        try:
            return read_captions(path.read_bytes())
        except MediaError as error:
            _log.warning("HeyGen's captions can't be read, so the talking head has none: %s", error)
            return ()

    def _download(self, name: str, url: str, limit: int) -> Path:
        path = self._folder / name
        try:
            with path.open("wb") as file:
                self._http.free_request(
                    url,
                    operation="download",
                    explain=_explain_download,
                    budget=_DOWNLOAD_SECONDS,
                    into=file,
                    limit=limit,
                    follow=True,
                    given_by=self._base_url,
                )
        except OSError as error:
            raise self._http.unreachable(f"The video could not be kept on the disk: {error.strerror}.") from error
        return path


def _explain_download(status: int, content: bytes) -> Explanation:  # noqa: ARG001 - storage answers in its own XML
    if 400 <= status < 500 and status != 429:
        return Explanation("The download address of the video is no longer valid; a fresh one is asked for.")
    return Explanation(f"The video could not be downloaded (HTTP {status}); it is tried again.")
