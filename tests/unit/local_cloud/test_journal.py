"""The journal of table writes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_cloud import journal as journal_module
from local_cloud.journal import Item, Journal, Write, compact, read_tables
from video_production.errors import OperatorError


def node(name: str, status: str | None = None) -> Write:
    key: Item = {"pipeline_id": {"S": "lesson"}, "id": {"S": name}}
    return Write("nodes", key, None if status is None else {**key, "status": {"S": status}})


def statuses(path: Path) -> dict[str, str]:
    return {key[1]: item["status"]["S"] for key, item in read_tables(path).get("nodes", {}).items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_the_last_image_of_every_item_is_read_back(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([node("intro", "pending")])
        journal.append([node("outro", "pending")])
        journal.append([node("intro", "completed")])
    assert statuses(path) == {"intro": "completed", "outro": "pending"}
    assert read_tables(path)["nodes"]["lesson", "intro"]["pipeline_id"] == {"S": "lesson"}


def test_a_deleted_item_is_gone(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([node("intro", "pending")])
        journal.append([node("intro", None)])
    assert statuses(path) == {}


def test_no_journal_means_no_tables(path: Path) -> None:
    assert read_tables(path) == {}


def test_all_writes_of_a_request_stand_on_one_line(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([node("intro", "pending"), node("outro", "pending")])
    lines = path.read_text().splitlines()
    assert len(lines) == 1
    assert [write["key"]["id"]["S"] for write in json.loads(lines[0])["writes"]] == ["intro", "outro"]


def test_a_torn_last_line_is_dropped_and_the_next_write_stands_alone(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([node("intro", "pending")])
        journal.append([node("intro", "completed"), node("outro", "pending")])
    whole = path.read_bytes()
    for cut in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:cut])
        assert statuses(path) == {"intro": "pending"}
        with Journal(path) as journal:
            journal.append([node("end", "pending")])
        assert statuses(path) == {"intro": "pending", "end": "pending"}


def test_a_torn_only_line_leaves_nothing(path: Path) -> None:
    path.write_bytes(b'{"writes": [{"table"')
    Journal(path).close()
    assert path.read_bytes() == b""


def test_a_torn_line_longer_than_the_reading_window_is_dropped_too(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([node("intro", "pending")])
    with path.open("ab") as file:
        file.write(b"x" * 200_000)
    with Journal(path) as journal:
        journal.append([node("outro", "pending")])
    assert statuses(path) == {"intro": "pending", "outro": "pending"}


@pytest.mark.parametrize("damage", [b"\0\0\0\0", b"{}", b'{"writes": [1]}', b"not json"])
def test_a_damaged_line_is_an_error_that_names_file_and_line(path: Path, damage: bytes) -> None:
    with Journal(path) as journal:
        journal.append([node("intro", "pending")])
    with path.open("ab") as file:
        file.write(damage + b"\n")
    with Journal(path) as journal:
        journal.append([node("outro", "pending")])
    with pytest.raises(OperatorError, match=rf"{path}, line 2: .*damaged.*Delete the line"):
        read_tables(path)


def test_a_full_disk_leaves_the_journal_as_it_was(path: Path) -> None:
    """A real limit of the operating system, in a process of its own: half a line fits."""
    script = f"""
import resource, signal, sys
from pathlib import Path
from local_cloud.journal import Journal, Write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
key = {{"pipeline_id": {{"S": "lesson"}}, "id": {{"S": "intro"}}}}
journal = Journal(Path({str(path)!r}))
journal.append([Write("nodes", key, {{**key, "status": {{"S": "pending"}}}})])
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
try:
    journal.append([Write("nodes", key, {{**key, "status": {{"S": "x" * 5000}}}})])
except OSError as error:
    print(error.errno)
journal.append([Write("nodes", {{**key, "id": {{"S": "b"}}}}, {{"status": {{"S": "pending"}}}})])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert int(done.stdout) == errno.EFBIG
    assert statuses(path) == {"intro": "pending", "b": "pending"}


def test_a_durable_journal_reaches_the_disk_before_it_answers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_size))
    with Journal(path) as fast:
        fast.append([node("intro", "pending")])
    assert synced == []
    with Journal(path, durable=True) as durable:
        durable.append([node("intro", "completed")])
    assert synced == [path.stat().st_size]


def test_compaction_keeps_the_tables_and_drops_history(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_ABOVE", 1000)
    with Journal(path) as journal:
        for round_ in range(200):
            journal.append([node("intro", f"round {round_}"), node("gone", "here")])
        journal.append([node("gone", None)])
    before = read_tables(path)
    size = path.stat().st_size
    assert compact(path)
    assert read_tables(path) == before
    assert path.stat().st_size < size / 50
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_compaction_leaves_a_journal_alone_that_holds_no_history(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_ABOVE", 1000)
    with Journal(path) as journal:
        for number in range(200):
            journal.append([node(f"n{number}", "pending")])
    before = path.read_bytes()
    assert not compact(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_looking_at_the_tables_loads_neither_emulation_nor_sdk() -> None:
    script = """
import sys, local_cloud.journal, local_cloud.handle
print([name for name in ("moto", "boto3", "botocore", "werkzeug") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
