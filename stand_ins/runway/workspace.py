"""Everything that the stand-in keeps, and the work on its tasks: what remains after a kill is what counts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from stand_ins.charge_book import Charge
from stand_ins.home import Home
from stand_ins.records import Records
from stand_ins.runway.account import Account
from stand_ins.runway.links import sign_link
from stand_ins.runway.tasks import Router, Task, Upload
from stand_ins.title_card import title_card

__all__ = ["OPERATIONS", "UPLOAD_SECONDS", "Settings", "Workspace"]

OPERATIONS = ("submit", "check", "cancel", "download", "upload", "organization", "routers")
"""What rules of misbehaviour can be set on."""
UPLOAD_SECONDS = 86400.0
SLOWEST_POLL = 5.0
"""Seconds between two looks at one task, below which Runway asks its customers not to go."""
_CREDIT_USD = 0.01
_FPS = Fraction(24)
_TICK = 0.05


@dataclass(frozen=True, slots=True)
class Settings:
    """`job_seconds` is how long a task runs, the drawing included if that is quicker; `url_seconds` how long the
    address of a clip works."""

    home: Path
    api_key: str = "draft-key"
    job_seconds: float = 0.8
    url_seconds: float = 86400.0

    @property
    def pending_seconds(self) -> float:
        return min(0.3, self.job_seconds * 0.25)


class Workspace(Home):
    """The state of one stand-in, in `settings.home`; one process at a time may hold it."""

    def __init__(self, settings: Settings) -> None:
        home = settings.home
        super().__init__(home, OPERATIONS)
        self.settings = settings
        self.account = Account(home / "account.json", self.book, settings.api_key)
        self.tasks: Records[Task] = Records(home / "tasks", Task)
        self.uploads: Records[Upload] = Records(home / "uploads", Upload)
        self.routers: Records[Router] = Records(home / "routers", Router)
        self.signing_key = self.secret("signing_key")
        self._drawing = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))
        self._moving = threading.RLock()
        self._drawn: dict[str, str] = {}
        self._looked: dict[str, float] = {}
        self.hurried_looks = 0
        self._woken = threading.Event()
        self._stopped = False
        self._resume()
        self._engine = threading.Thread(target=self._run, daemon=True)
        self._engine.start()

    def close(self) -> None:
        """Stop working; unfinished tasks go on at the next start."""
        self._stopped = True
        self._woken.set()
        self._engine.join()
        super().close()

    # What is kept

    def clip_path(self, task_id: str) -> Path:
        return self.settings.home / "clips" / f"{task_id}.mp4"

    def picture_path(self, task_id: str) -> Path:
        return self.settings.home / "pictures" / task_id

    def upload_path(self, upload_id: str) -> Path:
        return self.settings.home / "uploaded" / upload_id

    def submit(self, task: Task, picture: bytes | None) -> None:
        """Store a task and work on it in the background; raise ApiError where the account does not allow it."""
        with self._moving:
            self.account.require_generations(task.model, self.generations(task.created_at)[task.model])
            self.account.require_credits(task.credits, self.reserved)
            if picture is not None:
                self.picture_path(task.id).parent.mkdir(exist_ok=True)
                self.picture_path(task.id).write_bytes(picture)
            self.tasks.save(task)
        self._woken.set()

    def delete(self, task: Task) -> None:
        """Cancel a task that is not over, or delete one that is. What already ran is charged all the same."""
        with self._moving:
            current = self.tasks.get(task.id) or task
            if current.status == "RUNNING":
                self._charge(current, time.time())
            self.tasks.delete(task.id)
            self.clip_path(task.id).unlink(missing_ok=True)

    def generations(self, now: float) -> Counter[str]:
        """What was submitted in the last 24 hours, by model."""
        return Counter(task.model for task in self.tasks.newest_first() if task.created_at > now - 86400)

    @property
    def reserved(self) -> float:
        """Credits that unfinished tasks will cost."""
        return sum(task.credits for task in self.tasks.newest_first() if not task.over)

    def task_json(self, task: Task, now: float, base_url: str, *, stale: bool = False) -> dict[str, Any]:
        """A task as its owner sees it; a `stale` address has died already."""
        expires = now - 60 if stale else now + self.settings.url_seconds
        link = sign_link(base_url, f"{task.id}.mp4", self.signing_key, expires=expires)
        return task.to_json(now, self.settings.job_seconds, link)

    def look(self, task_id: str, now: float) -> None:
        """Note a look at a task: Runway wants no more than one in five seconds."""
        with self._moving:
            if now - self._looked.get(task_id, 0.0) < SLOWEST_POLL:
                self.hurried_looks += 1
            self._looked[task_id] = now

    # The work

    def _resume(self) -> None:
        """Tasks that were being drawn when the last process ended are drawn anew."""
        for task in self.tasks.newest_first():
            if task.status == "RUNNING":
                self.tasks.save(replace(task, status="PENDING"))

    def _run(self) -> None:
        while not self._stopped:
            with self._moving:
                busy = self._advance(time.time())
            self._woken.wait(_TICK if busy else 1.0)
            self._woken.clear()

    def _advance(self, now: float) -> bool:
        """Move every task that can move; say whether one is not over yet."""
        unfinished = [task for task in reversed(self.tasks.newest_first()) if not task.over]
        running = Counter(task.model for task in unfinished if task.status == "RUNNING")
        for task in unfinished:
            if task.status == "RUNNING":
                self._finish(task, now)
            elif now >= task.created_at + self.settings.pending_seconds:
                limit = self.account.plan.concurrency
                if limit is None or running[task.model] < limit:
                    running[task.model] += 1
                    self._start(replace(task, status="RUNNING", started_at=now))
                elif task.status != "THROTTLED":
                    self.tasks.save(replace(task, status="THROTTLED"))
        return any(task.fate != "never" or task.status != "RUNNING" for task in unfinished)

    def _start(self, task: Task) -> None:
        self.tasks.save(task)
        self._drawn.pop(task.id, None)
        if not task.fate:
            threading.Thread(target=self._draw, args=(task,), daemon=True).start()

    def _draw(self, task: Task) -> None:
        """Make the clip of a task, in a file that gets its name when it is whole."""
        problem = ""
        path = self.clip_path(task.id)
        unfinished = path.with_name(f".{path.name}")
        try:
            with self._drawing:
                backdrop = self.picture_path(task.id).read_bytes() if task.picture else None
                title_card(
                    task.prompt,
                    unfinished,
                    size=task.size,
                    seconds=float(task.duration),
                    fps=_FPS,
                    audio=task.sound,
                    label=f"Runway {task.model}",
                    backdrop=backdrop,
                )
            unfinished.replace(path)
        except (RuntimeError, OSError, ValueError) as error:
            traceback.print_exc()
            problem = str(error)
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        with self._moving:
            self._drawn[task.id] = problem
        self._woken.set()

    def _finish(self, task: Task, now: float) -> None:
        if task.fate == "never" or now < task.started_at + self.settings.job_seconds:
            return
        if task.fate == "fail":
            if task.fail_charged:
                self._charge(task, now)
            cost = task.credits if task.fail_charged else 0.0
            status: Any = "CANCELLED" if task.failure_code == "CANCELLED" else "FAILED"
            self.tasks.save(task.ended(status, now, cost, task.failure, task.failure_code))
        elif task.id in self._drawn:
            problem = self._drawn.pop(task.id)
            if problem:
                self.tasks.save(task.ended("FAILED", now, 0.0, problem, "INTERNAL"))
            else:
                # The charge goes first: after a kill in between, the task is drawn again and charged no second time.
                self._charge(task, now)
                self.tasks.save(task.ended("SUCCEEDED", now, task.credits))

    def _charge(self, task: Task, now: float) -> None:
        self.account.charge(
            Charge(
                at=now,
                kind=task.kind,
                external_id=task.id,
                request_id=task.request_id,
                quantity=float(task.duration),
                unit="seconds",
                credits=task.credits,
                model=task.model,
                usd=round(task.credits * _CREDIT_USD, 6),
                request_sha256=hashlib.sha256(task.prompt.encode()).hexdigest(),
                detail=task.ratio,
            )
        )
