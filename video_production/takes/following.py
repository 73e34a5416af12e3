"""Following a request that was sent, to its end (protocol: rows 6 to 9). Nodes are unknown here, and nothing is sent.

Two followers may be at work at once: the execution that waits for a node, and the one that a webhook or the sweep
woke. Every write is fenced by the attempt, so one of them makes the result, and both see it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from video_production.errors import (
    Cancelled,
    MayHaveBeenPaid,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    TransientError,
    VideoProductionError,
)
from video_production.metrics import Report, unreported
from video_production.providers.interface import Attempt, GenerationProvider, Made, Price, Submission, Unknown
from video_production.storage import Storage
from video_production.takes.model import Take, TakeState
from video_production.takes.requests import is_request_kept
from video_production.takes.table import TakeTable

__all__ = ["ANSWER_MARGIN", "CANCELLED", "Followed", "Follower", "Tell", "left_running", "undecided"]

ANSWER_MARGIN = 5.0
"""Seconds that saving and recording an answer may take after the provider gave it."""

CANCELLED = "cancelled"
"""The code of an attempt whose job was stopped at its provider because its pipeline was cancelled."""

Followed = Literal["waiting", "made"]


class Tell(Protocol):
    """Says how far an attempt is. Whoever has no node to say it of passes one that does nothing."""

    def __call__(self, **progress: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class _BoundElsewhere:
    """The external ids that belong to other takes."""

    takes: TakeTable
    take: Take

    def __contains__(self, external_id: object) -> bool:
        return self.takes.bound_to(self.take.provider, str(external_id)) not in (None, self.take.id)


class Follower:
    """Follows the takes of one provider. Every method raises what ended the take, after it was written down.

    `remaining` gives the seconds that this invocation may still live; `alert` is told of a paid job that nobody awaits.
    """

    def __init__(
        self,
        provider: GenerationProvider,
        takes: TakeTable,
        storage: Storage,
        *,
        remaining: Callable[[], float],
        alert: Callable[[str], None],
        report: Report = unreported,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.provider = provider
        self.takes = takes
        self.storage = storage
        self.remaining = remaining
        self.alert = alert
        self.report = report
        self.clock = clock
        self.sleep = sleep

    def step(self, take: Take, attempt: Attempt, tell: Tell, *, cancel: bool = False) -> Followed:
        """Advance a take whose end is not known by one look at its provider.

        Also one that is unknown although its job has an id: its provider may know that job after all. Raises
        ProviderJobFailed, MayHaveBeenPaid, Cancelled, TransientError, OperatorError.
        """
        if take.current.external_id:
            return self._poll(take, attempt, tell, cancel=cancel)
        return self._recover(take, attempt, tell)

    def accepted(self, take: Take, attempt: Attempt, submission: Submission, tell: Tell) -> Followed:
        """Row 4, or row 9 where the answer was the result."""
        if submission.made:
            return self._made(take, attempt, submission.made, tell, "answered with the result")
        if not self._recorded(take, attempt, submission):
            self.report("OrphanPaidJobs", provider=self.provider.name)
            self.alert(f"Orphan paid job {submission.external_id} of {self.provider.title}, attempt {attempt.id}.")
            self.takes.keep_orphan(take, attempt.id, submission.external_id)
            return "waiting"
        tell(stage="waiting", external_id=submission.external_id, last_answer="accepted")
        return "waiting"

    def refused(self, take: Take, refusal: ProviderRefused, delay: float | None) -> None:
        """Row 5, tried as long as this invocation lives: nobody else knows that nothing was paid."""
        retry_at = None if delay is None else self.clock() + delay
        code, message, fallback = refusal.code, str(refusal), refusal.fallback
        while True:
            try:
                self.takes.refuse(take, take.attempt, code=code, message=message, retry_at=retry_at, fallback=fallback)
                return
            except TransientError:
                if self.remaining() < ANSWER_MARGIN:
                    raise
            self.sleep(1)

    def _recorded(self, take: Take, attempt: Attempt, submission: Submission) -> bool:
        """Row 4, tried as long as this invocation lives: nobody else knows the id of a job that is paid for."""
        while True:
            try:
                return self.takes.record_submitted(take, attempt.id, submission.external_id, submission.aliases)
            except Exception as error:
                if not isinstance(error, TransientError) or self.remaining() < ANSWER_MARGIN:
                    job = f"{submission.external_id} of {self.provider.title}, attempt {attempt.id} of {take.id}"
                    self.report("OrphanPaidJobs", provider=self.provider.name)
                    self.alert(f"Paid job could not be recorded: {job} ({error}).")
                    raise
            self.sleep(1)

    def _recover(self, take: Take, attempt: Attempt, tell: Tell) -> Followed:
        wait = take.current.quiet_at - self.clock()
        if wait > 0:
            tell(stage="waiting", last_answer=f"no answer yet; looked for in {wait:.0f} s")
            return "waiting"
        elsewhere = _BoundElsewhere(self.takes, take)
        try:
            found = self.provider.find(attempt, elsewhere)
        except ProviderUnreachable as error:
            tell(last_answer=str(error))
            return "waiting"
        except ProviderRefused as refusal:
            return self._never_sent(take, attempt, refusal)
        if isinstance(found, Unknown):
            return self._undecide(take, found.why)
        if found.external_id and found.external_id in elsewhere:
            return self._undecide(take, f"what was found there, {found.external_id}, belongs to another request")
        if isinstance(found, Made):
            return self._made(take, attempt, found, tell, "answer lost, result found at the provider")
        return self.accepted(take, attempt, found, tell)

    def _never_sent(self, take: Take, attempt: Attempt, refusal: ProviderRefused) -> Followed:
        """Row 5, late: the provider's module can prove that the request never left. Its node sends another one.

        The proof is what is not stored beside the attempt. Where files were deleted it proves nothing.
        """
        if not is_request_kept(self.storage, attempt):
            return self._undecide(take, "the files that would tell whether it was sent were deleted from the bucket")
        self.refused(take, refusal, refusal.retry_after)
        return "waiting"

    def _poll(self, take: Take, attempt: Attempt, tell: Tell, *, cancel: bool) -> Followed:
        self.report("Polls", provider=self.provider.name)
        external_id = take.current.external_id or ""
        try:
            if cancel and self.provider.cancel(external_id):
                cancelled = Cancelled(f"Cancelled at {self.provider.title}.")
                return self._fail(take, cancelled, code=CANCELLED, charged=None)
            try:
                progress = self.provider.check(external_id)
            except ProviderJobFailed as gone:  # a job that its provider no longer knows is undecided, not failed
                return self._undecide(take, str(gone))
            if progress.state == "failed":
                code, charged = progress.failure_code, progress.charged
                failure = ProviderJobFailed(progress.failure, provider=self.provider.name, code=code, charged=charged)
                return self._fail(take, failure, code=code, charged=charged, cost=progress.cost)
            if progress.state == "running":
                part = None if progress.percent is None else round(progress.percent / 100, 3)
                tell(stage="waiting", last_answer=progress.word, progress=part, external_id=external_id)
                if cancel:  # row 11: the job can't be stopped, and nobody shall wait for it
                    raise Cancelled(left_running(self.provider.title))
                return "waiting"
            tell(stage="downloading", last_answer=progress.word, external_id=external_id)
            try:
                made = self.provider.collect(external_id, progress, attempt)
            except ProviderJobFailed as gone:  # it is over, and where its result should lie there is none
                return self._undecide(take, str(gone))
        except ProviderUnreachable as error:  # a free call: nothing is lost, the next round repeats it
            tell(last_answer=str(error), external_id=external_id)
            return "waiting"
        return self._made(take, attempt, made, tell)

    def _fail(
        self,
        take: Take,
        error: VideoProductionError,
        *,
        code: str,
        charged: bool | None,
        cost: Price | None = None,
    ) -> Followed:
        """Row 8: the job ended without a result. An attempt that is over already ends nothing: the next step looks."""
        if self.takes.mark_failed(take, take.attempt, code=code, message=str(error), charged=charged, cost=cost):
            raise error
        return "waiting"

    def _undecide(self, take: Take, why: str) -> Followed:
        """Rows 7 and 8: only a person can tell. An attempt that is over already ends nothing: the next step looks."""
        if take.state == TakeState.UNKNOWN:
            return "waiting"  # a person has been told
        message = undecided(self.provider.title, why)
        if self.takes.mark_unknown(take, take.attempt, message):
            raise MayHaveBeenPaid(message)
        return "waiting"

    def _made(self, take: Take, attempt: Attempt, made: Made, tell: Tell, answer: str | None = None) -> Followed:
        if not self.takes.mark_made(take, attempt.id, made):
            return "waiting"
        tell(last_answer=answer)
        return "made"


def undecided(title: str, why: str) -> str:
    """What a person reads of a request of which nobody knows whether it was paid."""
    return (
        f"The request to {title} may have been paid ({why.rstrip('.')}), so it is not sent again. "
        "Look it up at the provider, then run resolve with --adopt ID, --pay-again or --give-up."
    )


def left_running(title: str) -> str:
    """What a person reads of a job that goes on although its pipeline was cancelled."""
    return f"Cancelled; {title} goes on with the job, and what it makes is kept."
