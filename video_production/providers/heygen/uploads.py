"""Files on their way to HeyGen: looked at before anything is sent, then uploaded as assets.

Assets, not URLs: a presigned one would expire while the job waits, and HeyGen can't reach the S3 of a laptop. Up to
32 MB go through the API as a form; what is larger is announced, put to HeyGen's own S3, and completed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from video_production.errors import ProviderUnreachable, RequestError
from video_production.providers.form import write_form
from video_production.providers.heygen.requests import refuse_too_long
from video_production.providers.http import Explain, Explanation, ProviderHttp
from video_production.providers.interface import InputContent
from video_production.providers.sound import finish_sound
from video_production.storage import Storage

__all__ = ["LARGEST_FILE", "Picture", "Speech", "Uploads", "fetch_picture", "fetch_speech"]

LARGEST_FILE = 50_000_000
"""Bytes of a sound or a picture that HeyGen takes."""
_LARGEST_FORM = 32_000_000
_SPEECH = {".mp3": "audio/mpeg", ".wav": "audio/wav"}
_PICTURES = ((b"\x89PNG\r\n\x1a\n", ".png", "image/png"), (b"\xff\xd8\xff", ".jpg", "image/jpeg"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that HeyGen can take."""

    path: Path
    name: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Speech(Picture):
    """A sound file that HeyGen can take; `duration` in seconds."""

    duration: float


def fetch_speech(storage: Storage, content: InputContent, folder: Path) -> Speech:
    """Download the speech and look at it. RequestError where HeyGen would not take it; what Storage raises."""
    path = _fetch(storage, content, folder / "speech", "The speech", "shorten its script")
    try:
        sound = finish_sound(path, "")
    except ValueError as error:
        raise RequestError(f"The speech can't be sent to HeyGen: {error}. Make it again.") from error
    if sound.suffix not in _SPEECH:
        raise RequestError(
            "HeyGen takes speech as MP3 or WAV only; set outputFormat: mp3_44100_128 in the voiceover's config."
        )
    refuse_too_long(sound.duration)
    return Speech(path, f"speech{sound.suffix}", _SPEECH[sound.suffix], sound.duration)


def fetch_picture(storage: Storage, content: InputContent, folder: Path) -> Picture:
    """Download the background and look at it. RequestError where HeyGen would not take it; what Storage raises."""
    path = _fetch(storage, content, folder / "background", "The background", "make it smaller")
    with path.open("rb") as file:
        head = file.read(8)
    for magic, suffix, content_type in _PICTURES:
        if head.startswith(magic):
            return Picture(path, f"background{suffix}", content_type)
    raise RequestError("HeyGen takes backgrounds as PNG or JPEG only; convert the background to one of them.")


def _fetch(storage: Storage, content: InputContent, path: Path, what: str, advice: str) -> Path:
    stored = storage.head(content.bucket, content.s3_key)
    if stored is not None and stored.size > LARGEST_FILE:
        raise RequestError(
            f"{what} has {stored.size / 1e6:,.0f} MB and HeyGen takes at most {LARGEST_FILE / 1e6:.0f} MB; {advice}."
        )
    storage.download(content.bucket, content.s3_key, path)
    return path


class Uploads:
    """Uploads files within one request's preparation. `deadline` is an instant of `clock`, in seconds."""

    def __init__(
        self,
        http: ProviderHttp,
        base_url: str,
        key: str,
        explain: Explain,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._key = key
        self._explain = explain
        self._deadline = deadline
        self._clock = clock

    def upload(self, file: Picture) -> str:
        """The asset id under which HeyGen keeps the file. Raises ProviderUnreachable, with HeyGen's status if any."""
        size = file.path.stat().st_size
        return self._as_form(file) if size <= _LARGEST_FORM else self._directly(file, size)

    def _as_form(self, file: Picture) -> str:
        with file.path.with_suffix(".form").open("w+b") as form:
            with file.path.open("rb") as content:
                content_type = write_form(
                    form, {}, content, name="file", file_name=file.name, content_type=file.content_type
                )
            answer = self._ask("/v3/assets", headers={"Content-Type": content_type}, data=form)
        return self._asset_id(answer)

    def _directly(self, file: Picture, size: int) -> str:
        announced = {"filename": file.name, "content_type": file.content_type, "size_bytes": size}
        answer = self._ask("/v3/assets/direct-uploads", body=announced)
        asset_id, url, headers = self._asset_id(answer), answer.get("upload_url"), answer.get("upload_headers")
        if not isinstance(url, str) or not isinstance(headers, Mapping):
            raise self._http.unreachable("HeyGen gave no address to upload a file to.")
        with file.path.open("rb") as content:
            self._http.free_request(
                url,
                operation="upload",
                method="PUT",
                explain=_explain_upload,
                headers={str(name): str(value) for name, value in headers.items()},
                data=content,
                budget=self._time_left(),
                given_by=self._base_url,
            )
        self._ask(f"/v3/assets/{quote(asset_id, safe='')}/complete", body={})
        return asset_id

    def _ask(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        data: Any = None,
    ) -> Mapping[str, Any]:
        answer = self._http.free_request(
            self._base_url + path,
            operation="upload",
            method="POST",
            explain=self._explain,
            headers={"x-api-key": self._key, **(headers or {})},
            body=body,
            data=data,
            budget=self._time_left(),
        )
        try:
            content = json.loads(answer.content)["data"]
        except (ValueError, KeyError, TypeError):
            content = None
        if not isinstance(content, Mapping):
            raise self._http.unreachable("HeyGen gave an unreadable answer to an upload.")
        return content

    def _asset_id(self, answer: Mapping[str, Any]) -> str:
        asset_id = answer.get("asset_id")
        if not isinstance(asset_id, str) or not asset_id:
            raise self._http.unreachable("HeyGen took a file without naming it.")
        return asset_id

    def _time_left(self) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> ProviderUnreachable:
        return self._http.unreachable("The upload to HeyGen took too long; it is tried again.")


def _explain_upload(status: int, content: bytes) -> Explanation:  # noqa: ARG001 - storage answers in its own XML
    return Explanation(f"The file could not be uploaded to HeyGen's storage (HTTP {status}).")
