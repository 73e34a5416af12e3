"""Following a run on AWS: a network that is away for a while, credentials that end, and who stops watching."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from video_production.cli import producing, telling
from video_production.cli.aws.workspace import _patience
from video_production.cli.summary import bill, opening, summary
from video_production.errors import RequestError, TransientError
from video_production.nodes.model import Desired, Pipeline

PIPELINE = Pipeline("lesson", "Lesson", 1, Desired.RUN, ("film",), "film", "bucket", "")


def away() -> TransientError:
    error = TransientError("Table nodes: DynamoDB could not be reached.")
    error.__cause__ = EndpointConnectionError(endpoint_url="https://dynamodb.example.com")
    return error


def expired() -> TransientError:
    error = TransientError("Table nodes: DynamoDB answered ExpiredTokenException.")
    error.__cause__ = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "over"}}, "Query")
    return error


class Desk:
    """A workspace whose table fails as often as it is told."""

    look_every = 2.5
    patience = staticmethod(_patience)

    def __init__(self, *failures: TransientError) -> None:
        self.failures = list(failures)
        self.nodes = self

    def load(self, pipeline_id: str) -> tuple[Pipeline, dict[str, Any]]:
        if self.failures:
            raise self.failures.pop(0)
        return PIPELINE, {}


def followed(desk: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The events until the table answers; time passes only by sleeping."""
    now = [0.0]
    monkeypatch.setattr(producing.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))

    def events() -> Iterator[dict[str, Any]]:
        found = yield from producing._load_patiently(desk, "lesson", lambda: now[0])
        assert found == (PIPELINE, {})

    return list(events())


def test_a_network_that_comes_back_is_waited_for_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    [event] = followed(Desk(*(away() for _ in range(20))), monkeypatch)
    assert list(opening(event)) == [
        " AWS does not answer just now (Table nodes: DynamoDB could not be reached); the run goes on there. "
        "Trying again …"
    ]


def test_a_network_that_stays_away_ends_the_watching_after_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransientError):
        followed(Desk(*(away() for _ in range(122))), monkeypatch)


def test_credentials_that_ended_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(expired(), expired())
    with pytest.raises(TransientError):
        followed(desk, monkeypatch)
    assert len(desk.failures) == 1


WHERE = {"environment": "production", "region": "eu-west-1", "account": "123456789012"}
VALIDATED = {"event": "validated", "pipeline": "lesson", "where": WHERE, "banner": "production · …"}


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("validated", "Stopped. Nothing was started."),
        (
            "publishing",
            "Stopped while 'lesson' was being handed over to production; run the same command again, or stop it there: "
            "./jiki-video cancel lesson --environment production",
        ),
        (
            "started",
            "Stopped watching; 'lesson' goes on in production. The same command watches it again, ./jiki-video cancel "
            "lesson --environment production stops it.",
        ),
    ],
)
def test_who_stops_watching_is_told_what_goes_on(capsys: pytest.CaptureFixture[str], last: str, words: str) -> None:
    def events() -> Iterator[dict[str, Any]]:
        yield VALIDATED
        if last != "validated":
            yield {"event": last, "nodes": []}
        raise KeyboardInterrupt

    assert telling.tell(events, as_json=False) == 3  # type: ignore[arg-type]
    assert capsys.readouterr().err == f"\n{words}\n"


# What is said about money


def planned(**changes: Any) -> dict[str, Any]:
    purchase = {"node": "voice", "provider": "elevenlabs", "quantity": 1234.0, "unit": "characters", "usd": 0.1}
    return {
        "event": "planned",
        "mode": "live",
        "make": ["voice"],
        "buys": [purchase],
        "unknown": [],
        "usd": 0.1,
        "prices": "prices of 2026-10-03",
        **changes,
    }


def test_a_plan_says_what_is_bought_and_for_how_much() -> None:
    assert list(opening(planned())) == [
        " LIVE · results of real providers are paid for",
        " to make: voice",
        " buys 1,234 characters from elevenlabs: about $0.10 (prices of 2026-10-03)",
    ]
    assert bill(planned(unknown=["intro", "outro"])) == (
        "buys 1,234 characters from elevenlabs: about $0.10 (prices of 2026-10-03), and intro, outro, at a price that "
        "is known only when the inputs are there"
    )
    assert bill(planned(buys=[])) == "Nothing new is bought."


def test_a_draft_buys_nothing_and_films_have_no_mode() -> None:
    assert list(opening(planned(mode="draft", buys=[]))) == [
        " DRAFT · stand-ins take the place of providers, nothing is paid for",
        " to make: voice",
    ]
    assert list(opening(planned(mode="", make=["film"], buys=[]))) == [" to make: film"]


def test_a_failed_run_on_aws_names_commands_that_go_back_there() -> None:
    event = {
        "event": "finished",
        "status": "failed",
        "document": "lesson.yaml",
        "environment": "production",
        "failed": {"a": "…", "b": "…"},
        "blocked": [],
        "decide": {"a": "resolve", "b": "retry"},
        "made": 0,
        "cost": {"usd": 0.0, "live_usd": 0.0, "new_usd": 0.0, "quantities": {}},
    }
    assert list(summary(event))[1:] == [
        " Next: ./jiki-video resolve lesson.yaml a --environment production --adopt ID | --pay-again | --give-up",
        "       ./jiki-video retry lesson.yaml b --environment production sends it again and may cost again",
    ]


def test_no_download_needs_a_place_to_leave_the_video(capsys: pytest.CaptureFixture[str]) -> None:
    from video_production.cli.commands import produce

    with pytest.raises(RequestError, match="--no-download leaves a video on AWS; say where with --environment NAME"):
        produce.main(["lesson.yaml", "--no-download"], standalone_mode=False)
