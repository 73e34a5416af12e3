"""How work comes in besides the machines: queues, failed executions, the sweep, merges that ended without an answer."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.functions import Functions
from stacks.machines import Machines
from stacks.queues import QueuePair, Queues
from video_production.settings import PROVIDERS, Names, poller_of

__all__ = ["Doors"]

_BATCH = {"scheduler": 10}
"""Messages per invocation; 1 where a message may take most of the function's time."""
_AT_ONCE = dict.fromkeys(map(poller_of, PROVIDERS), 5)
"""Simultaneous invocations per queue, where a provider limits the requests."""
_SWEEP_EVERY = cdk.Duration.minutes(5)


class Doors(Construct):
    """Everything that calls a function by itself."""

    def __init__(
        self, scope: Construct, id: str, *, names: Names, functions: Functions, machines: Machines, queues: Queues
    ) -> None:
        super().__init__(scope, id)
        for pair in queues.all:
            self._deliver(pair, functions)
        self.failed_executions = self._failed_executions(names, machines, queues.scheduling)
        self.sweep = self._sweep(names, functions)
        self._tell_failed_merges(functions, queues.failed_merges)

    def _deliver(self, pair: QueuePair, functions: Functions) -> None:
        reader = functions[pair.reader]
        mapping = lambda_.EventSourceMapping(
            self,
            f"{pair.node.id}Messages",
            target=reader.live,
            event_source_arn=pair.queue.queue_arn,
            batch_size=_BATCH.get(pair.reader, 1),
            max_concurrency=_AT_ONCE.get(pair.reader),
            report_batch_item_failures=True,
        )
        mapping.node.add_dependency(reader.role.policy)

    def _failed_executions(self, names: Names, machines: Machines, scheduling: QueuePair) -> events.Rule:
        """Executions that ended in a way that their own Catch can't see."""
        rule = events.Rule(
            self,
            "FailedExecutions",
            rule_name=f"jiki-video-failed-executions-{names.environment}",
            description="Executions that failed, timed out or were stopped: the scheduler writes it down",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                    "stateMachineArn": [
                        machines.node_machine.machine.state_machine_arn,
                        machines.pipeline_machine.machine.state_machine_arn,
                    ],
                },
            ),
        )
        rule.add_target(targets.SqsQueue(scheduling.queue, dead_letter_queue=scheduling.dead_letters))
        return rule

    def _sweep(self, names: Names, functions: Functions) -> events.Rule:
        sweeper = functions["sweeper"]
        rule = events.Rule(
            self,
            "Sweep",
            rule_name=f"jiki-video-sweep-{names.environment}",
            description="Has everything looked at that is under way, in case an event was lost",
            schedule=events.Schedule.rate(_SWEEP_EVERY),
        )
        rule.add_target(targets.LambdaFunction(sweeper.live, retry_attempts=0, max_event_age=_SWEEP_EVERY))
        # A sweep that failed is not repeated: the next one does the same.
        config = lambda_.CfnEventInvokeConfig(
            self,
            "SweepOnce",
            function_name=sweeper.function.function_name,
            qualifier=sweeper.live.alias_name,
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=int(_SWEEP_EVERY.to_seconds()),
        )
        config.node.add_dependency(sweeper.live)
        return rule

    def _tell_failed_merges(self, functions: Functions, failed_merges: QueuePair) -> None:
        """After an out-of-memory no code of ours runs in the merger, and its caller must still hear of it."""
        merger = functions["merger"]
        config = lambda_.CfnEventInvokeConfig(
            self,
            "MergeOnce",
            function_name=merger.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=0,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=failed_merges.queue.queue_arn)
            ),
        )
        config.node.add_dependency(merger.role.policy)
