"""The runbook's commands, run by a shell with programs that only write down what they were called with."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name

from tests.e2e.console import Shell, read_blocks
from tests.unit.docs.pages import CHECKOUT
from video_production.settings import Names

__all__ = ["PAGE", "PRODUCTION", "Calls", "as_request", "members", "operations", "record_calls"]

PAGE = CHECKOUT / "docs" / "runbook.md"
_RECORDER = """#!/bin/sh
{ printf '%s\\037' "${0##*/}" "$@"; printf '\\036'; } >> "$CALLS"
"""
_AWS = """case "$2" in
describe-stacks) name=${*#*OutputKey==\\'}; cat "$ANSWERS/${name%%\\'*}" ;;
get-queue-url) echo "https://sqs.us-east-1.amazonaws.com/123456789012/$4" ;;
get-queue-attributes) for last; do :; done; echo "arn:aws:sqs:us-east-1:123456789012:${last##*/}" ;;
esac
"""
"""What the AWS CLI answers where the page goes on with it: a stack's output, a queue's URL and ARN."""
_PROGRAMS = {"jiki-video": "", "cdk": "", "bin/aws": _AWS, "bin/git": "", ".venv/bin/python": ""}
PRODUCTION = Names("production")
_MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:"
_OUTPUTS = {
    "BucketName": "jiki-videos-production",
    "PipelineMachineArn": _MACHINES + PRODUCTION.pipeline_machine,
    "NodeMachineArn": _MACHINES + PRODUCTION.node_machine,
    "MergerName": PRODUCTION.function("merger"),
    "ApiUrl": "https://api.example.com",
}
_PLACEHOLDERS = {"ARN": f"arn:aws:states:us-east-1:123456789012:execution:{PRODUCTION.node_machine}:p1"}
Calls = dict[str, list[list[str]]]


def record_calls(folder: Path) -> Calls:
    """The arguments of every call on the page, by program. `folder` takes the place of the checkout."""
    for name, answers in _PROGRAMS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(_RECORDER + answers)
        (folder / name).chmod(0o755)
    for name, value in _OUTPUTS.items():
        (folder / name).write_text(value)
    log = folder / "calls"
    variables = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "CALLS": str(log), "ANSWERS": str(folder)}
    with Shell(folder, variables) as shell:
        for command in [*(command.text for block in read_blocks(PAGE) for command in block.commands), *_in_the_text()]:
            shell.run(command, 20)
    made: Calls = defaultdict(list)
    for record in log.read_text().split("\036")[:-1]:
        program, *arguments = record.split("\037")[:-1]
        made[program].append(arguments)
    return made


def _in_the_text() -> list[str]:
    """Commands that stand in a sentence."""
    text = re.sub(r"^```.*?^```", "", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`((?:\./|aws )[^`]+)`", text)]


def operations(service: str) -> dict[str, str]:
    """Operations of a service, by the command of the AWS CLI."""
    return {xform_name(name, "-"): name for name in _model(service).operation_names}


def members(service: str, operation: str) -> dict[str, str]:
    """Parameters of an operation, by the option of the AWS CLI."""
    shape = _model(service).operation_model(operation).input_shape
    return {xform_name(member, "-"): member for member in shape.members} if shape else {}


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model({"s3api": "s3"}.get(service, service))


def as_request(service: str, command: str, rest: list[str]) -> tuple[str, str, dict[str, str]]:
    """Service, operation and parameters of a command of the AWS CLI."""
    if (service, command) == ("logs", "tail"):
        return "logs", "FilterLogEvents", {"logGroupName": rest[0]}
    if (service, command) == ("dynamodb", "wait"):
        command, rest = "describe-table", rest[1:]
    operation = operations(service)[command]
    options = members(service, operation)
    given = {
        options[option.removeprefix("--")]: _PLACEHOLDERS.get(value, value)
        for option, value in pairwise(rest)
        if option.removeprefix("--") in options
    }
    return {"s3api": "s3"}.get(service, service), operation, given
