"""What a run will do, before it does anything: node by node, with causes, money, time, and a name for all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from video_production.cli.differences import text_change
from video_production.cli.live import placeholders
from video_production.cli.place import Place
from video_production.cli.spending import Appraisal, Appraiser, Purchase, buying_nodes
from video_production.cli.times import Work, likely, makespan
from video_production.cli.workspace import Reader, Site, Snapshot, takes_of
from video_production.errors import RequestError, VideoProductionError
from video_production.nodes.model import Node, NodeStatus, Pipeline
from video_production.pipelines.provider_limits import LONGEST_SPEECH
from video_production.providers.prices import PriceList, dollars
from video_production.scheduling.publishing import Publication, compare
from video_production.settings import PROVIDER_FACTS, FunctionSettings

__all__ = ["Action", "Plan", "Planned", "budget_words", "make_plan", "moved_since", "upgrades"]

Action = Literal["reuse", "make", "remake", "go on", "decide", "provide"]
"""What happens to a node. "go on": it is under way; "decide": a person must; "provide": an asset is put in place."""
_PARTS = (
    "the document or the files that it names",
    "what is made or under way already",
    "prices, settings or which providers are real",
)
"""What the three parts of a plan's hash stand for."""
_CORES = 2


@dataclass(frozen=True, slots=True)
class Planned:
    """One node of a plan. `why` says what causes it, `note` what else is to be known; `seconds` of waiting, at least
    and at most. `purchases` are what it buys, of a real provider or, as a draft, for nothing."""

    node: Node
    action: Action
    why: tuple[str, ...] = ()
    note: str = ""
    mode: str = ""
    purchases: tuple[Purchase, ...] = ()
    unknown: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)

    @property
    def usd(self) -> tuple[float, float]:
        return (
            sum(purchase.price.low.usd for purchase in self.purchases),
            sum(purchase.price.high.usd for purchase in self.purchases),
        )


@dataclass(frozen=True)
class Plan:
    """`mode` is live as soon as one provider that makes something is real. `hash` names it: it changes as soon as the
    document, its files, what is made, the prices or the settings do. Money in US dollars, time in seconds."""

    place: Place
    pipeline: Pipeline
    steps: tuple[Planned, ...]
    publication: Publication
    mode: str
    prices: PriceList
    spent: float
    seconds: tuple[float, float]
    warnings: tuple[str, ...]
    hash: str

    @property
    def make(self) -> list[str]:
        return [step.node.id for step in self.steps if step.node.type != "asset" and step.action != "reuse"]

    @property
    def bought(self) -> list[Planned]:
        """The nodes that buy something from a real provider, or may: nobody knows what it costs."""
        return [step for step in self.steps if step.mode == "live" and (step.purchases or step.unknown)]

    @property
    def usd(self) -> tuple[float, float]:
        """What is bought, drafts at the prices of the real ones."""
        sums = [step.usd for step in self.steps]
        return sum(low for low, _ in sums), sum(high for _, high in sums)


def make_plan(
    here: Site,
    before: Snapshot,
    wanted: Pipeline,
    nodes: Sequence[Node],
    *,
    fresh: bool = False,
    document: str = "",
) -> Plan:
    """Plan what producing `nodes` (structure, in topological order) as `wanted` would do. Writes and asks nothing.

    Raises DocumentError, naming `document`, for nodes that are to be made and whose provider could not be told what.
    """
    settings = cache(here.settings)
    known_pipeline, known = before.load(wanted.id)
    also = upgrades(nodes, known, before, settings)
    publication = compare(nodes, wanted, known_pipeline, known, fresh=fresh, also=also)
    kept = {id for id in publication.reused if known[id].status == NodeStatus.COMPLETED and known[id].output}
    reader = here.reader()
    inputs = {node.id: replace(node, output=known[node.id].output) if node.id in kept else node for node in nodes}
    appraiser = Appraiser(inputs, before, reader, settings, spoken=known)
    appraiser.refuse_unclear([node for node in nodes if node.id not in kept], document or wanted.id)
    planner = _Planner(publication, known, kept, appraiser, reader)
    steps = tuple(planner.step(node) for node in nodes)
    modes = {step.mode for step in steps if step.mode and step.action != "reuse"}
    mode = "live" if "live" in modes else "draft" if modes else ""
    providers = sorted({str(node.provider) for node in buying_nodes(nodes)})
    prices = PriceList.of(settings(providers[0]).prices) if providers else PriceList.read()
    jobs = {name: settings(name).provider(name).max_jobs for name in providers}
    works = [
        Work(step.node.id, str(step.node.provider), step.node.input_ids, step.seconds)
        for step in steps
        if step.action != "reuse" and step.node.type != "asset"
    ]
    return Plan(
        place=here.place,
        pipeline=wanted,
        steps=steps,
        publication=publication,
        mode=mode,
        prices=prices,
        spent=before.totals(wanted.id, mode or "draft").committed,
        seconds=makespan(works, {**jobs, "ffmpeg": _CORES}),
        warnings=tuple(_warnings(steps)),
        hash=_hash(here.place, wanted, nodes, steps, known, prices, {name: settings(name) for name in providers}),
    )


