"""The pages of the documentation, as the tests of their statements read them."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["CHECKOUT", "PAGES", "table"]

CHECKOUT = Path(__file__).resolve().parent.parent.parent.parent
PAGES = sorted(page for page in (CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")) if page.exists())


def table(page: str, header: str) -> list[list[str]]:
    """The rows of the table below the row `header`, as cells without back quotes."""
    text = (CHECKOUT / "docs" / page).read_text("utf-8")
    body = text.split(f"\n{header}\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [[cell.replace("`", "").strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in body]
