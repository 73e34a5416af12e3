"""Everything that the stand-in keeps, and the making of speech: what remains after a kill is what counts."""

from __future__ import annotations

import hashlib
import os
import secrets
import string
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stand_ins.charge_book import Charge
from stand_ins.elevenlabs.account import Account
from stand_ins.elevenlabs.audio import AudioFormat, encode
from stand_ins.elevenlabs.catalog import MODELS
from stand_ins.elevenlabs.deliveries import Deliveries
from stand_ins.elevenlabs.links import sign_link
from stand_ins.elevenlabs.records import HistoryItem, Job, Webhook
from stand_ins.home import Home
from stand_ins.records import Records
from stand_ins.speech import Speech, speak
from stand_ins.transcripts import Transcripts

__all__ = ["OPERATIONS", "Settings", "Workspace", "new_id"]

OPERATIONS = (
    "tts",
    "timed",
    "flows.submit",
    "flows.check",
    "flows.list",
    "download",
    "history",
    "user",
    "models",
    "voices",
    "webhooks",
    "webhook",
)
"""What rules of misbehaviour can be set on; "webhook" is one that is sent, "webhooks" are the calls about them."""

_ALPHABET = string.ascii_letters + string.digits


def new_id() -> str:
    """An id as ElevenLabs makes them: 20 letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))


@dataclass(frozen=True, slots=True)
class Settings:
    """`job_seconds` is how long a job takes, the synthesis included if that is quicker; `url_seconds` how long a
    download link lives; `retry_seconds` how long after the first attempt a webhook is sent again."""

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
        self.history: Records[HistoryItem] = Records(home / "history", HistoryItem)
        self.jobs: Records[Job] = Records(home / "jobs", Job)
        self.webhooks: Records[Webhook] = Records(home / "webhooks", Webhook)
        self._deliveries = Deliveries(self.webhooks, self.faults, settings.retry_seconds)
        self.signing_key = self.secret("signing_key")
        self._transcripts = Transcripts(home / "transcripts")
        self._synthesis = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))
        self._stopped = threading.Event()
        self._mend()

    def audio_path(self, item_id: str) -> Path:
        return self.settings.home / "audio" / item_id

    def make(
        self,
        item_id: str,
        *,
        text: str,
        voice: str,
        output_format: str,
        settings: Mapping[str, Any],
        language: str | None,
    ) -> Speech:
        """Speak and store the audio of `item_id`."""
        with self._synthesis:
            speech = speak(text, voice=voice, speed=settings.get("speed") or 1.0, language=language)
            encode(speech, AudioFormat.parse(output_format), self.audio_path(item_id))
        self._transcripts.keep(self.audio_path(item_id), speech.words)
        return speech

    def keep(self, item: HistoryItem, *, logged: bool = True) -> bool:
        """Store a result and bill it; False when the balance can't pay."""
        item = replace(item, credits_before=self.account.used)
        # The record goes first: after a kill in between, a stored result that is not billed yet is billed at start.
        if logged:
            self.history.save(item)
        paid = self._bill(item)
        if not paid and logged:
            self.history.delete(item.id)
        return paid

    def _bill(self, item: HistoryItem) -> bool:
        model = MODELS[item.model]
        return self.account.pay(
            Charge(
                at=item.created_at,
                kind=item.kind,
                external_id=item.charge_id,
                request_id=item.request_id,
                quantity=len(item.text),
                unit="characters",
                credits=item.credits,
                model=item.model,
                usd=model.usd(item.text),
                request_sha256=hashlib.sha256(item.text.encode()).hexdigest(),
                detail=item.voice,
            )
        )

    def start_job(self, job: Job) -> None:
        """Store a job and work on it in the background."""
        self.jobs.save(job)
        self._work_on(job)

    def close(self) -> None:
        """Stop working; unfinished jobs go on at the next start."""
        self._stopped.set()
        self._deliveries.close()
        super().close()

    def _work_on(self, job: Job) -> None:
        if job.fate != "never":
            threading.Thread(target=self._run_job, args=(job,), daemon=True).start()

    def _run_job(self, job: Job) -> None:
        problem = "" if job.fate == "fail" else self._generate(job)
        if self._stopped.wait(max(0.0, job.due_at - time.time())):
            return
        now = time.time()
        if job.fate == "fail":
            ended = job.failed(now, job.failure_reason, job.error_message)
        elif problem:
            ended = job.failed(now, "internal_error", problem)
        elif self.keep(self._history_item(job, now)):
            ended = job.finished(now)
        else:
            ended = job.failed(now, "charging_failed", "The generation could not be charged.")
        self.jobs.save(ended)
        event = {"type": "flows_generation", "event_timestamp": int(now), "data": self.job_json(ended, now)}
        self._deliveries.send(job.webhooks, event, job.text)

    def job_json(self, job: Job, now: float, *, base_url: str = "", signed_at: float | None = None) -> dict[str, Any]:
        """A job as its owner sees it. `base_url` is where the stand-in was asked, `signed_at` the date of the link."""
        status = job.status(now)
        answer: dict[str, Any] = {"id": job.id, "status": status}
        if status == "failed":
            answer |= {"failure_reason": job.failure_reason, "error_message": job.error_message}
        if status == "completed":
            link = sign_link(
                base_url or job.base_url,
                job.id,
                self.signing_key,
                now=now if signed_at is None else signed_at,
                lifetime=self.settings.url_seconds,
            )
            mime_type = AudioFormat.parse(job.output_format).content_type
            answer |= {"content_url": link, "content_mime_type": mime_type}
        return answer

    def _generate(self, job: Job) -> str:
        """Make the audio of a job; return why that failed, or nothing."""
        try:
            self.make(
                job.history_item_id,
                text=job.text,
                voice=job.voice,
                output_format=job.output_format,
                settings=job.settings,
                language=job.language,
            )
        except (RuntimeError, OSError) as error:
            return str(error)
        return ""

    def _history_item(self, job: Job, now: float) -> HistoryItem:
        return HistoryItem(
            id=job.history_item_id,
            request_id=job.request_id,
            created_at=now,
            kind="flows",
            source="Flows",
            text=job.text,
            voice=job.voice,
            model=job.model,
            output_format=job.output_format,
            settings=job.settings,
            credits=MODELS[job.model].credits(job.text),
            credits_before=0,
            charge_id=job.id,
            hidden=job.hidden,
        )

    def _mend(self) -> None:
        """Finish what the last process left unfinished."""
        for item in self.history.newest_first():
            self._bill(item)
        for job in self.jobs.newest_first():
            if job.finished_at is None:
                self._work_on(job)
