"""A function's package: a folder with exactly what its handler imports, for Lambda or for this machine.

No Docker and no network: the wheels are there since the set-up. The same input gives the same bytes; a bundle that
exists already is used again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import platform
import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.bundles.closure import Closure, closure_of
from tools.bundles.tree import finished_once, write_file
from tools.bundles.wheels import Wheel, Wheels
from tools.set_up import LAMBDA_PYTHON, WHEELS
from video_production.errors import OperatorError
from video_production.settings import ROLES

__all__ = ["ROOT", "Bundler", "Target", "bundle", "machine_of"]

ROOT = Path(__file__).resolve().parent.parent.parent
Target = Literal["x86_64", "arm64", "local"]
"""Lambda's two architectures, or this machine with the Python that runs the set-up's packages (`local`)."""

_UNUSED_FOR = 3600.0
"""Seconds after which an older bundle of the same function is removed."""
_SERVICE_DATA = re.compile(r"botocore/data/(?P<service>[^/]+)/(?P<version>[^/]+)/(?P<file>[^/]+)")
ENDPOINTS = "botocore/data/endpoints.json"
_NEVER = re.compile(
    r"(^|/)(tests?|__pycache__)/|\.(pyi|pyx|pxd|c|h)$|(^|/)py\.typed$"
    r"|/examples-1\.json$|^[^/]+\.data/"
)
"""What no function uses: tests, types, sources of compiled modules, examples, scripts."""
_KEPT_METADATA = re.compile(r"\.dist-info/(METADATA|licenses/.+|LICEN[CS]E[^/]*|COPYING[^/]*|NOTICE[^/]*)$")
"""Licences must travel with the code; scanners for known weaknesses read METADATA."""


def bundle(role: str, *, architecture: Target = "x86_64", python: str = LAMBDA_PYTHON) -> Path:
    """The folder with the package of the function `role`. Raises OperatorError: what is missing, and what to do.

    `python` is the version of the runtime that the package is meant for; the set-up fetches packages for one.
    """
    if python != LAMBDA_PYTHON:
        raise OperatorError(f"Bundles are made for Python {LAMBDA_PYTHON}, not {python}; see tools/set_up.py.")
    return Bundler(ROOT).bundle(role, architecture)


def machine_of(target: Target) -> str:
    """The machine type of a target, as Linux calls it: `x86_64` or `aarch64`."""
    machine = platform.machine() if target == "local" else target
    return {"arm64": "aarch64", "AMD64": "x86_64"}.get(machine, machine)


@dataclass(frozen=True, slots=True)
class Bundler:
    """Makes bundles of the checkout `root` in `output` (default: `build/bundles` in it) from the wheels in `wheels`."""

    root: Path
    output: Path | None = None
    wheels: Path | None = None

    def bundle(self, role: str, target: Target) -> Path:
        """The bundle of `role`; made unless it exists already."""
        if role not in ROLES:
            raise OperatorError(f"There is no function '{role}'; there are: {', '.join(ROLES)}.")
        closure = self.closure(role)
        wheels = self.reached(closure, target)
        parent = (self.output or self.root / "build" / "bundles") / target
        folder = parent / f"{role}-{self._key(closure, wheels)[:16]}"
        if not folder.is_dir():
            with finished_once(folder) as work:
                self._fill(work, closure, wheels)
            _remove_unused(parent, role, keep=folder)
        os.utime(folder)
        return folder

    def closure(self, role: str) -> Closure:
        """What the handler of `role` reaches in this checkout."""
        return closure_of(ROLES[role].handler.rpartition(".")[0], self.root)

    def reached(self, closure: Closure, target: Target) -> list[Wheel]:
        """The wheels of the packages that `closure` imports."""
        python = platform.python_version_tuple()[:2] if target == "local" else LAMBDA_PYTHON.split(".")
        folder = (self.wheels or self.root / WHEELS) / target
        lock = self.root / "requirements" / "functions.lock"
        return Wheels(folder, lock, machine_of(target), ".".join(python)).reached(closure.third_party)

    def _key(self, closure: Closure, wheels: list[Wheel]) -> str:
        """A hash over everything that decides what is in the bundle, the bundler included."""
        digest = hashlib.sha256()
        for source in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(source.read_bytes())
        for file in sorted(closure.files):
            digest.update(f"\0{file.as_posix()}\0".encode())
            digest.update((self.root / file).read_bytes())
        digest.update("\0".join(["", *(wheel.sha256 for wheel in wheels), *sorted(closure.services)]).encode())
        return digest.hexdigest()

    def _fill(self, folder: Path, closure: Closure, wheels: list[Wheel]) -> None:
        for file in sorted(closure.files):
            write_file(folder / file, (self.root / file).read_bytes())
        for wheel in wheels:
            with zipfile.ZipFile(wheel.path) as archive:
                for member in _needed(wheel, closure.services):
                    content = archive.read(member)
                    if member == ENDPOINTS:
                        content = endpoints_of(content, _prefixes(wheel, archive, closure.services))
                    write_file(folder / member, content)


def _needed(wheel: Wheel, services: set[str]) -> Iterator[str]:
    """The files of a wheel that a function can use. Raises OperatorError for a service that botocore does not know."""
    newest: dict[str, str] = {}
    for member in wheel.members:
        if match := _SERVICE_DATA.fullmatch(member):
            newest[match["service"]] = max(newest.get(match["service"], ""), match["version"])
    if newest and (unknown := services - newest.keys()):
        raise OperatorError(f"{wheel.name} {wheel.version} knows no AWS service '{min(unknown)}'.")
    for member in wheel.members:
        if match := _SERVICE_DATA.fullmatch(member):
            wanted = match["service"] in services and match["version"] == newest[match["service"]]
        else:
            wanted = ".dist-info/" not in member or bool(_KEPT_METADATA.search(member))
        if wanted and not _NEVER.search(member):
            yield member


def _prefixes(wheel: Wheel, archive: zipfile.ZipFile, services: set[str]) -> set[str]:
    """What botocore's list of endpoints calls these services."""
    models = (member for member in _needed(wheel, services) if member.endswith("/service-2.json.gz"))
    return {json.loads(gzip.decompress(archive.read(member)))["metadata"]["endpointPrefix"] for member in models}


def endpoints_of(content: bytes, prefixes: set[str]) -> bytes:
    """botocore's list of endpoints, for these services alone: it is read whole when the first client is made."""
    endpoints = json.loads(content)
    for partition in endpoints["partitions"]:
        partition["services"] = {name: one for name, one in partition["services"].items() if name in prefixes}
    return json.dumps(endpoints, separators=(",", ":")).encode()


def _remove_unused(parent: Path, role: str, keep: Path) -> None:
    """Remove older bundles of a function, unless somebody may still be reading them."""
    for folder in parent.glob(f"{role}-*"):
        if folder != keep and time.time() - folder.stat().st_mtime > _UNUSED_FOR:
            shutil.rmtree(folder, ignore_errors=True)
