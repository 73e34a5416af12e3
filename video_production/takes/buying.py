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

A node of several parts has one take for each. They are bought in order, one at a time; the table above holds for the
first that is not made. When all are made, they are joined, and the node is complete.
"""

from __future__ import annotations

import math
import random
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from video_production.errors import (
    Cancelled,
    MayHaveBeenPaid,
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    Superseded,
    TransientError,
)
from video_production.metrics import Report, unreported
from video_production.nodes.model import Desired, Pipeline
from video_production.nodes.table import Claim, NodeTable
from video_production.nodes.tickets import first_tickets
from video_production.providers.interface import GenerationProvider
from video_production.settings import ProviderSettings
from video_production.storage import Storage
from video_production.takes.completing import Completer
from video_production.takes.deciding import check_agreed, may_buy_again, named, raise_if_ended, sent_again_in
from video_production.takes.fingerprint import request_hash
from video_production.takes.following import ANSWER_MARGIN, Followed, Follower, left_running, undecided
from video_production.takes.model import Take, TakeAttempt, TakeState
from video_production.takes.requests import keep_request, kept_attempt
from video_production.takes.sharing import share, wanted_by_others
from video_production.takes.table import TakeTable
from video_production.takes.waiting import next_look, waited_enough
from video_production.takes.wanted import Part, Wanted, keep_begun, read_wanted

__all__ = ["Buyer", "FollowedTake", "Step"]

_FOLLOWED_FOR = 7 * 86_400
"""Seconds for which a request is followed that no look brings to its end."""
_MOST_ROUNDS = 1_800
"""Of the node machine: a round is 13 of the 25,000 events that an execution's history holds."""


@dataclass(frozen=True, slots=True)
class Step:
    """What the state machine does next: done, wait and check, or wait and submit again. A `limit` of 0 ends it."""

    status: Literal["completed", "waiting", "resubmit"]
    wait_seconds: float = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class FollowedTake:
    """What became of a take that was looked at for no node: its state, and the pipeline that it was bought for."""

    state: str
    pipeline_id: str = ""

    @property
    def made(self) -> bool:
        return self.state == TakeState.MADE

    @property
    def over(self) -> bool:
        """Whether its job has ended, well or badly."""
        return self.state not in ("absent", TakeState.SUBMITTING, TakeState.SUBMITTED)


