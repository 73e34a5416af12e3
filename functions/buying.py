"""What the submitters and pollers of all providers share; a handler only says whose it is.

The handler of a function imports its provider, and nothing here imports any: a package holds what its function needs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from aws_lambda_powertools import Logger

from functions.batches import each_message, is_batch
from functions.telemetry import Telemetry
from video_production.clients import LazyClient
from video_production.errors import OperatorError, ProviderRefused, Superseded
from video_production.metrics import Report
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.interface import GenerationProvider
from video_production.queues import send
from video_production.settings import FunctionSettings
from video_production.storage import Storage
from video_production.tables import connect
from video_production.takes.buying import Buyer, Step
from video_production.takes.table import TakeTable

__all__ = ["ProviderClass", "polling", "submitting"]

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

logger = Logger(process="%(process)d")
settings = FunctionSettings.from_environment()
telemetry = Telemetry(settings.environment, settings.role)
_RESERVE = 60_000
"""Milliseconds that looking at one job and fetching its result usually stay below."""
_storage = Storage()
_client = connect()
_nodes = NodeTable(_client, settings.nodes_table)
_takes = TakeTable(
    _client,
    settings.takes_table,
    settings.nodes_table,
    report=telemetry.add,
    monthly_budget=settings.monthly_budget_usd,
)
_queues = LazyClient("sqs") if settings.scheduling_queue_url else None


class ProviderClass(Protocol):
    """The class of a provider module."""

    name: str

    def from_settings(
        self, settings: FunctionSettings, storage: Storage, *, report: Report = ...
    ) -> GenerationProvider: ...


def submitting(provider: ProviderClass) -> Handler:
    """The handler of a submitter: sends the node's one paid request, or follows the one that exists."""
    buyer_for = _buyers_of(provider)

    @logger.inject_lambda_context(clear_state=True)
    @telemetry.sent
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return _take_step(event, buyer_for(context).submit)

    return handler


def polling(provider: ProviderClass) -> Handler:
    """The handler of a poller: for the node that waits, and for whoever says that a job should be looked at."""
    buyer_for = _buyers_of(provider)

    @logger.inject_lambda_context(clear_state=True)
    @telemetry.sent
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        buyer = buyer_for(context)
        if is_batch(event):
            follow = partial(_follow, buyer)
            return each_message(event, follow, enough_time=lambda: context.get_remaining_time_in_millis() > _RESERVE)
        return _take_step(event, buyer.check)

    return handler


def _buyers_of(provider: ProviderClass) -> Callable[[Any], Buyer]:
    """What makes the buyer of one invocation, given its context."""
    options = settings.provider(provider.name)
    if options.mode == "draft" and not options.base_url:
        upper = provider.name.upper()
        raise OperatorError(
            f"{upper}_MODE is 'draft', but {upper}_BASE_URL names no stand-in, so the real {provider.name} would be "
            "paid for drafts; deploy the stack again with its address."
        )
    made = provider.from_settings(settings, _storage, report=telemetry.add)

    def buyer_for(context: Any) -> Buyer:
        return Buyer(
            made,
            options,
            _nodes,
            _takes,
            _storage,
            remaining=lambda: context.get_remaining_time_in_millis() / 1000,
            alert=logger.error,
            report=telemetry.add,
        )

    return buyer_for


def _take_step(event: dict[str, Any], act: Callable[[Claim], Step]) -> dict[str, Any]:
    """Let `act` advance the claimed node's purchase; answer what the state machine does next."""
    claim = Claim.from_event(event)
    logger.append_keys(pipeline_id=claim.pipeline_id, node_id=claim.node_id, process_uuid=claim.process_uuid)
    try:
        step = act(claim)
    except Superseded as moved:
        logger.info(str(moved))
        return {"status": "superseded", "wait_seconds": 0, "limit": 0}
    except ProviderRefused as refusal:
        logger.warning(str(refusal), extra={"code": refusal.code, "http_status": refusal.http_status})
        raise
    logger.info("step", extra={"status": step.status, "wait_seconds": step.wait_seconds})
    return {"status": step.status, "wait_seconds": step.wait_seconds, "limit": step.limit}


def _follow(buyer: Buyer, message: dict[str, Any]) -> None:
    """Look at one paid job; when it has ended, have its pipeline go on, and whoever waits for its job slot."""
    take_id = message.get("take_id") or buyer.take_of(str(message["external_id"]))
    if take_id is None:
        logger.info("a job that is not ours", extra={"external_id": message["external_id"]})
        return
    followed = buyer.follow(take_id)
    logger.info("followed", extra={"take": take_id, "state": followed.state, "pipeline_id": followed.pipeline_id})
    if followed.over and _queues:  # its pipeline goes on, and its job slot comes back even where no node waits for it
        pipeline = {"pipeline_id": followed.pipeline_id} if followed.pipeline_id else {}
        send(_queues, settings.scheduling_queue_url, [{"provider": buyer.provider.name, **pipeline}])
