"""Webhooks that were passed on already: a provider that misses our answer sends the same body again.

A record is written after the webhook was passed on, so a failure on the way is repaired by the next delivery. Two
deliveries at the same moment may both pass; whoever is told twice looks twice, and nothing else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from video_production.tables import Put, Table

__all__ = ["Deliveries"]

_KEPT = 7 * 24 * 3600
"""Seconds after which a record expires."""


class Deliveries:
    """The records `webhook#{provider}#{sha256 of the body}` in the take table. `clock` gives Unix seconds."""

    def __init__(self, table: Table, clock: Callable[[], float] = time.time) -> None:
        self.table = table
        self.clock = clock

    def known(self, provider: str, body: bytes) -> bool:
        """Whether this body was passed on in the last week. DynamoDB deletes what expires days later."""
        record = self.table.get(_key(provider, body))
        return record is not None and float(record["expires_at"]) > self.clock()

    def remember(self, provider: str, body: bytes) -> None:
        """Note that this body was passed on."""
        item = {**_key(provider, body), "expires_at": int(self.clock() + _KEPT)}
        self.table.write(Put(table=self.table.name, item=item))


def _key(provider: str, body: bytes) -> dict[str, str]:
    return {"take_id": f"webhook#{provider}#{hashlib.sha256(body).hexdigest()}", "record": "webhook"}
