"""What a run would buy, told before anything is written, by the fingerprints and prices that the functions use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from video_production.cli.workspace import Snapshot
from video_production.errors import MediaError
from video_production.nodes.model import Node
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.interface import GenerationProvider, GenerationRequest, InputContent, Price
from video_production.providers.secrets import ApiKey
from video_production.settings import ProviderSettings
from video_production.storage import Storage, parse_s3_url
from video_production.takes.fingerprint import take_id
from video_production.takes.model import Take, TakeState

__all__ = ["Estimate", "Purchase", "buying_nodes", "estimate"]

Asked = Literal["run", "retry"]
_GENERATES = "generate-"


@dataclass(frozen=True, slots=True)
class Purchase:
    """One new result: what `node` would be the first to need."""

    node: str
    provider: str
    price: Price


@dataclass(frozen=True, slots=True)
class Estimate:
    """`unknown` are nodes that may buy something whose price only their inputs tell, which are not there yet."""

    purchases: tuple[Purchase, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def usd(self) -> float:
        return sum(purchase.price.usd for purchase in self.purchases)

    @property
    def nothing(self) -> bool:
        return not self.purchases and not self.unknown


def buying_nodes(nodes: Iterable[Node]) -> list[Node]:
    """The nodes that a provider makes."""
    return [node for node in nodes if node.type.startswith(_GENERATES) and node.provider]


def estimate(
    candidates: Iterable[Node],
    nodes: Mapping[str, Node],
    found: Snapshot,
    storage: Storage,
    settings: Callable[[str], ProviderSettings],
    *,
    asked: Asked = "run",
) -> Estimate:
    """What making `candidates` buys. `nodes` holds their inputs, with an output or as assets.

    `asked` is how a person asks for them: by name (`retry`), or as part of a run, which buys nothing again that may
    have been charged. What is bought, under way or undecided already is not bought by a run.
    """
    purchases: dict[str, Purchase] = {}
    unknown: list[str] = []
    for node in buying_nodes(candidates):
        name = str(node.provider)
        provider = _provider(name, storage)
        request = _request(node, nodes, provider, storage)
        if request is None:
            unknown.append(node.id)
            continue
        how = settings(name)
        identity = take_id(
            request,
            provider=name,
            account=how.account,
            mode=how.mode,
            adapter_version=provider.adapter_version,
            number=int(node.config.get("take", 1)),
        )
        if identity not in purchases and _buys(found.take(identity), asked):
            purchases[identity] = Purchase(node.id, name, provider.price(request))
    return Estimate(tuple(purchases.values()), tuple(unknown))


def _provider(name: str, storage: Storage) -> GenerationProvider:
    """A provider module to ask for prices; it is given no key that works, so it can't buy."""
    return {"elevenlabs": ElevenLabs}[name](ApiKey(""), storage)


def _buys(take: Take | None, asked: Asked) -> bool:
    if take is None or take.state in (TakeState.RELEASED, TakeState.REFUSED):
        return True
    if take.state == TakeState.FAILED:
        return asked == "retry" or take.current.charged is False
    return False


def _request(
    node: Node, nodes: Mapping[str, Node], provider: GenerationProvider, storage: Storage
) -> GenerationRequest | None:
    """What would be asked of the provider; None while an input is still to be made."""
    inputs: dict[str, tuple[InputContent, ...]] = {}
    for slot, ids in node.inputs.items():
        contents = [_content(nodes[node_id], storage) for node_id in ids]
        known = tuple(content for content in contents if content)
        if len(known) < len(contents):
            return None
        inputs[slot] = known
    return GenerationRequest(node.type, provider.effective_config(node.type, node.config), inputs)


def _content(node: Node, storage: Storage) -> InputContent | None:
    """An input as it will be once the node is written; None where that is not known yet."""
    if node.output:
        output = node.output
        text = storage.read(output.bucket, output.s3_key) if output.type == "text" else None
        return InputContent(output.type, output.sha256, _text(text), output.bucket, output.s3_key)
    asset = node.asset or {}
    if "content" in asset:
        return InputContent(asset["type"], asset["sha256"], str(asset["content"]))
    if "path" in asset:
        content = Path(asset["path"]).read_bytes() if asset["type"] == "text" else None
        return InputContent(asset["type"], asset["sha256"], _text(content))
    source = str(asset.get("source", ""))
    if not source.startswith("s3://"):
        return None
    place = parse_s3_url(source)
    stored = storage.head(place.bucket, place.key)
    if stored is None:
        return None
    text = storage.read(place.bucket, place.key) if asset["type"] == "text" else None
    return InputContent(asset["type"], stored.sha256 or stored.etag.strip('"'), _text(text))


def _text(content: bytes | None) -> str | None:
    if content is None:
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MediaError("A script is not text in UTF-8, so nothing was started; save it as UTF-8.") from error
