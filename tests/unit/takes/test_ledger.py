"""The ledger: sums and entries that follow every event of the money, and budgets that hold before anything is sent."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.graphs import write
from tests.unit.takes.stage import LIFE, SCRIPT, Stage, made, voice
from video_production.errors import (
    BudgetExceeded,
    MayHaveBeenPaid,
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    RequestError,
    TransientError,
)
from video_production.providers.interface import GenerationRequest, Price, Progress, Submission
from video_production.scheduling.asking import Asking
from video_production.settings import LEDGER_INDEX
from video_production.tables import Put, transact
from video_production.takes.entries import Balance, Entry, balance
from video_production.takes.ledger import Totals, micro, month_of
from video_production.takes.model import LedgerEvent

PRICE = 0.0024
READY = Progress("completed", "completed")
MONTH = "1970-01"
"""Of the stage's clock."""


def sums(stage: Stage, mode: str = "live") -> tuple[float, float, float]:
    """Reserved, settled and unknown, of the pipeline; the month's have to be the same."""
    totals = stage.takes.totals("lesson", mode)
    assert stage.takes.totals_of_month(MONTH, mode) == totals
    assert totals.committed == pytest.approx(sum((totals.reserved, totals.settled, totals.unknown)))
    return totals.reserved, totals.settled, totals.unknown


def entry(stage: Stage) -> Entry:
    return stage.takes.entries("lesson")[-1]


def submit(stage: Stage, answer: Any) -> None:
    stage.provider.answers = [answer]
    stage.buyer().submit(stage.claim())


def lost() -> ProviderAmbiguous:
    return ProviderAmbiguous("The answer was lost.", provider="obedient")


def test_a_request_under_way_is_promised_money(stage: Stage) -> None:
    submit(stage, Submission("job-1"))
    assert sums(stage) == (PRICE, 0, 0)
    found = entry(stage)
    assert (found.node_id, found.provider, found.mode, found.state) == ("voice", "obedient", "live", "reserved")
    assert (found.quantity, found.unit, found.usd) == (len(SCRIPT), "characters", PRICE)


def test_a_result_settles_what_was_promised(stage: Stage) -> None:
    submit(stage, Submission("job-1"))
    stage.provider.progress = [READY]
    stage.buyer().check(stage.claim_of_voice())
    assert sums(stage) == (0, PRICE, 0)
    assert stage.takes.totals("lesson", "live").quantities == {"characters": len(SCRIPT)}
    assert entry(stage).state == LedgerEvent.SETTLED


