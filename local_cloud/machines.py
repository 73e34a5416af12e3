"""The state machines, from the same files that the stack deploys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from local_cloud.functions import NAMES, Function
from video_production.errors import OperatorError
from video_production.settings import NODE_MACHINE_CALLS, ROLES

__all__ = ["machine_definitions", "substitute"]

_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


def machine_definitions(workflows: Path, functions: Mapping[str, Function]) -> dict[str, str]:
    """State machine name → its definition, variables filled in. `functions` by role.

    Raises OperatorError when a file names a variable that nobody gives, or nobody uses one that is given.
    """
    node = {"NodesTable": NAMES.nodes_table} | {
        ROLES[role].variable: functions[role].arn for role in NODE_MACHINE_CALLS
    }
    pipeline = {"SchedulerArn": functions["scheduler"].arn, "WatchSeconds": "1"}
    return {
        NAMES.node_machine: substitute(workflows / "node.asl.json", node),
        NAMES.pipeline_machine: substitute(workflows / "pipeline.asl.json", pipeline),
    }


def substitute(path: Path, variables: Mapping[str, str]) -> str:
    """The file's text with `${Name}` replaced as CloudFormation's Fn::Sub does (`${!Name}` stands for itself)."""
    text = path.read_text()
    used = {name for literal, name in _VARIABLE.findall(text) if not literal}
    if unknown := used - variables.keys():
        raise OperatorError(f"{path}: nothing is known to put in for {', '.join(sorted(unknown))}.")
    if unused := variables.keys() - used:
        raise OperatorError(f"{path}: {', '.join(sorted(unused))} is given to this file, which does not use it.")
    return _VARIABLE.sub(lambda found: f"${{{found[2]}}}" if found[1] else variables[found[2]], text)