def upgrades(nodes: Sequence[Node], known: Mapping[str, Node], found: Snapshot, settings: Any) -> dict[str, str]:
    """Nodes that are drafts so far and whose provider is a real one now, with the reason to make them again."""
    drafts: dict[str, str] = {}
    takes = takes_of(found, known)
    for node in buying_nodes(nodes):
        bought = takes.get(node.id, [])
        done = node.id in known and known[node.id].status == NodeStatus.COMPLETED
        name = str(node.provider)
        draft = done and bought and all(take.mode == "draft" for take in bought)
        if draft and settings(name).provider(name).mode == "live":
            drafts[node.id] = f"its draft gives way to the real {PROVIDER_FACTS[name].title}"
    return drafts


def moved_since(given: str, plan: Plan) -> None:
    """Raise RequestError, saying what has moved, unless `given` names this very plan."""
    if given == plan.hash:
        return
    old, new = given.split("-"), plan.hash.split("-")
    again = "Look at the plan again, then produce that one"
    if len(old) != len(new):
        raise RequestError(f"'{given}' is no plan; it looks like {plan.hash}. {again}.")
    document, made, terms = (left != right for left, right in zip(old, new, strict=True))
    # What is made of a document is compared by the document's own nodes: another document says nothing about it.
    moved = [words for words, flag in zip(_PARTS, (document, made and not document, terms), strict=True) if flag]
    raise RequestError(
        f"Since plan {given} something has moved: {'; '.join(moved)}. Nothing was started. {again} (now {plan.hash})."
    )


class _Planner:
    """Plans node by node; inputs come before what takes them."""

    def __init__(
        self,
        publication: Publication,
        known: Mapping[str, Node],
        kept: set[str],
        appraiser: Appraiser,
        reader: Reader,
    ) -> None:
        self._publication = publication
        self._known = known
        self._kept = kept
        self._appraiser = appraiser
        self._reader = reader

    def step(self, node: Node) -> Planned:
        before = self._known.get(node.id)
        why = self._publication.causes.get(node.id, ())
        if node.type == "asset":
            return self._asset(node, before, why)
        if node.id in self._kept:
            return Planned(node, "reuse", note=_origin(before), mode=self._mode(node))
        done_before = before is not None and before.output is not None
        action: Action = "remake" if done_before else "make"
        if before and not why:
            action, why = _unfinished(before)
        if node.type.startswith("generate-"):
            return self._generated(node, action, why)
        length = self._appraiser.seconds(node) or (10.0, 60.0)
        return Planned(node, action, why, seconds=likely("ffmpeg", "", length))

    def _asset(self, node: Node, before: Node | None, why: tuple[str, ...]) -> Planned:
        if node.id in self._kept:
            return Planned(node, "reuse")
        old, new = self._text(before, stored=True), self._text(node, stored=False)
        change = text_change(old, new) if old is not None and new is not None else ""
        return Planned(node, "provide", why, note=change)

    def _text(self, node: Node | None, *, stored: bool) -> str | None:
        """The text of an asset: of the document, or as it was `stored` by the last edit."""
        asset = (node.asset if node else None) or {}
        if node is None or asset.get("type") != "text":
            return None
        try:
            if "content" in asset:
                return str(asset["content"])
            if stored and node.output:
                return self._reader.read(node.output.bucket, node.output.s3_key).decode("utf-8-sig")
            content = self._appraiser.content(node)
            return content.text if content else None
        except (VideoProductionError, UnicodeDecodeError, OSError):
            return None

    def _generated(self, node: Node, action: Action, why: tuple[str, ...]) -> Planned:
        mode = self._mode(node)
        appraisal = self._appraiser.appraise(node)
        action, note = _read(appraisal, action)
        if appraisal.bought and appraisal.parts == 1:
            self._appraiser.bring(node, appraisal.made[0])
        length = self._appraiser.seconds(node) or (10.0, 60.0)
        amount = (0.0, 0.0)
        if appraisal.purchases:
            low = sum(purchase.price.low.quantity for purchase in appraisal.purchases)
            high = sum(purchase.price.high.quantity for purchase in appraisal.purchases)
            amount = (low, high) if node.type == "generate-voiceover" else length
        seconds = likely(str(node.provider), mode, amount) if appraisal.purchases or appraisal.unknown else (1.0, 5.0)
        if appraisal.under_way:
            seconds = likely(str(node.provider), mode, amount)
        unknown = appraisal.unknown
        return Planned(node, action, why, note, mode, appraisal.purchases, unknown, seconds)

    def _mode(self, node: Node) -> str:
        if not node.type.startswith("generate-") or not node.provider:
            return ""
        return str(self._appraiser.settings(node.provider).provider(node.provider).mode)


