"""Runs deployed functions: each published version from the package and the layers that it was published with."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import sys
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud.functions import ACCESS_KEY, SECRET_KEY, Endpoints, Function
from local_cloud.lambda_host import LambdaHost, LogSink
from local_cloud.sandbox.sandbox import Outcome

__all__ = ["PackagedFunctions", "extract"]

CONCURRENCY = 4
"""How many sandboxes one version of a function may have at once."""
WARM = 14
"""How many versions keep their sandboxes while they are idle."""

_RUNTIME_PACKAGES = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""AWS's runtime client, which Lambda adds to every function."""


@dataclass(frozen=True, slots=True)
class _Deployed(Function):
    """A function whose log group was chosen at its deployment."""

    group: str = ""

    @property
    def log_group(self) -> str:
        return self.group


class PackagedFunctions:
    """The Lambda host of an emulated AWS. Thread-safe.

    A function sees its package, its layers (`/opt/python` and `/opt/bin` on the paths), Python's standard library and
    the runtime client: nothing of the checkout and of this environment's packages. Its environment is what was deployed
    plus where the emulated AWS is. `folder` is for extracted packages and sandboxes.
    """

    def __init__(self, folder: Path, endpoints: Endpoints, logs: LogSink) -> None:
        self._folder = folder
        self._endpoints = endpoints
        self._logs = logs
        self._lock = threading.Lock()
        self._hosts: OrderedDict[str, LambdaHost] = OrderedDict()
        self._in_use: dict[str, int] = {}
        self._closed = False
        self._runtime = _runtime_folder(folder / "runtime")

    def invoke(self, function: Any, event: bytes, request_id: str) -> Outcome:
        """Run moto's `function` (a version, or the newest code) on an event. Raises HostClosed when this is closing."""
        deployed = _described(function, self._endpoints)
        key = _identity(deployed, function)
        host = self._borrow(key, deployed, function)
        try:
            return host.invoke(deployed.name, event, request_id)
        finally:
            self._give_back(key)

    def close(self) -> None:
        """Kill every sandbox. Invocations under way raise HostClosed."""
        with self._lock:
            self._closed = True
            hosts = list(self._hosts.values())
        for host in hosts:
            host.close()

    def _borrow(self, key: str, deployed: Function, function: Any) -> LambdaHost:
        with self._lock:
            if key not in self._hosts:
                self._hosts[key] = self._start(deployed, function)
                if self._closed:
                    self._hosts[key].close()
            self._hosts.move_to_end(key)
            self._in_use[key] = self._in_use.get(key, 0) + 1
            return self._hosts[key]

    def _give_back(self, key: str) -> None:
        with self._lock:
            self._in_use[key] -= 1
            idle = [name for name in self._hosts if not self._in_use.get(name)]
            surplus = [] if self._closed else idle[: max(0, len(self._hosts) - WARM)]
            hosts = [self._hosts.pop(name) for name in surplus]
        for host in hosts:
            host.close()

    def _start(self, deployed: Function, function: Any) -> LambdaHost:
        code = extract([function.code_bytes], self._folder / "code")
        layers = extract(_layer_packages(function), self._folder / "layers")
        return LambdaHost(
            [deployed],
            code_roots=(code, layers / "python", self._runtime),
            watched=(),
            folder=self._folder / "sandboxes",
            layer_bin=layers / "bin",
            logs=self._logs,
            python=(sys.executable, "-S"),
        )


def _described(function: Any, endpoints: Endpoints) -> _Deployed:
    return _Deployed(
        name=function.function_name,
        handler=function.handler,
        memory_mb=int(function.memory_size),
        timeout=float(function.timeout),
        concurrency=int(function.reserved_concurrency or CONCURRENCY),
        environment={
            **function.environment_vars,
            "AWS_ENDPOINT_URL": endpoints.aws,
            "AWS_ENDPOINT_URL_S3": endpoints.s3,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        },
        version=str(function.version),
        group=function.logs_group_name,
    )


def _identity(deployed: _Deployed, function: Any) -> str:
    """Same text: the same sandboxes can serve it."""
    layers = [layer["Arn"] for layer in function.layers]
    settings = [deployed.name, deployed.version, function.code_sha_256, layers, deployed.handler, deployed.group]
    limits = [deployed.memory_mb, deployed.timeout, deployed.concurrency]
    return json.dumps([*settings, *limits, dict(deployed.environment)], sort_keys=True)


def _layer_packages(function: Any) -> list[bytes]:
    from moto.awslambda.models import lambda_backends

    backend = lambda_backends[function.account_id][function.region]
    return [backend.layers_versions_by_arn(layer["Arn"]).code_bytes for layer in function.layers]


def extract(packages: list[bytes], parent: Path) -> Path:
    """Unpack zips over one another into a folder named by their content; file modes count. Done once per content."""
    digest = hashlib.sha256(b"".join(hashlib.sha256(package).digest() for package in packages)).hexdigest()
    folder = parent / digest[:20]
    if not folder.exists():
        work = folder.with_suffix(".unpacking")
        work.mkdir(parents=True, exist_ok=True)
        for package in packages:
            _unpack(package, work)
        work.rename(folder)
    return folder


def _unpack(package: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        for member in archive.infolist():
            path = Path(archive.extract(member, folder))
            if mode := member.external_attr >> 16 & 0o777:
                path.chmod(mode)


def _runtime_folder(folder: Path) -> Path:
    """A folder with nothing but the runtime client, for Python's path; empty where it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    for top, target in _runtime_files().items():
        link = folder / top
        if not link.is_symlink():
            link.symlink_to(target)
    return folder


def _runtime_files() -> Mapping[str, Path]:
    found: dict[str, Path] = {}
    for package in _RUNTIME_PACKAGES:
        try:
            files = importlib.metadata.files(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            top = file.parts[0]
            if top not in ("..", "__pycache__"):
                located = Path(str(file.locate()))
                found[top] = located.parents[len(file.parts) - 2] if len(file.parts) > 1 else located
    return found
