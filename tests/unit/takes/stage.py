"""A stage for the money protocol: real tables and storage, a provider that does as it is told, a clock that stands."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.unit.graphs import claim, node, text_output, write
from video_production.nodes.model import Node
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.interface import (
    Attempt,
    GenerationRequest,
    Made,
    OneRequest,
    Price,
    Progress,
    Submission,
    Unknown,
)
from video_production.settings import ProviderSettings
from video_production.storage import Storage
from video_production.takes.buying import Buyer
from video_production.takes.model import Take
from video_production.takes.table import TakeTable

SCRIPT = "Binary search halves the list."
LIFE = 300.0


@dataclass
class ObedientProvider(OneRequest):
    """`answers` are what `submit` does next: a Submission to return or an error to raise."""

    answers: list[Any] = field(default_factory=list)
    progress: list[Any] = field(default_factory=list)
    found: Submission | Made | Unknown | BaseException = field(default_factory=lambda: Unknown("the list is empty"))
    cancels: bool = False
    sent: list[Attempt] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)
    bound: Container[str] = ()
    name: str = "obedient"
    title: str = "Obedient"
    adapter_version: int = 1
    storage: Storage | None = None

    def effective_config(self, node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
        return {"speed": 1.0, **config}

    def way(self, request: GenerationRequest, refused_ways: tuple[str, ...] = ()) -> str:
        return "timed" if "job" in refused_ways else "job"

    def submit(self, attempt: Attempt) -> Submission:
        self.sent.append(attempt)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, Submission)
        return answer

    def check(self, external_id: str) -> Progress:
        self.asked_for.append(external_id)
        answer = self.progress.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, Progress)
        return answer

    def collect(self, external_id: str, progress: Progress, attempt: Attempt) -> Made:
        result = made(attempt, external_id)
        if self.storage:
            self.storage.put_bytes(b"x" * result.size, result.bucket, result.s3_key, "audio/mpeg")
        return result

    def find(self, attempt: Attempt, bound: Container[str]) -> Submission | Made | Unknown:
        self.bound = bound
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found

    def cancel(self, external_id: str) -> bool:
        return self.cancels

    def price(self, request: GenerationRequest) -> Price:
        return Price(len(SCRIPT), "characters", 0.0024)


def made(attempt: Attempt, external_id: str = "job-1") -> Made:
    where = attempt.destination
    return Made("audio", where.bucket, f"{where.prefix}audio.mp3", 1000, "cd" * 32, 2.5, external_id)


class Stage:
    """One pipeline `script → voice`, its tables, and a buyer; `now` is the clock that everything reads."""

    def __init__(self, dynamodb: Any, s3: Any, nodes_table: str, takes_table: str, bucket: str) -> None:
        self.now = 1_000_000.0
        self.remaining = LIFE
        self.alerts: list[str] = []
        self.provider = ObedientProvider()
        self.nodes = NodeTable(dynamodb, nodes_table, clock=lambda: self.now)
        self.takes = TakeTable(dynamodb, takes_table, nodes_table, clock=lambda: self.now)
        self.storage = self.provider.storage = Storage(s3)
        self.bucket = bucket
        self.storage.put_bytes(SCRIPT.encode(), bucket, "script.txt", "text/plain")
        self.graph = [node("script", "asset"), voice()]
        self.assets = {"script": text_output(SCRIPT, bucket)}
        write(self.nodes, self.graph, self.assets)
        self._ids = iter(f"a{number}" for number in range(1, 100))

    def buyer(self, **changes: Any) -> Buyer:
        settings = ProviderSettings("live", "", "secret", "main", 10, 60, 240, 60)
        given = {
            "remaining": lambda: self.remaining,
            "alert": self.alerts.append,
            "clock": lambda: self.now,
            "sleep": lambda seconds: None,
            "new_id": lambda: next(self._ids),
            **changes,
        }
        return Buyer(self.provider, settings, self.nodes, self.takes, self.storage, **given)

    def claim(self, process_uuid: str = "p1", node_id: str = "voice") -> Claim:
        return claim(self.nodes, node_id, process_uuid)

    def voice(self) -> Node:
        found = self.nodes.node("lesson", "voice")
        assert found is not None
        return found

    def claim_of_voice(self) -> Claim:
        """The claim that the voice node holds now."""
        return Claim("lesson", "voice", self.voice().process_uuid or "")

    def take(self) -> Take:
        [identity] = self.voice().metadata["takes"]
        found = self.takes.get(identity)
        assert found is not None
        return found

    def ledger(self) -> list[str]:
        return [f"{record['attempt']}:{record['event']}" for record in self.takes.ledger(self.take().id)]


def voice(node_id: str = "voice") -> Node:
    return Node("lesson", node_id, "Voice", "generate-voiceover", {"script": ("script",)}, {"provider": "obedient"})
