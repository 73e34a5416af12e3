"""One browser and one web server for all tests that play videos."""

from __future__ import annotations

import base64
import io
import json
import selectors
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.browser.server import serve
from tools.set_up import ROOT, chromium_program, node_program

_HERE = Path(__file__).parent
_SHEETS = ROOT / "build" / "browser"
_TIMEOUT = 300.0
_SLOTS = 12
"""Pictures in a row of a contact sheet."""


class Browser:
    """Chromium behind a Node.js process, a request and an answer at a time. `folder` is where it finds files."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, address: str) -> None:
        self._process = process
        self.folder = folder
        self.address = address
        self.version = self._answer()

    def supports(self, kind: str) -> bool:
        """Whether it can play a kind of file, such as `video/mp4; codecs="avc1.64001f"`."""
        return bool(self._ask({"supports": kind}))

    def examine(self, path: Path, **what: Any) -> dict[str, Any]:
        """Play a file, seek in it and listen to it: `examine` in player.html. AssertionError when it can't."""
        answer: dict[str, Any] = self._ask({"play": {"url": f"{self.address}/{path.name}", **what}})
        return answer

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            assert selector.select(_TIMEOUT), f"the browser does not answer within {_TIMEOUT:.0f} seconds"
        line = self._process.stdout.readline()
        assert line, "the browser did not start"
        answer = json.loads(line)
        assert "failure" not in answer, answer["failure"]
        return answer["answer"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = chromium_program()
    assert program, "there is no Chromium; run `make test-browser`, which installs it"
    folder = tmp_path_factory.mktemp("served")
    with serve(_HERE, folder) as address:
        command = [str(node_program()), str(_HERE / "browser.mjs"), program, address]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            yield Browser(process, folder, address)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(20)
            finally:
                process.kill()
                process.wait()
                assert process.stdout
                process.stdout.close()


def save_contact_sheet(name: str, sought: list[dict[str, Any]]) -> None:
    """Keep what was seen where it was sought, for people to look at: `build/browser/NAME.png`."""
    rows = -(-len(sought) // _SLOTS)
    sheet = Image.new("RGB", (min(len(sought), _SLOTS) * 164, rows * 112), "white")
    draw = ImageDraw.Draw(sheet)
    for index, each in enumerate(sought):
        at = (index % _SLOTS * 164 + 2, index // _SLOTS * 112 + 2)
        picture = Image.open(io.BytesIO(base64.b64decode(each["picture"])))
        sheet.paste(picture.resize((160, 90)), at)
        draw.text((at[0], at[1] + 92), f"{each['time']:.4f} s: {each['shown']}", fill="black")
    _SHEETS.mkdir(parents=True, exist_ok=True)
    sheet.save(_SHEETS / f"{name}.png")
