"""Noticing that source code changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import local_cloud.code_stamp as module
from local_cloud.code_stamp import CodeWatch, code_stamp


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


def test_a_look_is_shared_by_those_who_asked_before_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter((1, 2, 3))
    moments = iter((10.0, 11.0, 10.5, 11.0, 12.0, 11.5, 13.0, 14.0))  # asked, began; asked; asked, began; ...
    monkeypatch.setattr(module, "code_stamp", lambda _folders: next(looks))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(moments))
    watch = CodeWatch([])
    assert watch.stamp() == 1
    assert watch.stamp() == 1  # it waited while another one had not begun yet
    assert watch.stamp() == 2  # the look may have passed a file that was saved just before this was called
    assert watch.stamp() == 2
    assert watch.stamp() == 3
