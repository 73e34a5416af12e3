"""Rules of misbehaviour: who they hit, how often, and what they survive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stand_ins.faults import FaultBook, FaultError

OPERATIONS = ("tts", "flows.submit")


def book(tmp_path: Path, *rules: dict[str, Any]) -> FaultBook:
    made = FaultBook(tmp_path / "faults.json", OPERATIONS)
    made.add(list(rules))
    return made


def test_a_rule_hits_its_operation_once(tmp_path: Path) -> None:
    faults = book(tmp_path, {"on": "tts", "do": "lose-answer"})
    assert not faults.take("flows.submit", "").answers("lose-answer")
    assert faults.take("tts", "").answers("lose-answer")
    assert not faults.take("tts", "").answers("lose-answer")


def test_a_rule_can_hit_several_times_or_for_ever(tmp_path: Path) -> None:
    faults = book(tmp_path, {"on": "tts", "delay": 1, "times": 2}, {"on": "*", "do": "garbage", "times": None})
    taken = [faults.take("tts", "") for _ in range(3)]
    assert [fault.time is not None for fault in taken] == [True, True, False]
    assert all(fault.answers("garbage") for fault in taken)


def test_a_rule_can_wait_for_a_text(tmp_path: Path) -> None:
    faults = book(tmp_path, {"on": "tts", "do": "garbage", "match": "binary"})
    assert faults.take("tts", "linear search").answer is None
    assert faults.take("tts", "binary search").answers("garbage")


def test_answers_queue_up_while_different_sorts_fall_on_one_request(tmp_path: Path) -> None:
    faults = book(
        tmp_path,
        {"on": "tts", "status": 429},
        {"on": "tts", "do": "lose-answer"},
        {"on": "tts", "do": "hide-from-history"},
    )
    first, second = faults.take("tts", ""), faults.take("tts", "")
    assert first.refusal is not None
    assert first.refusal.status == 429
    assert first.listing is None
    assert second.answers("lose-answer")
    assert second.listing is not None


def test_rules_and_what_is_left_of_them_survive_a_restart(tmp_path: Path) -> None:
    book(tmp_path, {"on": "tts", "do": "garbage", "times": 2}).take("tts", "")
    again = FaultBook(tmp_path / "faults.json", OPERATIONS)
    assert again.take("tts", "").answers("garbage")
    assert not again.take("tts", "").answers("garbage")
    assert FaultBook(tmp_path / "faults.json", OPERATIONS).rules() == []


def test_clearing_drops_every_rule(tmp_path: Path) -> None:
    faults = book(tmp_path, {"on": "*", "do": "garbage", "times": None})
    faults.clear()
    assert faults.take("tts", "").answer is None


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"on": "tts", "do": "explode"}, "'do' is"),
        ({"on": "video", "do": "garbage"}, "'on' is"),
        ({"on": "tts", "do": "garbage", "after": 2}, "no field named after"),
        ({"on": "tts", "delay": "long"}, "'delay' must be"),
        ("garbage", "must be an object"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_reason(tmp_path: Path, rule: Any, message: str) -> None:
    faults = FaultBook(tmp_path / "faults.json", OPERATIONS)
    with pytest.raises(FaultError, match=message):
        faults.add([{"on": "tts", "do": "garbage"}, rule])
    assert faults.rules() == []
