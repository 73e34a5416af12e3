"""What several commands take."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from video_production.cli.options import budget


@click.command()
@budget("A limit.")
def spend(budget: float | None) -> None:
    click.echo(repr(budget))


@pytest.mark.parametrize(("typed", "read"), [("2.50", "2.5"), ("0", "0.0"), ("1000000", "1000000.0")])
def test_a_budget_is_an_amount_of_dollars(typed: str, read: str) -> None:
    assert CliRunner().invoke(spend, ["--budget", typed]).output == read + "\n"


def test_without_one_there_is_none() -> None:
    assert CliRunner().invoke(spend, []).output == "None\n"


@pytest.mark.parametrize("typed", ["nan", "inf", "1e3", "1_0", "2,50", "-1", "$5", "", " ", "1000000.01", "٣"])
def test_what_is_no_amount_is_no_budget(typed: str) -> None:
    """Some of these are numbers to Python: one that is no limit at all, one ten times as high as it looks."""
    refused = CliRunner().invoke(spend, ["--budget", typed])
    assert refused.exit_code == 2
    assert f"'{typed}' is no amount of US dollars from 0 to 1,000,000, written like 2.50." in refused.output
