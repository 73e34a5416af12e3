"""Links and paths in README.md and docs/ lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import CHECKOUT, PAGES

_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_IMAGE = re.compile(r"(?:src|href)=\"([^\"]+)\"")
_PATH = re.compile(r"(?<![\w/.$-])(?:[a-z_]+/)+[A-Za-z_]+\.(?:py|json|yaml|md|lock)\b")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_MADE = ("output/", "my-lesson/", "paid/")
"""Folders that commands on a page make."""
_INVENTED = "acme"
"""The provider that docs/adding-a-provider.md adds."""


def _name(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    text = _BLOCK.sub("", page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in _HEADING.findall(text)}


def _broken(page: Path) -> list[str]:
    text = page.read_text("utf-8")
    broken = []
    for link in [*_LINK.findall(_BLOCK.sub("", text)), *_IMAGE.findall(text)]:
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    paths = {path for path in _PATH.findall(text) if not path.startswith(_MADE) and _INVENTED not in path}
    return broken + [path for path in sorted(paths) if not _exists(path, page)]


def _exists(path: str, page: Path) -> bool:
    return any((folder / path).exists() for folder in (CHECKOUT, CHECKOUT / "video_production", page.parent))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_and_every_path_exists(page: Path) -> None:
    assert _broken(page) == []


def test_what_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n[a](page.md#a-page) [b](#no-such) [c](none.md) `video_production/none.py` `tools/lock.py`\n"
    )
    assert _broken(page) == ["#no-such", "none.md", "video_production/none.py"]


def test_every_page_can_be_reached_from_the_front_pages() -> None:
    """A page that nobody links to is not read. Generated pages and decisions count like the others."""
    found = {page for page in PAGES if page.name in ("README.md", "architecture.md")}
    waiting = list(found)
    while waiting:
        page = waiting.pop()
        links = (link.partition("#")[0] for link in _LINK.findall(page.read_text("utf-8")))
        pages = {(page.parent / link).resolve() for link in links if link.endswith(".md")}
        waiting += pages - found
        found |= pages
    assert set(PAGES) <= found
