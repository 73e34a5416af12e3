"""What a run would buy, told before anything is written, by the fingerprints and prices that the functions use."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal, cast

from video_production.cli.workspace import Reader, Snapshot
from video_production.errors import DocumentError, MediaError, Problem, RequestError, VideoProductionError
from video_production.nodes.model import Node, NodeStatus, Output
from video_production.providers.interface import GenerationProvider, GenerationRequest, InputContent, Price
from video_production.providers.registry import provider_class
from video_production.settings import FunctionSettings
from video_production.storage import Storage, parse_s3_url
from video_production.takes.model import Take, TakeState
from video_production.takes.wanted import parts_of, roll_of, settings_of

__all__ = ["SPEECH_RATES", "Appraisal", "Appraiser", "Asked", "Purchase", "Range", "buying_nodes"]

Asked = Literal["run", "retry"]
_GENERATES = "generate-"
SPEECH_RATES = (19.0, 11.0)
"""Characters per second of speech, fast and slow: what lies between is a voice that reads a script aloud."""
_PACE_VARIES = 0.08
"""How far a voice that has spoken before strays from its own pace, as a fraction."""
_WIDE_CHARACTER = 3.0
"""A Chinese or Japanese character takes as long to say as so many Latin ones."""
_SHORTEST_SPEECH = 1.0
_UNMADE = "not made yet"
_UNDER_WAY = (TakeState.SUBMITTING, TakeState.SUBMITTED)
_UNDECIDED = (TakeState.UNKNOWN, TakeState.ABANDONED)


@dataclass(frozen=True, slots=True)
class Range:
    """What something costs: between `low` and `high`, which are the same where it is known."""

    low: Price
    high: Price

    @property
    def exact(self) -> bool:
        return self.low == self.high


@dataclass(frozen=True, slots=True)
class Purchase:
    """One new result: what `node` would be the first to need. `take_id` is empty where its inputs are not made yet."""

    node: str
    provider: str
    price: Range
    take_id: str = ""


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What making one node means. `purchases` are new, `made` is bought already, `under_way` was sent already.

    `undecided` waits for a person's decision, `failed` for one who asks by name. `shared` will be bought for another
    node of the run. `unknown` says why nothing can be said.
    """

    node: str
    purchases: tuple[Purchase, ...] = ()
    made: tuple[Take, ...] = ()
    under_way: tuple[Take, ...] = ()
    undecided: tuple[Take, ...] = ()
    failed: tuple[Take, ...] = ()
    shared: int = 0
    parts: int = 1
    unknown: str = ""

    @property
    def bought(self) -> bool:
        """Whether everything is there already."""
        return len(self.made) == self.parts and not self.unknown


def buying_nodes(nodes: Iterable[Node]) -> list[Node]:
    """The nodes that a provider makes."""
    return [node for node in nodes if node.type.startswith(_GENERATES) and node.provider]


