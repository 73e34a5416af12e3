"""Deploying again: nothing changes by itself, a setting changes what it must, running work keeps its code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deployed.inventory import changed, inventory
from tests.deployed.lessons import produce, wait_for_end
from tests.deployed.site import Environment, Site, broken_functions, copy_checkout


def test_deploying_twice_changes_nothing(site: Site, development: Environment) -> None:
    before = inventory(development.client)
    assert len(before) > 60
    assert site.deploy_again("development").unchanged
    site.deploy_again("development", "--force")  # asks CloudFormation although the CDK sees no difference
    assert changed(before, inventory(development.client)) == set()


def test_a_changed_threshold_changes_one_alarm(site: Site, development: Environment) -> None:
    before = inventory(development.client)
    site.deploy("development", daily_spend_alarm_usd=42)
    [alarm] = changed(before, inventory(development.client)) - {"dashboard jiki-video-production-development"}
    assert re.fullmatch("alarm .*spend.*development.*", alarm)
    found = development.client("cloudwatch").describe_alarms(AlarmNames=[alarm.removeprefix("alarm ")])["MetricAlarms"]
    assert found[0]["Threshold"] == 42


def test_a_changed_memory_changes_the_function_its_version_and_who_calls_it(
    site: Site, development: Environment
) -> None:
    before = inventory(development.client)
    old = int(
        development.client("lambda").get_alias(FunctionName=_scheduler(development), Name="live")["FunctionVersion"]
    )
    site.deploy("development", memory={"scheduler": 640})
    assert development.function("scheduler")["MemorySize"] == 640
    assert development.function("scheduler", str(old))["MemorySize"] == 512
    differences = changed(before, inventory(development.client))
    name = _scheduler(development)
    machines = {f"machine {each}" for each in (development.names.pipeline_machine, development.names.node_machine)}
    expected = {f"function {name}", f"function {name} version {old + 1}", f"function {name} alias live", *machines}
    assert expected <= differences
    assert {entry.split()[0] for entry in differences - expected} <= {"dashboard", "alarm"}


def _scheduler(environment: Environment) -> str:
    return environment.names.function("scheduler")


@pytest.fixture
def newer(site: Site, tmp_path: Path) -> Path:
    """A checkout in which the scheduler says that it is newer."""
    checkout = copy_checkout(tmp_path / "newer")
    _insert(checkout / "functions" / "scheduler" / "handler.py", 'print("NEWER SCHEDULER")\n')
    return checkout


def test_a_running_execution_keeps_the_code_that_it_began_with(
    site: Site, development: Environment, newer: Path, tmp_path: Path
) -> None:
    site.assembly("development", newer)  # beforehand: the execution watches for one minute only
    version = _version_called(development)
    running = produce(development, tmp_path, "running").execution
    site.deploy("development", newer)
    assert _version_called(development) == version + 1
    aws = development.client("stepfunctions")
    assert aws.describe_execution(executionArn=running)["status"] == "RUNNING", "deploying took longer than the watch"
    assert "NEWER SCHEDULER" not in development.log(development.names.function_log_group("scheduler"))

    assert wait_for_end(development, running) == "SUCCEEDED"
    assert _versions_called(development, running) == {version}
    fresh = produce(development, tmp_path / "fresh", "fresh").execution
    assert _versions_called(development, fresh) == {version + 1}
    assert "NEWER SCHEDULER" in development.log(development.names.function_log_group("scheduler"))


def _version_called(environment: Environment) -> int:
    """Which version of the scheduler the pipeline machine calls from now on."""
    definition = environment.machine(environment.names.pipeline_machine)["definition"]
    [version] = set(re.findall(rf"{_scheduler(environment)}:(\d+)", definition))
    return int(version)


def _versions_called(environment: Environment, execution: str) -> set[int]:
    """Which versions of the scheduler an execution has called so far."""
    events = environment.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
    parameters = [
        event["taskScheduledEventDetails"]["parameters"] for event in events if "taskScheduledEventDetails" in event
    ]
    assert parameters
    return {int(version) for text in parameters for version in re.findall(rf"{_scheduler(environment)}:(\d+)", text)}


def test_a_function_that_breaks_is_noticed(site: Site, development: Environment, tmp_path: Path) -> None:
    """Deploying it succeeds, on AWS too; the check that every run makes must not."""
    broken = copy_checkout(tmp_path / "broken")
    _insert(broken / "functions" / "sweeper" / "handler.py", 'raise RuntimeError("broken on purpose")\n')
    assert not broken_functions(site.deploy("development"))
    found = broken_functions(site.deploy("development", broken))
    assert found.keys() == {"sweeper"}
    assert "broken on purpose" in found["sweeper"]


def _insert(handler: Path, line: str) -> None:
    """Put a line behind the imports from `__future__`, which must come first."""
    source = handler.read_text()
    start = source.index("from __future__ import annotations\n") + len("from __future__ import annotations\n")
    handler.write_text(f"{source[:start]}\n{line}{source[start:]}")
