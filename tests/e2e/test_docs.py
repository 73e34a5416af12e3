"""The console blocks of README.md and docs/ do what they say; `tests/e2e/console.py` tells how they are written."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.console import Block, ConsoleError, Shell, matches, read_blocks
from tests.integration.local_cloud.tiny import processes_of

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(page for page in (CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")) if page.exists())
COMMAND_SECONDS = 180.0

_COMMAND_LINE = f"""#!/bin/sh
exec {CHECKOUT}/jiki-video "$@"
"""
_SET_UP = """
make() {  # the one target that a page may show and a test may run: without the set-up, which the tests have behind them
    [ "$*" = demo ] || { echo "make $* can't be run from a page" >&2; return 2; }
    ./jiki-video produce examples/lesson/pipeline.yaml
}
"""


def _name(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


def _runnable(page: Path) -> list[Block]:
    return [block for block in read_blocks(page) if not block.not_local]


def test_every_console_block_is_run_or_says_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = [block for page in PAGES for block in read_blocks(page)]
    with capsys.disabled():
        print()
        for block in blocks:
            fate = f"not run: {block.not_local}" if block.not_local else "run"
            print(f"  {_name(block.page)}:{block.line}  {len(block.commands)} commands  {fate}")
    assert any(not block.not_local for block in blocks)
    assert all(block.commands for block in blocks), "a console block without a command"


@pytest.mark.parametrize("page", [page for page in PAGES if _runnable(page)], ids=_name)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    missing = [name for name in _needed(page) if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed on this machine: {', '.join(missing)}")
    folder = _checkout(tmp_path / "checkout")
    with Shell(folder, _environment(tmp_path)) as shell:
        shell.run(_SET_UP, 10)
        for block in _runnable(page):
            _run(block, shell)
    _assert_nothing_is_left(tmp_path)


def _needed(page: Path) -> list[str]:
    """Programs that a page uses and that a machine with Python and make may lack."""
    commands = " ".join(command.text for block in _runnable(page) for command in block.commands)
    return ["bash", *(name for name in ("curl", "openssl") if f"{name} " in commands)]


def _run(block: Block, shell: Shell) -> None:
    for command in block.commands:
        where = f"{_name(block.page)}:{command.line}: {command.text}"
        try:
            code, printed = shell.run(command.text, COMMAND_SECONDS)
        except ConsoleError as error:
            raise ConsoleError(f"{where}\n{error}") from None
        shown = "\n".join(command.output)
        assert code == 0, f"{where}\nended with exit code {code} and printed:\n{printed}"
        assert matches(command.output, printed), f"{where}\nthe page shows:\n{shown}\nit printed:\n{printed}"


def _checkout(folder: Path) -> Path:
    """A place that looks like the checkout to the commands of a page, and in which they may write."""
    folder.mkdir()
    for entry in CHECKOUT.iterdir():
        if entry.name == "examples":
            shutil.copytree(entry, folder / entry.name, ignore=shutil.ignore_patterns("output"))
        elif not entry.name.startswith(".") and entry.name != "jiki-video":
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(CHECKOUT / ".venv")
    (folder / "jiki-video").write_text(_COMMAND_LINE)
    (folder / "jiki-video").chmod(0o755)
    return folder


def _environment(root: Path) -> dict[str, str]:
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(root),
        "USER": "you",
        "LOGNAME": "you",
        "LANG": "C.UTF-8",
        "JIKI_VIDEO_HOME": str(root / "state"),
    }


def _assert_nothing_is_left(root: Path) -> None:
    deadline = time.monotonic() + 20
    while processes_of(root) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(root) == []
