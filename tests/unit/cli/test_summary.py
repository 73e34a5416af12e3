from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from video_production.cli.summary import opening, summary
from video_production.cli.words import clock_time, elapsed, money


def finished(**changes: Any) -> dict[str, Any]:
    return {
        "event": "finished",
        "status": "completed",
        "document": "lesson/pipeline.yaml",
        "environment": "local",
        "unchanged": False,
        "output": {"path": str(Path.cwd() / "lesson/output/lesson.draft.mp4"), "captions": []},
        "videos": [],
        "failed": {},
        "blocked": [],
        "decide": {},
        "made": 0,
        "cost": {"usd": 0.0, "live_usd": 0.0, "new_usd": 0.0, "quantities": {}},
        "script": "scripts/intro.txt",
        **changes,
    }


def test_the_last_line_is_the_path_and_the_next_step_names_a_script() -> None:
    assert list(summary(finished())) == [
        " Next: edit lesson/scripts/intro.txt and run again · ./jiki-video new my-lesson",
        "lesson/output/lesson.draft.mp4",
    ]


def test_without_a_script_the_document_is_what_to_edit() -> None:
    assert next(summary(finished(script=None))).startswith(" Next: edit lesson/pipeline.yaml and run again")


@pytest.mark.parametrize(
    ("live_usd", "words"),
    [(0.0, " Real providers would cost about $0.07 ("), (0.07, " Real providers: about $0.07 paid (")],
)
def test_a_draft_says_what_it_would_cost_and_a_live_run_what_it_cost(live_usd: float, words: str) -> None:
    quantities = {"characters": 1621, "seconds": 4.3, "credits": 60.0}
    cost = {"usd": 0.07, "live_usd": live_usd, "new_usd": 0.07, "quantities": quantities}
    line = next(summary(finished(cost=cost)))
    assert line.startswith(words + "1,621 characters, 4.3 seconds, 60 credits; prices of ")


@pytest.mark.parametrize(
    ("live_usd", "new_usd", "words"),
    [
        (0.0, 0.02, " Of that $0.02 in this run"),
        (0.0, 0.0, " Of that nothing in this run"),
        (0.07, 0.02, " Of that $0.02 in this run"),
    ],
)
def test_what_an_edit_cost_is_told_apart(live_usd: float, new_usd: float, words: str) -> None:
    cost = {"usd": 0.07, "live_usd": live_usd, "new_usd": new_usd, "quantities": {"seconds": 4.3}}
    assert list(summary(finished(cost=cost)))[1] == words
    assert "in this run" not in "".join(summary(finished(cost=cost, unchanged=True)))


def test_a_failure_tells_what_was_spent_all_the_same() -> None:
    cost = {"usd": 3.8, "live_usd": 3.8, "new_usd": 3.8, "quantities": {"seconds": 8.0}}
    lines = list(summary(finished(status="failed", failed={"a": "…"}, made=1, cost=cost)))
    assert lines[2].startswith(" Real providers: about $3.80 paid (8 seconds; ")


def test_a_failure_tells_what_each_node_needs() -> None:
    event = finished(
        status="failed",
        failed={"a": "…", "b": "…", "c": "…"},
        blocked=["lesson"],
        decide={"a": "resolve", "b": "retry"},
        made=2,
    )
    assert list(summary(event)) == [
        " Failed: a, b, c · not made because of that: lesson",
        " 2 nodes finished and will be reused.",
        " Next: ./jiki-video resolve lesson/pipeline.yaml a --adopt ID | --pay-again | --give-up",
        "       ./jiki-video retry lesson/pipeline.yaml b sends it again and may cost again",
        "       mend the cause and run the same command again",
    ]


def test_a_budget_without_room_asks_for_a_higher_one_and_for_nothing_else() -> None:
    event = finished(status="failed", failed={"a": "…"}, decide={"a": "budget"})
    assert list(summary(event)) == [
        " Failed: a",
        " Next: ./jiki-video produce lesson/pipeline.yaml --budget USD  with a higher budget",
    ]


def published(**changes: Any) -> dict[str, Any]:
    nothing: dict[str, list[str]] = {name: [] for name in ("new", "changed", "remade", "reused", "removed")}
    return {"event": "published", **nothing, **changes}


def test_a_new_document_is_not_listed_and_an_edit_is() -> None:
    assert list(opening(published(new=["a", "b"]))) == []
    assert list(opening(published(changed=["a"], remade=["b"], reused=["c"], removed=["d"]))) == [
        " changed: a",
        " made again because of it: b",
        " removed: d",
    ]


def test_times_and_money_are_as_long_as_they_need_to_be() -> None:
    assert [elapsed(2.14), elapsed(65), elapsed(7380)] == ["2.1 s", "1 min 5 s", "2 h 3 min"]
    assert [clock_time(7.4), clock_time(62), clock_time(3605)] == ["0:07", "1:02", "1:00:05"]
    assert [money(0.07), money(0.0018), money(0)] == ["$0.07", "$0.0018", "$0.00"]
