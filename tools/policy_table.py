"""Write the table of docs/security.md that says what each function and state machine may do, from the template.

Usage: .venv/bin/python -m tools.policy_table [--check]

With --check nothing is written; the exit code is 1 when the page is not current.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tools.template import ROOT, synthesise

__all__ = ["PAGE", "current_page"]

PAGE = ROOT / "docs" / "security.md"
START, END = "<!-- policies: made by tools/policy_table.py -->", "<!-- end of policies -->"
_EVERY_FUNCTION = ("logs:CreateLogStream", "xray:PutTelemetryRecords")
"""The first actions of what every function has: its own log, and tracing."""
_SAID_ABOVE = ("aws:ResourceAccount",)
"""Conditions that the page explains once for all functions."""


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 1
    before = PAGE.read_text("utf-8")
    page = current_page(before, synthesise())
    if arguments:
        if page != before:
            print("docs/security.md is not current; run .venv/bin/python -m tools.policy_table")
        return int(page != before)
    PAGE.write_text(page, "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def current_page(page: str, template: Mapping[str, Any]) -> str:
    """The page with its table as it follows from the template of the environment `development`."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    rows = "\n".join(_rows(template))
    return f"{before}{START}\n\n| who | may |\n| --- | --- |\n{rows}\n\n{END}{after}"


def _rows(template: Mapping[str, Any]) -> Iterator[str]:
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::IAM::Policy":
            continue
        statements = resource["Properties"]["PolicyDocument"]["Statement"]
        told = [
            _told(statement, template)
            for statement in statements
            if _listed(statement["Action"])[0] not in _EVERY_FUNCTION
        ]
        yield f"| {_owner(resource, template)} | {'<br>'.join(told)} |"


def _owner(policy: Mapping[str, Any], template: Mapping[str, Any]) -> str:
    [role] = policy["Properties"]["Roles"]
    description: str = template["Resources"][role["Ref"]]["Properties"]["Description"]
    return f"`{_named(description.removeprefix('What ').removesuffix(' may do'))}`"


def _told(statement: Mapping[str, Any], template: Mapping[str, Any]) -> str:
    services: dict[str, list[str]] = {}
    for action in _listed(statement["Action"]):
        service, _, name = action.partition(":")
        services.setdefault(service, []).append(name)
    actions = "; ".join(f"{service} {', '.join(names)}" for service, names in services.items())
    places = ", ".join(f"`{_place(resource, template)}`" for resource in _listed(statement["Resource"]))
    conditions = [
        f"{key} {', '.join(_listed(value))}"
        for operator, keys in statement.get("Condition", {}).items()
        for key, value in keys.items()
        if operator != "Null" and key not in _SAID_ABOVE
    ]
    limits = f" (only {'; '.join(conditions)})" if conditions else ""
    return f"{'**never** ' if statement['Effect'] == 'Deny' else ''}{actions}: {places}{limits}"


def _place(resource: Any, template: Mapping[str, Any]) -> str:
    """An ARN without what is the same everywhere; a secret by its name."""
    if isinstance(resource, Mapping) and "Ref" in resource:
        return _named(str(template["Resources"][resource["Ref"]]["Properties"]["Name"]))
    return _named(re.sub(r"^arn:[^:]*:[^:]*:[^:]*:[^:]*:", "", _flat(resource)))


def _named(name: str) -> str:
    return re.sub(r"(?<=[-/])development\b", "{environment}", name).replace("jiki-videos-dev", "{bucket}")


def _flat(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_flat(part) for part in parts)
    return "_"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
