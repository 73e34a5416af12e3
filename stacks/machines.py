"""The two state machines, from the files that the local cloud runs too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as states
from constructs import Construct

from stacks.functions import Functions
from stacks.logs import log_group
from stacks.needs import Surroundings
from stacks.policies import Allow, ServiceRole
from video_production.settings import NODE_MACHINE_CALLS, ROLES

__all__ = ["Machine", "Machines"]

_FILES = Path(__file__).resolve().parent.parent / "workflows"
_WATCH_SECONDS = 60
_LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)
_TRACING = (
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
)


class Machine(Construct):
    """One state machine with its log group and its role."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        file: str,
        substitutions: Mapping[str, str],
        around: Surroundings,
        allowed: Sequence[Allow],
    ) -> None:
        super().__init__(scope, id)
        self.log_group = log_group(self, "Logs", around.names.machine_log_group(name))
        self.role = ServiceRole(
            self,
            "Permissions",
            service="states.amazonaws.com",
            description=f"What {name} may do",
            allowed=[
                *allowed,
                Allow(
                    [*_LOG_DELIVERY, *_TRACING],
                    ["*"],
                    "Neither the delivery of logs nor X-Ray has resource-level permissions.",
                ),
            ],
            trust_conditions={
                "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": around.machine(name)},
            },
        )
        definition = (_FILES / file).read_text()
        self.machine = states.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            definition_body=states.DefinitionBody.from_string(cdk.Fn.sub(definition, dict(substitutions))),
            role=self.role.role,
            tracing_enabled=True,
            logs=states.LogOptions(
                destination=self.log_group,
                level=states.LogLevel.ALL,
                include_execution_data=around.settings.log_execution_data,
            ),
        )
        self.machine.node.add_dependency(self.role.policy)


class Machines(Construct):
    """`node_machine` makes one node, `pipeline_machine` runs a whole pipeline.

    They call published versions, so that a deployment doesn't change an execution that runs. Such an execution goes on
    with the versions that it began with, under the role as it is now: the role may call every version.
    """

    def __init__(self, scope: Construct, id: str, *, around: Surroundings, functions: Functions) -> None:
        super().__init__(scope, id)
        names = around.names

        def call(*roles: str) -> Allow:
            return Allow(
                ["lambda:InvokeFunction"],
                [around.arn("lambda", f"function:{names.function(role)}:*") for role in roles],
                "An execution that runs while a new version is deployed goes on calling the one that it began with.",
            )

        def version(role: str) -> str:
            return str(functions[role].version.function_arn)

        self.node_machine = Machine(
            self,
            "Node",
            name=names.node_machine,
            file="node.asl.json",
            substitutions={
                "NodesTable": names.nodes_table,
                **{ROLES[role].variable: version(role) for role in NODE_MACHINE_CALLS},
            },
            around=around,
            allowed=[
                call(*NODE_MACHINE_CALLS),
                around.table(names.nodes_table, "GetItem"),
            ],
        )
        self.pipeline_machine = Machine(
            self,
            "Pipeline",
            name=names.pipeline_machine,
            file="pipeline.asl.json",
            substitutions={"SchedulerArn": version("scheduler"), "WatchSeconds": str(_WATCH_SECONDS)},
            around=around,
            allowed=[call("scheduler")],
        )
