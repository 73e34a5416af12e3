"""The commands around money: what a run would do and cost, why a node is as it is, what was spent."""

from __future__ import annotations

import json
from pathlib import Path

import click

from video_production.cli.options import EITHER, PATH, document_id, environment, live, pipeline_id
from video_production.errors import RequestError

__all__ = ["COMMANDS"]


@click.command()
@click.argument("document", type=PATH)
@environment("Plan for this environment on AWS.")
@live()
@click.option("--fresh", is_flag=True, help="Plan to make every node again.")
@click.option("--budget", type=click.FloatRange(0), metavar="USD", help="Compare with this budget, not the document's.")
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
    made = make_plan(here, here.snapshot(), wanted, resolve(loaded, document.parent), fresh=fresh)
    if as_json:
        click.echo(json.dumps(plan_object(made), ensure_ascii=False, indent=2))
        return
    for line in plan_lines(made, str(document)):
        click.echo(line)


COMMANDS = (plan,)
