"""Log groups: one retention for all of them."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct

__all__ = ["log_group"]


def log_group(scope: Construct, id: str, name: str) -> logs.LogGroup:
    """A log group that keeps 14 days and goes with the stack."""
    return logs.LogGroup(
        scope,
        id,
        log_group_name=name,
        retention=logs.RetentionDays.TWO_WEEKS,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
