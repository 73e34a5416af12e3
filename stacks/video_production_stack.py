"""The stack: one construct per capability, and the outputs that callers and the command line look up."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from stacks.api import HttpDoor
from stacks.assets import Assets
from stacks.doors import Doors
from stacks.functions import Functions
from stacks.machines import Machines
from stacks.monitoring import Monitoring
from stacks.needs import Surroundings
from stacks.network import Network
from stacks.queues import Queues
from stacks.secrets import Secrets
from stacks.settings import EnvironmentSettings
from stacks.storage import VideoBucket
from stacks.tables import VideoTables
from video_production.settings import PROVIDER_FACTS, Names, ProviderFacts

__all__ = ["VideoProductionStack"]


class VideoProductionStack(cdk.Stack):
    """One environment of the video production."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, assets: Assets) -> None:
        names = Names(settings.environment)
        super().__init__(
            scope,
            names.stack,
            env=cdk.Environment(account=settings.account, region=settings.region),
            description=f"Jiki video production, {settings.environment}",
            tags={"Project": "jiki-video", "Component": "video-production", "Environment": settings.environment},
        )
        self.names = names
        self.settings = settings
        self._tell_zones()
        self.storage = VideoBucket(self, "Storage", settings=settings.bucket)
        self.tables = VideoTables(self, "Tables", names=names, settings=settings.tables)
        self.secrets = Secrets(self, "Secrets", names=names)
        self.queues = Queues(self, "Queues", names=names)
        self.network = Network(self, "Network", settings=settings)
        around = Surroundings(
            stack=self,
            names=names,
            settings=settings,
            queue_urls={pair.name: pair.queue.queue_url for pair in self.queues.all},
            secret_arns=self.secrets.arns,
        )
        self.functions = Functions(
            self, "Functions", around=around, assets=assets, network=self.network, queues=self.queues
        )
        self.machines = Machines(self, "Machines", around=around, functions=self.functions)
        self.doors = Doors(
            self, "Doors", names=names, functions=self.functions, machines=self.machines, queues=self.queues
        )
        self.http = HttpDoor(self, "Http", names=names, settings=settings.api, functions=self.functions)
        self.monitoring = self._monitoring()
        self._outputs()

    def _tell_zones(self) -> None:
        """The settings name the zones: the CDK would look them up as soon as it knows the account."""
        vpc, account, region = self.settings.vpc, self.settings.account, self.settings.region
        if vpc and account:
            self.node.set_context(f"availability-zones:account={account}:region={region}", list(vpc.zones))

    def _monitoring(self) -> Monitoring:
        return Monitoring(
            self,
            "Monitoring",
            settings=self.settings,
            names=self.names,
            functions={role: each.function for role, each in self.functions.by_role.items()},
            machines={
                "pipeline": self.machines.pipeline_machine.machine,
                "node": self.machines.node_machine.machine,
            },
            queues={
                name: queue
                for pair in self.queues.all
                for name, queue in (
                    (pair.name, pair.queue),
                    (Names.dead_letters(pair.name), pair.dead_letters),
                )
            },
            tables={"nodes": self.tables.nodes, "takes": self.tables.takes},
            api=self.http.api,
            bucket_name=self.storage.name,
        )

    def _outputs(self) -> None:
        merger = self.functions["merger"].function
        outputs = {
            "BucketName": (self.storage.name, "Where the media lie"),
            "NodesTable": (self.names.nodes_table, "Pipelines and their nodes"),
            "TakesTable": (self.names.takes_table, "What was bought, and the ledger"),
            "PipelineMachineArn": (self.machines.pipeline_machine.machine.state_machine_arn, "Runs a pipeline"),
            "NodeMachineArn": (self.machines.node_machine.machine.state_machine_arn, "Makes one node"),
            "MergerName": (merger.function_name, "Joins videos; to be invoked by its name"),
            "MergerArn": (merger.function_arn, "The same function, for policies"),
            "ApiUrl": (self.http.api.api_endpoint, "Address of the HTTP API"),
            "SchedulingQueueUrl": (self.queues.scheduling.queue.queue_url, "Pipelines to look at"),
            "CallbackSecret": (self.names.callback_secret, "Secret that signs callbacks"),
            "AlarmTopicArn": (self.monitoring.topic.topic_arn, "Where the alarms are told"),
            "DashboardName": (self.names.dashboard, "The dashboard"),
        }
        for facts in PROVIDER_FACTS.values():
            outputs |= self._outputs_of(facts)
        for id, (value, description) in outputs.items():
            self.export(id, value, description)

    def _outputs_of(self, facts: ProviderFacts) -> dict[str, tuple[str, str]]:
        queue = self.queues.providers[facts.name].queue
        outputs = {
            f"{facts.output}QueueUrl": (queue.queue_url, f"Jobs at {facts.title} to look at"),
            f"{facts.output}Secret": (self.names.secret(facts.name), f"Secret with the key to {facts.title}"),
        }
        if facts.webhooks:
            name = self.names.webhook_secret(facts.name)
            outputs[f"{facts.output}WebhookSecret"] = (name, f"Secret that {facts.title} signs webhooks with")
        return outputs

    def export(self, id: str, value: str, description: str) -> None:
        """An output of the stack, exported as `{stack}-{id}`."""
        cdk.CfnOutput(self, id, value=value, description=description, export_name=f"{self.names.stack}-{id}")