@dataclass
class Appraiser:
    """Says what nodes would buy. `nodes` holds them and their inputs, each with an output, as an asset, or unmade.

    Two nodes that want the same are one purchase, the first one's. `spoken` are the nodes as the last run left them:
    how fast their voices spoke tells how long a new script of the same voice will be.
    """

    nodes: MutableMapping[str, Node]
    found: Snapshot
    reader: Reader
    settings: Callable[[str], FunctionSettings]
    spoken: Mapping[str, Node] = field(default_factory=dict)
    promised: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._provider = cache(self._make_provider)

    def refuse_unclear(self, nodes: Iterable[Node], document: str) -> None:
        """Raise DocumentError for every node whose provider could not be told what to make.

        Neither the document nor the settings name something that is paid for, or the settings' choice can't do what the
        document asks for.
        """
        problems = []
        for node in buying_nodes(nodes):
            try:
                self._provider(str(node.provider)).effective_config(node.type, settings_of(node))
            except RequestError as error:
                problems.append(Problem(f"nodes.{node.id}.config", str(error)))
        if problems:
            raise DocumentError(document, problems)

    def bring(self, node: Node, take: Take) -> None:
        """Let `node` have what was bought before, so that what is made of it is known exactly."""
        if made := take.made:
            draft = take.mode == "draft"
            output = Output(made.type, made.s3_key, made.size, made.sha256, made.bucket, made.duration, draft)
            self.nodes[node.id] = replace(node, output=output)

    def appraise(self, node: Node, asked: Asked = "run") -> Appraisal:
        """What making `node` buys.

        `asked` is how a person asks for it: by name (`retry`), or as part of a run, which buys nothing again that may
        have been charged. What is bought, under way or undecided already is not bought by a run.
        """
        name = str(node.provider)
        provider = self._provider(name)
        config = provider.effective_config(node.type, settings_of(node))
        inputs = self._inputs(node)
        if inputs is None:
            return Appraisal(node.id, unknown="an input must be fetched first")
        low, high = (GenerationRequest(node.type, config, bound) for bound in inputs)
        if low != high or _unmade(low):
            return self._estimate(node, name, provider, low, high)
        try:
            parts = parts_of(low, provider, self.settings(name).provider(name), roll_of(node))
            takes = {part.take_id: self.found.take(part.take_id) for part in parts}
            new, shared = [], 0
            for part in parts:
                if _buys(takes[part.take_id], asked):
                    shared += part.take_id in self.promised
                    if part.take_id not in self.promised:
                        price = provider.price(part.request)
                        new.append(Purchase(node.id, name, Range(price, price), part.take_id))
                        self.promised.add(part.take_id)
        except VideoProductionError as error:
            return Appraisal(node.id, unknown=str(error))
        there = [take for take in takes.values() if take]
        return Appraisal(
            node.id,
            tuple(new),
            made=tuple(take for take in there if take.state == TakeState.MADE),
            under_way=tuple(take for take in there if take.state in _UNDER_WAY),
            undecided=tuple(take for take in there if take.state in _UNDECIDED),
            failed=tuple(take for take in there if take.state == TakeState.FAILED and not _buys(take, asked)),
            shared=shared,
            parts=len(parts),
        )

    def _estimate(
        self, node: Node, name: str, provider: GenerationProvider, low: GenerationRequest, high: GenerationRequest
    ) -> Appraisal:
        try:
            price = Range(provider.price(low), provider.price(high))
        except VideoProductionError as error:
            return Appraisal(node.id, unknown=str(error))
        return Appraisal(node.id, (Purchase(node.id, name, price),))

    def seconds(self, node: Node) -> tuple[float, float] | None:
        """How long what `node` makes will be, at least and at most; None where nothing can be said."""
        if node.output:
            return None if node.output.duration is None else (node.output.duration, node.output.duration)
        if node.type == "generate-voiceover":
            scripts = [self.content(self.nodes[id]) for id in node.inputs.get("script", ())]
            text = scripts[0].text if scripts and scripts[0] else None
            return None if text is None else self._speech(text, node)
        if node.type == "generate-animation":
            return float(node.config["duration"]), float(node.config["duration"])
        if node.type == "asset":
            content = self.content(node)
            return (content.duration, content.duration) if content and content.duration else None
        known = [length for id in node.input_ids if (length := self.seconds(self.nodes[id]))]
        if not known:
            return None
        if node.type == "merge-videos":
            return sum(low for low, _ in known), sum(high for _, high in known)
        return max(low for low, _ in known), max(high for _, high in known)

    def _speech(self, text: str, node: Node) -> tuple[float, float]:
        """How long a text takes to say, in seconds, at least and at most."""
        pace = self._pace(node)
        speed = float(node.config.get("speed") or 1)
        rates = (pace * (1 + _PACE_VARIES), pace * (1 - _PACE_VARIES)) if pace else [r * speed for r in SPEECH_RATES]
        fast, slow = (max(_SHORTEST_SPEECH, _letters(text) / rate) for rate in rates)
        return fast, slow

    def _pace(self, node: Node) -> float | None:
        """Characters per second of what this node's voice has said: in this node, else in all of the pipeline."""
        said: dict[str, tuple[float, float]] = {}
        for other in self.spoken.values():
            if _voice(other) == _voice(node) and other.status == NodeStatus.COMPLETED:
                scripts = [self.spoken[id] for id in other.inputs.get("script", ()) if id in self.spoken]
                text = self._stored_text(scripts[0]) if scripts else None
                if text and other.output and other.output.duration:
                    said[other.id] = (_letters(text), other.output.duration)
        own = [said[node.id]] if node.id in said else list(said.values())
        return sum(letters for letters, _ in own) / sum(seconds for _, seconds in own) if own else None

    def _stored_text(self, script: Node) -> str | None:
        """A script as the last run had it; None where it can't be read any more."""
        if not script.output:
            return None
        try:
            return _text(self.reader.read(script.output.bucket, script.output.s3_key))
        except (VideoProductionError, OSError):
            return None

    def _inputs(self, node: Node) -> tuple[dict[str, tuple[InputContent, ...]], ...] | None:
        """The inputs of a request, at least and at most; the same where they are known. None where nothing is known."""
        bounds: tuple[dict[str, tuple[InputContent, ...]], ...] = ({}, {})
        for slot, ids in node.inputs.items():
            contents = [self._bounds(self.nodes[id]) for id in ids]
            known = [content for content in contents if content]
            if len(known) < len(contents):
                return None
            for number, bound in enumerate(bounds):
                bound[slot] = tuple(content[number] for content in known)
        return bounds

    def _bounds(self, node: Node) -> tuple[InputContent, InputContent] | None:
        if node.output or node.type == "asset":
            content = self.content(node)
            return (content, content) if content else None
        length = self.seconds(node)
        if length is None:
            return None
        kind: Literal["audio", "video"] = "audio" if node.type == "generate-voiceover" else "video"
        low, high = (InputContent(kind, _UNMADE, duration=seconds) for seconds in length)
        return low, high

    def content(self, node: Node) -> InputContent | None:
        """An input as it will be once the node is written; None where that is not known yet."""
        asset = node.asset or {}
        if node.output and not asset.keys() & {"content", "path"}:
            output = node.output
            text = self.reader.read(output.bucket, output.s3_key) if output.type == "text" else None
            return InputContent(output.type, output.sha256, _text(text), output.bucket, output.s3_key, output.duration)
        if "content" in asset:
            return InputContent(asset["type"], asset["sha256"], str(asset["content"]))
        if "path" in asset:
            text = Path(asset["path"]).read_bytes() if asset["type"] == "text" else None
            return InputContent(asset["type"], asset["sha256"], _text(text), duration=_length(node))
        source = str(asset.get("source", ""))
        if not source.startswith("s3://"):
            return None
        place = parse_s3_url(source)
        stored = self.reader.head(place.bucket, place.key)
        if stored is None:
            return None
        text = self.reader.read(place.bucket, place.key) if asset["type"] == "text" else None
        return InputContent(
            asset["type"], stored.sha256 or stored.etag.strip('"'), _text(text), place.bucket, place.key
        )

    def _make_provider(self, name: str) -> GenerationProvider:
        """A provider module to ask for prices; no secret is read for them."""
        provider: GenerationProvider = provider_class(name).from_settings(
            self.settings(name), cast(Storage, self.reader)
        )
        return provider


