"""The take table: the money protocol's transitions, one conditional transaction each (protocol: rows 3-9 and 13).

A take is fenced by its attempt. Nothing here asks who owns the node, except row 3, where money starts to move:
recording a paid job's id must never be prevented by a node that moved on. Every row writes its ledger record in the
same transaction. Whoever loses a condition gets False, re-reads and follows what it finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from video_production.errors import RequestError, TransientError
from video_production.metrics import Report, unreported
from video_production.nodes.model import Desired, NodeStatus
from video_production.nodes.reading import pipeline_key
from video_production.nodes.slots import use_slot
from video_production.nodes.table import Claim
from video_production.providers.made import Made, Price
from video_production.tables import Check, ConditionFailed, Put, Update, transact
from video_production.takes.books import TAKE, TakeReader, binding_key, follower_item, take_key
from video_production.takes.ledger import Counted, refuse_for_budget
from video_production.takes.model import LedgerEvent, Take, TakeAttempt, TakeState
from video_production.takes.reading import made_item, read_take

__all__ = ["TAKE", "TakeTable", "read_take"]

_CURRENT = "{attempt} = :attempt"
_UNANSWERED = (TakeState.SUBMITTING, TakeState.UNKNOWN)
_SENT = (TakeState.SUBMITTING, TakeState.SUBMITTED)
_OPEN = (*_UNANSWERED, TakeState.SUBMITTED)
_KEPT_REFUSALS = 10
_MOVES = 4
_FOLLOWED = (TakeState.SUBMITTED, TakeState.MADE)


class TakeTable(TakeReader):
    """Reads and writes takes. `clock` gives Unix seconds; `report` is told of money once, by whoever wrote it down.

    `monthly_budget` is what all pipelines together may spend in a month, in US dollars.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        nodes_table: str,
        clock: Callable[[], float] = time.time,
        report: Report = unreported,
        monthly_budget: float | None = None,
    ) -> None:
        super().__init__(client, name, clock)
        self.nodes_table = nodes_table
        self.report = report
        self.monthly_budget = monthly_budget

    # Row 3

    def reserve(
        self,
        claim: Claim,
        take_id: str,
        previous: Take | None,
        attempt: TakeAttempt,
        *,
        takes: Sequence[str] = (),
        provider: str,
        mode: str,
        account: str,
        price: Price,
        request_hash: str,
        position: Mapping[str, Any],
        title: str = "",
        budget: float | None = None,
        live: bool | None = None,
        slot: str = "",
        ends_by: float = 0.0,
    ) -> Take | None:
        """Row 3: the intent to buy, written before the request is sent. The take with its new attempt, exactly once.

        Holds only while the node is still claimed, the pipeline is wanted, and the take is as `previous` (read before).
        `position` is what the node's metadata shows of it; `takes` are all that the node consists of, where more than
        this one. `budget` is the pipeline's, in US dollars, and `live` whether it may buy from this provider, as they
        were read with it. `slot` is the job slot that the node holds, which is told what is sent in it, and until when
        a job of which nobody hears may last. Raises BudgetExceeded where a budget has no room for the price.
        """
        seen: dict[str, Any] = {"expected": previous.attempt, "state": previous.state} if previous else {}
        unchanged = "{attempt} = :expected AND {state} = :state" if previous else "attribute_not_exists({take_id})"
        record = {
            "number": attempt.number,
            "state": TakeState.SUBMITTING,
            "way": attempt.way,
            "sent_at": attempt.sent_at,
            "quiet_at": attempt.quiet_at,
            "asked_at": attempt.asked_at,
            "bucket": attempt.bucket,
            "request_hash": request_hash,
            "pipeline_id": claim.pipeline_id,
            "node_id": claim.node_id,
        }
        take = Update(
            table=self.name,
            key=take_key(take_id),
            set={
                "state": TakeState.SUBMITTING,
                "attempt": attempt.id,
                "provider": provider,
                "mode": mode,
                "account": account,
                "open": provider,
                "open_since": attempt.sent_at,
                "quantity": price.quantity,
                "unit": price.unit,
                "usd": price.usd,
                **({f"attempts.{attempt.id}": record} if previous else {"attempts": {attempt.id: record}}),
            },
            remove=[f"attempts.{forgotten}" for forgotten in _forgettable(previous)],
            condition=unchanged,
            values=seen,
        )
        node = Update(
            table=self.nodes_table,
            key=claim.key,
            set={
                "touched_at": self.clock(),
                "metadata.takes": list(takes) or [take_id],
                **{f"metadata.{key}": value for key, value in position.items()},
            },
            condition="{process_uuid} = :mine AND {status} = :in_progress",
            values={"mine": claim.process_uuid, "in_progress": NodeStatus.IN_PROGRESS},
        )
        wanted = Check(
            table=self.nodes_table,
            key=pipeline_key(claim.pipeline_id),
            condition=f"{{desired}} = :run{_as_read('budget_usd', budget)}{_agreed(live)}",
            values={
                "run": Desired.RUN,
                **({} if budget is None else {"budget_usd": budget}),
                **({} if live is None else {"provider": provider}),
            },
        )
        details = {"pipeline_id": claim.pipeline_id, "node_id": claim.node_id, "provider": provider, "mode": mode}
        ledger = self.money.record(take_id, attempt.id, LedgerEvent.RESERVED, price, **details)
        limits = (budget, self.monthly_budget)
        promise = self.money.reserve(
            claim, take_id, attempt, price, provider=provider, mode=mode, budget=limits[0], monthly=limits[1]
        )
        sent = {"take_id": take_id, "attempt": attempt.id, "sent_at": attempt.sent_at, "ends_by": ends_by}
        use = [use_slot(self.nodes_table, slot, claim, sent)] if slot else []
        try:
            transact(self.client, [take, node, wanted, ledger, *promise, *use], self.table.sleep)
        except ConditionFailed as failure:
            # The attempt id is known to this call alone: if it stands there, the answer to our own write was lost.
            if (failure.olds[0] or {}).get("attempt") != attempt.id:
                refuse_for_budget(failure, (5, 6), price, title=title or provider, limits=limits, at=attempt.sent_at)
                return None
        attempts = {**(previous.attempts if previous else {}), attempt.id: attempt}
        return Take(take_id, TakeState.SUBMITTING, attempt.id, attempts, provider, mode, price, account=account)

    # Rows 4 and 4'

    def record_submitted(self, take: Take, attempt_id: str, external_id: str, aliases: tuple[str, ...] = ()) -> bool:
        """Row 4: bind a job's id to the take. False when the take has moved on or the id belongs to another one."""
        names = (external_id, *aliases)
        return self._follow(take, attempt_id, {"external_id": external_id}, names, _UNANSWERED)

    def _follow(
        self,
        take: Take,
        attempt_id: str,
        changes: Mapping[str, Any],
        names: tuple[str, ...],
        allowed: tuple[TakeState, ...],
    ) -> bool:
        update = self._advance(take, attempt_id, TakeState.SUBMITTED, changes, allowed)
        ledger = self.money.record(take.id, attempt_id, LedgerEvent.SUBMITTED, take.price)
        bindings = [self._binding(take, attempt_id, name) for name in dict.fromkeys(names)]
        try:
            self._transact(take, attempt_id, [update, ledger, *bindings], LedgerEvent.RESERVED, take.price)
        except ConditionFailed as failure:
            old = failure.olds[0] or {}
            known = old.get("attempts", {}).get(attempt_id, {})
            following = old.get("attempt") == attempt_id and old.get("state") in _FOLLOWED
            return bool(following and known.get("external_id") == changes["external_id"])
        return True

    def _binding(self, take: Take, attempt_id: str, external_id: str) -> Put:
        """One result belongs to one take: whoever looks for a lost one leaves out what is bound elsewhere."""
        return Put(
            table=self.name,
            item={**binding_key(take.provider, external_id), "bound_to": take.id, "attempt": attempt_id},
            condition="attribute_not_exists({take_id}) OR {bound_to} = :take",
            values={"take": take.id},
        )

    def keep_orphan(self, take: Take, attempt_id: str, external_id: str) -> None:
        """Row 4': a paid job that its take no longer waits for; its id is kept where people and the sweep find it."""
        self.table.write(
            Update(
                table=self.name,
                key=take_key(take.id),
                set={f"attempts.{attempt_id}.orphan": external_id},
                condition="attribute_exists({take_id})",
            )
        )

    def add_follower(self, take: Take, claim: Claim) -> None:
        """Keep beside the take that this node follows it, too. Raises TransientError."""
        self.table.write(Put(table=self.name, item=follower_item(take.id, claim.pipeline_id, claim.node_id)))

    # Rows 5, 7, 8 and 9

    def refuse(
        self, take: Take, attempt_id: str, *, code: str, message: str, retry_at: float | None, fallback: str | None
    ) -> bool:
        """Row 5: the provider definitely did not accept the request; nothing was paid."""
        changes = {"code": code, "message": message, "retry_at": retry_at, "fallback": fallback}
        return self._end(
            take, attempt_id, TakeState.REFUSED, changes, (TakeState.SUBMITTING,), LedgerEvent.REFUNDED, charged=False
        )

    def mark_unknown(self, take: Take, attempt_id: str, message: str) -> bool:
        """Row 7: nobody can tell whether the attempt was carried out; a person decides."""
        return self._end(take, attempt_id, TakeState.UNKNOWN, {"message": message}, _SENT, LedgerEvent.UNKNOWN)

    def mark_failed(
        self, take: Take, attempt_id: str, *, code: str, message: str, charged: bool | None, cost: Price | None = None
    ) -> bool:
        """Row 8: an accepted job ended without a result. `cost` is what the provider says that it charged."""
        event = LedgerEvent.REFUNDED if charged is False else LedgerEvent.SETTLED if charged else LedgerEvent.UNKNOWN
        return self._end(
            take,
            attempt_id,
            TakeState.FAILED,
            {"code": code, "message": message},
            (TakeState.SUBMITTED, TakeState.UNKNOWN),
            event,
            charged=charged,
            cost=cost if charged else None,
        )

    def mark_made(self, take: Take, attempt_id: str, made: Made) -> bool:
        """Row 9: the result lies at its destination and is whole. False also when it belongs to another take."""
        cost = made.cost or take.price
        changes: dict[str, Any] = {"external_id": made.external_id} if made.external_id else {}
        update = self._advance(take, attempt_id, TakeState.MADE, changes, _OPEN, charged=True, made=made_item(made))
        bindings = [self._binding(take, attempt_id, made.external_id)] if made.external_id else []
        return self._commit(take, update, LedgerEvent.SETTLED, cost, attempt_id, bindings)

    # Row 13

    def release(self, take: Take, who: str, why: str) -> None:
        """Row 13, --pay-again: the old attempt stays unknown in the ledger, a new one may be sent."""
        self._resolve(take, TakeState.RELEASED, who, why)

    def abandon(self, take: Take, who: str, why: str) -> None:
        """Row 13, --give-up: nothing more is bought for this take until somebody pays again."""
        self._resolve(take, TakeState.ABANDONED, who, why)

    def adopt(self, take: Take, external_id: str, who: str, why: str) -> None:
        """Row 13, --adopt: a person found the provider's job; it is followed as if its answer had arrived."""
        changes = {"external_id": external_id, "adopted": f"{who}: {why}"}
        if not self._follow(take, take.attempt, changes, (external_id,), (TakeState.UNKNOWN, TakeState.ABANDONED)):
            owner = self.bound_to(take.provider, external_id)
            because = "it belongs to another result already" if owner not in (None, take.id) else "nothing is undecided"
            raise RequestError(f"'{external_id}' can't be adopted: {because}.")

    def _resolve(self, take: Take, state: TakeState, who: str, why: str) -> None:
        allowed = {"unknown": TakeState.UNKNOWN, "abandoned": TakeState.ABANDONED}
        update = Update(
            table=self.name,
            key=take_key(take.id),
            set={
                "state": state,
                f"attempts.{take.attempt}.resolution": {
                    "state": state,
                    "who": who,
                    "why": why,
                    "at": self.clock(),
                },
            },
            condition=f"{_CURRENT} AND {{state}} IN (:unknown, :abandoned)",
            values={"attempt": take.attempt, **allowed},
        )
        try:
            self.table.write(update)
        except ConditionFailed as failure:
            old = failure.old or {}
            decided = old.get("attempts", {}).get(take.attempt, {}).get("resolution", {})
            if (old.get("state"), decided.get("who"), decided.get("why")) == (state, who, why):
                return  # the answer to an earlier try of this very write was lost
            state_now = old.get("state", "unknown")
            raise RequestError(f"There is nothing to resolve: this result is {state_now}.") from failure

    def _end(
        self,
        take: Take,
        attempt_id: str,
        state: TakeState,
        changes: Mapping[str, Any],
        allowed: tuple[TakeState, ...],
        event: LedgerEvent,
        charged: bool | None = None,
        cost: Price | None = None,
    ) -> bool:
        update = self._advance(take, attempt_id, state, changes, allowed, charged=charged)
        return self._commit(take, update, event, cost or take.price, attempt_id)

    def _advance(
        self,
        take: Take,
        attempt_id: str,
        state: TakeState,
        changes: Mapping[str, Any],
        allowed: tuple[TakeState, ...],
        charged: bool | None = None,
        **take_changes: Any,
    ) -> Update:
        open_until_the_end: dict[str, Any] = {}
        ended: dict[str, Any] = {"ended_at": self.clock()}
        if state == TakeState.SUBMITTED:
            open_until_the_end = {"open": take.provider, "open_since": take.attempts[attempt_id].sent_at}
            ended = {}
        entries = {"state": state, "charged": charged, **ended, **changes}
        # What was seen of one job says nothing of another one that a person has named meanwhile.
        job = take.attempts[attempt_id].external_id
        same_job = f" AND {{attempts.{attempt_id}.external_id}} = :job" if job else ""
        return Update(
            table=self.name,
            key=take_key(take.id),
            set={
                "state": state,
                **take_changes,
                **open_until_the_end,
                **{f"attempts.{attempt_id}.{name}": value for name, value in entries.items() if value is not None},
            },
            remove=() if open_until_the_end else ("open", "open_since"),
            condition=f"{_CURRENT} AND {{state}} IN ({', '.join(f':{state}' for state in allowed)}){same_job}",
            values={
                "attempt": attempt_id,
                **{str(state): state for state in allowed},
                **({"job": job} if job else {}),
            },
        )

    def _commit(
        self, take: Take, update: Update, event: LedgerEvent, cost: Price, attempt_id: str, bindings: Sequence[Put] = ()
    ) -> bool:
        ledger = self.money.record(take.id, attempt_id, event, cost)
        try:
            self._transact(take, attempt_id, [update, ledger, *bindings], event, cost)
        except ConditionFailed as failure:
            old = failure.olds[0] or {}
            return bool(old.get("attempt") == attempt_id and old.get("state") == update.set["state"])
        self._count(take, update.set["state"], ledger.item, code=update.set.get(f"attempts.{attempt_id}.code"))
        return True

    def _transact(
        self, take: Take, attempt_id: str, actions: Sequence[Put | Update], event: LedgerEvent, cost: Price
    ) -> None:
        """Carry out `actions`, the first of which is the take's own, and move the attempt's money to `event`.

        Where the money stands follows from the take as it was read; where it has moved since, what stands there counts.
        """
        refused = actions[0].set["state"] == TakeState.REFUSED if isinstance(actions[0], Update) else False
        before: Counted | None = self.money.counted(take)
        for _ in range(_MOVES):
            moves = self.money.move(take, attempt_id, before, event, cost, passing=refused)
            try:
                transact(self.client, [*actions, *moves], self.table.sleep)
                return
            except ConditionFailed as failure:
                elsewhere = bool(moves) and failure.failed[len(actions)] and not any(failure.failed[: len(actions)])
                if not elsewhere:
                    raise
                old = failure.olds[len(actions)]
                before = Counted(LedgerEvent(old["counted"]), int(old["amount"])) if old else None
        raise TransientError("The money of a purchase moved several times at once; try again.")

    def _count(self, take: Take, state: TakeState, ledger: Mapping[str, Any], *, code: str | None) -> None:
        if ledger["event"] == LedgerEvent.SETTLED and take.mode == "live":
            self.report("SpendUSD", float(ledger["usd"]), provider=take.provider)
        if state == TakeState.UNKNOWN:
            self.report("MayHaveBeenPaid", provider=take.provider)
        if state == TakeState.REFUSED and code != "not_sent":
            self.report("ProviderRefusals", provider=take.provider)


def _as_read(name: str, value: float | None) -> str:
    """The condition that a number of the pipeline is as it was read."""
    return f" AND attribute_not_exists({{{name}}})" if value is None else f" AND {{{name}}} = :{name}"


def _agreed(live: bool | None) -> str:
    """The condition that a pipeline which says from whom it may buy (`live`) says so of `:provider`, or not."""
    if live is None:
        return " AND attribute_not_exists({live})"
    return " AND contains({live}, :provider)" if live else " AND NOT contains({live}, :provider)"


def _forgettable(take: Take | None) -> list[str]:
    """Old refusals, of which the ledger keeps all that matters: an item holds 400 KB, and a busy provider may refuse
    for days. A refusal that named another way is still needed."""
    plain = [a for a in take.attempts.values() if a.state == TakeState.REFUSED and not a.fallback] if take else []
    return [attempt.id for attempt in sorted(plain, key=lambda attempt: attempt.number)[:-_KEPT_REFUSALS]]
