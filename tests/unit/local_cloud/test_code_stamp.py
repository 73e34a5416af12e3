"""Noticing that source code changed."""

from __future__ import annotations

import os
from pathlib import Path

from local_cloud.code_stamp import code_stamp


def test_the_stamp_changes_with_every_save_and_only_then(tmp_path: Path) -> None:
    package = tmp_path / "package" / "inner"
    package.mkdir(parents=True)
    source = package / "module.py"
    source.write_text("a = 1\n")
    first = code_stamp([tmp_path])
    assert code_stamp([tmp_path]) == first

    state = source.stat()
    source.write_text("a = 2\n")
    os.utime(source, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    second = code_stamp([tmp_path])
    assert second != first

    (package / "new.py").write_text("")
    third = code_stamp([tmp_path])
    assert third not in (first, second)
    (package / "new.py").unlink()
    assert code_stamp([tmp_path]) == second


def test_bytecode_does_not_count(tmp_path: Path) -> None:
    first = code_stamp([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "module.pyc").write_bytes(b"")
    assert code_stamp([tmp_path, tmp_path / "missing"]) == first
