"""The Lambda host, with tiny handlers in real sandboxes."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from local_cloud.lambda_host import HostClosed


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def living(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_handler_gets_its_event_and_its_answer_comes_back(bench: Any) -> None:
    bench.code("""
        import os
        def handler(event, context):
            return {"event": event, "pid": os.getpid(), "é": "ü"}
    """)
    bench.start()
    first = bench.invoke({"a": [1, "ö"]})
    assert first == {"event": {"a": [1, "ö"]}, "pid": first["pid"], "é": "ü"}
    assert first["pid"] != os.getpid()
    assert bench.invoke({})["pid"] == first["pid"]


def test_the_context_tells_what_lambdas_does(bench: Any) -> None:
    bench.code("""
        import time
        def handler(event, context):
            first = context.get_remaining_time_in_millis()
            time.sleep(0.2)
            return [first, context.get_remaining_time_in_millis(), context.function_name, context.aws_request_id,
                    int(context.memory_limit_in_mb), context.invoked_function_arn, context.log_stream_name]
    """)
    bench.start(timeout=20.0)
    first, second, name, request_id, memory, arn, stream = bench.invoke()
    assert 19_000 < first <= 20_000
    assert 150 < first - second < 1000
    assert (name, memory) == ("worker", 256)
    assert arn == "arn:aws:lambda:us-east-1:123456789012:function:worker"
    assert f"START RequestId: {request_id} Version: $LATEST" in bench.messages
    assert stream == bench.logs[0][1]


def test_an_exception_is_answered_with_its_class_and_stack(bench: Any) -> None:
    bench.code("""
        class MediaError(Exception): pass
        def handler(event, context):
            raise MediaError(f"{event} is unreadable")
    """)
    bench.start()
    error = bench.error("phone.mp4")
    assert (error["errorType"], error["errorMessage"]) == ("MediaError", "phone.mp4 is unreadable")
    assert "worker.py" in "".join(error["stackTrace"])
    assert any(
        message.startswith("[ERROR] MediaError: phone.mp4 is unreadable\nTraceback") for message in bench.messages
    )
    assert bench.error("again")["errorMessage"] == "again is unreadable"


def test_a_handler_that_cannot_be_imported_says_so(bench: Any) -> None:
    bench.code("import no_such_module")
    bench.start()
    error = bench.error()
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert "no_such_module" in error["errorMessage"]
    bench.code("def handler(event, context): return 'mended'")
    assert bench.invoke() == "mended"


def test_an_invocation_beyond_its_time_is_killed_with_everything_it_started(bench: Any, tmp_path: Path) -> None:
    bench.code(f"""
        import subprocess, time
        from pathlib import Path
        def handler(event, context):
            if event == "quick":
                return "quick"
            child = subprocess.Popen(["sleep", "60"])
            Path({str(tmp_path / "child")!r}).write_text(str(child.pid))
            time.sleep(60)
    """)
    bench.start(timeout=1.0)
    started = time.monotonic()
    error = bench.error()
    assert time.monotonic() - started < 8
    assert error["errorType"] == "Sandbox.Timedout"
    assert re.fullmatch(r"RequestId: [0-9a-f-]{36} Error: Task timed out after 1\.00 seconds", error["errorMessage"])
    assert any(message.endswith("Task timed out after 1.00 seconds") for message in bench.messages)
    child = int((tmp_path / "child").read_text())
    wait_for(lambda: not living(child))
    assert list(bench.sandboxes.iterdir()) == []
    assert bench.invoke("quick") == "quick"


@pytest.mark.parametrize(
    ("death", "how"),
    [("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), 9)", "signal: killed"), ("sys.exit(1)", "exit status 1")],
)
def test_a_sandbox_that_dies_is_reported_and_replaced(bench: Any, death: str, how: str) -> None:
    bench.code(f"""
        import os, sys
        def handler(event, context):
            if event == "die":
                {death}
            return "alive"
    """)
    bench.start()
    error = bench.error("die")
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(f"Error: Runtime exited with error: {how}")
    assert bench.invoke("live") == "alive"


def test_nothing_of_the_users_environment_leaks_in(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "payroll")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("SOME_TOKEN", "secret")
    bench.code("""
        import os, sys
        def handler(event, context):
            return {"environment": dict(os.environ), "home": os.path.expanduser("~"), "stdin": sys.stdin.read()}
    """)
    bench.start(environment={"NODES_TABLE": "nodes"})
    seen = bench.invoke()
    environment = seen["environment"]
    assert environment["NODES_TABLE"] == "nodes"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "worker"
    assert environment["AWS_REGION"] == "us-east-1"
    assert seen["home"].startswith(str(bench.sandboxes))
    assert seen["stdin"] == ""
    allowed = re.compile(
        r"AWS_(LAMBDA_\w+|REGION|DEFAULT_REGION|EXECUTION_ENV|EC2_METADATA_DISABLED)|NODES_TABLE|PATH|PYTHONPATH|"
        r"PYTHONDONTWRITEBYTECODE|LANG|LC_CTYPE|TZ|HOME|TMPDIR|_HANDLER|LAMBDA_TASK_ROOT|_X_AMZN_TRACE_ID"
    )
    assert [name for name in environment if not allowed.fullmatch(name)] == []


def test_temporary_files_survive_between_warm_invocations_and_go_with_the_sandbox(quick_bench: Any) -> None:
    quick_bench.code("""
        import tempfile
        from pathlib import Path
        def handler(event, context):
            folder = Path(tempfile.gettempdir())
            names = sorted(file.name for file in folder.iterdir())
            (folder / "left-behind").write_text("x")
            return [str(folder), names]
    """)
    host = quick_bench.start()
    folder, names = quick_bench.invoke()
    assert names == []
    assert folder.startswith(str(quick_bench.sandboxes))
    assert quick_bench.invoke() == [folder, ["left-behind"]]
    host.close()
    assert not Path(folder).exists()
    assert list(quick_bench.sandboxes.iterdir()) == []


def test_the_layers_executables_are_on_the_path(quick_bench: Any) -> None:
    tool = quick_bench.root / "layer" / "ffmpeg"
    tool.write_text("#!/bin/sh\necho from the layer\n")
    tool.chmod(0o755)
    quick_bench.code("""
        import subprocess
        def handler(event, context):
            return subprocess.run(["ffmpeg"], capture_output=True, text=True, check=True).stdout
    """)
    quick_bench.start()
    assert quick_bench.invoke() == "from the layer\n"


def test_callers_beyond_the_limit_wait_for_a_free_sandbox(quick_bench: Any) -> None:
    quick_bench.code("""
        import os, time
        def handler(event, context):
            start = time.time()
            time.sleep(0.3)
            return [os.getpid(), start, time.time()]
    """)
    quick_bench.start(concurrency=2)
    answers = quick_bench.together(*range(5))
    assert len({pid for pid, _, _ in answers}) == 2
    most = max(sum(start <= moment < end for _, start, end in answers) for _, moment, _ in answers)
    assert most == 2


def test_waiting_for_a_sandbox_costs_no_invocation_time(quick_bench: Any) -> None:
    quick_bench.code("""
        import time
        def handler(event, context):
            left = context.get_remaining_time_in_millis()
            time.sleep(0.8)
            return left
    """)
    quick_bench.start(timeout=1.5)
    assert all(left > 1300 for left in quick_bench.together(1, 2, 3))


def test_a_saved_source_file_is_live_at_the_next_invocation(quick_bench: Any) -> None:
    helper = quick_bench.root / "code" / "helper.py"
    helper.write_text("answer = 'aa'\n")
    quick_bench.code("""
        import helper
        def handler(event, context):
            return helper.answer
    """)
    quick_bench.start()
    assert quick_bench.invoke() == "aa"
    for answer in ("bb", "cc", "dd"):
        helper.write_text(f"answer = '{answer}'\n")
        assert quick_bench.invoke() == answer
    assert len(list(quick_bench.sandboxes.iterdir())) == 1


def test_code_saved_during_an_invocation_is_live_at_the_next(quick_bench: Any) -> None:
    quick_bench.code("""
        import time
        def handler(event, context):
            time.sleep(0.5)
            return "old"
    """)
    quick_bench.start()
    quick_bench.invoke()
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(quick_bench.invoke()))
    thread.start()
    time.sleep(0.1)
    quick_bench.code("def handler(event, context): return 'new'")
    thread.join()
    assert [*answers, quick_bench.invoke()] == ["old", "new"]


def test_logs_hold_start_output_end_and_report_in_order(bench: Any) -> None:
    bench.code("""
        import logging, os, sys
        def handler(event, context):
            print("printed", event)
            print("to stderr", file=sys.stderr)
            os.write(1, b"raw, unfinished")
    """)
    bench.start()
    bench.invoke(1)
    assert {(group, stream) for group, stream, _ in bench.logs} == {("/aws/lambda/worker", bench.logs[0][1])}
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", bench.logs[0][1])
    start, *printed, end, report = bench.messages
    request_id = start.split()[2]
    assert printed == ["printed 1", "to stderr", "raw, unfinished"]
    assert end == f"END RequestId: {request_id}"
    figures = re.fullmatch(
        rf"REPORT RequestId: {request_id}\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: 256 MB\t"
        r"Max Memory Used: (\d+) MB\tInit Duration: ([\d.]+) ms",
        report,
    )
    assert figures, report
    duration, billed, memory, start_up = map(float, figures.groups())
    assert duration + start_up <= billed <= duration + start_up + 1
    assert not Path("/proc/self/status").exists() or 5 < memory < 200
    bench.invoke(2)
    assert "Init Duration" not in bench.messages[-1]


def test_output_of_a_running_function_can_be_followed(quick_bench: Any, tmp_path: Path) -> None:
    quick_bench.code(f"""
        import time
        from pathlib import Path
        def handler(event, context):
            print("half way")
            while not Path({str(tmp_path / "go")!r}).exists():
                time.sleep(0.01)
    """)
    quick_bench.start()
    thread = threading.Thread(target=quick_bench.invoke)
    thread.start()
    wait_for(lambda: "half way" in quick_bench.messages)
    assert not any(message.startswith("END") for message in quick_bench.messages)
    (tmp_path / "go").touch()
    thread.join()
    assert quick_bench.messages.count("half way") == 1


def test_a_flood_of_output_never_blocks_a_function(quick_bench: Any) -> None:
    quick_bench.code("""
        def handler(event, context):
            for number in range(60_000):
                print(f"{number:06} " + "x" * 93)
            return "done"
    """)
    quick_bench.start()
    assert quick_bench.invoke() == "done"
    assert len(quick_bench.messages) == 60_003
    (output,) = quick_bench.sandboxes.glob("*/output")
    assert output.stat().st_size == 0
    assert quick_bench.invoke() == "done"
    assert len(quick_bench.messages) == 120_006


def test_a_prewarmed_sandbox_serves_the_first_invocation(quick_bench: Any) -> None:
    quick_bench.code("""
        import os
        def handler(event, context):
            return os.environ["HOME"]
    """)
    host = quick_bench.start()
    host.prewarm("worker")
    host.prewarm("worker")
    (folder,) = quick_bench.sandboxes.iterdir()
    assert quick_bench.invoke() == str(folder)


def test_an_idle_sandbox_that_was_killed_is_replaced(quick_bench: Any) -> None:
    quick_bench.code("""
        import os
        def handler(event, context):
            return os.getpid()
    """)
    quick_bench.start()
    pid = quick_bench.invoke()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not living(pid))
    time.sleep(0.1)
    assert quick_bench.invoke() != pid


def test_an_invocation_under_way_has_no_outcome_when_the_host_closes(quick_bench: Any) -> None:
    quick_bench.code("""
        import time
        def handler(event, context):
            print("started")
            time.sleep(60)
    """)
    host = quick_bench.start()
    ended: list[BaseException] = []

    def invoke() -> None:
        try:
            quick_bench.outcome()
        except HostClosed as closed:
            ended.append(closed)

    threads = [threading.Thread(target=invoke) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: "started" in quick_bench.messages)
    host.close()
    for thread in threads:
        thread.join(5)
    assert len(ended) == 2
    assert list(quick_bench.sandboxes.iterdir()) == []


def test_a_machine_that_cannot_start_a_sandbox_says_why(quick_bench: Any) -> None:
    quick_bench.code("def handler(event, context): return 1")
    quick_bench.start()
    quick_bench.sandboxes.write_text("a file where the folder should be")
    error = quick_bench.error()
    assert error["errorType"] == "OperatorError"
    assert error["errorMessage"].startswith("worker could not be started on this machine: Not a directory")
