"""What the two FFmpeg functions share: their clients, their time limit, and the way from a claim to a finished node."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from aws_lambda_powertools import Logger

from functions.telemetry import Telemetry
from video_production.errors import Superseded
from video_production.nodes.table import Claim, NodeTable
from video_production.settings import FunctionSettings
from video_production.storage import Storage
from video_production.tables import connect

__all__ = ["deadline", "logger", "make_node", "settings", "storage", "telemetry", "work_measured"]

logger = Logger(process="%(process)d")
settings = FunctionSettings.from_environment()
telemetry = Telemetry(settings.environment, settings.role)
storage = Storage()
_nodes = NodeTable(connect(), settings.nodes_table)
_RESERVE = 20.0
"""Seconds kept back for uploading and recording."""
_LOOK_EVERY = 0.5

Result = TypeVar("Result")


def deadline(context: Any) -> float:
    """Until when FFmpeg may work in this invocation, as a `time.monotonic` value."""
    return float(time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _RESERVE)


def make_node(
    event: dict[str, Any], context: Any, make: Callable[[Claim, NodeTable, Storage, float], Result]
) -> Result | None:
    """Let `make` do the work of the node that `event` claims; None when the claim is no longer current."""
    claim = Claim.from_event(event)
    logger.append_keys(pipeline_id=claim.pipeline_id, node_id=claim.node_id, process_uuid=claim.process_uuid)
    try:
        with work_measured():
            return make(claim, _nodes, storage, deadline(context))
    except Superseded as moved:
        logger.info(str(moved))
        return None


@contextmanager
def work_measured() -> Iterator[None]:
    """Count the bytes that are fetched and stored meanwhile, and the most of `/tmp` that is in use."""
    read, written, most = storage.bytes_read, storage.bytes_written, [_disk_in_use()]
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY):
            most[0] = max(most[0], _disk_in_use())

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
        telemetry.add("BytesRead", storage.bytes_read - read)
        telemetry.add("BytesWritten", storage.bytes_written - written)
        telemetry.add("TmpPercent", max(most[0], _disk_in_use()), role=settings.role)


def _disk_in_use() -> float:
    """Percent of the file system of `/tmp`."""
    usage = shutil.disk_usage(tempfile.gettempdir())
    return 100 * usage.used / usage.total
