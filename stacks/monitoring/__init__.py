"""Monitoring of one environment: e-mail, alarms and the dashboard. Every alarm has its section in docs/runbook.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from aws_cdk import Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from stacks.monitoring.alarms import Watch, watches
from stacks.monitoring.dashboard import rows
from stacks.monitoring.signals import DAY, MEMORY_NAMESPACE, Signals
from video_production.settings import Names

__all__ = ["Monitoring", "MonitoringSettings"]


class MonitoringSettings(Protocol):
    """What monitoring needs to know of an environment's settings."""

    @property
    def alarm_email(self) -> str | None:
        """Who is told; None: nobody yet, subscribe to the topic by hand."""

    @property
    def daily_spend_alarm_usd(self) -> float:
        """US dollars that the providers may cost in a day before somebody is told."""


class Monitoring(Construct):
    """Watches one environment and tells `topic` of what needs a person.

    `functions` by role; each must log as JSON at system level INFO, else there is no record of its memory. `machines`
    by what they run (`pipeline`, `node`), `queues` by name with their dead-letter queues, `tables` by what they hold
    (`nodes`, `takes`).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: MonitoringSettings,
        names: Names,
        functions: Mapping[str, lambda_.Function],
        machines: Mapping[str, stepfunctions.IStateMachine],
        queues: Mapping[str, sqs.IQueue],
        tables: Mapping[str, dynamodb.ITable],
        api: apigateway.IHttpApi,
        bucket_name: str,
    ) -> None:
        super().__init__(scope, id)
        self._names = names
        signals = Signals(names, functions, machines, queues, tables, api, bucket_name)
        self.topic = self._topic(settings.alarm_email)
        for role, function in functions.items():
            self._measure_memory(role, function)
        self.alarms = [self._alarm(watch) for watch in watches(signals, settings.daily_spend_alarm_usd)]
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=names.dashboard,
            default_interval=DAY,
            widgets=rows(signals, self.alarms, settings.daily_spend_alarm_usd),
        )

    def _topic(self, email: str | None) -> sns.Topic:
        """Not encrypted with a key: alarms can't publish through SNS's own key, and what they say is no secret."""
        topic = sns.Topic(self, "Topic", topic_name=f"jiki-video-alarms-{self._names.environment}", enforce_ssl=True)
        # A topic with a policy has lost the default one, by which alarms of the account may publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        if email:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    def _measure_memory(self, role: str, function: lambda_.Function) -> None:
        """Lambda has no metric of the memory used; it only logs it when an invocation ends."""
        logs.MetricFilter(
            self,
            f"MemoryUsed-{role}",
            log_group=function.log_group,
            filter_pattern=logs.FilterPattern.string_value("$.type", "=", "platform.report"),
            metric_namespace=MEMORY_NAMESPACE,
            metric_name=self._names.function(role),
            metric_value="$.record.metrics.maxMemoryUsedMB",
            unit=cloudwatch.Unit.MEGABYTES,
        )

    def _alarm(self, watch: Watch) -> cloudwatch.Alarm:
        comparison = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            f"Alarm-{watch.id}",
            alarm_name=f"jiki-video-{watch.id.replace('_', '-')}-{self._names.environment}",
            alarm_description=watch.description,
            metric=watch.metric,
            threshold=watch.threshold,
            comparison_operator=(
                comparison.LESS_THAN_THRESHOLD if watch.below else comparison.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            datapoints_to_alarm=watch.times,
            evaluation_periods=watch.of,
            treat_missing_data=watch.missing,
        )
        action = actions.SnsAction(self.topic)
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
        return alarm
