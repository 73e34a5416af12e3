"""Everything that the stand-in keeps, and the making of videos: what remains after a kill is what counts."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import tempfile
import threading
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from stand_ins.charge_book import Charge
from stand_ins.film import Line, decode_sound, talking_card
from stand_ins.heygen.account import RATES, Account
from stand_ins.heygen.captions import lines_of, srt, unheard
from stand_ins.heygen.deliveries import Deliveries
from stand_ins.heygen.idempotency import Keys
from stand_ins.heygen.links import sign_link
from stand_ins.heygen.records import Asset, Endpoint, Event, Video
from stand_ins.home import Home
from stand_ins.records import Records
from stand_ins.speech import speak
from stand_ins.transcripts import Transcripts

__all__ = ["OPERATIONS", "Settings", "Workspace", "new_id"]

OPERATIONS = (
    "videos.submit",
    "videos.check",
    "videos.list",
    "videos.delete",
    "assets",
    "upload",
    "download",
    "captions",
    "user",
    "avatars",
    "voices",
    "webhooks",
    "webhook",
)
"""What rules of misbehaviour can be set on; "webhook" is one that is sent, "webhooks" are the calls about them."""


def new_id() -> str:
    """An id as HeyGen makes them: 32 hex digits."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Settings:
    """`job_seconds` is how long a video takes at least; `url_seconds` how long a download link lives; `retry_seconds`
    how long after the first attempt a webhook is sent again."""

    home: Path
    api_key: str = "draft-key"
    job_seconds: float = 0.8
    url_seconds: float = 3600.0
    retry_seconds: float = 30.0

    @property
    def pending_seconds(self) -> float:
        return min(0.3, self.job_seconds * 0.375)


