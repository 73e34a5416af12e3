"""A desk for tests of the money protocol: real tables, real storage, and a buyer whose clock can be put forward."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.conftest import fresh_tables
from tests.unit.graphs import claim, text_output, write
from video_production.nodes.model import Node, Output
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.interface import GenerationProvider
from video_production.settings import FunctionSettings
from video_production.storage import Storage
from video_production.takes.buying import Buyer, Step
from video_production.takes.model import Take
from video_production.takes.table import TakeTable

BUCKET = "jiki-videos"


class Desk:
    """One pipeline with one node that is bought, and a buyer at its tables. `ahead` moves the clock into the future.

    `digest` is what the stand-in's charge book calls the request by; `settings` differ from those of a draft.
    """

    def __init__(
        self, provider: GenerationProvider, dynamodb: Any, storage: Storage, digest: str, **settings: Any
    ) -> None:
        tables = fresh_tables(dynamodb)
        given = {"JIKI_ENVIRONMENT": "local", f"{provider.name.upper()}_MODE": "draft"}
        self.ahead = 0.0
        self.storage = storage
        self.digest = digest
        self.nodes = NodeTable(dynamodb, tables.nodes, clock=self.clock)
        self.takes = TakeTable(dynamodb, tables.takes, tables.nodes, clock=self.clock)
        self.buyer = Buyer(
            provider,
            replace(FunctionSettings.from_environment(given).provider(provider.name), **settings),
            self.nodes,
            self.takes,
            storage,
            remaining=lambda: 300.0,
            alert=pytest.fail,
            clock=self.clock,
        )

    def publish(self, node: Node, **inputs: Output) -> None:
        """Write the pipeline as an edit does: `node` is pending again, and what it needs is there."""
        self._node_id = node.id
        write(self.nodes, [*(Node("lesson", name, name.title(), "asset") for name in inputs), node], inputs)

    def text(self, words: str) -> Output:
        """Store words as an asset."""
        stored = self.storage.put_bytes(words.encode(), BUCKET, f"{self.digest}.txt", "text/plain")
        return text_output(words, BUCKET, stored.key)

    def clock(self) -> float:
        return time.time() + self.ahead

    def claim(self, process_uuid: str = "p1") -> Claim:
        return claim(self.nodes, self._node_id, process_uuid)

    def node(self) -> Node:
        found = self.nodes.node("lesson", self._node_id)
        assert found is not None
        return found

    def take(self) -> Take:
        (identity,) = self.node().metadata["takes"]
        found = self.takes.get(identity)
        assert found is not None
        return found

    def run(self, claimed: Claim) -> Step:
        self.buyer.submit(claimed)
        return self.follow(claimed)

    def follow(self, claimed: Claim, seconds: float = 60) -> Step:
        """Check as the node machine does, without its waits, until the node is done or has to be submitted again."""
        end = time.monotonic() + seconds
        while (step := self.buyer.check(claimed)).status == "waiting":
            assert time.monotonic() < end, f"not done within {seconds} s: {self.node().metadata}"
            time.sleep(0.05)
        return step
