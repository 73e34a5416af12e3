"""The way back to a request whose answer was lost: the same key first, HeyGen's list later, a person last."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.providers.heygen.conftest import HOUR, Clock, Manager, accepted, listing, refused, uploaded
from tests.unit.providers.scripted import Provider, hang_up, reply
from video_production.errors import ProviderAmbiguous, ProviderRefused, ProviderUnreachable
from video_production.providers.heygen import HeyGen
from video_production.providers.interface import Attempt, Submission, Unknown

MINE = {"id": "v1", "title": "a1", "status": "processing"}
Attempts = Callable[..., Attempt]


@pytest.fixture
def lost(heygen: HeyGen, provider: Provider, attempt: Attempts) -> Attempt:
    """An attempt whose answer was lost."""
    wanted = attempt()
    provider.answers(uploaded(), hang_up)
    with pytest.raises(ProviderAmbiguous):
        heygen.submit(wanted)
    return wanted


def test_the_very_same_request_is_sent_with_the_same_key(heygen: HeyGen, provider: Provider, lost: Attempt) -> None:
    provider.answers(accepted("v7"))
    assert heygen.find(lost, frozenset()) == Submission("v7")
    _, first, second = provider.received
    assert first.body == second.body
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == lost.id


def test_what_heygen_is_still_working_on_is_waited_for(heygen: HeyGen, provider: Provider, lost: Attempt) -> None:
    provider.answers(refused(409, "request_in_progress"), listing())
    with pytest.raises(ProviderUnreachable, match="asked again with the same key"):
        heygen.find(lost, frozenset())


def test_a_second_lost_answer_is_looked_up(heygen: HeyGen, provider: Provider, lost: Attempt) -> None:
    provider.answers(hang_up, listing(MINE))
    assert heygen.find(lost, frozenset()) == Submission("v1")


@pytest.mark.parametrize("busy", [refused(429, "rate_limit_exceeded"), refused(503, "service_unavailable")])
def test_a_busy_provider_is_asked_again(heygen: HeyGen, provider: Provider, lost: Attempt, busy: Any) -> None:
    provider.answers(busy, listing())
    with pytest.raises(ProviderUnreachable):
        heygen.find(lost, frozenset())


def test_a_key_that_was_replaced_is_read_anew_and_the_request_repeated(
    heygen: HeyGen, provider: Provider, lost: Attempt, manager: Manager
) -> None:
    provider.answers(refused(401, "unauthorized"), listing())
    reads = manager.reads
    with pytest.raises(ProviderUnreachable, match="refused the API key"):
        heygen.find(lost, frozenset())
    provider.answers(accepted())
    assert heygen.find(lost, frozenset()) == Submission("v1")
    assert manager.reads > reads


def test_a_refusal_of_the_repetition_proves_nothing_about_the_first(
    heygen: HeyGen, provider: Provider, lost: Attempt
) -> None:
    provider.answers(refused(402, "insufficient_credit"), listing())
    found = heygen.find(lost, frozenset())
    assert isinstance(found, Unknown)
    assert "out of credit" in found.why
    provider.answers(refused(402, "insufficient_credit"), listing(MINE))
    assert heygen.find(lost, frozenset()) == Submission("v1")


class TestNotWantedAnyMore:
    """The pipeline was cancelled, or nobody waits for the result: to repeat the request could be to buy it."""

    def test_it_is_only_looked_up(self, heygen: HeyGen, provider: Provider, lost: Attempt) -> None:
        provider.answers(listing())
        with pytest.raises(ProviderUnreachable, match="not sent again"):
            heygen.find(replace(lost, wanted=False), frozenset())
        provider.answers(listing(MINE))
        assert heygen.find(replace(lost, wanted=False), frozenset()) == Submission("v1")
        assert provider.paths().count("POST /v3/videos") == 1

    def test_after_a_day_it_is_left_to_a_person(
        self, heygen: HeyGen, provider: Provider, lost: Attempt, clock: Clock
    ) -> None:
        clock.age = 24 * HOUR
        provider.answers(listing())
        assert isinstance(heygen.find(replace(lost, wanted=False), frozenset()), Unknown)


class TestAfterADay:
    def test_nothing_is_sent_any_more(self, heygen: HeyGen, provider: Provider, lost: Attempt, clock: Clock) -> None:
        clock.age = 23 * HOUR + 1
        provider.answers(listing(MINE))
        assert heygen.find(lost, frozenset()) == Submission("v1")
        assert provider.paths()[-1] == f"GET /v3/videos?title={lost.id}&limit=100"
        assert provider.paths().count("POST /v3/videos") == 1

    @pytest.mark.parametrize(
        ("rows", "why"),
        [
            ([], "does not prove that none was made"),
            ([MINE, {**MINE, "id": "v2"}], r"2 videos of this title \(v1, v2\)"),
            ([{**MINE, "title": "about a1"}], "does not prove"),
        ],
    )
    def test_none_or_several_are_left_to_a_person(
        self, heygen: HeyGen, provider: Provider, lost: Attempt, clock: Clock, rows: list[Any], why: str
    ) -> None:
        clock.age = 24 * HOUR
        provider.answers(listing(*rows))
        found = heygen.find(lost, frozenset())
        assert isinstance(found, Unknown)
        assert re.search(why, found.why)

    def test_every_page_is_read_and_what_belongs_to_others_left_out(
        self, heygen: HeyGen, provider: Provider, lost: Attempt, clock: Clock
    ) -> None:
        clock.age = 24 * HOUR
        provider.answers(listing({**MINE, "id": "v0"}, token="100"), listing(MINE))
        assert heygen.find(lost, frozenset({"v0"})) == Submission("v1")
        assert provider.paths()[-1].endswith("&token=100")

    def test_an_unreadable_list_is_read_again(
        self, heygen: HeyGen, provider: Provider, lost: Attempt, clock: Clock
    ) -> None:
        clock.age = 24 * HOUR
        provider.answers(reply(body={"data": {}}))
        with pytest.raises(ProviderUnreachable, match="unreadable"):
            heygen.find(lost, frozenset())


class TestNothingStored:
    """The body is stored before it is sent: without one, nothing was sent."""

    def test_the_request_was_never_sent(self, heygen: HeyGen, provider: Provider, attempt: Attempts) -> None:
        provider.answers(listing())
        with pytest.raises(ProviderRefused, match="never sent") as error:
            heygen.find(attempt(), frozenset())
        assert (error.value.code, error.value.retry_after) == ("not_sent", 0)
        assert provider.paths() == ["GET /v3/videos?title=a1&limit=100"]

    def test_a_video_that_exists_all_the_same_is_taken(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts
    ) -> None:
        provider.answers(listing(MINE))
        assert heygen.find(attempt(), frozenset()) == Submission("v1")


def test_a_sender_that_wakes_up_too_late_sends_nothing(
    heygen: HeyGen, provider: Provider, attempt: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was frozen while it uploaded; meanwhile its request was looked for, and found never to have been sent."""
    wanted, put_first, proofs = attempt(), heygen._storage.put_first, []

    def frozen(*what: Any) -> bool:
        monkeypatch.setattr(heygen._storage, "put_first", put_first)
        with pytest.raises(ProviderRefused, match="never sent"):
            heygen.find(wanted, frozenset())
        proofs.append(wanted)
        return put_first(*what)

    monkeypatch.setattr(heygen._storage, "put_first", frozen)
    provider.answers(uploaded(), listing())
    with pytest.raises(ProviderRefused, match="ready too late") as refusal:
        heygen.submit(wanted)
    assert refusal.value.code == "not_sent"
    assert proofs == [wanted]
    assert [request.path.partition("?")[0] for request in provider.received] == ["/v3/assets", "/v3/videos"]
    assert provider.received[-1].method == "GET"