def _read(appraisal: Appraisal, action: Action) -> tuple[Action, str]:
    """What becomes of a generated node, and what is to be said of its purchases."""
    if appraisal.unknown:
        return action, f"price not known yet: {appraisal.unknown}"
    if appraisal.undecided:
        return "decide", "a request of it may have been paid: run resolve"
    if appraisal.failed:
        return "decide", "its job failed, and may have been charged: retry sends it again"
    if appraisal.bought:
        return "reuse", "the same was bought before"
    if appraisal.under_way and not appraisal.purchases:
        return "go on", "its request was sent already"
    notes = []
    if appraisal.made:
        notes.append(f"{len(appraisal.made)} of {appraisal.parts} parts were bought before")
    if appraisal.shared:
        notes.append("another node buys the same")
    if appraisal.purchases and not appraisal.purchases[0].take_id:
        notes.append("estimated, its input is not made yet")
    return action, "; ".join(notes)


def _unfinished(before: Node) -> tuple[Action, tuple[str, ...]]:
    """A node that nothing changed about, and that is not finished."""
    if before.status == NodeStatus.IN_PROGRESS:
        return "go on", ("it is under way",)
    if before.status == NodeStatus.FAILED:
        return "make", (f"it failed: {before.metadata.get('error', 'no reason is known')}",)
    return "make", before.because or ("it is not made yet",)


def _origin(before: Node | None) -> str:
    return "bought before" if before and before.metadata.get("reused") else ""


def _warnings(steps: Sequence[Planned]) -> list[str]:
    """What `produce` would refuse, and what one might regret: real money for something that is made of a draft."""
    modes = {step.node.id: step.mode for step in steps}
    bought = [step.node for step in steps if step.mode == "live"]
    refused = placeholders(bought, [str(node.provider) for node in bought])
    warnings = [f"{problem.path} would be refused: {problem.message}" for problem in refused]
    warnings += [words for step in steps if (words := _speaks_too_long(step))]
    for step in steps:
        if step.mode != "live" or not step.purchases:
            continue
        drafts = [id for id in step.node.input_ids if modes.get(id) == "draft"]
        if drafts:
            title = PROVIDER_FACTS[str(step.node.provider)].title
            warnings.append(f"{step.node.id}: the real {title} is paid to work on a draft ({', '.join(drafts)})")
    return warnings


def _speaks_too_long(step: Planned) -> str:
    """What to say of a talking head that its provider will refuse, or may, once its voice is there and paid for."""
    limit = LONGEST_SPEECH.get(str(step.node.provider))
    if limit is None or step.node.type != "generate-talking-head" or not step.purchases:
        return ""
    price = step.purchases[0].price
    if price.high.quantity <= limit:
        return ""
    sure = price.low.quantity > limit
    return (
        f"{step.node.id}: its speech {'lasts' if sure else 'may last'} longer than {limit / 60:.0f} minutes, which "
        f"{PROVIDER_FACTS[str(step.node.provider)].title} refuses. Cut its script into several talking heads and "
        "merge them."
    )


def _hash(
    place: Place,
    wanted: Pipeline,
    nodes: Sequence[Node],
    steps: Sequence[Planned],
    known: Mapping[str, Node],
    prices: PriceList,
    settings: Mapping[str, FunctionSettings],
) -> str:
    """Three digests: of the document, of what is made, and of the terms. So it can be told which of them has moved."""
    document = [
        [wanted.id, wanted.bucket, wanted.prefix],
        *(
            [
                node.id,
                node.type,
                {slot: list(ids) for slot, ids in node.inputs.items()},
                dict(node.config),
                _asset(node),
            ]
            for node in nodes
        ),
    ]
    made = [
        [
            step.node.id,
            step.action,
            step.note,
            [
                [purchase.take_id, purchase.price.low.quantity, purchase.price.high.quantity]
                for purchase in step.purchases
            ],
            getattr(known.get(step.node.id), "status", None),
            getattr(getattr(known.get(step.node.id), "output", None), "sha256", None),
        ]
        for step in steps
    ]
    terms = [
        place.to_dict(),
        prices.digest,
        {
            name: [own.mode, own.account, own.base_url, dict(own.options)]
            for name, own in ((name, settings[name].provider(name)) for name in settings)
        },
    ]
    return "-".join(_digest(part) for part in (document, made, terms))


def _asset(node: Node) -> Any:
    asset = node.asset or {}
    return [asset.get("type"), asset.get("sha256") or asset.get("content") or asset.get("source")]


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def budget_words(plan: Plan) -> str:
    """What the budget says to the plan; empty where there is none."""
    limit = plan.pipeline.budget_usd
    if limit is None:
        return ""
    left = max(0.0, limit - plan.spent)
    low, high = plan.usd
    words = f"budget: {dollars(limit)}, {dollars(left)} of it left"
    if low > left:
        return f"{words}: this plan needs more and would stop in the middle"
    return f"{words}: this plan may need more" if high > left else words
