"""The Lambda functions: runtime, architecture, tracing and retention are set here, once."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.assets import Assets
from stacks.logs import log_group
from stacks.needs import Surroundings, needs_of
from stacks.network import Network
from stacks.policies import Allow, ServiceRole, acknowledge
from stacks.queues import Queues
from video_production.metrics import NAMESPACE
from video_production.settings import ROLES, Role

__all__ = ["LIVE", "PYTHON", "Functions", "VideoFunction"]

PYTHON = "3.13"
LIVE = "live"
"""The alias through which queues, events and the API call a function."""

_RUNTIME = lambda_.Runtime.PYTHON_3_13
_ARCHITECTURES = {"x86_64": lambda_.Architecture.X86_64, "arm64": lambda_.Architecture.ARM_64}
_DEBUG, _INFO = lambda_.ApplicationLogLevel.DEBUG, lambda_.ApplicationLogLevel.INFO
_EVERYWHERE = "X-Ray has no resource-level permission for sending traces, and Lambda has none for network interfaces."
_INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


class VideoFunction(Construct):
    """One function with its log group and its role. `version` is what machines call, `live` what the doors call."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        role: Role,
        around: Surroundings,
        assets: Assets,
        layers: list[lambda_.ILayerVersion],
        network: Network,
        reads: tuple[str, ...],
    ) -> None:
        super().__init__(scope, id)
        settings, name = around.settings, around.names.function(role.name)
        needs = needs_of(role.name, around)
        self.log_group: logs.LogGroup = log_group(self, "Logs", around.names.function_log_group(role.name))
        allowed = [
            *needs.allowed,
            *(_consume(around, queue) for queue in reads),
            *_basics(around, role.name),
            *(_network_permissions(around.arn("lambda", f"function:{name}")) if network.vpc else ()),
        ]
        self.role = ServiceRole(
            self,
            "Permissions",
            service="lambda.amazonaws.com",
            description=f"What {name} may do",
            allowed=allowed,
        )
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=f"{role.does[0].upper()}{role.does[1:]}",
            runtime=_RUNTIME,
            architecture=_ARCHITECTURES[settings.architecture],
            handler=role.handler,
            code=assets.code(role.name),
            layers=layers if role.ffmpeg else None,
            memory_size=settings.memory_of(role.name),
            timeout=cdk.Duration.seconds(role.timeout),
            ephemeral_storage_size=cdk.Size.mebibytes(role.disk),
            reserved_concurrent_executions=settings.reserved_concurrency.get(role.name),
            environment={
                "JIKI_ENVIRONMENT": settings.environment,
                "POWERTOOLS_SERVICE_NAME": role.name,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
                "POWERTOOLS_LOG_LEVEL": settings.log_level,
                **needs.variables,
            },
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Lambda would drop what is below this level; the metrics travel in the log at INFO.
            application_log_level_v2=_DEBUG if settings.log_level == "DEBUG" else _INFO,
            system_log_level_v2=lambda_.SystemLogLevel.INFO,  # its reports tell how much memory was used
            tracing=lambda_.Tracing.ACTIVE,
            role=self.role.role,
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS) if network.vpc else None,
            security_groups=network.security_groups or None,
            current_version_options=lambda_.VersionOptions(removal_policy=cdk.RemovalPolicy.RETAIN),
        )
        self.function.node.add_dependency(self.role.policy)
        acknowledge(
            self.function,
            {
                "AwsSolutions-L1": "Python 3.13 on purpose: supported by Lambda until 2029, and every package that the "
                "functions need has a wheel for it."
            },
        )
        self.version = self.function.current_version
        self._live: lambda_.Alias | None = None

    @property
    def live(self) -> lambda_.Alias:
        """The alias of the newest version; made for those functions that a queue, an event or the API calls."""
        if self._live is None:
            self._live = lambda_.Alias(self, "Live", alias_name=LIVE, version=self.version)
        return self._live


class Functions(Construct):
    """Every role of `video_production.settings.ROLES` as a function: `functions["merger"]`."""

    def __init__(
        self, scope: Construct, id: str, *, around: Surroundings, assets: Assets, network: Network, queues: Queues
    ) -> None:
        super().__init__(scope, id)
        layer = lambda_.LayerVersion(
            self,
            "Ffmpeg",
            layer_version_name=f"jiki-video-ffmpeg-{around.settings.environment}",
            code=assets.ffmpeg_layer(),
            compatible_runtimes=[_RUNTIME],
            compatible_architectures=[_ARCHITECTURES[around.settings.architecture]],
            description="FFmpeg 7.0.2, static",
        )
        self.by_role = {
            name: VideoFunction(
                self,
                name,
                role=role,
                around=around,
                assets=assets,
                layers=[layer],
                network=network,
                reads=tuple(pair.name for pair in queues.all if pair.reader == name),
            )
            for name, role in ROLES.items()
        }

    def __getitem__(self, role: str) -> VideoFunction:
        return self.by_role[role]


def _consume(around: Surroundings, queue: str) -> Allow:
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    return Allow(actions, [around.arn("sqs", queue)])


def _basics(around: Surroundings, role: str) -> tuple[Allow, ...]:
    streams = around.arn("logs", f"log-group:{around.names.function_log_group(role)}:*")
    return (
        Allow(
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [streams],
            "Lambda names the log streams; the group is this function's own.",
        ),
        Allow(
            ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
            ["*"],
            _EVERYWHERE,
        ),
    )


def _network_permissions(function_arn: str) -> tuple[Allow, ...]:
    """Lambda attaches the function to the VPC with the function's role; its code must not do the same."""
    return (
        Allow(
            _INTERFACES,
            ["*"],
            _EVERYWHERE,
        ),
        Allow(
            _INTERFACES,
            ["*"],
            conditions={"ArnEquals": {"lambda:SourceFunctionArn": function_arn}},
            effect=iam.Effect.DENY,
        ),
    )
