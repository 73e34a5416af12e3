"""What is said around the nodes: first what is made and what is kept, at the end the cost and the next steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from video_production.cli.rows import Columns, joined, node_row
from video_production.cli.words import amount, between, count, listing, money, money_between, near, quoted
from video_production.providers.prices import price_date
from video_production.settings import LOCAL

__all__ = ["bill", "opening", "summary"]

Event = Mapping[str, Any]
_LOCALLY = "LOCAL DRAFT · no account, no keys, nothing leaves this machine"
_MODES = {
    "draft": "DRAFT · stand-ins take the place of providers, nothing is paid for",
    "live": "LIVE · results of real providers are paid for",
    "": "",
}


def opening(event: Event) -> Iterator[str]:
    """What a `validated`, `planned`, `published`, `started` or `unreachable` event is worth saying."""
    if event["event"] == "validated":
        yield _locally(event) if event["where"]["environment"] == LOCAL else event["banner"]
    elif event["event"] == "planned":
        yield from _plan(event)
    elif event["event"] == "unreachable":
        yield f" AWS does not answer just now ({event['why'].rstrip('.')}); the run goes on there. Trying again …"
    elif event["event"] == "published":
        changed = [*event["changed"], *event["new"]]
        known = event["reused"] or event["remade"]  # else all is new or made afresh, and a list of all says nothing
        if known and changed:
            yield f" changed: {listing(changed)}"
        if known and event["remade"]:
            yield f" made again because of it: {', '.join(event['remade'])}"
        if event["removed"]:
            yield f" removed: {listing(event['removed'])}"
    elif event["event"] == "started":
        kept = [n["id"] for n in event["nodes"] if n["status"] == "completed" and n["type"] != "asset"]
        if kept:
            yield f" reused: {', '.join(kept)}"


def _locally(event: Event) -> str:
    if not event.get("live"):
        return _LOCALLY
    return f"LOCAL · {listing(event['live'])} for real, with your keys; every other provider is a draft"


def _plan(event: Event) -> Iterator[str]:
    if event["mode"]:
        yield f" {_MODES[event['mode']]}"
    if event["make"]:
        yield f" to make: {listing(event['make'])}"
    for warning in event.get("warnings", ()):
        yield f" Mind: {warning}"
    if event["mode"] == "live":
        yield f" {bill(event)}"


def bill(event: Event) -> str:
    """What a `planned` event buys, in one line."""
    if not event["buys"] and not event["unknown"]:
        return "Nothing new is bought."
    sums: dict[tuple[str, str], list[float]] = {}
    for entry in event["buys"]:
        both = sums.setdefault((entry["provider"], entry["unit"]), [0.0, 0.0])
        both[0] += entry["quantity"]
        both[1] += entry.get("quantity_high", entry["quantity"])
    parts = [f"{between(*both)} {unit} from {provider}" for (provider, unit), both in sums.items()]
    usd = money_between(event["usd"], event.get("usd_high", event["usd"]))
    known = f"{listing(parts)}: about {usd} ({event['prices']})" if parts else ""
    if not event["unknown"]:
        return f"buys {known}"
    more = f"{listing(event['unknown'])}, at a price that is known only when the inputs are there"
    return f"buys {known}, and {more}" if known else f"buys {more}"


def summary(event: Event) -> Iterator[str]:
    """The lines for a person; for a completed pipeline the last one is the path of the video alone."""
    if event["status"] == "completed":
        yield from _completed(event)
    elif event["status"] == "cancelled":
        yield " Cancelled. What is finished stays and will be reused."
        yield f" Next: ./jiki-video produce {quoted(event['document'])}{_option(event)} continues it"
    else:
        yield from _failed(event)


def _completed(event: Event) -> Iterator[str]:
    if event["unchanged"]:
        yield " Everything is made already; nothing had to be done."
        columns = Columns.of(event["videos"])
        for video in event["videos"]:
            made = {**video, "status": "completed", "reused": False, "elapsed": None, "details": video}
            yield node_row(made, columns)
            yield from joined(made)
    yield from _cost(event)
    output = event["output"]
    if "url" in output:
        yield f" Next: ./jiki-video open {quoted(event['pipeline'])}{_option(event)} gives an address for a browser"
        yield output["url"]
        return
    if output["captions"]:
        yield f" Captions beside it: {listing([Path(path).name for path in output['captions']])}"
    edit = near(Path(event["document"]).parent / event["script"]) if event["script"] else event["document"]
    yield f" Next: edit {edit} and run again · ./jiki-video new my-lesson"
    yield near(Path(output["path"]))


def _cost(event: Event) -> Iterator[str]:
    cost = event["cost"]
    if not cost["quantities"]:
        return
    parts = [amount(quantity, unit) for unit, quantity in cost["quantities"].items()]
    basis = f"({', '.join(parts)}; prices of {price_date()})"
    usd, new = cost["live_usd"] or cost["usd"], cost["new_usd"]
    if cost["live_usd"]:
        yield f" Real providers: about {money(usd)} paid {basis}"
    else:
        yield f" Real providers would cost about {money(usd)} {basis}"
    if new < usd and not event["unchanged"]:
        yield f" Of that {money(new) if new else 'nothing'} in this run"


def _failed(event: Event) -> Iterator[str]:
    failed, blocked, document = event["failed"], event["blocked"], quoted(event["document"])
    option = _option(event)
    line = f" Failed: {listing(list(failed))}"
    yield line + (f" · not made because of that: {listing(blocked)}" if blocked else "")
    if event["made"]:
        yield f" {count(event['made'], 'node')} finished and will be reused."
    yield from _cost(event)
    steps = []
    if "budget" in event["decide"].values():
        steps.append(f"./jiki-video produce {document}{option} --budget USD  with a higher budget")
    without = [node_id for node_id in failed if event["decide"].get(node_id) != "budget"]
    for node_id in without:
        command = event["decide"].get(node_id)
        if command == "resolve":
            steps.append(f"./jiki-video resolve {document} {node_id}{option} --adopt ID | --pay-again | --give-up")
        elif command == "retry":
            steps.append(f"./jiki-video retry {document} {node_id}{option} sends it again and may cost again")
    if any(node_id not in event["decide"] for node_id in without):
        steps.append("mend the cause and run the same command again")
    yield f" Next: {steps[0]}"
    yield from (f"       {step}" for step in steps[1:])


def _option(event: Event) -> str:
    return "" if event["environment"] == LOCAL else f" --environment {event['environment']}"