class Buyer:
    """Buys and follows the takes of one provider.

    `remaining` gives the seconds that this invocation may still live; `alert` is told of a paid job that nobody awaits;
    `chance` spreads the waits (0 to 1).
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
        report: Report = unreported,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.provider = provider
        self.settings = settings
        self.nodes = nodes
        self.takes = takes
        self.storage = storage
        self.remaining = remaining
        self.clock = clock
        self.new_id = new_id
        self.chance = chance
        self.report = report
        self.completer = Completer(provider, settings, nodes, takes, storage)
        self.follower = Follower(
            provider, takes, storage, remaining=remaining, alert=alert, report=report, clock=clock, sleep=sleep
        )

    def submit(self, claim: Claim) -> Step:
        """Bring the node's next take under way, or follow the one that exists.

        Raises Superseded, ProviderRefused, ProviderJobFailed, MayHaveBeenPaid, BudgetExceeded, Cancelled,
        TransientError, InputError.
        """
        wanted = self._wanted(claim)
        check_agreed(wanted.pipeline, self.provider.name, self.provider.title, self.settings.mode)
        takes = self.completer.takes_of(wanted)
        part = wanted.next_part(takes)
        if part is None:
            # A claim that shows the purchase already has followed or paid for it itself.
            self._show(wanted, wanted.parts[-1], takes[-1], reused=not wanted.shown or None)
            return self._complete(wanted)
        take = takes[part.number - 1]
        if take is None:
            return self._buy(wanted, part, None)
        self._show(wanted, part, take)
        if may_buy_again(wanted.node, take, self.clock()):
            return self._buy(wanted, part, take)
        if (wait := sent_again_in(take, self.clock())) is not None:
            return self._step(wanted, "resubmit", wait)
        with named(part):
            raise_if_ended(take, self.provider.title)
        return self._step(wanted, "waiting")

    def check(self, claim: Claim) -> Step:
        """Follow the node's next take one step. Raises what `submit` raises."""
        wanted = self._wanted(claim)
        takes = self.completer.takes_of(wanted)
        part = wanted.next_part(takes)
        take = takes[part.number - 1 if part else -1]
        if take and not wanted.shows(part, take):
            self._show(wanted, part or wanted.parts[-1], take)  # another node was faster: this one shares its purchase
        if part is None:
            return self._complete(wanted)
        if take is None:
            return self._resubmit(wanted, part)
        if take.state in (TakeState.SUBMITTED, TakeState.SUBMITTING):
            return self._look(wanted, part, take)
        if may_buy_again(wanted.node, take, self.clock()):
            return self._step(wanted, "resubmit")
        if (wait := sent_again_in(take, self.clock())) is not None:
            return self._step(wanted, "resubmit", wait)
        with named(part):
            raise_if_ended(take, self.provider.title)
        return self._step(wanted, "waiting")

    def take_of(self, external_id: str) -> str | None:
        """The take that a job of the provider belongs to; None for a job that is not ours."""
        return self.takes.bound_to(self.provider.name, external_id)

    def follow(self, take_id: str) -> FollowedTake:
        """Look at a paid job for nobody in particular: a webhook or the sweep says that it should be looked at.

        Collects a late result even when its node was edited away or has stopped waiting, and ends the node that it was
        bought for when that one still waits: completes it when it has everything now, fails it with what ended the job.
        Where a further part is to be bought, the node's own execution does that at its next step: nothing is ever sent
        from here. Raises TransientError, OperatorError.
        """
        take = self.takes.get(take_id)
        if take is None:
            return FollowedTake("absent")
        ours = (take.provider, take.mode) == (self.provider.name, self.settings.mode)
        if ours and take.account in ("", self.settings.account):
            take = self._follow(take)
        if take.provider == self.provider.name and self._given_up(take):
            why = f"after {_FOLLOWED_FOR // 86_400} days nobody has heard of its end"
            self.takes.mark_unknown(take, take.attempt, undecided(self.provider.title, why))
            take = self._read(take.id)
        followed = FollowedTake(str(take.state), take.current.pipeline_id)
        if followed.over:
            self.completer.end_waiting(take, self.clock())
        return followed

    def _follow(self, take: Take) -> Take:
        """The take after one look at its job. How a job failed its node reads in the take."""
        job_known = take.state == TakeState.UNKNOWN and take.current.external_id
        if not job_known and take.state not in (TakeState.SUBMITTED, TakeState.SUBMITTING):
            return take
        attempt = kept_attempt(self.storage, take)
        if attempt is None:
            self.follower.alert(
                f"Attempt {take.attempt} of {take.id}: what it asked for is gone, so only a node that "
                "wants the same can follow it."
            )
            return take
        pipeline = self.nodes.pipeline(take.current.pipeline_id) if take.current.pipeline_id else None
        attempt = replace(attempt, wanted=self._awaited(take, pipeline))
        cancelled = pipeline is not None and pipeline.desired == Desired.CANCELLED
        stop = cancelled and not wanted_by_others(self.takes, self.nodes, take)
        with suppress(Cancelled, ProviderJobFailed, MayHaveBeenPaid):
            self.follower.step(take, attempt, _tell_nobody, cancel=stop)
        return self._read(take.id)

    def _given_up(self, take: Take) -> bool:
        """Whether a request was followed for so long that a person shall decide about it: till then its money is
        promised. It may run on, or nobody here may ask for it any more (another account)."""
        is_open = take.state in (TakeState.SUBMITTED, TakeState.SUBMITTING)
        return is_open and self.clock() - take.current.sent_at >= _FOLLOWED_FOR

    def _awaited(self, take: Take, pipeline: Pipeline | None) -> bool:
        """Whether the node that a take was sent for still wants it; one that failed is asked for again, as a rule."""
        if pipeline is None or pipeline.desired != Desired.RUN:
            return False
        node = self.nodes.node(take.current.pipeline_id, take.current.node_id) if take.current.node_id else None
        return node is not None and take.id in node.metadata.get("takes", ())

    # Row 3 and what follows the one request

    def _buy(self, wanted: Wanted, part: Part, previous: Take | None) -> Step:
        if wanted.pipeline.desired == Desired.EDITING:
            raise TransientError("The pipeline is being edited; the request is sent when that is done.")
        if wanted.pipeline.desired == Desired.CANCELLED:
            sent_before = previous or part.number > 1
            another = "another request was sent." if sent_before else "anything was sent; nothing was paid."
            raise Cancelled(f"The pipeline was cancelled before {another}")
        left, needed = self.remaining(), self.settings.submit_budget + ANSWER_MARGIN
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
            way=self.provider.way(part.request, previous.refused_ways if previous else ()),
            sent_at=now,
            quiet_at=now + left + self.settings.indexing_lag,
            asked_at=wanted.node.asked_at,
            bucket=wanted.pipeline.bucket,
            pipeline_id=wanted.claim.pipeline_id,
            node_id=wanted.claim.node_id,
        )
        keep_request(self.storage, wanted.attempt(part, attempt))
        position = {
            "stage": "sending",
            "attempt": number,
            "attempts": number,
            "way": attempt.way,
            **part.position,
        }
        with named(part):
            take = self.takes.reserve(
                wanted.claim,
                part.take_id,
                previous,
                attempt,
                takes=wanted.take_ids,
                provider=self.provider.name,
                mode=self.settings.mode,
                account=self.settings.account,
                price=self.provider.price(part.request),
                request_hash=request_hash(part.request, attempt.way),
                position=position,
                title=self.provider.title,
                budget=wanted.pipeline.budget_usd,
                live=None if wanted.pipeline.live is None else self.provider.name in wanted.pipeline.live,
                slot=wanted.node.slot,
                ends_by=now + self.settings.deadline,
            )
        if take is None:
            return self._step(wanted, "waiting")  # something moved; the next step finds out what
        if self.remaining() < self.settings.submit_budget:
            late = f"Too little time was left, so nothing was sent to {self.provider.title}; it is tried again."
            refusal = ProviderRefused(late, provider=self.provider.name, code="not_sent", retry_after=0)
            return self._refused(wanted, part, take, attempt, refusal)
        return self._send(wanted, part, take, attempt)

    def _send(self, wanted: Wanted, part: Part, take: Take, attempt: TakeAttempt) -> Step:
        """Exactly one request, and nothing that can fail before it. Its answer is written down before all else."""
        tell = partial(self._touch, wanted)
        try:
            submission = self.provider.submit(wanted.attempt(part, attempt))
        except ProviderRefused as refusal:
            return self._refused(wanted, part, take, attempt, refusal)
        except ProviderAmbiguous as lost:
            self._touch(wanted, stage="waiting", last_answer=str(lost))  # row 6: the take stays as it is until quiet_at
            return self._step(wanted, "waiting")
        return self._after(wanted, self.follower.accepted(take, wanted.attempt(part, attempt), submission, tell))

    def _refused(self, wanted: Wanted, part: Part, take: Take, attempt: TakeAttempt, refusal: ProviderRefused) -> Step:
        delay = 0.0 if refusal.fallback else refusal.retry_after
        if refusal.account and not refusal.fallback:
            self.report("AccountRefusals", provider=self.provider.name)
        self.follower.refused(take, refusal, delay)
        if delay is None:
            with named(part):
                raise refusal
        note = str(refusal)
        if refusal.fallback:
            why = refusal.code or f"HTTP {refusal.http_status}"
            note = (
                f"{self.provider.title} refused the {attempt.way} request ({why}); the {refusal.fallback} one was used."
            )
        self._touch(wanted, stage="waiting", last_answer=note, fallback=note if refusal.fallback else None)
        return self._step(wanted, "resubmit", delay)

    # Rows 6 to 9

    def _look(self, wanted: Wanted, part: Part, take: Take) -> Step:
        # A pipeline stops the jobs that it has bought itself, unless another one waits for them, too.
        cancelled = wanted.pipeline.desired == Desired.CANCELLED
        ours = take.current.pipeline_id in ("", wanted.claim.pipeline_id)
        cancel = cancelled and ours and not wanted_by_others(self.takes, self.nodes, take)
        with named(part):
            runs = wanted.pipeline.desired == Desired.RUN
            attempt = replace(wanted.attempt(part, take.current), wanted=runs)
            followed = self.follower.step(take, attempt, partial(self._touch, wanted), cancel=cancel)
        if followed == "waiting" and cancelled and not cancel:
            raise Cancelled(left_running(self.provider.title))
        now, sent_at = self.clock(), take.current.sent_at
        if followed == "waiting" and waited_enough(now, sent_at, wanted.node.asked_at, self.settings):
            # Row 11: the take stays open, so the sweep or a webhook collects what comes later.
            minutes = round((now - sent_at) / 60)
            self._touch(wanted, last_answer=f"still running at {self.provider.title} after {minutes} min")
            return Step("waiting", wait_seconds=1, limit=0)
        quiet_in = take.current.quiet_at - now
        if followed == "waiting" and take.state == TakeState.SUBMITTING and quiet_in > 0:
            return self._step(wanted, "waiting", min(quiet_in, self.settings.poll_interval))
        return self._after(wanted, followed, age=now - sent_at)

    def _complete(self, wanted: Wanted, *, fresh: bool = False) -> Step:
        self.completer.complete(wanted, fresh=fresh)
        return self._step(wanted, "completed")

    def _after(self, wanted: Wanted, followed: Followed, age: float = 0.0) -> Step:
        if followed == "waiting":
            slot = wanted.node.slot
            awaited = bool(slot) and bool(first_tickets(self.nodes.table, self.provider.name, 1))
            return self._step(wanted, "waiting", next_look(age, self.settings, self.chance, awaited=awaited))
        part = wanted.next_part(self.completer.takes_of(wanted))
        return self._resubmit(wanted, part) if part else self._complete(wanted, fresh=True)

    # Reading

    def _wanted(self, claim: Claim) -> Wanted:
        wanted = read_wanted(claim, self.nodes, self.storage, self.provider, self.settings)
        return keep_begun(wanted, self.takes, self.settings, self.storage)

    def _read(self, identity: str) -> Take:
        take = self.takes.get(identity)
        if take is None:
            raise TransientError("The record of a purchase is not readable yet.")
        return take

    # Telling

    def _show(self, wanted: Wanted, part: Part, take: Take | None, reused: bool | None = None) -> None:
        last = take.current if take else None
        if take and not take.made:
            share(self.takes, take, wanted.claim)
        self.nodes.touch(
            wanted.claim,
            takes=wanted.take_ids,
            attempt=last.number if last else None,
            attempts=last.number if last else None,
            way=last.way if last else None,
            external_id=last.external_id if last else None,
            **part.position,
            **({"reused": reused} if reused else {}),
        )

    def _touch(self, wanted: Wanted, **metadata: object) -> None:
        """Tell how far the node is. A node that moved on does not stop what concerns the money."""
        try:
            self.nodes.touch(wanted.claim, **{key: value for key, value in metadata.items() if value is not None})
        except Superseded:
            return

    def _resubmit(self, wanted: Wanted, part: Part) -> Step:
        """The next part at once; the very first request after a pause, because something stood in its way."""
        return self._step(wanted, "resubmit", 0.0 if part.number > 1 else None)

    def _step(
        self, wanted: Wanted, status: Literal["completed", "waiting", "resubmit"], wait: float | None = None
    ) -> Step:
        seconds = self.settings.poll_interval if wait is None else wait
        limit = min(self.settings.poll_limit * len(wanted.parts), _MOST_ROUNDS)
        return Step(status, wait_seconds=max(1, math.ceil(seconds)), limit=limit)


def _tell_nobody(**progress: Any) -> None:
    """There is no node to tell."""
