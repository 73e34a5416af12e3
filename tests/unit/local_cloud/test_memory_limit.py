"""How much memory a function may use, and what happens above that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from local_cloud.sandbox.memory import memory_limit

measured = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="memory is measured through /proc")


@measured
def test_the_report_counts_the_memory_of_child_processes(quick_bench: Any) -> None:
    quick_bench.code("""
        import subprocess, sys
        def handler(event, context):
            subprocess.run([sys.executable, "-c", "import time; x = bytearray(150_000_000); time.sleep(1)"], check=True)
    """)
    quick_bench.start()
    quick_bench.invoke()
    found = re.search(r"Max Memory Used: (\d+) MB", quick_bench.messages[-1])
    assert found
    assert int(found[1]) > 150


GREEDY = """
    import subprocess, sys, time
    def handler(event, context):
        if event == "child":
            subprocess.run([sys.executable, "-c", "import time; x = bytearray(400 << 20); time.sleep(9)"], check=True)
        elif event:
            x = bytearray(event * 1_000_000)
            time.sleep(1)
        return "fine"
"""


@measured
@pytest.mark.parametrize("event", [600, "child"])
def test_a_function_that_uses_more_than_its_memory_is_killed_with_its_children(quick_bench: Any, event: Any) -> None:
    quick_bench.code(GREEDY)
    quick_bench.start()
    error = quick_bench.error(event)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert quick_bench.invoke(0) == "fine"


@measured
def test_what_runs_out_of_little_memory_runs_in_more(quick_bench: Any) -> None:
    quick_bench.code(GREEDY)
    host = quick_bench.start()
    quick_bench.error(600)
    host.resize("worker", 2048)
    assert quick_bench.invoke(600) == "fine"
    assert "Memory Size: 2048 MB" in quick_bench.messages[-1]


def test_a_machine_with_more_cores_than_lambda_gives_allows_more_memory() -> None:
    assert memory_limit(3008, cores=1) == memory_limit(3008, cores=2) == 3008 << 20
    assert 5.1e9 < memory_limit(3008, cores=16) < 7e9, "what a 4K encode takes there"
