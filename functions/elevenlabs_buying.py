"""What the two ElevenLabs functions share: one buyer per invocation, one shape of answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger

from functions.telemetry import Telemetry
from video_production.errors import ProviderRefused, Superseded
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.elevenlabs import ElevenLabs
from video_production.settings import FunctionSettings
from video_production.storage import Storage
from video_production.tables import connect
from video_production.takes.buying import Buyer, Step
from video_production.takes.table import TakeTable

__all__ = ["buyer_for", "logger", "settings", "take_step", "telemetry"]

logger = Logger(process="%(process)d")
settings = FunctionSettings.from_environment()
telemetry = Telemetry(settings.environment, settings.role)
_provider_settings = settings.provider("elevenlabs")
_storage = Storage()
_client = connect()
_nodes = NodeTable(_client, settings.nodes_table)
_takes = TakeTable(_client, settings.takes_table, settings.nodes_table, report=telemetry.add)
_provider = ElevenLabs.from_settings(settings, _storage, report=telemetry.add)


def buyer_for(context: Any) -> Buyer:
    """The buyer of this invocation."""
    return Buyer(
        _provider,
        _provider_settings,
        _nodes,
        _takes,
        _storage,
        remaining=lambda: context.get_remaining_time_in_millis() / 1000,
        alert=logger.error,
        report=telemetry.add,
    )


def take_step(event: dict[str, Any], context: Any, act: Callable[[Buyer, Claim], Step]) -> dict[str, Any]:
    """Let `act` advance the claimed node's purchase; answer what the state machine does next."""
    claim = Claim.from_event(event)
    logger.append_keys(pipeline_id=claim.pipeline_id, node_id=claim.node_id, process_uuid=claim.process_uuid)
    try:
        step = act(buyer_for(context), claim)
    except Superseded as moved:
        logger.info(str(moved))
        return {"status": "superseded", "wait_seconds": 0, "limit": 0}
    except ProviderRefused as refusal:
        logger.warning(str(refusal), extra={"code": refusal.code, "http_status": refusal.http_status})
        raise
    logger.info("step", extra={"status": step.status, "wait_seconds": step.wait_seconds})
    return {"status": step.status, "wait_seconds": step.wait_seconds, "limit": step.limit}
