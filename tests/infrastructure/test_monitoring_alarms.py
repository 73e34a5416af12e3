"""Every alarm reaches a person, tells them what to do, and watches what is really emitted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from stacks.monitoring.signals import MEMORY_NAMESPACE
from tests.infrastructure.synthesised import Template
from tests.unit.docs.pages import CHECKOUT
from video_production.metrics import METRICS, NAMESPACE
from video_production.settings import PROVIDERS, ROLES, Names

NAMES = Names("production")
RUNBOOK = (CHECKOUT / "docs" / "runbook.md").read_text("utf-8")
_DESCRIPTION = re.compile(r"(Tonight|In the morning): [^\n]+[.] docs/runbook[.]md#([a-z0-9-]+)")
_QUESTIONS = ("What it means", "Money at risk?", "Look at", "Do", "It is over when")


Alarms = dict[str, dict[str, Any]]


@pytest.fixture
def alarms(production: Template) -> Alarms:
    """Production's alarms by name, without `jiki-video-` and the environment."""
    return _alarms(production)


def _alarms(template: Template) -> Alarms:
    ending = f"-{template.names.environment}"
    return {
        entry["AlarmName"].removeprefix("jiki-video-").removesuffix(ending): entry
        for entry in template.properties("AWS::CloudWatch::Alarm")
    }