def test_what_the_provider_says_it_costs_wins(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = Price(12, "credits", 0.12)
    collect = stage.provider.collect
    monkeypatch.setattr(stage.provider, "collect", lambda *given: replace(collect(*given), cost=cost))
    submit(stage, Submission("job-1"))
    stage.provider.progress = [READY]
    stage.buyer().check(stage.claim_of_voice())
    assert sums(stage) == (0, 0.12, 0)
    assert (entry(stage).quantity, entry(stage).unit, entry(stage).usd) == (12, "credits", 0.12)
    assert (stage.take().cost, stage.take().price.usd) == (cost, PRICE)
    assert stage.takes.ledger(stage.take().id)[-1]["usd"] == 0.12


def test_a_refusal_gives_back_what_was_promised_and_passes_from_the_books(stage: Stage) -> None:
    with pytest.raises(ProviderRefused):
        submit(stage, ProviderRefused("No such voice.", provider="obedient"))
    assert sums(stage) == (0, 0, 0)
    assert (entry(stage).state, entry(stage).usd) == (LedgerEvent.REFUNDED, 0)
    [item] = [
        item
        for item in stage.takes.table.query("take_id", "money#pipeline#lesson#live")
        if item["record"].startswith("attempt#")
    ]
    assert item["expires_at"] > stage.now


def _looked_for(stage: Stage) -> None:
    stage.now += LIFE + 61
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(stage.claim_of_voice())


def test_a_lost_answer_may_have_cost_its_price(stage: Stage) -> None:
    submit(stage, lost())
    assert sums(stage) == (PRICE, 0, 0)
    _looked_for(stage)
    assert sums(stage) == (0, 0, PRICE)
    assert balance(stage.takes.entries("lesson")) == Balance(0, PRICE)


def test_what_is_adopted_and_made_is_known_again(stage: Stage) -> None:
    submit(stage, lost())
    _looked_for(stage)
    stage.takes.adopt(stage.take(), "job-7", "ada", "it is in the list")
    assert sums(stage) == (PRICE, 0, 0)
    stage.takes.mark_made(stage.take(), "a1", _made(stage))
    assert sums(stage) == (0, PRICE, 0)


def test_a_late_result_settles_what_a_reader_saw_as_open(stage: Stage) -> None:
    """Whoever writes may have read the take before somebody else called it undecided."""
    submit(stage, lost())
    before = stage.take()
    _looked_for(stage)
    assert stage.takes.mark_made(before, "a1", _made(stage))
    assert sums(stage) == (0, PRICE, 0)


def _made(stage: Stage) -> Any:
    from video_production.providers.interface import Attempt, Destination

    request = GenerationRequest("generate-voiceover", {}, {})
    return made(Attempt("a1", "job", 0.0, request, Destination(stage.bucket, "takes/t/a1/")), "job-7")


@pytest.mark.parametrize(("charged", "expected"), [(False, (0, 0, 0)), (True, (0, PRICE, 0)), (None, (0, 0, PRICE))])
def test_a_failed_job_costs_what_its_provider_says(
    stage: Stage, charged: bool | None, expected: tuple[float, float, float]
) -> None:
    submit(stage, Submission("job-1"))
    stage.provider.progress = [Progress("failed", "failed", failure="Model error.", charged=charged)]
    with pytest.raises(ProviderJobFailed):
        stage.buyer().check(stage.claim_of_voice())
    assert sums(stage) == expected


def test_a_failed_job_that_cost_less_than_expected_is_booked_at_what_it_cost(stage: Stage) -> None:
    submit(stage, Submission("job-1"))
    cost = Price(1, "characters", 0.01)
    stage.provider.progress = [Progress("failed", "failed", failure="Moderated.", charged=True, cost=cost)]
    with pytest.raises(ProviderJobFailed):
        stage.buyer().check(stage.claim_of_voice())
    assert sums(stage) == (0, 0.01, 0)


def test_paying_again_leaves_the_first_request_in_the_books(stage: Stage) -> None:
    submit(stage, lost())
    _looked_for(stage)
    stage.nodes.fail(stage.claim_of_voice(), "It may have been paid.", "MayHaveBeenPaid")
    Asking(stage.nodes, stage.takes, None, "").resolve("lesson", "voice", "pay-again", who="ada", why="not there")
    stage.provider.answers = [Submission("job-2")]
    stage.buyer().submit(stage.claim("p2"))
    assert sums(stage) == (PRICE, 0, PRICE)


def test_a_purchase_of_before_the_books_counts_nowhere_and_disturbs_nothing(stage: Stage) -> None:
    submit(stage, Submission("job-1"))
    for item in stage.takes.table.query("take_id", "money#pipeline#lesson#live"):
        stage.takes.client.delete_item(
            TableName=stage.takes.name, Key={"take_id": {"S": item["take_id"]}, "record": {"S": item["record"]}}
        )
    stage.provider.progress = [READY]
    assert stage.buyer().check(stage.claim_of_voice()).status == "completed"
    assert stage.takes.totals("lesson", "live") == Totals()


def test_a_month_ends_at_midnight_in_utc() -> None:
    assert month_of(1_793_491_199) == "2026-10"
    assert month_of(1_793_491_200) == "2026-11"


# Budgets


def limited(stage: Stage, budget: float | None, **changes: Any) -> None:
    """The stage's pipeline with a budget."""
    pipeline = write(stage.nodes, stage.graph, stage.assets)
    stage.nodes.edits.publish(replace(pipeline, budget_usd=budget, **changes))


def test_a_budget_that_has_room_lets_a_request_pass_to_the_last_cent(stage: Stage) -> None:
    limited(stage, PRICE)
    submit(stage, Submission("job-1"))
    assert len(stage.provider.sent) == 1


def test_a_budget_without_room_stops_the_node_before_anything_is_sent(stage: Stage) -> None:
    limited(stage, 0.002)
    with pytest.raises(BudgetExceeded) as refused:
        submit(stage, Submission("job-1"))
    assert str(refused.value) == (
        "Nothing was sent: this needs 30 characters from Obedient for about $0.0024, and $0.0020 of the pipeline's "
        "budget of $0.0020 is left. Raise it with produce --budget USD, or with 'budget' in the document."
    )
    assert stage.provider.sent == []
    assert sums(stage) == (0, 0, 0)
    assert stage.voice().metadata.get("takes") is None


def test_what_is_promised_and_what_nobody_knows_counts_against_the_budget(stage: Stage) -> None:
    limited(stage, 1.5 * PRICE)
    submit(stage, lost())
    other = replace(voice("other"), config={"provider": "obedient", "speed": 2.0})
    write(stage.nodes, [*stage.graph, other], stage.assets)
    pipeline = stage.nodes.pipeline("lesson")
    assert pipeline is not None
    stage.nodes.edits.publish(replace(pipeline, budget_usd=1.5 * PRICE))
    with pytest.raises(BudgetExceeded, match=re.escape("$0.0012 of the pipeline's budget of $0.0036 is left")):
        stage.buyer().submit(stage.claim("p9", "other"))
    assert len(stage.provider.sent) == 1


def test_a_higher_budget_lets_the_same_node_go_on(stage: Stage) -> None:
    limited(stage, 0.001)
    with pytest.raises(BudgetExceeded):
        submit(stage, Submission("job-1"))
    stage.nodes.fail(stage.claim_of_voice(), "No room.", "BudgetExceeded")
    pipeline = stage.nodes.pipeline("lesson")
    assert pipeline is not None
    stage.nodes.edits.publish(replace(pipeline, budget_usd=1.0))
    Asking(stage.nodes, stage.takes, None, "").retry("lesson", "voice", asked="run")
    stage.provider.answers = [Submission("job-1")]
    assert stage.buyer().submit(stage.claim("p2")).status == "waiting"


def test_a_budget_that_changes_between_reading_and_writing_counts_as_it_is_then(stage: Stage) -> None:
    limited(stage, 1.0)
    pipeline = stage.nodes.pipeline("lesson")
    assert pipeline is not None
    lowered = replace(pipeline, budget_usd=0.001)
    claim = stage.claim()
    buyer = stage.buyer(new_id=lambda: (stage.nodes.edits.publish(lowered), "a1")[1])
    assert buyer.submit(claim).status == "waiting"
    assert stage.provider.sent == []


def test_all_pipelines_share_the_budget_of_a_month(stage: Stage) -> None:
    stage.takes.monthly_budget = 0.001
    with pytest.raises(BudgetExceeded, match=r"\$0.0010 of the \$0.0010 that this environment may spend in 1970-01"):
        submit(stage, Submission("job-1"))
    assert stage.provider.sent == []


def test_two_at_once_never_spend_the_same_money(stage: Stage) -> None:
    """Both read a budget with room for one."""
    limited(stage, 1.5 * PRICE)
    other = replace(voice("other"), config={"provider": "obedient", "speed": 2.0})
    stage.nodes.edits.save_structure(other)
    stage.nodes.edits.reset("lesson", "other")
    first, second = stage.claim(), stage.claim("p2", "other")
    stage.provider.answers = [Submission("job-1"), Submission("job-2")]

    def in_between() -> str:
        stage.buyer().submit(first)
        return "z1"

    with pytest.raises(BudgetExceeded):
        stage.buyer(new_id=in_between).submit(second)
    assert len(stage.provider.sent) == 1


# Who may be bought from, on a laptop


@pytest.mark.parametrize(
    ("live", "words"),
    [((), "was not asked to use the real Obedient"), (("somebody",), "was not asked to use the real Obedient")],
)
def test_a_real_provider_is_never_used_for_a_pipeline_that_was_not_asked_to(
    stage: Stage, live: tuple[str, ...], words: str
) -> None:
    """Whatever runs next on a laptop goes on with every pipeline that was interrupted."""
    limited(stage, None, live=live)
    with pytest.raises(RequestError, match=words):
        submit(stage, Submission("job-1"))
    assert stage.provider.sent == []


def test_a_pipeline_that_names_the_provider_may_use_it(stage: Stage) -> None:
    limited(stage, None, live=("obedient",))
    submit(stage, Submission("job-1"))
    assert len(stage.provider.sent) == 1


def test_nothing_is_sent_where_the_consent_is_withdrawn_between_reading_and_writing(stage: Stage) -> None:
    limited(stage, None, live=("obedient",))
    pipeline = stage.nodes.pipeline("lesson")
    assert pipeline is not None
    claim = stage.claim()
    buyer = stage.buyer(new_id=lambda: (stage.nodes.edits.publish(replace(pipeline, live=())), "a1")[1])
    assert buyer.submit(claim).status == "waiting"
    assert stage.provider.sent == []


# Looking things up


def test_a_month_is_read_by_its_index(stage: Stage, dynamodb: Any) -> None:
    if not hasattr(dynamodb, "update_table"):
        pytest.skip("tables in memory have no indexes")
    dynamodb.update_table(
        TableName=stage.takes.name,
        AttributeDefinitions=[
            {"AttributeName": "ledger_month", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": LEDGER_INDEX,
                    "KeySchema": [
                        {"AttributeName": "ledger_month", "KeyType": "HASH"},
                        {"AttributeName": "at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    submit(stage, Submission("job-1"))
    assert stage.takes.entries_of_month(MONTH, "live") == stage.takes.entries("lesson")
    assert stage.takes.entries_of_month(MONTH, "draft") == []
    assert stage.takes.entries_of_month("1970-02", "live") == []


@pytest.mark.parametrize(("bill", "fits"), [(0.9, False), (1.0, True), (1.4, True), (1.5, True), (1.6, False)])
def test_a_bill_lies_between_what_is_known_and_what_may_be(bill: float, fits: bool) -> None:
    assert Balance(known=1.0, unknown=0.5).admits(bill) is fits


def test_money_is_added_in_whole_millionths() -> None:
    assert sum(micro(0.1) for _ in range(10)) == micro(1.0)


# Contention: every purchase of a month meets in one item


class Crowded:
    """A table whose transactions meet another one as often as told."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.calls = 0
        self.exceptions = type("Errors", (), {"TransactionCanceledException": ClientError})

    def transact_write_items(self, **_: Any) -> None:
        self.calls += 1
        if self.calls <= self.times:
            reasons = {"CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}]}
            raise ClientError({"Error": {"Code": "TransactionCanceledException"}, **reasons}, "TransactWriteItems")


def _write(client: Crowded) -> list[float]:
    pauses: list[float] = []
    transact(client, [Put(table="takes", item={"take_id": "a", "record": "b"})], pauses.append)
    return pauses


def test_a_transaction_that_meets_another_is_repeated_after_pauses_of_random_length() -> None:
    random.seed(1)
    client = Crowded(8)
    pauses = _write(client)
    assert client.calls == 9
    assert len(set(pauses)) == 8
    assert max(pauses) <= 1.0


def test_after_a_while_a_crowded_table_is_left_to_the_next_try() -> None:
    with pytest.raises(TransientError, match="another transaction stayed in the way"):
        _write(Crowded(1000))
