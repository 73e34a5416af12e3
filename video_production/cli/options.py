"""What several commands take: the environment, a document or a pipeline, a yes to spending."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from video_production.errors import RequestError
from video_production.settings import ENVIRONMENTS, PROVIDER_FACTS

__all__ = ["EITHER", "PATH", "as_document", "budget", "document_id", "environment", "live", "pipeline_id", "prudent"]

PATH = click.Path(path_type=Path)
EITHER = "DOCUMENT|PIPELINE"
_BUYING = tuple(PROVIDER_FACTS)
_MOST_USD = 1_000_000
Command = TypeVar("Command", bound=Callable[..., Any])


def environment(
    help_text: str = "Work in this environment on AWS instead of on this machine.",
) -> Callable[[Command], Command]:
    """`--environment NAME`. There is no default from elsewhere: what costs money is always typed."""
    return click.option("--environment", type=click.Choice(ENVIRONMENTS), metavar="NAME", help=help_text)


def live() -> Callable[[Command], Command]:
    """`--live PROVIDER`, any number of times; nothing else makes a provider the real one on this machine."""
    return click.option(
        "--live",
        type=click.Choice(_BUYING),
        multiple=True,
        metavar="PROVIDER",
        help="Use this provider for real, with your key from the environment; may be repeated.",
    )


class _Dollars(click.ParamType[float, str | float]):
    """An amount of money, in digits alone: what `float` reads besides ("nan", "1e3", "1_0") is no budget."""

    name = "USD"

    def convert(self, value: str | float, param: click.Parameter | None, context: click.Context | None) -> float:
        if (isinstance(value, str) and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value)) or float(value) > _MOST_USD:
            self.fail(
                f"'{value}' is no amount of US dollars from 0 to {_MOST_USD:,}, written like 2.50.", param, context
            )
        return float(value)


def budget(help_text: str) -> Callable[[Command], Command]:
    """`--budget USD`."""
    return click.option("--budget", type=_Dollars(), metavar="USD", help=help_text)


def document_id(path: Path) -> str:
    from video_production.pipelines.documents import load_document

    return load_document(path).id


def pipeline_id(document: str) -> str:
    """A pipeline's id, given itself or the document that holds it."""
    path = Path(document)
    if path.is_file() or path.suffix in (".yaml", ".yml", ".json"):
        return document_id(path)
    return document


def as_document(document: str) -> str:
    return document if Path(document).is_file() else "DOCUMENT"


def prudent(*, yes: bool, as_json: bool) -> Callable[[dict[str, Any]], None]:
    """Asks a person before something is bought. Raises RequestError for a no, and where nobody can be asked."""

    def agree(plan: dict[str, Any]) -> None:
        from video_production.cli.summary import bill

        if yes:
            return
        if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise RequestError(f"This {bill(plan)}. Say --yes to agree; nothing was started.")
        if not click.confirm(" Buy this?"):
            raise RequestError("Nothing was started, nothing was bought.")

    return agree
