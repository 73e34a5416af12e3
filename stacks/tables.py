"""The two DynamoDB tables."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from stacks import settings
from video_production.settings import ACTIVE_INDEX, LEDGER_INDEX, OPEN_INDEX, Names

__all__ = ["VideoTables"]


class VideoTables(Construct):
    """`nodes`: pipelines and their nodes. `takes`: what was bought, and the ledger.

    Both have a sparse index that holds only what is under way, so that the sweep reads little; a third shows the ledger
    by months.
    """

    def __init__(self, scope: Construct, id: str, *, names: Names, settings: settings.Tables) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.nodes = self._table("Nodes", names.nodes_table, "pipeline_id", "id")
        self.nodes.add_global_secondary_index(
            index_name=ACTIVE_INDEX,
            partition_key=_text("active"),
            sort_key=_text("pipeline_id"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.takes = self._table("Takes", names.takes_table, "take_id", "record", expires="expires_at")
        self.takes.add_global_secondary_index(
            index_name=OPEN_INDEX,
            partition_key=_text("open"),
            sort_key=_number("open_since"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.takes.add_global_secondary_index(
            index_name=LEDGER_INDEX,
            partition_key=_text("ledger_month"),
            sort_key=_number("at"),
            projection_type=dynamodb.ProjectionType.ALL,
        )

    def _table(self, id: str, name: str, partition: str, sort: str, expires: str | None = None) -> dynamodb.Table:
        retain = self._settings.removal == "retain"
        return dynamodb.Table(
            self,
            id,
            table_name=name,
            partition_key=_text(partition),
            sort_key=_text(sort),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute=expires,
            deletion_protection=self._settings.deletion_protection,
            removal_policy=cdk.RemovalPolicy.RETAIN if retain else cdk.RemovalPolicy.DESTROY,
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _number(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.NUMBER)
