"""Buying takes: what the submitter and the poller of every provider do (protocol: rows 3 to 11).

    state of the take            submit                         check
    ─────────────────────────────────────────────────────────────────────────────────────
    none, released               reserve, one POST              (submit again)
    refused, retry time due      reserve, one POST              (submit again)
    refused or failed            as often as a person asks      (submit again)
    submitting, may be alive     wait                           wait
    submitting, past quiet_at    wait                           find → submitted, made or unknown
    submitted                    wait                           ask the provider → running, failed or collect
    made                         complete the node              complete the node
    unknown, abandoned           fail: may have been paid       fail: may have been paid

An execution that meets a take in submitting, submitted or made waits, polls or completes; it never submits. That is the
whole resume path.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from video_production.errors import (
    Cancelled,
    MayHaveBeenPaid,
    MediaError,
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    Superseded,
    TransientError,
    VideoProductionError,
)
from video_production.nodes.model import Desired, Node, Output
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.interface import (
    GenerationProvider,
    Made,
    Submission,
    Unknown,
)
from video_production.settings import ProviderSettings
from video_production.storage import Storage
from video_production.takes.fingerprint import request_hash
from video_production.takes.model import Take, TakeAttempt, TakeState
from video_production.takes.table import TakeTable
from video_production.takes.wanted import Wanted, read_wanted

__all__ = ["Buyer", "Step"]

_ANSWER_MARGIN = 5.0
"""Seconds that saving and recording an answer may take after the provider gave it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What the state machine does next: done, wait and check, or wait and submit again."""

    status: Literal["completed", "waiting", "resubmit"]
    wait_seconds: float = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class _BoundElsewhere:
    """The external ids that belong to other takes."""

    takes: TakeTable
    take: Take

    def __contains__(self, external_id: object) -> bool:
        return self.takes.bound_to(self.take.provider, str(external_id)) not in (None, self.take.id)


class Buyer:
    """Buys and follows the takes of one provider.

    `remaining` gives the seconds that this invocation may still live; `alert` is told of a paid job that nobody awaits.
    """

    def __init__(
        self,
        provider: GenerationProvider,
        settings: ProviderSettings,
        nodes: NodeTable,
        takes: TakeTable,
        storage: Storage,
        *,
        remaining: Callable[[], float],
        alert: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.provider = provider
        self.settings = settings
        self.nodes = nodes
        self.takes = takes
        self.storage = storage
        self.remaining = remaining
        self.clock = clock
        self.sleep = sleep
        self.new_id = new_id
        self.alert = alert

    def submit(self, claim: Claim) -> Step:
        """Bring the node's take under way, or follow the one that exists.

        Raises Superseded, ProviderRefused, ProviderJobFailed, MayHaveBeenPaid, Cancelled, TransientError.
        """
        wanted = self._wanted(claim)
        take = self.takes.get(wanted.take_id)
        if take is None:
            return self._buy(wanted, None)
        # A claim that shows the purchase already has followed or paid for it itself.
        fresh = take.id not in wanted.node.metadata.get("takes", ())
        self._show(wanted, take, reused=(fresh and take.state == TakeState.MADE) or None)
        if self._may_buy_again(wanted.node, take):
            return self._buy(wanted, take)
        if take.state == TakeState.REFUSED and take.current.retry_at is not None:
            return self._step("resubmit", wait=max(0.0, take.current.retry_at - self.clock()))
        if take.state == TakeState.MADE:
            return self._reuse(wanted, take)
        self._raise_if_ended(take)
        return self._step("waiting")

    def check(self, claim: Claim) -> Step:
        """Follow the node's take one step. Raises what `submit` raises."""
        wanted = self._wanted(claim)
        take = self.takes.get(wanted.take_id)
        if take is None:
            return self._step("resubmit")
        if wanted.node.metadata.get("takes") != [take.id]:
            self._show(wanted, take)  # another node was faster: this one shares its purchase
        if take.state == TakeState.SUBMITTED:
            return self._poll(wanted, take)
        if take.state == TakeState.SUBMITTING:
            return self._recover(wanted, take)
        if take.state == TakeState.MADE:
            return self._reuse(wanted, take)
        if self._may_buy_again(wanted.node, take):
            return self._step("resubmit")
        if take.state == TakeState.REFUSED and take.current.retry_at is not None:
            return self._step("resubmit", wait=max(0.0, take.current.retry_at - self.clock()))
        self._raise_if_ended(take)
        return self._step("waiting")

    # Row 3 and what follows the one request

    def _buy(self, wanted: Wanted, previous: Take | None) -> Step:
        if wanted.pipeline.desired == Desired.EDITING:
            raise TransientError("The pipeline is being edited; the request is sent when that is done.")
        if wanted.pipeline.desired == Desired.CANCELLED:
            another = "another request was sent." if previous else "anything was sent; nothing was paid."
            raise Cancelled(f"The pipeline was cancelled before {another}")
        left, needed = self.remaining(), self.settings.submit_budget + _ANSWER_MARGIN
        if left < needed:
            raise TransientError(  # the next invocation has its whole time
                f"Only {left:.1f} s of this invocation are left, and a request to {self.provider.title} needs "
                f"{needed:.1f} s; nothing was sent."
            )
        now = self.clock()
        number = previous.current.number + 1 if previous else 1
        attempt = TakeAttempt(
            id=self.new_id(),
            number=number,
            state=TakeState.SUBMITTING,
            way=self.provider.way(wanted.request, previous.refused_ways if previous else ()),
            sent_at=now,
            quiet_at=now + left + self.settings.indexing_lag,
            asked_at=wanted.node.asked_at,
            bucket=wanted.pipeline.bucket,
        )
        position = {"stage": "sending", "attempt": number, "attempts": number, "way": attempt.way}
        take = self.takes.reserve(
            wanted.claim,
            wanted.take_id,
            previous,
            attempt,
            provider=self.provider.name,
            mode=self.settings.mode,
            price=self.provider.price(wanted.request),
            request_hash=request_hash(wanted.request, attempt.way),
            position=position,
        )
        if take is None:
            return self._step("waiting")  # the node, the pipeline or the take moved; the next step finds out which
        if self.remaining() < self.settings.submit_budget:
            late = f"Too little time was left, so nothing was sent to {self.provider.title}; it is tried again."
            refusal = ProviderRefused(late, provider=self.provider.name, code="not_sent", retry_after=0)
            return self._refused(wanted, take, attempt, refusal)
        return self._send(wanted, take, attempt)

    def _send(self, wanted: Wanted, take: Take, attempt: TakeAttempt) -> Step:
        """Exactly one request, and nothing that can fail before it. Its answer is written down before all else."""
        try:
            submission = self.provider.submit(wanted.attempt(attempt))
        except ProviderRefused as refusal:
            return self._refused(wanted, take, attempt, refusal)
        except ProviderAmbiguous as lost:
            self._touch(wanted, stage="waiting", last_answer=str(lost))  # row 6: the take stays as it is until quiet_at
            return self._step("waiting")
        return self._submitted(wanted, take, attempt, submission)

    def _submitted(self, wanted: Wanted, take: Take, attempt: TakeAttempt, submission: Submission) -> Step:
        if submission.made:
            return self._made(wanted, take, attempt, submission.made, "answered with the result")
        if not self._recorded(take, attempt, submission):
            self.alert(f"Orphan paid job {submission.external_id} of {self.provider.title}, attempt {attempt.id}.")
            self.takes.keep_orphan(take, attempt.id, submission.external_id)
            return self._step("waiting")
        self._touch(wanted, stage="waiting", external_id=submission.external_id, last_answer="accepted")
        return self._step("waiting")

    def _recorded(self, take: Take, attempt: TakeAttempt, submission: Submission) -> bool:
        """Row 4, tried as long as this invocation lives: nobody else knows the id of a job that is paid for."""
        while True:
            try:
                return self.takes.record_submitted(take, attempt.id, submission.external_id, submission.aliases)
            except Exception as error:
                if not isinstance(error, TransientError) or self.remaining() < _ANSWER_MARGIN:
                    job = f"{submission.external_id} of {self.provider.title}, attempt {attempt.id} of {take.id}"
                    self.alert(f"Paid job could not be recorded: {job} ({error}).")
                    raise
            self.sleep(1)

    def _refused(self, wanted: Wanted, take: Take, attempt: TakeAttempt, refusal: ProviderRefused) -> Step:
        delay = 0.0 if refusal.fallback else refusal.retry_after
        self.takes.refuse(
            take,
            attempt.id,
            code=refusal.code,
            message=str(refusal),
            retry_at=None if delay is None else self.clock() + delay,
            fallback=refusal.fallback,
        )
        if delay is None:
            raise refusal
        note = str(refusal)
        if refusal.fallback:
            why = refusal.code or f"HTTP {refusal.http_status}"
            note = (
                f"{self.provider.title} refused the {attempt.way} request ({why}); the {refusal.fallback} one was used."
            )
        self._touch(wanted, stage="waiting", last_answer=note, fallback=note if refusal.fallback else None)
        return self._step("resubmit", wait=delay)

    # Rows 6 to 9

    def _recover(self, wanted: Wanted, take: Take) -> Step:
        attempt = take.current
        wait = attempt.quiet_at - self.clock()
        if wait > 0:
            self._touch(wanted, stage="waiting", last_answer=f"no answer yet; looked for in {wait:.0f} s")
            return self._step("waiting", wait=min(wait, self.settings.poll_interval))
        elsewhere = _BoundElsewhere(self.takes, take)
        try:
            found = self.provider.find(wanted.attempt(attempt), elsewhere)
        except ProviderUnreachable as error:
            self._touch(wanted, last_answer=str(error))
            return self._step("waiting")
        if isinstance(found, Unknown):
            return self._undecide(take, found.why)
        if found.external_id and found.external_id in elsewhere:
            return self._undecide(take, f"what was found there, {found.external_id}, belongs to another request")
        if isinstance(found, Made):
            return self._made(wanted, take, attempt, found, "answer lost, result found at the provider")
        return self._submitted(wanted, take, attempt, found)

    def _poll(self, wanted: Wanted, take: Take) -> Step:
        attempt = take.current
        external_id = attempt.external_id or ""
        try:
            if wanted.pipeline.desired == Desired.CANCELLED and self.provider.cancel(external_id):
                cancelled = Cancelled(f"Cancelled at {self.provider.title}.")
                return self._fail(take, cancelled, code="cancelled", charged=None)
            try:
                progress = self.provider.check(external_id)
            except ProviderJobFailed as gone:  # a job that its provider no longer knows is undecided, not failed
                return self._undecide(take, str(gone))
            if progress.state == "failed":
                code, charged = progress.failure_code, progress.charged
                failure = ProviderJobFailed(progress.failure, provider=self.provider.name, code=code, charged=charged)
                return self._fail(take, failure, code=code, charged=charged)
            if progress.state == "running":
                self._touch(
                    wanted,
                    stage="waiting",
                    last_answer=progress.word,
                    progress=progress.percent,
                    external_id=external_id,
                )
                return self._step("waiting")
            self._touch(wanted, stage="downloading", last_answer=progress.word, external_id=external_id)
            made = self.provider.collect(external_id, progress, wanted.attempt(attempt))
        except ProviderUnreachable as error:  # a free call: nothing is lost, the next round repeats it
            self._touch(wanted, last_answer=str(error), external_id=external_id)
            return self._step("waiting")
        return self._made(wanted, take, attempt, made)

    def _fail(self, take: Take, error: VideoProductionError, *, code: str, charged: bool | None) -> Step:
        """Row 8: the job ended without a result. An attempt that is over already ends nothing: the next step looks."""
        if self.takes.mark_failed(take, take.attempt, code=code, message=str(error), charged=charged):
            raise error
        return self._step("waiting")

    def _undecide(self, take: Take, why: str) -> Step:
        """Rows 7 and 8: only a person can tell. An attempt that is over already ends nothing: the next step looks."""
        message = self._undecided(why)
        if self.takes.mark_unknown(take, take.attempt, message):
            raise MayHaveBeenPaid(message)
        return self._step("waiting")

    def _made(self, wanted: Wanted, take: Take, attempt: TakeAttempt, made: Made, answer: str | None = None) -> Step:
        if not self.takes.mark_made(take, attempt.id, made):
            return self._step("waiting")
        self._touch(wanted, last_answer=answer)
        return self._complete(wanted, self._read(take.id))

    # Row 10

    def _reuse(self, wanted: Wanted, take: Take) -> Step:
        """Complete with what was made earlier. It was paid for: if it is gone, a person says what happens."""
        made = take.made
        stored = self.storage.head(made.bucket, made.s3_key) if made else None
        if made and (stored is None or stored.size != made.size):
            raise MediaError(
                f"Node {wanted.node.id}: what was made and paid for earlier no longer lies at "
                f"s3://{made.bucket}/{made.s3_key}; restore it, or change the node's config or its inputs to have "
                "another one made."
            )
        return self._complete(wanted, take)

    def _complete(self, wanted: Wanted, take: Take) -> Step:
        if wanted.pipeline.desired == Desired.CANCELLED:
            raise Cancelled("The pipeline was cancelled; what had been paid for is kept and will be reused.")
        made = take.made
        if made is None:
            raise TransientError(f"The result of node {wanted.node.id} is not readable yet.")
        output = Output(
            type=made.type,
            s3_key=made.s3_key,
            size=made.size,
            sha256=made.sha256,
            bucket=made.bucket,
            duration=made.duration,
            draft=take.mode == "draft",
            voice=wanted.node.type == "generate-voiceover",
            captions=made.captions,
        )
        external_id = made.external_id or take.current.external_id
        self.nodes.complete(wanted.claim, output, [take.id], external_id=external_id, stage="done")
        return self._step("completed")

    # Reading

    def _wanted(self, claim: Claim) -> Wanted:
        return read_wanted(claim, self.nodes, self.storage, self.provider, self.settings)

    def _read(self, identity: str) -> Take:
        take = self.takes.get(identity)
        if take is None:
            raise TransientError("The record of a purchase is not readable yet.")
        return take

    # Deciding

    def _may_buy_again(self, node: Node, take: Take) -> bool:
        """A second request needs a definite refusal, a job that failed without charge, or a person."""
        last = take.current
        asked_since = last.ended_at is not None and node.asked_at >= last.ended_at and node.asked_at > last.asked_at
        if take.state == TakeState.RELEASED:
            return True
        if take.state == TakeState.REFUSED:
            return asked_since or (last.retry_at is not None and last.retry_at <= self.clock())
        if take.state == TakeState.FAILED:
            return asked_since and (last.charged is False or node.asked == "retry")
        return False

    def _raise_if_ended(self, take: Take) -> None:
        last = take.current
        if take.state == TakeState.UNKNOWN:
            raise MayHaveBeenPaid(last.message or self._undecided("its answer was lost"))
        if take.state == TakeState.ABANDONED:
            raise MayHaveBeenPaid(
                f"This request to {self.provider.title} was given up after its answer was lost; to pay for another, "
                "run resolve with --pay-again."
            )
        if take.state == TakeState.REFUSED:
            raise ProviderRefused(last.message, provider=self.provider.name, code=last.code)
        if take.state == TakeState.FAILED:
            raise ProviderJobFailed(last.message, provider=self.provider.name, code=last.code, charged=last.charged)

    def _undecided(self, why: str) -> str:
        return (
            f"The request to {self.provider.title} may have been paid ({why.rstrip('.')}), so it is not sent again. "
            "Look it up at the provider, then run resolve with --adopt ID, --pay-again or --give-up."
        )

    # Telling

    def _show(self, wanted: Wanted, take: Take, reused: bool | None = None) -> None:
        last = take.current
        self.nodes.touch(
            wanted.claim,
            takes=[take.id],
            attempt=last.number,
            attempts=last.number,
            way=last.way,
            external_id=last.external_id,
            **({"reused": reused} if reused else {}),
        )

    def _touch(self, wanted: Wanted, **metadata: object) -> None:
        """Tell how far the node is. A node that moved on does not stop what concerns the money."""
        try:
            self.nodes.touch(wanted.claim, **{key: value for key, value in metadata.items() if value is not None})
        except Superseded:
            return

    def _step(self, status: Literal["completed", "waiting", "resubmit"], wait: float | None = None) -> Step:
        seconds = self.settings.poll_interval if wait is None else wait
        return Step(status, wait_seconds=max(1, round(seconds + 0.49)), limit=self.settings.poll_limit)
