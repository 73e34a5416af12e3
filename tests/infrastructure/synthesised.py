"""Synthesised templates, and words to ask them with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_production.settings import ENVIRONMENTS, Names

__all__ = ["CHECKOUT", "VARIANTS", "Template", "statements_of", "synthesise_variant", "text"]

CHECKOUT = Path(__file__).resolve().parents[2]
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    **{environment: {"environment": environment} for environment in ENVIRONMENTS},
    "everything": {
        "environment": "staging",
        "overrides": {
            "alarm_email": "alarms@example.com",
            "architecture": "x86_64",
            "bucket": {
                "create": True,
                "versioning": True,
                "expire_intermediates_after_days": 60,
                "readable": ["recordings-of-somebody"],
            },
            "callback_hosts": ["app.example.com", "other.example.com"],
            "memory": {"merger": 4096},
            "providers": {
                "elevenlabs": {"poll_interval_seconds": 20, "poll_longest_seconds": 45, "deadline_seconds": 300},
                "veo3": {"project": "lessons-1", "bucket": "films-of-lessons", "model": "veo-3.1-generate-001"},
                "heygen": {"engine": "avatar_v"},
                "runway": {"max_jobs": 7},
            },
            "monthly_budget_usd": 250,
            "prices": {"providers": {"heygen": {"models": {"avatar_iv": 0.05}}}},
            "reserved_concurrency": {"merger": 7},
            "vpc": {"kind": "new", "zones": ["us-east-1a", "us-east-1b"]},
        },
    },
    "existing-vpc": {
        "environment": "staging",
        "overrides": {
            "vpc": {
                "kind": "existing",
                "id": "vpc-0123456789abcdef0",
                "zones": ["us-east-1a"],
                "private_subnets": ["subnet-0123456789abcdef0"],
            }
        },
    },
}
"""The three environments as `cdk.json` has them, and what else the settings can say."""


class StandInAssets:
    """Packages of a few bytes: these tests look at templates, and the real packages take seconds to hash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def code(self, role: str) -> Any:
        return self._asset(role)

    def ffmpeg_layer(self) -> Any:
        return self._asset("ffmpeg")

    def _asset(self, name: str) -> Any:
        from aws_cdk import aws_lambda as lambda_

        content = self.folder / name
        content.mkdir(parents=True, exist_ok=True)
        (content / "name.txt").write_text(name)
        return lambda_.Code.from_asset(str(content))


def synthesise_variant(variant: str, folder: Path) -> Path:
    """Synthesise one of VARIANTS into `folder`, under cdk-nag's rules; the path of its template."""
    from stacks.application import synthesise

    return synthesise(folder, VARIANTS[variant], StandInAssets(folder.parent / "assets"))


@dataclass(frozen=True)
class Template:
    """A template; `body` is its JSON, `path` the file."""

    path: Path
    body: Mapping[str, Any]
    names: Names

    @classmethod
    def read(cls, path: Path) -> Template:
        environment = path.name.removesuffix(".template.json").rpartition("-")[2]
        return cls(path, json.loads(path.read_text()), Names(environment))

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Every resource of a type, whole, by its logical id."""
        return {id: entry for id, entry in self.body["Resources"].items() if entry["Type"] == kind}

    def properties(self, kind: str) -> list[dict[str, Any]]:
        return [entry.get("Properties", {}) for entry in self.resources(kind).values()]

    def one(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """The properties of the one resource of a type with these properties."""
        found = [
            properties
            for properties in self.properties(kind)
            if all(properties.get(name) == value for name, value in wanted.items())
        ]
        assert len(found) == 1, f"{len(found)} of {kind} with {wanted}"
        return found[0]

    def id_of(self, kind: str, **wanted: Any) -> str:
        """The logical id of the one resource of a type with these properties."""
        properties = self.one(kind, **wanted)
        return next(id for id, entry in self.resources(kind).items() if entry["Properties"] is properties)

    def function(self, role: str) -> dict[str, Any]:
        return self.one("AWS::Lambda::Function", FunctionName=self.names.function(role))

    def variables(self, role: str) -> dict[str, Any]:
        return dict(self.function(role)["Environment"]["Variables"])

    def queue_id(self, name: str) -> str:
        return self.id_of("AWS::SQS::Queue", QueueName=name)

    def statements(self, role: str) -> list[dict[str, Any]]:
        """What a function's role may do, and what it must not."""
        [role_id, _] = self.function(role)["Role"]["Fn::GetAtt"]
        return self._statements_of_role(role_id)

    def machine(self, name: str) -> dict[str, Any]:
        return self.one("AWS::StepFunctions::StateMachine", StateMachineName=name)

    def machine_statements(self, name: str) -> list[dict[str, Any]]:
        [role_id, _] = self.machine(name)["RoleArn"]["Fn::GetAtt"]
        return self._statements_of_role(role_id)

    def definition(self, name: str) -> dict[str, Any]:
        """A machine's definition, every substitution replaced by what it refers to."""
        source, values = self.machine(name)["DefinitionString"]["Fn::Sub"]
        for key, value in values.items():
            source = source.replace(f"${{{key}}}", text(value))
        return dict(json.loads(source))

    def _statements_of_role(self, role_id: str) -> list[dict[str, Any]]:
        entry = self.body["Resources"][role_id]["Properties"]
        assert "ManagedPolicyArns" not in entry, "AWS's own policies allow more than is needed"
        policies = [
            policy for policy in self.properties("AWS::IAM::Policy") if {"Ref": role_id} in policy.get("Roles", [])
        ]
        return [statement for policy in policies for statement in statements_of(policy["PolicyDocument"])]


def statements_of(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a policy: actions and resources always as lists, references written as `<Name>`."""
    for statement in document["Statement"]:
        entry = dict(statement)
        for key in ("Action", "Resource"):
            if key in entry:
                value = entry[key]
                entry[key] = [text(each) for each in (value if isinstance(value, list) else [value])]
        yield entry


def text(value: Any) -> str:
    """A string of a template, what it refers to in angle brackets: `<Queue.Arn>`."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(text(part) for part in parts)
    raise AssertionError(f"no string: {value}")
