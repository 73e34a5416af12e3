"""From a claimed node to the one result that it wants to have bought."""

from __future__ import annotations

from dataclasses import dataclass

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
from video_production.takes.fingerprint import take_id
from video_production.takes.model import TakeAttempt
from video_production.takes.requests import attempt_of

__all__ = ["Wanted", "read_wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A claimed node with the take that it needs."""

    claim: Claim
    node: Node
    pipeline: Pipeline
    request: GenerationRequest
    take_id: str

    def attempt(self, attempt: TakeAttempt) -> Attempt:
        """An attempt as its provider needs it."""
        return attempt_of(self.take_id, attempt, self.request, self.pipeline.bucket)


def read_wanted(
    claim: Claim, nodes: NodeTable, storage: Storage, provider: GenerationProvider, settings: ProviderSettings
) -> Wanted:
    """Read what a claim stands for. Raises Superseded, TransientError, RequestError (a config that makes no sense)."""
    node = nodes.claimed(claim)
    pipeline = nodes.pipeline(claim.pipeline_id)
    if pipeline is None:
        raise Superseded(f"Pipeline {claim.pipeline_id} is gone.")
    config = provider.effective_config(node.type, node.config)
    inputs = {
        slot: tuple(_input(node, node_id, nodes, storage) for node_id in ids) for slot, ids in node.inputs.items()
    }
    request = GenerationRequest(node.type, config, inputs)
    identity = take_id(
        request,
        provider=provider.name,
        account=settings.account,
        mode=settings.mode,
        adapter_version=provider.adapter_version,
        number=int(node.config.get("take", 1)),
    )
    return Wanted(claim, node, pipeline, request, identity)


def _input(node: Node, node_id: str, nodes: NodeTable, storage: Storage) -> InputContent:
    source = nodes.node(node.pipeline_id, node_id)
    if source is None or source.output is None:
        raise Superseded(f"Input '{node_id}' of node {node.id} is being made anew.")
    output = source.output
    text = storage.read(output.bucket, output.s3_key).decode("utf-8-sig") if output.type == "text" else None
    return InputContent(output.type, output.sha256, text, output.bucket, output.s3_key, output.duration)