def _buys(take: Take | None, asked: Asked) -> bool:
    if take is None or take.state in (TakeState.RELEASED, TakeState.REFUSED):
        return True
    if take.state == TakeState.FAILED:
        return asked == "retry" or take.current.charged is False
    return False


def _unmade(request: GenerationRequest) -> bool:
    return any(content.sha256 == _UNMADE for contents in request.inputs.values() for content in contents)


def _voice(node: Node) -> tuple[object, ...]:
    """What decides how fast a voiceover is spoken."""
    return (node.type, node.provider, *(node.config.get(name) for name in ("voiceId", "modelId", "speed")))


def _letters(text: str) -> float:
    """How much there is to say: Latin characters, or what takes as long."""
    spoken = " ".join(text.split())
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in spoken)
    return len(spoken) - wide + _WIDE_CHARACTER * wide


def _length(node: Node) -> float | None:
    """The length of a sound file beside the document, in seconds; None for others."""
    asset = node.asset or {}
    if asset.get("type") != "audio" or "path" not in asset:
        return None
    from video_production.providers.sound import finish_sound

    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "sound"
        link.symlink_to(asset["path"])
        try:
            return finish_sound(link, "").duration
        except (ValueError, OSError):
            return None


def _text(content: bytes | None) -> str | None:
    if content is None:
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MediaError("A script is not text in UTF-8, so nothing was started; save it as UTF-8.") from error
