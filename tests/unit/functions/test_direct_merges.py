"""A direct caller's merge and its callback are two things: the second never changes what became of the first."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from functions.merger import direct
from functions.merger.direct import DirectCaller, DirectRequest, answer_direct
from video_production.errors import SecretMissing
from video_production.media.splice.transfer import Transferred

EVENT = {
    "input_videos": ["s3://videos/a.mp4"],
    "output_bucket": "videos",
    "output_key": "out.mp4",
    "callback_url": "https://app.example.com/merged",
    "process_uuid": "p-1",
}


class Unset:
    """A secret without a value."""

    def read(self) -> str:
        raise SecretMissing("The secret 'callbacks' has no value; set it.")


class Shared:
    def read(self) -> str:
        return "shared"


@pytest.fixture
def reports() -> list[str]:
    return []


def answer(secret: Any, reports: list[str], left: float = 60.0, **changes: Any) -> dict[str, Any]:
    def report(name: str, value: float = 1, **dimensions: str) -> None:
        reports.append(name)

    caller = DirectCaller(("app.example.com",), secret, report)
    storage: Any = None
    return answer_direct(DirectRequest.from_event(EVENT | changes), caller, storage, time.monotonic() + left)


@pytest.fixture(autouse=True)
def _merged(monkeypatch: pytest.MonkeyPatch) -> None:
    result = SimpleNamespace(duration=1.5, method="reencode-some", reason="They differ.")
    merged = SimpleNamespace(size=7, result=result, moved=Transferred(size=7, read=5, written=3, copied=4))
    monkeypatch.setattr(direct, "merge", lambda *arguments, **options: merged)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(direct, "post_callback", lambda url, payload, **options: calls.append({**payload, **options}))
    return calls


def test_a_callback_that_can_not_be_signed_leaves_the_merge_a_success(
    reports: list[str], told: list[dict[str, Any]]
) -> None:
    assert answer(Unset(), reports)["statusCode"] == 200
    assert reports == ["VideosMerged", "CallbacksFailed"]
    assert told == []


def test_a_callback_that_breaks_in_an_unforeseen_way_leaves_the_merge_a_success(
    reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*arguments: Any, **options: Any) -> None:
        raise UnicodeError

    monkeypatch.setattr(direct, "post_callback", breaks)
    assert answer(Shared(), reports)["statusCode"] == 200
    assert reports == ["VideosMerged", "CallbacksFailed"]


def test_the_caller_is_told_the_result(reports: list[str], told: list[dict[str, Any]]) -> None:
    answer(Shared(), reports)
    [call] = told
    assert call["result"] == {"s3_key": "out.mp4", "duration": 1.5, "size": 7}
    assert (call["process_uuid"], call["secret"]) == ("p-1", "shared")
    assert call["until"] - time.monotonic() < 60 + direct._CALLBACK_SECONDS


def test_an_unexpected_error_is_told_as_one_sentence(
    reports: list[str], told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*arguments: Any, **options: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(direct, "merge", breaks)
    assert answer(Shared(), reports)["statusCode"] == 500
    assert told[0]["error"].startswith("An unexpected error ended the merge")
    assert reports == []


def test_who_asks_for_no_callback_gets_none(reports: list[str], told: list[dict[str, Any]]) -> None:
    answer(Unset(), reports, callback_url=None)
    assert told == []
    assert reports == ["VideosMerged"]
