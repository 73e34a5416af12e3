"""A stand-in's process comes with the first connection and goes with the cloud."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local_cloud.stand_in import StandIn

SERVES = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
import socket
import sys


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.getpid()} {' '.join(sys.argv[1:])}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=int(os.environ["STAND_IN_SOCKET"]))
print("http://here", flush=True)
print("something to note", flush=True)
server.serve_forever()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    package = tmp_path / "checkout" / "stand_ins" / "acme"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SERVES)
    return tmp_path / "checkout"


@pytest.fixture
def stand_in(checkout: Path, tmp_path: Path) -> Iterator[StandIn]:
    with StandIn("acme", tmp_path / "home", checkout, tmp_path / "bin") as made:
        yield made


def get(url: str) -> tuple[int, list[str]]:
    """Which process answered, and how it was started."""
    pid, *arguments = requests.get(url, timeout=20).text.split()
    return int(pid), arguments


def children() -> set[int]:
    mine = os.getpid()
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                status = (process / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(status[1]) == mine and status[0] != "Z":
                found.add(int(process.name))
    return found


def test_no_process_runs_before_somebody_calls(stand_in: StandIn) -> None:
    before = children()
    time.sleep(0.2)
    assert children() == before
    pid, _ = get(stand_in.url)
    assert children() - before == {pid}


def test_the_first_call_is_answered_and_so_are_those_that_follow(stand_in: StandIn, tmp_path: Path) -> None:
    first, arguments = get(stand_in.url)
    assert arguments == ["--home", str(tmp_path / "home")]
    assert [get(stand_in.url)[0] for _ in range(3)] == [first] * 3


def test_it_may_be_started_ahead(stand_in: StandIn) -> None:
    before = children()
    stand_in.start()
    deadline = time.monotonic() + 20
    while children() == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    [process] = children() - before
    assert get(stand_in.url)[0] == process


def test_it_ends_with_its_cloud_and_is_refused_afterwards(checkout: Path, tmp_path: Path) -> None:
    with StandIn("acme", tmp_path / "home", checkout, tmp_path / "bin") as made:
        pid, _ = get(made.url)
    assert pid not in children()
    with pytest.raises(requests.ConnectionError):
        get(made.url)


def test_one_that_nobody_called_ends_as_well(checkout: Path, tmp_path: Path) -> None:
    before = children()
    with StandIn("acme", tmp_path / "home", checkout, tmp_path / "bin") as made:
        pass
    assert children() == before
    with pytest.raises(requests.ConnectionError):
        get(made.url)


def test_one_that_does_not_start_refuses_its_callers_and_says_so(
    checkout: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (checkout / "stand_ins" / "acme" / "__main__.py").write_text("raise SystemExit('no ports left')")
    with StandIn("acme", tmp_path / "home", checkout, tmp_path / "bin") as made:
        for _ in range(2):
            with pytest.raises(requests.ConnectionError):
                get(made.url)
        deadline = time.monotonic() + 20
        told = ""
        while "acme: it did not start" not in told:
            assert time.monotonic() < deadline, told
            told += capfd.readouterr().err
            time.sleep(0.01)
    assert "no ports left" in told