def _sections() -> dict[str, str]:
    """The runbook's sections by anchor."""
    parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"): text
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def _metrics(alarm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The CloudWatch metrics that an alarm looks at."""
    if "MetricName" in alarm:
        yield alarm
    for query in alarm.get("Metrics", []):
        if "MetricStat" in query:
            yield query["MetricStat"]["Metric"]


def test_every_alarm_mails_when_it_begins_and_when_it_is_over(variant: Template) -> None:
    [topic] = variant.resources("AWS::SNS::Topic")
    for name, alarm in _alarms(variant).items():
        assert alarm["AlarmActions"] == [{"Ref": topic}], name
        assert alarm["OKActions"] == [{"Ref": topic}], name


def test_every_alarm_says_what_to_do_and_names_a_section_of_the_runbook(alarms: Alarms) -> None:
    for name, alarm in alarms.items():
        found = _DESCRIPTION.fullmatch(alarm["AlarmDescription"])
        assert found, name
        assert found[2] in _sections(), f"{name} names a section that the runbook lacks"


def test_every_section_for_an_alarm_answers_the_same_questions(alarms: Alarms) -> None:
    named = {alarm["AlarmDescription"].rpartition("#")[2] for alarm in alarms.values()}
    for anchor in named:
        text = _sections()[anchor]
        assert [word for word in _QUESTIONS if f"**{word}**" not in text] == [], anchor


def test_the_runbooks_table_lists_the_alarms_with_their_sections(alarms: Alarms) -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| [^|]+ \| \[[^]]+\]\(#([\w-]+)\) \|$", RUNBOOK, re.MULTILINE)
    told = {name: (urgency.strip().lower(), anchor) for name, urgency, anchor in rows}
    assert {_family(name): _urgency(alarm) for name, alarm in alarms.items()} == told


def _family(name: str) -> str:
    """The alarm's name as the runbook writes it: one row for all functions, all queues, all providers."""
    kinds = {
        "FUNCTION": [role.replace("_", "-") for role in ROLES],
        "PROVIDER": list(PROVIDERS),
        "QUEUE": ["scheduling", "failed-merges", *PROVIDERS],
    }
    if name.startswith(("queue-age-", "dead-letters-")):
        del kinds["PROVIDER"]
    for kind, members in kinds.items():
        for member in sorted(members, key=len, reverse=True):
            if name.endswith(f"-{member}"):
                return f"{name.removesuffix(member)}{kind}"
    return name


def _urgency(alarm: dict[str, Any]) -> tuple[str, str]:
    urgency, _, rest = alarm["AlarmDescription"].partition(": ")
    return urgency.lower(), rest.rpartition("#")[2]


def test_the_pager_can_tell_what_can_wait(alarms: Alarms) -> None:
    tonight = {name for name, alarm in alarms.items() if alarm["AlarmDescription"].startswith("Tonight: ")}
    assert "spend" in tonight
    assert "could-not-settle" in tonight
    assert not any(name.startswith(("duration-", "memory-", "tmp-", "may-have-been-paid")) for name in tonight)


def test_missing_data_is_quiet_except_where_silence_means_something(alarms: Alarms) -> None:
    treated = {name: alarm["TreatMissingData"] for name, alarm in alarms.items()}
    loud = {name: how for name, how in treated.items() if how != "notBreaching"}
    letters = {name for name in treated if name.startswith("dead-letters-")}
    assert len(letters) == 2 + len(PROVIDERS)
    assert loud == {"sweeper-silent": "breaching", **dict.fromkeys(letters, "ignore")}


def test_no_alarm_computes_with_more_metrics_than_cloudwatch_takes(alarms: Alarms) -> None:
    for name, alarm in alarms.items():
        assert len(list(_metrics(alarm))) <= 10, name


def test_no_alarm_looks_further_back_than_cloudwatch_does(alarms: Alarms) -> None:
    for name, alarm in alarms.items():
        period = alarm.get("Period") or max(
            query["MetricStat"]["Period"] for query in alarm["Metrics"] if "MetricStat" in query
        )
        assert period * alarm["EvaluationPeriods"] <= 86400, name
        assert alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"], name


def test_alarms_watch_metrics_of_the_catalogue_with_their_dimensions(alarms: Alarms) -> None:
    watched = [metric for alarm in alarms.values() for metric in _metrics(alarm) if metric["Namespace"] == NAMESPACE]
    assert watched
    for metric in watched:
        dimensions = {entry["Name"]: entry["Value"] for entry in metric.get("Dimensions", [])}
        assert set(dimensions) == {"environment", *METRICS[metric["MetricName"]].dimensions}
        assert dimensions["environment"] == "production"


@pytest.mark.parametrize("role", ROLES)
def test_every_function_is_watched_close_to_its_limits(alarms: Alarms, role: str) -> None:
    name = role.replace("_", "-")
    assert alarms[f"duration-{name}"]["Threshold"] == ROLES[role].timeout * 800
    assert alarms[f"duration-{name}"]["Statistic"] == "Maximum"
    assert alarms[f"memory-{name}"]["Threshold"] == pytest.approx(ROLES[role].memory * 0.9)
    assert (alarms[f"errors-{name}"]["DatapointsToAlarm"], alarms[f"errors-{name}"]["EvaluationPeriods"]) == (3, 6)
    assert (f"tmp-{name}" in alarms) == ROLES[role].ffmpeg


def test_an_execution_that_fails_in_any_way_rings_at_once(alarms: Alarms) -> None:
    alarm = alarms["could-not-settle"]
    metrics = [metric["MetricName"] for metric in _metrics(alarm)]
    assert sorted(metrics) == sorted(
        [*["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] * 2, "CouldNotSettle"]
    )
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (1, 1)


def test_the_spend_of_a_day_is_compared_with_the_settings(alarms: Alarms) -> None:
    alarm = alarms["spend"]
    assert alarm["Threshold"] == 100, "what cdk.json says"
    assert {query["MetricStat"]["Period"] for query in alarm["Metrics"] if "MetricStat" in query} == {86400}
    assert len(list(_metrics(alarm))) == len(PROVIDERS)


def test_the_memory_used_is_read_from_lambdas_own_report(production: Template) -> None:
    # The record that Lambda writes at the end of an invocation when its log format is JSON.
    metrics = {"durationMs": 812.4, "billedDurationMs": 813, "memorySizeMB": 3008, "maxMemoryUsedMB": 612}
    report = {"type": "platform.report", "record": {"requestId": "r", "metrics": metrics, "status": "success"}}
    filters = production.properties("AWS::Logs::MetricFilter")
    assert len(filters) == len(ROLES)
    for entry in filters:
        [transformation] = entry["MetricTransformations"]
        assert entry["FilterPattern"] == '{ $.type = "platform.report" }'
        value: Any = report
        for step in transformation["MetricValue"].removeprefix("$.").split("."):
            value = value[step]
        assert value == 612
        assert transformation["MetricNamespace"] == MEMORY_NAMESPACE
    assert {entry["MetricTransformations"][0]["MetricName"] for entry in filters} == {
        NAMES.function(role) for role in ROLES
    }


def test_the_alarms_for_memory_watch_what_the_filters_write(production: Template, alarms: Alarms) -> None:
    written = {
        (each["MetricNamespace"], each["MetricName"])
        for entry in production.properties("AWS::Logs::MetricFilter")
        for each in entry["MetricTransformations"]
    }
    watched = {
        (metric["Namespace"], metric["MetricName"])
        for name, alarm in alarms.items()
        if name.startswith("memory-")
        for metric in _metrics(alarm)
    }
    assert watched == written


def test_the_topic_lets_alarms_of_this_account_publish_over_tls_only(production: Template) -> None:
    policy = production.one("AWS::SNS::TopicPolicy")
    by_effect = {entry["Effect"]: entry for entry in policy["PolicyDocument"]["Statement"]}
    assert by_effect["Allow"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert by_effect["Allow"]["Action"] == "sns:Publish"
    assert by_effect["Allow"]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert by_effect["Deny"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_mail_goes_to_the_address_of_the_settings_or_to_nobody(production: Template, everything: Template) -> None:
    subscription = everything.one("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "alarms@example.com")
    assert production.properties("AWS::SNS::Subscription") == []


def test_a_function_with_other_memory_is_watched_close_to_that(everything: Template) -> None:
    assert _alarms(everything)["memory-merger"]["Threshold"] == pytest.approx(4096 * 0.9)
    assert "4096 MB" in _alarms(everything)["memory-merger"]["AlarmDescription"]
