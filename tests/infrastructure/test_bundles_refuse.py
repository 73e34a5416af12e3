"""What the bundler finds by reading, and what it refuses, each time in one sentence."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest

from tools.bundles import bundle
from tools.bundles.bundler import ROOT, Bundler
from tools.bundles.closure import closure_of
from tools.set_up import WHEELS
from video_production.errors import OperatorError


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one function whose handler does nothing yet."""
    for folder in ("functions", "functions/scheduler", "video_production", "requirements"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("")
    shutil.copy(ROOT / "requirements" / "functions.lock", tmp_path / "requirements")
    write(tmp_path, "functions/scheduler/handler.py", "def handler(event, context): ...")
    return tmp_path


def write(checkout: Path, path: str, text: str) -> None:
    (checkout / path).write_text(textwrap.dedent(text))


def files(checkout: Path) -> set[str]:
    found = closure_of("functions.scheduler.handler", checkout).files
    return {path.as_posix() for path in found if path.name != "__init__.py"}


def test_imports_inside_functions_count_and_imports_for_type_checkers_do_not(checkout: Path) -> None:
    write(
        checkout,
        "functions/scheduler/handler.py",
        """
        from typing import TYPE_CHECKING
        from video_production import near
        if TYPE_CHECKING:
            from video_production import types_only
        def handler(event, context):
            from video_production.late import something
        """,
    )
    for name in ("near", "late", "types_only", "unreached"):
        write(checkout, f"video_production/{name}.py", "something = 1")
    assert files(checkout) == {
        "functions/scheduler/handler.py",
        "video_production/near.py",
        "video_production/late.py",
    }


def test_relative_imports_are_followed(checkout: Path) -> None:
    write(checkout, "functions/scheduler/handler.py", "from . import beside\nfrom .. import above")
    write(checkout, "functions/scheduler/beside.py", "")
    write(checkout, "functions/above.py", "")
    assert files(checkout) == {"functions/scheduler/handler.py", "functions/scheduler/beside.py", "functions/above.py"}


def test_a_data_file_comes_along_when_its_module_names_it(checkout: Path) -> None:
    write(checkout, "functions/scheduler/handler.py", "from video_production import prices")
    write(checkout, "video_production/prices.py", "TABLE = Path(__file__).with_name('prices.json')")
    write(checkout, "video_production/prices.json", "{}")
    write(checkout, "video_production/other.json", "{}")
    assert "video_production/prices.json" in files(checkout)
    assert "video_production/other.json" not in files(checkout)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import video_production.gone", "The module video_production.gone does not exist in this checkout"),
        ("importlib.import_module(name)", "line 1: a dynamic import can't be followed into a bundle"),
        ("__import__('json')", "line 1: a dynamic import can't be followed into a bundle"),
        ("LazyClient(service)", "line 1: write the AWS service's name as a literal"),
        ("import boto3", "imports boto3, which no function may use"),
        ("HERE = Path(__file__).parent", "uses __file__, but names no file beside it"),
        ("import pydantic", "imports pydantic, which no function may use: it is not in requirements/functions.lock"),
        ("import local_cloud.s3", "imports local_cloud, which no function may use"),
        ("import telnetlib", "imports telnetlib, which no function may use"),
        ("LazyClient('no-such-service')\nimport botocore", "knows no AWS service 'no-such-service'"),
    ],
)
def test_what_can_not_be_followed_or_may_not_run_in_lambda_is_refused(
    checkout: Path, source: str, sentence: str
) -> None:
    write(checkout, "functions/scheduler/handler.py", source)
    with pytest.raises(OperatorError) as refusal:
        Bundler(checkout, wheels=ROOT / WHEELS).bundle("scheduler", "x86_64")
    assert sentence in str(refusal.value)
    assert not list((checkout / "build").rglob("*.py"))


def test_a_missing_wheel_is_one_sentence_that_says_what_to_do(checkout: Path, tmp_path: Path) -> None:
    write(checkout, "functions/scheduler/handler.py", "import requests")
    shutil.copytree(ROOT / WHEELS / "x86_64", tmp_path / "wheels" / "x86_64")
    next((tmp_path / "wheels" / "x86_64").glob("idna-*")).unlink()
    with pytest.raises(OperatorError, match=r"^The wheel of idna [\d.]+ is missing in .*; run `python3 tools/set_up"):
        Bundler(checkout, wheels=tmp_path / "wheels").bundle("scheduler", "x86_64")


def test_a_wheel_that_is_not_the_locked_one_is_refused(checkout: Path, tmp_path: Path) -> None:
    write(checkout, "functions/scheduler/handler.py", "import requests")
    shutil.copytree(ROOT / WHEELS / "x86_64", tmp_path / "wheels" / "x86_64")
    tampered = next((tmp_path / "wheels" / "x86_64").glob("idna-*"))
    tampered.write_bytes(tampered.read_bytes() + b"\0")
    with pytest.raises(OperatorError, match=r"^idna-.*\.whl is not the file that the lock names"):
        Bundler(checkout, wheels=tmp_path / "wheels").bundle("scheduler", "x86_64")


def test_other_roles_and_other_pythons_are_refused() -> None:
    with pytest.raises(OperatorError, match="There is no function 'mixer'; there are: merger, "):
        bundle("mixer")
    with pytest.raises(OperatorError, match=r"Bundles are made for Python 3\.13, not 3\.12"):
        bundle("merger", python="3.12")
