"""The metrics of a function: those of the catalogue, with exactly their dimensions, whatever happens."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.telemetry import Telemetry
from video_production.metrics import METRICS, NAMESPACE
from video_production.settings import ROLES

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _as_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "scheduler")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "JikiVideo")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_metric_has_its_own_dimensions_and_the_environment_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry("staging", "scheduler", strict=True)
    telemetry.add("NodesEnded", node_type="mix-audio", status="completed")
    telemetry.add("NodeSeconds", 2.5, node_type="mix-audio")
    telemetry.add("NodeSeconds", 3.5, node_type="mix-audio")
    telemetry.flush()
    counted, seconds = lines(capsys)
    [definition] = counted["_aws"]["CloudWatchMetrics"]
    assert definition["Namespace"] == NAMESPACE
    assert definition["Dimensions"] == [["environment", "node_type", "status"]]
    assert definition["Metrics"] == [{"Name": "NodesEnded", "Unit": "Count"}]
    assert (counted["environment"], counted["node_type"], counted["NodesEnded"]) == ("staging", "mix-audio", [1.0])
    assert seconds["NodeSeconds"] == [2.5, 3.5]
    assert "service" not in counted


def test_what_has_the_same_dimensions_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry("staging", "scheduler", strict=True)
    telemetry.add("StuckNodes")
    telemetry.add("CouldNotSettle")
    telemetry.flush()
    [line] = lines(capsys)
    assert [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]] == [
        "StuckNodes",
        "CouldNotSettle",
    ]


def test_nothing_is_lost_of_more_values_than_a_line_holds(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry("staging", "scheduler", strict=True)
    for _ in range(250):
        telemetry.add("StuckNodes")
    telemetry.flush()
    found = lines(capsys)
    assert sum(len(line["StuckNodes"]) for line in found) == 250
    assert all(line["environment"] == "staging" for line in found)


def test_nothing_to_tell_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Telemetry("staging", "scheduler").flush()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("role", "name", "dimensions", "why"),
    [
        ("scheduler", "NodesMade", {}, "no such metric"),
        ("merger", "StuckNodes", {}, "the function 'merger' does not emit it"),
        ("scheduler", "NodesEnded", {"status": "failed"}, "its dimensions are node_type, status, not status"),
        ("scheduler", "StuckNodes", {"pipeline_id": "x"}, "its dimensions are none, not pipeline_id"),
    ],
)
def test_what_is_not_in_the_catalogue_is_refused(role: str, name: str, dimensions: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Telemetry("staging", role, strict=True).add(name, **dimensions)


def test_in_production_a_wrong_metric_is_an_error_in_the_log_and_no_more(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry = Telemetry("staging", "scheduler")
    telemetry.add("NodesMade")
    telemetry.flush()
    assert "NodesMade is not counted: there is no such metric" in caplog.text
    assert capsys.readouterr().out == ""


def test_the_metrics_of_an_invocation_that_fails_are_written_too(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry("staging", "scheduler", strict=True)

    @telemetry.sent
    def handler(event: dict[str, Any], context: Any) -> None:
        telemetry.add("StuckNodes")
        raise KeyError

    with pytest.raises(KeyError):
        handler({}, None)
    assert len(lines(capsys)) == 1


# Every emission in the code, read from the code


def emissions() -> Iterator[tuple[Path, str, set[str]]]:
    """Every call that names a metric of this form: `report("Name", …)`, `telemetry.add("Name", …)`."""
    for folder in ("functions", "video_production"):
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(call, ast.Call) or not call.args or not isinstance(call.args[0], ast.Constant):
                    continue
                name, function = call.args[0].value, ast.unparse(call.func)
                if isinstance(name, str) and name[:1].isupper() and re.search(r"(report|telemetry\.add)$", function):
                    yield path, name, {str(keyword.arg) for keyword in call.keywords}


def test_every_metric_that_is_reported_is_in_the_catalogue_with_its_dimensions() -> None:
    found = list(emissions())
    assert len(found) > 20
    for path, name, dimensions in found:
        assert name in METRICS, f"{path}: {name}"
        assert dimensions == set(METRICS[name].dimensions), f"{path}: {name}"


def test_every_metric_of_the_catalogue_is_reported_somewhere() -> None:
    assert {name for _, name, _ in emissions()} == set(METRICS)


def test_every_function_has_a_short_handler() -> None:
    for role in ROLES:
        handler = CHECKOUT / "functions" / role / "handler.py"
        assert len(handler.read_text("utf-8").splitlines()) < 60, role
