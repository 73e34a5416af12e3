"""The third-party packages of a bundle: wheels for one target, fetched by the set-up, checked against the lock."""

from __future__ import annotations

import functools
import hashlib
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from tools.set_up import LAMBDA_PYTHON
from video_production.errors import OperatorError

__all__ = ["Wheel", "Wheels", "checked_wheel", "read_lock"]


@dataclass(frozen=True, slots=True)
class Pin:
    """One entry of a lock: the version, and the SHA-256 of every file that may be it."""

    name: str
    version: str
    hashes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wheel:
    name: str
    version: str
    path: Path
    sha256: str
    members: tuple[str, ...]
    needs: tuple[str, ...]
    """What it says it needs, extras included."""

    @property
    def top_levels(self) -> set[str]:
        """The modules that it makes importable."""
        tops = {member.partition("/")[0] for member in self.members}
        return {top.removesuffix(".py") for top in tops if not top.endswith((".dist-info", ".data", ".so"))}


def read_lock(lock: Path) -> dict[str, Pin]:
    """The entries of a lock file by name."""
    pins: dict[str, Pin] = {}
    for entry in re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip()):
        match = re.match(r"([\w.-]+)==([\w.+!-]+)", entry)
        if match:
            name = canonicalize_name(match[1])
            pins[name] = Pin(name, match[2], frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)))
    return pins


@functools.cache
def checked_wheel(pin: Pin, folder: Path) -> Wheel:
    """The wheel of `pin` in `folder`. Raises OperatorError when it is missing or not what the lock means."""
    for path in sorted(folder.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(path.name)
        if (name, str(version)) != (pin.name, pin.version):
            continue
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 not in pin.hashes:
            raise OperatorError(
                f"{path.name} is not the file that the lock names (SHA-256 {sha256}); delete {folder} and run "
                "`python3 tools/set_up.py deploy`."
            )
        with zipfile.ZipFile(path) as archive:
            members = tuple(sorted(name for name in archive.namelist() if not name.endswith("/")))
            described = next(member for member in members if member.endswith(".dist-info/METADATA"))
            needs = HeaderParser().parsestr(archive.read(described).decode()).get_all("Requires-Dist", [])
        return Wheel(pin.name, pin.version, path, sha256, members, tuple(needs))
    raise OperatorError(
        f"The wheel of {pin.name} {pin.version} is missing in {folder}; run `python3 tools/set_up.py deploy`."
    )


class Wheels:
    """The wheels in `folder`, pinned by `lock`, for one machine type (`x86_64`, `aarch64`)."""

    def __init__(self, folder: Path, lock: Path, machine: str, python: str = LAMBDA_PYTHON) -> None:
        self._folder = folder
        self._lock = lock.name
        self._pins = read_lock(lock)
        self._found: dict[str, Wheel] = {}
        self._environment = {
            "extra": "",
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": "linux",
        }

    def reached(self, imports: Mapping[str, Path]) -> list[Wheel]:
        """The wheels of these top-level modules (module → the file that imports it) and of everything they need."""
        owners = {top: name for name in self._pins for top in self._wheel(name).top_levels}
        for module, importer in imports.items():
            if module not in owners:
                raise OperatorError(
                    f"{importer} imports {module}, which no function may use: it is not in requirements/{self._lock}."
                )
        return sorted(self._with_needs(owners[module] for module in imports), key=lambda wheel: wheel.name)

    def _with_needs(self, names: Iterable[str]) -> list[Wheel]:
        waiting, reached = list(names), dict[str, Wheel]()
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached[name] = self._wheel(name)
            waiting += [
                canonicalize_name(needed.name)
                for needed in map(Requirement, reached[name].needs)
                if needed.marker is None or needed.marker.evaluate(self._environment)
            ]
        return list(reached.values())

    def _wheel(self, name: str) -> Wheel:
        if name not in self._found:
            if name not in self._pins:
                raise OperatorError(
                    f"requirements/{self._lock} lacks {name}, which a package in it needs; `make lock`."
                )
            self._found[name] = checked_wheel(self._pins[name], self._folder)
        return self._found[name]
