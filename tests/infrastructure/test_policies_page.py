"""docs/security.md says what the synthesised policies say."""

from __future__ import annotations

from collections.abc import Mapping

from tests.infrastructure.synthesised import Template
from tools.policy_table import PAGE, current_page


def test_the_page_shows_the_policies_of_the_template(templates: Mapping[str, Template]) -> None:
    page = PAGE.read_text("utf-8")
    assert page == current_page(page, templates["development"].body), "run .venv/bin/python -m tools.policy_table"