class Workspace(Home):
    """The state of one stand-in, in `settings.home`; one process at a time may hold it."""

    def __init__(self, settings: Settings) -> None:
        home = settings.home
        super().__init__(home, OPERATIONS)
        self.settings = settings
        self.account = Account(home / "account.json", self.book, settings.api_key)
        self.videos: Records[Video] = Records(home / "videos", Video)
        self.assets: Records[Asset] = Records(home / "assets", Asset)
        self.endpoints: Records[Endpoint] = Records(home / "endpoints", Endpoint)
        self.events: Records[Event] = Records(home / "events", Event)
        self.keys = Keys(self.videos)
        self.submitting = threading.Lock()
        self._transcripts = Transcripts(home.resolve().parent / "elevenlabs" / "transcripts")
        self._deliveries = Deliveries(self.endpoints, self.events, self.faults, settings.retry_seconds)
        self.signing_key = self.secret("signing_key")
        self._rendering = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // 2))
        self._stopped = threading.Event()
        for video in self.videos.newest_first():
            self._bill(video)  # a kill may have come between the two
            if video.running:
                self._work_on(video)

    def media_path(self, name: str) -> Path:
        """Where the file of a finished video lies: `{id}.mp4` or `{id}.srt`."""
        return self.settings.home / "media" / name

    def asset_path(self, asset_id: str) -> Path:
        return self.settings.home / "assets" / asset_id

    def running(self) -> list[Video]:
        return [video for video in self.videos.newest_first() if video.running]

    def start(self, video: Video) -> None:
        """Store a video and work on it in the background."""
        self.videos.save(video)
        self._work_on(video)

    def close(self) -> None:
        """Stop working; unfinished videos go on at the next start."""
        self._stopped.set()
        self._deliveries.close()
        super().close()

    def video_json(self, video: Video, now: float, base_url: str, *, signed_at: float | None = None) -> dict[str, Any]:
        """A video as its owner sees it; its links lie below `base_url` and were signed at `signed_at`."""
        status = video.status(now)
        answer: dict[str, Any] = {
            "id": video.id,
            "status": status,
            "title": video.title or None,
            "created_at": int(video.created_at),
            "completed_at": None,
            "video_url": None,
            "thumbnail_url": None,
            "gif_url": None,
            "captioned_video_url": None,
            "subtitle_url": None,
            "duration": None,
            "folder_id": video.folder_id or None,
            "video_page_url": f"https://app.heygen.com/videos/{video.id}",
            "failure_code": video.failure_code or None,
            "failure_message": video.failure_message or None,
        }
        if video.finished_at is not None:
            answer["completed_at"] = int(video.finished_at)
        if status == "completed":
            at = now if signed_at is None else signed_at
            lifetime = self.settings.url_seconds
            for name, suffix in (("video_url", "mp4"), ("subtitle_url", "srt")):
                if self.media_path(f"{video.id}.{suffix}").exists():
                    file = f"{video.id}.{suffix}"
                    answer[name] = sign_link(base_url, file, self.signing_key, now=at, lifetime=lifetime)
            answer["duration"] = round(video.seconds or 0.0, 3)
        return answer

    # Making videos

    def _work_on(self, video: Video) -> None:
        if video.fate != "never":
            threading.Thread(target=self._run, args=(video,), daemon=True).start()

    def _run(self, video: Video) -> None:
        seconds, problem = (0.0, "") if video.fate == "fail" else self._make(video)
        if self._stopped.wait(max(0.0, video.due_at - time.time())):
            return
        now = time.time()
        if video.fate == "fail":
            ended = video.failed(now, video.failure_code, video.failure_message)
        elif problem:
            ended = video.failed(now, "rendering_failed", problem)
        else:
            ended = video.finished(now, seconds)
        # The record goes first: after a kill in between, a finished video that is not billed yet is billed at start.
        self.videos.change(video.id, lambda known: _ended(known, ended))
        self._bill(ended)
        self._tell(ended)

    def _make(self, video: Video) -> tuple[float, str]:
        """Render a video; its seconds, or why that failed."""
        try:
            with self._rendering, tempfile.TemporaryDirectory(prefix="heygen-stand-in-") as folder:
                sound, lines, heard = self._speech(video, Path(folder))
                film, backdrop = Path(folder) / "film.mp4", self._backdrop(video)
                shown = lines if heard else ()
                seconds = talking_card(
                    sound, film, size=video.size, name=video.avatar, captions=shown, backdrop=backdrop
                )
                self.media_path("").mkdir(parents=True, exist_ok=True)
                self.media_path(f"{video.id}.srt").write_bytes(srt(lines))
                shutil.move(film, self.media_path(f"{video.id}.mp4"))
                return seconds, ""
        except (RuntimeError, ValueError, OSError) as error:
            return 0.0, str(error)

    def _backdrop(self, video: Video) -> bytes | None:
        """The picture behind the person, where one is asked for."""
        if video.background_asset:
            return self.asset_path(video.background_asset).read_bytes()
        if not video.background_color:
            return None
        picture = io.BytesIO()
        Image.new("RGB", (16, 16), video.background_color).save(picture, "PNG")
        return picture.getvalue()

    def _speech(self, video: Video, folder: Path) -> tuple[Path, Sequence[Line], bool]:
        """The sound of a video, its captions, and whether their words are known."""
        if video.audio_asset:
            path = self.asset_path(video.audio_asset)
            words = self._transcripts.find(video.speech_sha256)
            lines = lines_of(words) if words else unheard(decode_sound(path))
            return path, lines, bool(words)
        speech = speak(video.script, voice=video.voice or video.avatar)
        path = folder / "speech.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(speech.sample_rate)
            file.writeframes(speech.pcm)
        return path, lines_of(speech.words), True

    def _bill(self, video: Video) -> None:
        if video.running or video.failure_code or video.seconds is None:
            return  # failed videos are not charged
        self.account.charge(
            Charge(
                at=video.finished_at or 0.0,
                kind="avatar",
                external_id=video.id,
                request_id=video.request_id,
                quantity=round(video.seconds, 3),
                unit="seconds",
                credits=0,
                model=video.model,
                usd=RATES.get(video.model, max(RATES.values())) * video.seconds,
                request_sha256=video.speech_sha256,
                detail=video.avatar,
            )
        )

    def _tell(self, video: Video) -> None:
        data: dict[str, Any] = {"video_id": video.id, "callback_id": video.callback_id or None}
        if video.failure_code:
            event = "avatar_video.fail"
            data["msg"] = video.failure_message
        else:
            event = "avatar_video.success"
            data["url"] = self.video_json(video, time.time(), video.base_url)["video_url"]
            data["folder_id"] = video.folder_id or None
        self._deliveries.tell(event, video.id, data, text_of(video), video.callback_url)


def _ended(known: Video, ended: Video) -> Video:
    """The end of a video that may have been deleted meanwhile."""
    return replace(ended, deleted=known.deleted)


def text_of(video: Video) -> str:
    """What rules are matched against."""
    return " ".join((video.title, video.avatar, video.script, video.id))
