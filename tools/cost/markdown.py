"""Tables and marked sections of the pages that are computed."""

from __future__ import annotations

__all__ = ["END", "START", "between_marks", "table"]

START, END = "<!-- cost tables: made by `make cost-docs` -->", "<!-- end of cost tables -->"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def between_marks(page: str, text: str) -> str:
    """The page with `text` in the place of what lies between its marks."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{text}\n\n{END}{after}"
