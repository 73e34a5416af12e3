"""Child processes that end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import local_cloud.lifeline

LIFELINE = str(Path(local_cloud.lifeline.__file__))

CHILD = """
import subprocess, sys, time
grandchild = subprocess.Popen(["sleep", "60"])
print(__import__("os").getpid(), grandchild.pid, repr(sys.stdin.read()), sys.argv[1:], flush=True)
time.sleep(60)
"""

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-P", {lifeline!r}, {child!r}, "one", "two"],
                         stdin=subprocess.PIPE, start_new_session=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_and_its_own_children_end_when_the_parent_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(lifeline=LIFELINE, child=str(script))], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child, grandchild, stdin, arguments = parent.stdout.readline().split(maxsplit=3)
        assert (stdin, arguments) == ("''", "['one', 'two']\n")
        assert not gone(int(child))
        assert not gone(int(grandchild))
        parent.send_signal(number)
        parent.wait(5)
        deadline = time.monotonic() + 5
        while not (gone(int(child)) and gone(int(grandchild))):
            assert time.monotonic() < deadline, "the child outlived its parent"
            time.sleep(0.01)


def test_a_module_can_be_run_by_name(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "__main__.py").write_text("import sys; print(__name__, sys.argv[1:])")
    with subprocess.Popen(
        [sys.executable, "-P", LIFELINE, "package", "--port", "0"],
        env={"PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stdout.read() == "__main__ ['--port', '0']\n"
        assert process.wait(5) == 0
