"""The locks, the set-up that follows them, and the pinned CDK behind `./cdk`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import set_up
from tools.bundles.bundler import ROOT
from tools.bundles.wheels import read_lock

LOCKS = [*sorted((ROOT / "requirements").glob("*.lock")), ROOT / set_up.FFMPEG_LOCK, ROOT / set_up.NODE_LOCK]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_no_address_of_a_registry(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"registry|resolved|pypi\.|npmjs|--index-url|--find-links|file:", text)
    # What authors say about donations is no place that anything is fetched from.
    assert set(re.findall(r"https?://([^/\"]+)", text)) <= {"github.com", "opencollective.com"}


def test_functions_run_with_the_packages_that_the_tests_run_with() -> None:
    functions, tests = (read_lock(ROOT / "requirements" / f"{name}.lock") for name in ("functions", "test"))
    assert {"botocore", "requests", "aws-lambda-powertools"} <= functions.keys()
    assert {name: pin.version for name, pin in functions.items()} == {name: tests[name].version for name in functions}
    # pip would read a condition for the Python that runs it, not for Lambda's; both are CPython.
    conditions = re.findall(r" ; (.*) \\\n", (ROOT / "requirements" / "functions.lock").read_text())
    words = {word for condition in conditions for word in re.findall(r"[a-z_]+", condition.replace("'PyPy'", ""))}
    assert words <= {"platform_python_implementation", "implementation_name", "and"}


def test_the_node_packages_are_pinned_exactly_and_checked_by_their_hashes() -> None:
    stated = json.loads((ROOT / "package.json").read_text())
    wanted = stated["dependencies"] | stated["devDependencies"]
    packages = json.loads((ROOT / set_up.NODE_LOCK).read_text())["packages"]
    assert wanted["aws-cdk"] == "2.1148.1"
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(entry["integrity"].startswith("sha512-") for path, entry in packages.items() if path)


@pytest.mark.parametrize("profile", ["demo", "deploy", "test"])
def test_the_set_up_does_nothing_when_no_lock_has_changed(profile: str) -> None:
    if not (ROOT / ".venv" / ".test").is_file():
        pytest.skip("this environment was not made by `make test`")
    command = [sys.executable, "-S", "-E", str(ROOT / "tools" / "set_up.py"), profile]
    done = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_changed_lock_is_noticed(tmp_path: Path) -> None:
    stamp, lock = tmp_path / ".fetched", tmp_path / "some.lock"
    lock.write_text("one")
    assert not set_up._stamped(stamp, lock)
    stamp.write_text(set_up._digest(lock))
    assert set_up._stamped(stamp, lock)
    lock.write_text("two")
    assert not set_up._stamped(stamp, lock)


def test_a_set_up_that_fails_says_at_which_step_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    program = "import sys; print('WARNING: noise', file=sys.stderr); sys.exit('no route to the registry')"
    with pytest.raises(set_up.SetUpError) as failure:
        set_up._run("fetching the functions' packages (arm64)", [sys.executable, "-c", program])
    assert str(failure.value) == "fetching the functions' packages (arm64) did not work.\nno route to the registry"


def test_cdk_runs_the_pinned_cdk_with_the_pinned_node_from_any_folder(tmp_path: Path) -> None:
    for name in ("node", "npm", "npx", "cdk"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'the machine has its own' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    link = tmp_path / "linked-cdk"
    link.symlink_to(ROOT / "cdk")
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [link, "--version"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "2.1148.1"), done.stderr


def test_the_pinned_node_is_the_one_that_the_cdk_supports() -> None:
    version = subprocess.run([set_up.node_program(), "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("v24.")
