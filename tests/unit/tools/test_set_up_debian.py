"""What Debian's packages hold is installed where that is possible; elsewhere the set-up says what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import set_up


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment of its own on a machine without Ruby and Chromium."""
    monkeypatch.setattr(set_up, "VENV", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    return tmp_path


def test_without_apt_the_set_up_goes_on_and_says_what_is_missing(
    nothing_installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set_up._try_ruby() == 0
    assert capsys.readouterr().out == (
        "The Ruby examples will not be tested: Ruby with its gems is missing, and this is not Debian. "
        "By hand: apt-get install --yes --no-install-recommends ruby ruby-aws-sdk-core ruby-aws-sigv4 ruby-webrick\n"
    )
    assert (nothing_installed / ".ruby").exists(), "it is tried once"


def test_only_root_is_asked_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(set_up.os, "geteuid", lambda: 1000)
    told = set_up._install_from_debian("Ruby with its gems", "ruby")
    assert told == (
        "Ruby with its gems is missing, and only root can install it. "
        "By hand: apt-get install --yes --no-install-recommends ruby"
    )


def test_without_a_browser_the_set_up_ends_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert set_up.chromium_program() is None
    with pytest.raises(set_up.SetUpError) as failure:
        set_up._install_chromium()
    assert str(failure.value) == (
        "Chromium is missing, and this is not Debian. "
        "By hand: apt-get install --yes --no-install-recommends chromium. "
        "Or name a browser with H.264 in the variable CHROMIUM."
    )


def test_a_browser_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/opt/browser")
    assert set_up.chromium_program() == "/opt/browser"
