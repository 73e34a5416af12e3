"""Roles with exactly the permissions that are written down, and the reason for every wildcard in them.

CDK's `grant_*` methods give more than our code uses, so nothing here is granted by them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

__all__ = ["Allow", "ServiceRole", "acknowledge"]


@dataclass(frozen=True, slots=True)
class Allow:
    """Permission for `actions` on `resources` (ARNs). `because` is the reason for a `*` in them."""

    actions: Sequence[str]
    resources: Sequence[str]
    because: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    effect: iam.Effect = iam.Effect.ALLOW

    @property
    def statement(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            actions=list(self.actions),
            resources=list(self.resources),
            conditions=dict(self.conditions),
            effect=self.effect,
        )


class ServiceRole(Construct):
    """A role for one AWS service with one policy. `role` can't be widened by other constructs."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: str,
        description: str,
        allowed: Sequence[Allow],
        trust_conditions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(scope, id)
        principal = iam.ServicePrincipal(service, conditions=dict(trust_conditions or {}))
        role = iam.Role(self, "Role", assumed_by=principal, description=description)
        self.policy = iam.Policy(self, "Policy", statements=[allow.statement for allow in allowed], roles=[role])
        self.role = role.without_policy_updates()
        reasons = {
            f"AwsSolutions-IAM5[Resource::{_as_printed(self, resource)}]": allow.because
            for allow in allowed
            if allow.effect == iam.Effect.ALLOW
            for resource in allow.resources
            if "*" in resource
        }
        acknowledge(self.policy, reasons)


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings on one construct: id of the finding, as cdk-nag or the CDK names it → why it is right."""
    for rule, reason in reasons.items():
        if not reason:
            raise ValueError(f"{construct.node.path}: {rule} needs a reason.")
        id = f"AwsSolutions::{rule}" if rule.startswith("AwsSolutions-") else rule
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=id, reason=reason))


def _as_printed(scope: Construct, arn: str) -> str:
    """An ARN as cdk-nag names it in a finding: references in angle brackets."""
    return _flat(cdk.Stack.of(scope).resolve(arn))


def _flat(value: Any) -> str:
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_flat(part) for part in parts)
    raise TypeError(f"An ARN in a policy is {json.dumps(value)}; it must consist of text and references.")
