"""The commands around money: what a run would do and cost, why a node is as it is, what was spent."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from video_production.cli.options import EITHER, PATH, budget, environment, live, pipeline_id
from video_production.errors import DocumentError, RequestError

if TYPE_CHECKING:
    from video_production.cli.workspace import Site
    from video_production.nodes.model import Node, Pipeline

__all__ = ["COMMANDS"]


@click.command()
@click.argument("document", type=PATH)
@environment("Plan for this environment on AWS.")
@live()
@click.option("--fresh", is_flag=True, help="Plan to make every node again.")
@budget("Compare with this budget, not the document's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    document: Path,
    environment: str | None,
    live: tuple[str, ...],
    fresh: bool,
    budget: float | None,
    as_json: bool,
) -> None:
    """Say what `produce` would do with DOCUMENT, and what it would cost.

    For each node: reuse, make or remake; what causes that; what is bought and for how much. Where an input is not made
    yet, quantity and price are a range, estimated from the script. Nothing is written, started or asked of a provider,
    and no key is needed. The plan's name at the end is for `produce --plan`.
    """
    from video_production.cli.plan_words import plan_lines, plan_object
    from video_production.cli.planning import make_plan
    from video_production.cli.producing import wanted_pipeline
    from video_production.cli.workspace import site
    from video_production.pipelines.validation import load_valid_document, resolve

    loaded = load_valid_document(document)
    here = site(environment, live, need_keys=False)
    wanted = wanted_pipeline(loaded, here, budget)
    nodes = resolve(loaded, document.parent)
    made = make_plan(here, here.snapshot(), wanted, nodes, fresh=fresh, document=str(document))
    if as_json:
        click.echo(json.dumps(plan_object(made), ensure_ascii=False, indent=2))
        return
    options = "" if budget is None else f" --budget {f'{budget:.12f}'.rstrip('0').rstrip('.')}"
    for line in plan_lines(made, str(document), options + (" --fresh" if fresh else "")):
        click.echo(line)


@click.command()
@click.argument("pipeline", metavar=f"[{EITHER}]", required=False)
@click.option("--month", metavar="YYYY-MM", help="Everything that was sent in this month (UTC), by pipeline.")
@environment("Look in this environment on AWS.")
@click.option("--chart", type=PATH, metavar="FILE.svg", help="Also draw it into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cost(pipeline: str | None, month: str | None, environment: str | None, chart: Path | None, as_json: bool) -> None:
    """Say what a pipeline has cost, or a month.

    One line for each node (or pipeline) and provider: requests, what was paid for, and how much. What a provider says
    that it charged counts, else the price list. "May be paid" is what is under way and what nobody knows about. Drafts
    are listed apart: they cost nothing.
    """
    from video_production.cli.cost_chart import chart as drawn
    from video_production.cli.costs import cost_lines, cost_object, costs_of_month, costs_of_pipeline, month_named
    from video_production.cli.workspace import load_known, site

    if (pipeline is None) == (month is None):
        raise RequestError("Name either a pipeline or a month, such as --month 2026-11.")
    if chart and chart.suffix.lower() != ".svg":
        raise RequestError(f"--chart draws SVG, and '{chart}' is named otherwise. Let its name end with .svg.")
    found = site(environment).snapshot()
    if pipeline is not None:
        known, _ = load_known(found, pipeline_id(pipeline))
        costs = costs_of_pipeline(known.id, found.purchases(known.id))
    else:
        wanted = month_named(str(month))
        costs = costs_of_month(wanted, found.purchases_of_month(wanted))
    if chart:
        chart.write_text(drawn(costs), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(cost_object(found.place, costs), ensure_ascii=False, indent=2))
        return
    for line in cost_lines(found.place, costs):
        click.echo(line)
    if chart:
        click.echo(str(chart))


@click.command()
@click.argument("document", metavar=EITHER)
@click.argument("node")
@environment("Look in this environment on AWS.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def why(document: str, node: str, environment: str | None, as_json: bool) -> None:
    """Explain in plain words why NODE is where it is.

    For whom it waits, or at which place of a queue; why it failed, whether that cost anything, and what to do; from
    where it was reused; what made it be made again, or will, when the document has changed.
    """
    from video_production.cli.reasons import Situation, reasons, reasons_object
    from video_production.cli.waiting import places_of
    from video_production.cli.workspace import load_known, site, takes_of

    here = site(environment)
    found = here.snapshot()
    known, nodes = load_known(found, pipeline_id(document))
    if node not in nodes:
        raise RequestError(f"There is no node '{node}' in pipeline '{known.id}'; status lists the nodes.")
    path = Path(document)
    situation = Situation(
        pipeline=known,
        nodes=nodes,
        takes=tuple(takes_of(found, {node: nodes[node]})[node]),
        now=time.time(),
        document=document if path.is_file() else known.id,
        option=here.place.option,
        place=places_of(found.queue, nodes).get(node),
        would=_would(path, here, known, nodes, node) if path.is_file() else (),
    )
    told = reasons(situation, nodes[node])
    if as_json:
        click.echo(json.dumps(reasons_object(told), ensure_ascii=False, indent=2))
        return
    click.echo(f"{found.place.banner} · {known.id}")
    for line in told.lines():
        click.echo(line)


def _would(path: Path, here: Site, known: Pipeline, nodes: dict[str, Node], node: str) -> tuple[str, ...]:
    """Why the document, as it is now, makes the node again; empty where it does not."""
    from video_production.cli.producing import wanted_pipeline
    from video_production.pipelines.validation import load_valid_document, resolve
    from video_production.scheduling.publishing import compare

    try:
        document = load_valid_document(path)
    except DocumentError:
        return ()  # what is wrong with it is not what was asked
    compared = compare(resolve(document, path.parent), wanted_pipeline(document, here), known, nodes)
    return compared.causes.get(node, ())


COMMANDS = (plan, why, cost)
