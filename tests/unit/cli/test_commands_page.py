from __future__ import annotations

import re

import click
import pytest

from tools.commands_page import commands_page, undocumented
from video_production.cli.commands import cli
from video_production.settings import PROVIDERS, ROLES


def test_every_command_and_option_is_explained() -> None:
    assert undocumented() == []


def test_a_command_without_words_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = click.Command("silent", params=[click.Option(["--mute"])])
    monkeypatch.setitem(cli.commands, "silent", silent)
    assert undocumented() == ["silent", "silent --mute"]


def test_the_page_has_a_section_for_every_command() -> None:
    page = commands_page()
    for name in [*(name for name in cli.commands if name != "webhooks"), "webhooks register"]:
        assert f"\n## {name}\n\n```text\nUsage: ./jiki-video {name} " in page


def test_the_overview_shortens_no_description() -> None:
    overview = commands_page().split("Commands:")[1].split("```")[0]
    assert "..." not in overview


def test_the_help_of_invoke_names_every_function() -> None:
    told = cli.commands["invoke"].help or ""
    names = {re.sub(f"^({'|'.join(PROVIDERS)})_", "PROVIDER_", role) for role in ROLES}
    assert [name for name in sorted(names) if name not in told] == []
