"""From a claimed node to what it wants to have bought: one take, or one for each part of it, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from video_production.errors import Superseded
from video_production.nodes.model import Node, Pipeline
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.interface import (
    Attempt,
    GenerationProvider,
    GenerationRequest,
    InputContent,
)
from video_production.settings import ProviderSettings
from video_production.storage import Storage
from video_production.takes.fingerprint import request_hash, take_id
from video_production.takes.model import Take, TakeAttempt, TakeState
from video_production.takes.requests import attempt_of, kept_attempt
from video_production.takes.table import TakeTable

__all__ = ["Part", "Wanted", "keep_begun", "parts_of", "read_wanted", "roll_of", "settings_of"]

_ROLL = "take"
_BEGUN = (TakeState.SUBMITTING, TakeState.SUBMITTED, TakeState.UNKNOWN, TakeState.ABANDONED, TakeState.MADE)


@dataclass(frozen=True, slots=True)
class Part:
    """What one take of a node holds: the whole, or part `number` (from 1) of `count`."""

    number: int
    count: int
    request: GenerationRequest
    take_id: str

    @property
    def name(self) -> str:
        """`part 2 of 5`; empty where there is nothing but the whole."""
        return f"part {self.number} of {self.count}" if self.count > 1 else ""

    @property
    def position(self) -> dict[str, int]:
        """What a node's metadata shows of the part that it is at; nothing where there is nothing but the whole."""
        return {"part": self.number, "parts": self.count} if self.count > 1 else {}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A claimed node with the parts that it needs, in order. Most nodes need one, which is the whole."""

    claim: Claim
    node: Node
    pipeline: Pipeline
    request: GenerationRequest
    parts: tuple[Part, ...]

    @property
    def take_ids(self) -> list[str]:
        return [part.take_id for part in self.parts]

    @property
    def shown(self) -> bool:
        """Whether the node says already what it consists of."""
        return list(self.node.metadata.get("takes", ())) == self.take_ids

    def shows(self, part: Part | None, take: Take) -> bool:
        """Whether the node says already that it is at this part and follows this attempt; None: all are made."""
        shown = self.node.metadata
        if part is None or not self.shown:
            return self.shown
        return shown.get("attempt") == take.current.number and shown.get("part", 1) == part.number

    def attempt(self, part: Part, attempt: TakeAttempt) -> Attempt:
        """An attempt as its provider needs it."""
        return attempt_of(part.take_id, attempt, part.request, self.pipeline.bucket)

    def next_part(self, takes: Sequence[Take | None]) -> Part | None:
        """The first part that is not made; None when all are. `takes` belong to the parts, in order."""
        for part, take in zip(self.parts, takes, strict=True):
            if take is None or take.state != TakeState.MADE:
                return part
        return None


def parts_of(
    request: GenerationRequest, provider: GenerationProvider, settings: ProviderSettings, number: int = 1
) -> tuple[Part, ...]:
    """The parts that a request is bought in, each with the fingerprint under which it is kept and found again.

    `number` asks for another roll. Raises RequestError where the request makes no sense or can't be cut.
    """
    requests = provider.parts(request)
    return tuple(
        Part(
            place,
            len(requests),
            part,
            take_id(
                part,
                provider=provider.name,
                account=settings.account,
                mode=settings.mode,
                adapter_version=provider.adapter_version,
                number=number,
            ),
        )
        for place, part in enumerate(requests, start=1)
    )


def roll_of(node: Node) -> int:
    """Which result of one and the same request the node wants: 1, or what its `take` says."""
    return int(node.config.get(_ROLL, 1))


def settings_of(node: Node) -> dict[str, Any]:
    """The node's config without `take`: what a provider is asked for is the same for every roll."""
    return {key: value for key, value in node.config.items() if key != _ROLL}


def read_wanted(
    claim: Claim, nodes: NodeTable, storage: Storage, provider: GenerationProvider, settings: ProviderSettings
) -> Wanted:
    """Read what a claim stands for. Raises Superseded, TransientError, RequestError (a config that makes no sense)."""
    node = nodes.claimed(claim)
    pipeline = nodes.pipeline(claim.pipeline_id)
    if pipeline is None:
        raise Superseded(f"Pipeline {claim.pipeline_id} is gone.")
    config = provider.effective_config(node.type, settings_of(node))
    inputs = {
        slot: tuple(_input(node, node_id, nodes, storage) for node_id in ids) for slot, ids in node.inputs.items()
    }
    request = GenerationRequest(node.type, config, inputs)
    parts = parts_of(request, provider, settings, roll_of(node))
    return Wanted(claim, node, pipeline, request, parts)


def keep_begun(wanted: Wanted, takes: TakeTable, settings: ProviderSettings, storage: Storage) -> Wanted:
    """What this claim has sent or bought stays what it follows; so does what an earlier one has, unless it failed.

    Fingerprints hold the adapter's version. Where another one is deployed while a job runs, the node would want
    something new in the middle of its work, and pay for it beside the job that is under way. It may cut a script at
    other places, too: pieces of both would repeat words or lose them. So what is not begun as a whole keeps only those
    parts that are asked for alike. Raises TransientError, OperatorError.
    """
    shown = wanted.node.metadata.get("takes", ())
    begun = [str(take_id) for take_id in shown or wanted.node.begun]
    if not begun or begun == wanted.take_ids:
        return wanted
    states = (*_BEGUN, TakeState.FAILED) if shown else _BEGUN
    found = [_begun(takes.get(take_id), states, settings) for take_id in begun]
    asked = [kept_attempt(storage, take) if take else None for take in found]
    if all(asked):
        whole = [Part(place, len(begun), one.request, begun[place - 1]) for place, one in enumerate(asked, 1) if one]
        return replace(wanted, parts=tuple(whole))
    if len(begun) != len(wanted.parts):
        return wanted
    parts = [
        replace(part, take_id=take_id) if take and (one is None or _alike(one.request, part.request)) else part
        for part, take_id, take, one in zip(wanted.parts, begun, found, asked, strict=True)
    ]
    return replace(wanted, parts=tuple(parts))


def _begun(take: Take | None, states: Sequence[TakeState], settings: ProviderSettings) -> Take | None:
    if take is None or take.state not in states or (take.mode, take.account) != (settings.mode, settings.account):
        return None
    return take


def _alike(one: GenerationRequest, other: GenerationRequest) -> bool:
    return request_hash(one, "") == request_hash(other, "")


def _input(node: Node, node_id: str, nodes: NodeTable, storage: Storage) -> InputContent:
    source = nodes.node(node.pipeline_id, node_id)
    if source is None or source.output is None:
        raise Superseded(f"Input '{node_id}' of node {node.id} is being made anew.")
    output = source.output
    text = storage.read(output.bucket, output.s3_key).decode("utf-8-sig") if output.type == "text" else None
    return InputContent(output.type, output.sha256, text, output.bucket, output.s3_key, output.duration)
