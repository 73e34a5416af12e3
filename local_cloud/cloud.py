"""The local cloud: AWS on a laptop, in one process of its own.

moto serves DynamoDB, Step Functions, Lambda's API, Secrets Manager and Logs; behind the gateway, tables are journaled;
functions run in sandboxes; S3 is on disk; stand-ins are child processes. Nothing of it outlives the process, and what
was answered before it ends (also by SIGKILL) is there at the next start.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_cloud import moto_patches
from local_cloud.functions import ACCESS_KEY, NAMES, SECRET_KEY, Endpoints, Function, functions
from local_cloud.gateway import Gateway
from local_cloud.journal import Journal, compact, read_tables
from local_cloud.lambda_host import LambdaHost, LogSink
from local_cloud.machines import machine_definitions
from local_cloud.sandbox.sandbox import Outcome
from local_cloud.stand_in import StandIn
from local_cloud.state import CloudInfo, FileLock, StateFolder
from local_cloud.subscription import subscribe
from local_cloud.tables import KEY_NAMES, TABLES
from stand_ins.keys import DRAFT_KEY, draft_key
from video_production.errors import OperatorError
from video_production.settings import PROVIDER_FACTS, PROVIDERS, submitter_of

if TYPE_CHECKING:
    from local_cloud.doors import Invoke

__all__ = ["CHECKOUT", "CloudOptions", "LocalCloud", "MotoServer", "link_layer", "own_folder"]

CHECKOUT = Path(__file__).resolve().parent.parent
CALLBACK_SECRET = "local-callback-secret"
WEBHOOK_SECRET = "local-webhook-secret"
LOG_LIMIT = 1 << 20
"""Bytes from which cloud.log starts anew."""


@dataclass(frozen=True, slots=True)
class CloudOptions:
    """How a cloud is started.

    `live` maps a provider to its API key; every other provider is a stand-in. `prewarm` names the roles whose sandboxes
    are started ahead. `checkout` holds the functions, the library and the state machines. `speed` makes schedules and
    the waits between asynchronous attempts that much shorter. With `webhooks`, stand-ins report ended jobs to the HTTP
    API; else they are only asked. `variables` are laid over the functions' environment (`MONTHLY_BUDGET_USD`,
    `VEO3_PROJECT`, …).
    """

    live: Mapping[str, str] = field(default_factory=dict)
    prewarm: tuple[str, ...] = ()
    checkout: Path = CHECKOUT
    speed: float = 1.0
    webhooks: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


class LocalCloud:
    """A running cloud. Make one with `start`; it ends with `close`."""

    def __init__(self, info: CloudInfo, parts: ExitStack) -> None:
        self.info = info
        self._parts = parts

    @classmethod
    def start(cls, home: Path, options: CloudOptions) -> LocalCloud:
        """Bring everything up; ready on return. Raises OperatorError (folder in use, journal damaged, no stand-in)."""
        state = StateFolder(home)
        with ExitStack() as parts:
            info = _start_parts(state, options, parts)
            state.announce(info)
            parts.callback(state.cloud_json.unlink, missing_ok=True)
            return cls(info, parts.pop_all())

    def close(self) -> None:
        """End everything, in the opposite order."""
        self._parts.close()


def _start_parts(state: StateFolder, options: CloudOptions, parts: ExitStack) -> CloudInfo:
    own_folder(state, parts)
    shutil.rmtree(state.sandboxes, ignore_errors=True)
    if state.log.exists() and state.log.stat().st_size > LOG_LIMIT:
        os.truncate(state.log, 0)
    state.cloud_json.unlink(missing_ok=True)
    link_layer(state.layer_bin)
    stand_ins = {
        provider: parts.enter_context(StandIn(provider, state.stand_in(provider), options.checkout, state.layer_bin))
        for provider in PROVIDERS
        if provider not in options.live
    }
    compact(state.journal)
    tables = read_tables(state.journal)
    journal = parts.enter_context(Journal(state.journal, durable=bool(options.live)))

    server = MotoServer()
    parts.callback(server.close)
    moto_patches.prepare(server.port)
    from local_cloud import backend, doors, wiring  # only now: importing moto fixes its settings
    from local_cloud.s3 import DiskS3

    store = backend.MotoTables(TABLES)
    store.load(tables)
    s3 = DiskS3(state.s3, ACCESS_KEY, SECRET_KEY).serve("127.0.0.1", 0)
    parts.callback(s3.close)
    endpoints = Endpoints(server.url, s3.url, {name: each.url for name, each in stand_ins.items()})
    table = functions(endpoints, frozenset(options.live), webhooks=options.webhooks, variables=options.variables)
    backend.create_functions(table.values())
    for name, definition in machine_definitions(options.checkout / "workflows", table).items():
        backend.create_machine(name, definition)
    wiring.create_queues(table)
    wiring.create_rules(table)
    api = wiring.create_api(table)

    host = _host(table, state, options, backend.write_logs)
    opened = doors.open_doors(_invoker(host), speed=options.speed)
    parts.callback(opened.close)
    parts.callback(host.close)
    parts.callback(opened.shut)
    endpoints = replace(endpoints, api=opened.api_url(api))
    for name, value in _secrets(endpoints, options, state).items():
        backend.create_secret(name, value)

    gateway = Gateway(backend.moto_app(), store, journal, KEY_NAMES)
    server.open(gateway)
    # The door closes first: what fails while the rest is ending must not be written down as a failure.
    parts.callback(gateway.close)
    for role in options.prewarm:
        host.prewarm(table[role].name)
    for provider, stand_in in stand_ins.items():
        if submitter_of(provider) in options.prewarm:
            stand_in.start()
    return CloudInfo(os.getpid(), endpoints, tuple(options.live))


def _secrets(endpoints: Endpoints, options: CloudOptions, state: StateFolder) -> dict[str, str]:
    """The secrets by name. Where nobody chose one it is a fixed word: nothing here can be reached from outside."""
    secrets = {NAMES.callback_secret: CALLBACK_SECRET}
    for facts in PROVIDER_FACTS.values():
        name, stand_in = facts.name, endpoints.stand_ins.get(facts.name)
        secrets[NAMES.secret(name)] = options.live.get(name) or draft_key(name, state.stand_in(name))
        if facts.webhooks:
            secrets[NAMES.webhook_secret(name)] = (
                subscribe(name, stand_in, DRAFT_KEY, endpoints.api) if options.webhooks and stand_in else WEBHOOK_SECRET
            )
    return secrets


def _invoker(host: LambdaHost) -> Invoke:
    def invoke(function: Any, event: bytes, request_id: str) -> Outcome:
        # Whoever lowers a function's memory, through Lambda's API, sees it run out of it.
        host.resize(function.function_name, function.memory_size)
        return host.invoke(function.function_name, event, request_id)

    return invoke


def _host(table: Mapping[str, Function], state: StateFolder, options: CloudOptions, logs: LogSink) -> LambdaHost:
    return LambdaHost(
        table.values(),
        code_roots=(options.checkout,),
        watched=(options.checkout / "functions", options.checkout / "video_production"),
        folder=state.sandboxes,
        layer_bin=state.layer_bin,
        logs=logs,
    )


def own_folder(state: StateFolder, parts: ExitStack) -> None:
    """Make the folder and hold its lock until `parts` is closed. Raises OperatorError when another cloud holds it."""
    state.root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state.cloud_lock)
    parts.callback(lock.close)
    # Some patience: one that is ending takes a moment, and whoever looks for one holds the lock for an instant.
    if not lock.own(wait=5.0):
        raise OperatorError(f"A local cloud is running in {state.root} already.")
    state.cloud_json.unlink(missing_ok=True)  # left by one that was killed; who waits for us must not take it for ours


def link_layer(folder: Path) -> None:
    """What the FFmpeg layer is on AWS: `ffmpeg` in a folder of its own on the functions' PATH."""
    link = folder / "ffmpeg"
    if link.exists():
        return
    import imageio_ffmpeg  # only when needed: it starts FFmpeg to see that it works

    folder.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(imageio_ffmpeg.get_ffmpeg_exe())


class MotoServer:
    """moto's HTTP server: takes its port at once, serves once opened."""

    def __init__(self) -> None:
        from werkzeug.serving import make_server

        self._server = make_server("127.0.0.1", 0, app=_not_open, threaded=True)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self, app: Any) -> None:
        self._server.app = app
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="moto")
        self._thread.start()

    def close(self) -> None:
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _not_open(environ: Any, start_response: Any) -> list[bytes]:  # noqa: ARG001
    start_response("503 Service Unavailable", [])
    return []
