"""A plan in words, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from video_production.cli.planning import Plan, Planned, budget_words
from video_production.cli.spending import Appraiser, Purchase, buying_nodes
from video_production.cli.summary import bill
from video_production.cli.words import KINDS, amount, elapsed, listing, money_between, quoted
from video_production.cli.workspace import Site, Snapshot
from video_production.nodes.model import Node, NodeStatus
from video_production.providers.prices import PriceList

__all__ = ["plan_event", "plan_lines", "plan_object", "plan_of_retry", "purchase_object", "waiting"]

_MARKS = {"reuse": "=", "make": "+", "remake": "~", "go on": "•", "decide": "?", "provide": "~"}
_QUIET = frozenset({"it is new", "it is not made yet"})


def plan_lines(plan: Plan, document: str, options: str = "") -> Iterator[str]:
    """What a person reads: one line per node, its causes below it, and what all of it comes to.

    `options` are those of `produce` that the plan was asked with, such as ` --budget 5`.
    """
    yield f"{plan.place.banner} · {plan.pipeline.id} · {plan.pipeline.title}"
    steps = [step for step in plan.steps if step.node.type != "asset"]
    changed = [step for step in plan.steps if step.action == "provide" and step.why and step.why != ("it is new",)]
    for step in changed:
        yield f" {_MARKS['provide']} {step.node.id}: {_cause(step)}"
    ids = max((len(step.node.id) for step in steps), default=0)
    kinds = max((len(KINDS[step.node.type]) for step in steps), default=0)
    for step in steps:
        row = f" {_MARKS[step.action]} {step.action:<6}  {step.node.id:<{ids}}  {KINDS[step.node.type]:<{kinds}}"
        yield f"{row}  {_maker(step):<17}  {_price(step)}".rstrip()
        words = "; ".join(part for part in (_causes(step), step.note) if part)
        if words:
            yield f"     {words}"
    if plan.publication.removed:
        yield f" - removed: {listing(plan.publication.removed)}"
    yield from _sums(plan)
    yield from _next(plan, document, options)


def _sums(plan: Plan) -> Iterator[str]:
    counts = {"reuse": 0, "make": 0, "remake": 0}
    for step in plan.steps:
        if step.node.type != "asset" and step.action in counts:
            counts[step.action] += 1
    parts = [f"{number} to {action}" for action, number in counts.items() if number]
    open_ends = [step for step in plan.steps if step.action in ("go on", "decide")]
    parts += [
        f"{step.node.id} {'is under way' if step.action == 'go on' else 'needs a decision'}" for step in open_ends
    ]
    yield f" {', '.join(parts) or 'nothing to do'}"
    for warning in plan.warnings:
        yield f" Mind: {warning}"
    real = [purchase for step in plan.steps if step.mode == "live" for purchase in step.purchases]
    drafts = [purchase for step in plan.steps if step.mode == "draft" for purchase in step.purchases]
    unknown = [step.node.id for step in plan.steps if step.unknown]
    if real or any(step.unknown and step.mode == "live" for step in plan.steps):
        yield f" This {bill(plan_event(plan))}"
    elif plan.mode == "live":
        yield " Nothing new is bought."
    if drafts:
        usd = money_between(*_usd(drafts))
        yield f" Drafts cost nothing; real ones would cost about {usd} ({_quantities(drafts)}; {plan.prices.about})"
    if unknown and not real and plan.mode != "live":
        yield f" Not counted, because an input must be fetched first: {listing(unknown)}"
    if budget := budget_words(plan):
        yield f" {budget[0].upper()}{budget[1:]}"
    if plan.make:
        yield f" Expected to take {waiting(plan.seconds)}"


def _next(plan: Plan, document: str, options: str) -> Iterator[str]:
    """The commands that lead on: first to what a person has to decide, then to the video."""
    where = f"{quoted(document)}{plan.place.option}"
    live = "".join(f" --live {name}" for name in plan.pipeline.live or ())
    undecided = [step.node.id for step in plan.steps if step.action == "decide"]
    steps = [
        f"./jiki-video why {quoted(document)} {node_id}{plan.place.option}  tells what can be decided"
        for node_id in undecided
    ]
    steps.append(f"./jiki-video produce {where}{live}{options} --plan {plan.hash}")
    for number, step in enumerate(steps):
        yield f" {'Next:' if number == 0 else '     '} {step}"


def plan_object(plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    low, high = plan.usd
    return {
        **plan.place.to_dict(),
        "pipeline": plan.pipeline.id,
        "title": plan.pipeline.title,
        "plan": plan.hash,
        "mode": plan.mode,
        "nodes": [_step_object(step) for step in plan.steps],
        "removed": list(plan.publication.removed),
        "usd": [round(low, 6), round(high, 6)],
        "budget_usd": plan.pipeline.budget_usd,
        "spent_usd": round(plan.spent, 6),
        "prices": {"date": plan.prices.date, "changed": list(plan.prices.changed)},
        "seconds": [round(seconds) for seconds in plan.seconds],
        "warnings": list(plan.warnings),
    }


def plan_event(plan: Plan) -> dict[str, Any]:
    """What `produce` tells of its plan: what it makes, and what it buys of real providers."""
    bought = plan.bought
    buys = [purchase_object(purchase) for step in bought for purchase in step.purchases]
    return {
        "event": "planned",
        "mode": plan.mode,
        "make": plan.make,
        "buys": buys,
        "unknown": [step.node.id for step in bought if step.unknown],
        "usd": round(sum(entry["usd"] for entry in buys), 6),
        "usd_high": round(sum(entry["usd_high"] for entry in buys), 6),
        "plan": plan.hash,
        "seconds": [round(seconds) for seconds in plan.seconds],
        "warnings": list(plan.warnings),
        "prices": plan.prices.about,
    }


def plan_of_retry(
    here: Site, found: Snapshot, nodes: Mapping[str, Node], node_id: str, document: str
) -> dict[str, Any]:
    """The same of making one failed node again, by name, and what waits for it. Raises DocumentError as a plan does."""
    settings = cache(here.settings)
    appraiser = Appraiser(dict(nodes), found, here.reader(), settings)
    asked = [node for node in nodes.values() if node.id == node_id]
    waiting_too = [node for node in nodes.values() if node.type != "asset" and node.status == NodeStatus.PENDING]
    appraiser.refuse_unclear([*asked, *waiting_too], document)
    buys, unknown, modes, prices = [], [], set(), PriceList.read()
    for node in buying_nodes([*asked, *waiting_too]):
        own = settings(str(node.provider))
        prices = PriceList.of(own.prices)
        modes.add(own.provider(str(node.provider)).mode)
        if own.provider(str(node.provider)).mode != "live":
            continue
        appraisal = appraiser.appraise(node, "retry" if node.id == node_id else "run")
        buys += [purchase_object(purchase) for purchase in appraisal.purchases]
        unknown += [node.id] if appraisal.unknown else []
    return {
        "event": "planned",
        "mode": "live" if "live" in modes else "draft" if modes else "",
        "make": [node.id for node in (*asked, *waiting_too)],
        "buys": buys,
        "unknown": unknown,
        "usd": round(sum(entry["usd"] for entry in buys), 6),
        "usd_high": round(sum(entry["usd_high"] for entry in buys), 6),
        "prices": prices.about,
    }


def purchase_object(purchase: Purchase) -> dict[str, Any]:
    low, high = purchase.price.low, purchase.price.high
    return {
        "node": purchase.node,
        "provider": purchase.provider,
        "quantity": round(low.quantity, 3),
        "quantity_high": round(high.quantity, 3),
        "unit": low.unit,
        "usd": round(low.usd, 6),
        "usd_high": round(high.usd, 6),
    }


def waiting(seconds: tuple[float, float]) -> str:
    """`30 s to 2 min`."""
    low, high = (elapsed(round(value, -1) if value >= 60 else max(1, round(value))) for value in seconds)
    low, high = (text.replace(".0 s", " s").replace(" min 0 s", " min") for text in (low, high))
    return low if low == high else f"{low} to {high}"


def _step_object(step: Planned) -> dict[str, Any]:
    return {
        "id": step.node.id,
        "type": step.node.type,
        "action": step.action,
        "why": list(step.why),
        "note": step.note,
        "provider": step.node.provider,
        "mode": step.mode,
        "buys": [purchase_object(purchase) for purchase in step.purchases],
        "usd": [round(usd, 6) for usd in step.usd],
        "price_unknown": step.unknown or None,
        "seconds": [round(seconds, 1) for seconds in step.seconds],
    }


def _causes(step: Planned) -> str:
    told = [why for why in step.why if why not in _QUIET]
    return f"because {', '.join(told)}" if told and step.action in ("make", "remake", "reuse") else ", ".join(told)


def _cause(step: Planned) -> str:
    return step.note or ", ".join(step.why)


def _maker(step: Planned) -> str:
    provider = step.node.provider or ""
    if not step.mode:
        return provider
    return f"{provider}, {'real' if step.mode == 'live' else 'draft'}"


def _price(step: Planned) -> str:
    if step.unknown:
        return "?"
    if not step.purchases:
        return ""
    return f"{_quantities(step.purchases)}  {money_between(*step.usd)}"


def _usd(purchases: Sequence[Purchase]) -> tuple[float, float]:
    return (
        sum(purchase.price.low.usd for purchase in purchases),
        sum(purchase.price.high.usd for purchase in purchases),
    )


def _quantities(purchases: Sequence[Purchase]) -> str:
    sums: dict[str, list[float]] = {}
    for purchase in purchases:
        both = sums.setdefault(purchase.price.low.unit, [0.0, 0.0])
        both[0] += purchase.price.low.quantity
        both[1] += purchase.price.high.quantity
    return ", ".join(amount(low, unit, high) for unit, (low, high) in sums.items())
