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
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from video_production.errors import (
    Cancelled,
    MayHaveBeenPaid,
    MediaError,
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    Superseded,
    TransientError,
)
from video_production.metrics import Report, unreported
from video_production.nodes.model import Desired, Node, NodeStatus, Output, Pipeline
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.interface import GenerationProvider
from video_production.settings import ProviderSettings
from video_production.storage import Storage
from video_production.takes.fingerprint import request_hash
from video_production.takes.following import ANSWER_MARGIN, Followed, Follower, undecided
from video_production.takes.model import Take, TakeAttempt, TakeState
from video_production.takes.requests import keep_request, kept_attempt
from video_production.takes.table import TakeTable
from video_production.takes.wanted import Wanted, read_wanted

__all__ = ["Buyer", "FollowedTake", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """What the state machine does next: done, wait and check, or wait and submit again."""

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
        report: Report = unreported,
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
        self.new_id = new_id
        self.report = report
        self.follower = Follower(
            provider, takes, remaining=remaining, alert=alert, report=report, clock=clock, sleep=sleep
        )

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
        if take.state in (TakeState.SUBMITTED, TakeState.SUBMITTING):
            return self._look(wanted, take)
        if take.state == TakeState.MADE:
            return self._reuse(wanted, take)
        if self._may_buy_again(wanted.node, take):
            return self._step("resubmit")
        if take.state == TakeState.REFUSED and take.current.retry_at is not None:
            return self._step("resubmit", wait=max(0.0, take.current.retry_at - self.clock()))
        self._raise_if_ended(take)
        return self._step("waiting")

    def take_of(self, external_id: str) -> str | None:
        """The take that a job of the provider belongs to; None for a job that is not ours."""
        return self.takes.bound_to(self.provider.name, external_id)

    def follow(self, take_id: str) -> FollowedTake:
        """Look at a paid job for nobody in particular: a webhook or the sweep says that it should be looked at.

        Collects a late result even when its node was edited away, and completes the node that it was bought for when
        that one still waits for it. Never sends a request. Raises TransientError, OperatorError.
        """
        take = self.takes.get(take_id)
        if take is None:
            return FollowedTake("absent")
        ours = (take.provider, take.mode) == (self.provider.name, self.settings.mode)
        if ours and take.account in ("", self.settings.account):
            take = self._follow(take)
        if take.state == TakeState.MADE:
            self._complete_waiting(take)
        return FollowedTake(str(take.state), take.current.pipeline_id)

    def _follow(self, take: Take) -> Take:
        """The take after one look at its job. How a job failed its node reads in the take."""
        if take.state not in (TakeState.SUBMITTED, TakeState.SUBMITTING):
            return take
        attempt = kept_attempt(self.storage, take)
        if attempt is None:
            self.follower.alert(
                f"Attempt {take.attempt} of {take.id}: what it asked for is gone, so only a node that "
                "wants the same can follow it."
            )
            return take
        with suppress(ProviderJobFailed, MayHaveBeenPaid):
            self.follower.step(take, attempt, _tell_nobody)
        return self._read(take.id)

    def _complete_waiting(self, take: Take) -> None:
        """Row 10 for the node that the take was bought for, if it waits for this very take and nothing else is wanted.

        Other nodes that want the same result find it at their next step.
        """
        bought_for = take.current
        node = self.nodes.node(bought_for.pipeline_id, bought_for.node_id) if bought_for.node_id else None
        if node is None or node.status != NodeStatus.IN_PROGRESS or not node.process_uuid:
            return
        if take.made is None or self.storage.head(take.made.bucket, take.made.s3_key) is None:
            return  # it is gone from the bucket: the node's own next step says so
        pipeline = self.nodes.pipeline(node.pipeline_id)
        if pipeline is None or pipeline.desired != Desired.RUN or list(node.metadata.get("takes", ())) != [take.id]:
            return
        try:
            self._complete(Claim(node.pipeline_id, node.id, node.process_uuid), node, pipeline, take)
        except Superseded:
            return

    # Row 3 and what follows the one request

    def _buy(self, wanted: Wanted, previous: Take | None) -> Step:
        if wanted.pipeline.desired == Desired.EDITING:
            raise TransientError("The pipeline is being edited; the request is sent when that is done.")
        if wanted.pipeline.desired == Desired.CANCELLED:
            another = "another request was sent." if previous else "anything was sent; nothing was paid."
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
            way=self.provider.way(wanted.request, previous.refused_ways if previous else ()),
            sent_at=now,
            quiet_at=now + left + self.settings.indexing_lag,
            asked_at=wanted.node.asked_at,
            bucket=wanted.pipeline.bucket,
            pipeline_id=wanted.claim.pipeline_id,
            node_id=wanted.claim.node_id,
        )
        keep_request(self.storage, wanted.attempt(attempt))
        position = {"stage": "sending", "attempt": number, "attempts": number, "way": attempt.way}
        take = self.takes.reserve(
            wanted.claim,
            wanted.take_id,
            previous,
            attempt,
            provider=self.provider.name,
            mode=self.settings.mode,
            account=self.settings.account,
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
        tell = partial(self._touch, wanted)
        try:
            submission = self.provider.submit(wanted.attempt(attempt))
        except ProviderRefused as refusal:
            return self._refused(wanted, take, attempt, refusal)
        except ProviderAmbiguous as lost:
            self._touch(wanted, stage="waiting", last_answer=str(lost))  # row 6: the take stays as it is until quiet_at
            return self._step("waiting")
        return self._after(wanted, take, self.follower.accepted(take, wanted.attempt(attempt), submission, tell))

    def _refused(self, wanted: Wanted, take: Take, attempt: TakeAttempt, refusal: ProviderRefused) -> Step:
        delay = 0.0 if refusal.fallback else refusal.retry_after
        if refusal.account and not refusal.fallback:
            self.report("AccountRefusals", provider=self.provider.name)
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

    def _look(self, wanted: Wanted, take: Take) -> Step:
        followed = self.follower.step(
            take,
            wanted.attempt(take.current),
            partial(self._touch, wanted),
            cancel=wanted.pipeline.desired == Desired.CANCELLED,
        )
        quiet_in = take.current.quiet_at - self.clock()
        if take.state == TakeState.SUBMITTING and quiet_in > 0:
            return self._step("waiting", wait=min(quiet_in, self.settings.poll_interval))
        return self._after(wanted, take, followed)

    def _after(self, wanted: Wanted, take: Take, followed: Followed) -> Step:
        if followed == "waiting":
            return self._step("waiting")
        self._complete(wanted.claim, wanted.node, wanted.pipeline, self._read(take.id))
        return self._step("completed")

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
        self._complete(wanted.claim, wanted.node, wanted.pipeline, take)
        return self._step("completed")

    def _complete(self, claim: Claim, node: Node, pipeline: Pipeline, take: Take) -> None:
        if pipeline.desired == Desired.CANCELLED:
            raise Cancelled("The pipeline was cancelled; what had been paid for is kept and will be reused.")
        made = take.made
        if made is None:
            raise TransientError(f"The result of node {node.id} is not readable yet.")
        output = Output(
            type=made.type,
            s3_key=made.s3_key,
            size=made.size,
            sha256=made.sha256,
            bucket=made.bucket,
            duration=made.duration,
            draft=take.mode == "draft",
            voice=node.type == "generate-voiceover",
            captions=made.captions,
        )
        external_id = made.external_id or take.current.external_id
        self.nodes.complete(claim, output, [take.id], external_id=external_id, stage="done")

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
            raise MayHaveBeenPaid(last.message or undecided(self.provider.title, "its answer was lost"))
        if take.state == TakeState.ABANDONED:
            raise MayHaveBeenPaid(
                f"This request to {self.provider.title} was given up after its answer was lost; to pay for another, "
                "run resolve with --pay-again."
            )
        if take.state == TakeState.REFUSED:
            raise ProviderRefused(last.message, provider=self.provider.name, code=last.code)
        if take.state == TakeState.FAILED:
            raise ProviderJobFailed(last.message, provider=self.provider.name, code=last.code, charged=last.charged)

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


def _tell_nobody(**progress: Any) -> None:
    """There is no node to tell."""
