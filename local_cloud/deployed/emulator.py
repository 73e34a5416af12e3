"""The emulated AWS that the CDK app is deployed into, in one process.

moto serves everything, with `moto_mends`; functions run from their packages; S3 for media is on disk, S3 for the CDK's
assets is moto's; stand-ins are child processes. Its state ends with it, except for the objects on disk.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from local_cloud import moto_patches
from local_cloud.cloud import CHECKOUT, MotoServer, link_layer, own_folder
from local_cloud.deployed.packages import PackagedFunctions
from local_cloud.functions import ACCESS_KEY, REGION, SECRET_KEY, Endpoints
from local_cloud.stand_in import StandIn
from local_cloud.state import CloudInfo, StateFolder
from video_production.settings import PROVIDERS

__all__ = ["Emulator"]

SPEED = 60.0
"""Schedules and the waits between asynchronous attempts are that much shorter: the sweep comes every five seconds."""


class Emulator:
    """A running emulated AWS. Make one with `start`; it ends with `close`."""

    def __init__(self, info: CloudInfo, parts: ExitStack) -> None:
        self.info = info
        self._parts = parts

    @classmethod
    def start(cls, home: Path) -> Emulator:
        """Bring everything up; ready on return. Raises OperatorError (folder in use)."""
        state = StateFolder(home)
        with ExitStack() as parts:
            info = _start_parts(state, parts)
            state.announce(info)
            parts.callback(state.cloud_json.unlink, missing_ok=True)
            return cls(info, parts.pop_all())

    def close(self) -> None:
        """End everything, in the opposite order."""
        self._parts.close()


def _start_parts(state: StateFolder, parts: ExitStack) -> CloudInfo:
    own_folder(state, parts)
    shutil.rmtree(state.sandboxes, ignore_errors=True)
    link_layer(state.layer_bin)
    stand_ins = {
        provider: parts.enter_context(StandIn(provider, state.stand_in(provider), CHECKOUT, state.layer_bin))
        for provider in PROVIDERS
    }
    server = MotoServer()
    parts.callback(server.close)
    moto_patches.prepare(server.port)
    from moto.core.config import default_user_config

    default_user_config["iam"] = {"load_aws_managed_policies": True}
    from local_cloud import backend
    from local_cloud.deployed import moto_mends
    from local_cloud.deployed.types import all_types
    from local_cloud.doors import open_doors
    from local_cloud.s3 import DiskS3

    s3 = DiskS3(state.s3, ACCESS_KEY, SECRET_KEY).serve("127.0.0.1", 0)
    parts.callback(s3.close)
    endpoints = Endpoints(server.url, s3.url, {name: each.url for name, each in stand_ins.items()})
    functions = PackagedFunctions(state.root / "packages", endpoints, backend.write_logs)
    doors = open_doors(functions.invoke, speed=SPEED)
    moto_mends.install(all_types(_Emulated(endpoints, doors.api_url)))
    # Unwound from below: the door to the outside first, then what brings work, the functions, and who waits for them.
    parts.callback(doors.close)
    parts.callback(functions.close)
    parts.callback(doors.shut)
    entrance = _Entrance(backend.moto_app())
    server.open(entrance)
    parts.callback(entrance.close)
    return CloudInfo(os.getpid(), endpoints, ())


class _Emulated:
    """What the resource types see of this AWS (see `resource.Emulated`)."""

    def __init__(self, endpoints: Endpoints, api_url: Callable[[str], str]) -> None:
        import boto3

        self.api_url = api_url
        self._session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)
        self._endpoints = endpoints
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str) -> Any:
        from botocore.config import Config

        with self._lock:
            if service not in self._clients:
                name, endpoint = ("s3", self._endpoints.s3) if service == "media" else (service, self._endpoints.aws)
                config = Config(proxies={}, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
                self._clients[service] = self._session.client(name, endpoint_url=endpoint, config=config)
            return self._clients[service]


class _Entrance:
    """A WSGI application around moto's: one table request at a time (see `gateway`), none once it is closed."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._tables = threading.Lock()
        self._closed = threading.Event()

    def close(self) -> None:
        with self._tables:
            self._closed.set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._closed.is_set():
            start_response("503 Service Unavailable", [])
            return []
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB_"):
            with self._tables:
                return list(self._app(environ, start_response))
        return self._app(environ, start_response)
