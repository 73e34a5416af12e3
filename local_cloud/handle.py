"""Using a local cloud: attach to the one that runs, or start one. What the command line imports; light on purpose."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from local_cloud.functions import ACCESS_KEY, NAMES, REGION, ROLES, SECRET_KEY, Endpoints, machine_arn, queue_url
from local_cloud.state import CloudInfo, FileLock, StateFolder
from video_production.errors import OperatorError
from video_production.settings import LOCAL_BUCKET, PROVIDERS

__all__ = ["CloudHandle", "attach_or_start", "exports", "run_in_foreground"]

CHECKOUT = Path(__file__).resolve().parent.parent
START_LIMIT = 30.0
STOP_LIMIT = 20.0


class CloudHandle:
    """A running cloud that we use. While any handle is open, in any process, the cloud lives. A context manager.

    `owned` says whether we started it.
    """

    def __init__(
        self, state: StateFolder, info: CloudInfo, users: FileLock, process: subprocess.Popen[str] | None
    ) -> None:
        self.home = state.root
        self.owned = process is not None
        self._state = state
        self._info = info
        self._users = users
        self._process = process
        self._closed = False
        self._session: Any = None
        self._session_lock = threading.Lock()

    @property
    def endpoints(self) -> Endpoints:
        return self._info.endpoints

    @property
    def live(self) -> tuple[str, ...]:
        """The providers that are the real ones."""
        return self._info.live

    @property
    def pid(self) -> int:
        return self._info.pid

    @property
    def alive(self) -> bool:
        return self._state.alive()

    def session(self) -> Any:
        """A boto3 session that knows nothing of the user's own AWS configuration; always the same one."""
        import boto3
        from botocore.session import Session

        if self._session is None:
            nothing = (None, None, None, None)
            no_file = (None, None, os.devnull, None)
            core = Session({"profile": nothing, "config_file": no_file, "credentials_file": no_file})
            self._session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION, botocore_session=core)
        return self._session

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud: `s3`, `dynamodb`, `stepfunctions`, `lambda`, `logs`, `sqs`, …"""
        from botocore.config import Config

        # A function may take fifteen minutes, and is not to be invoked twice because its answer takes long.
        patient = {"read_timeout": 960, "retries": {"total_max_attempts": 1}} if service == "lambda" else {}
        config = Config(
            proxies={}, max_pool_connections=32, signature_version="s3v4" if service == "s3" else None, **patient
        )
        endpoint = self.endpoints.s3 if service == "s3" else self.endpoints.aws
        with self._session_lock:  # boto3 sessions may be used by one thread at a time, their clients by many
            return self.session().client(service, endpoint_url=endpoint, config=config)

    def ensure_bucket(self, bucket: str) -> None:
        """Create a bucket unless it exists."""
        from botocore.exceptions import ClientError

        s3 = self.client("s3")
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError:
            s3.create_bucket(Bucket=bucket)
        finally:
            s3.close()

    def close(self) -> None:
        """Stop using the cloud. When nobody else does, it ends, and on return nothing of it runs any more."""
        if self._closed:
            return
        self._closed = True
        alone = self._users.own(wait=0)
        # Not alone and not even a share to be had: the cloud noticed our leaving first and is ending.
        others = not alone and self._users.share(wait=0)
        if not others:
            self._end(ask=alone)
        elif self._process is not None:
            # It lives on for the others; whenever it ends, it must not stay behind as our zombie.
            threading.Thread(target=self._process.wait, daemon=True).start()
        self._users.close()

    stop = close

    def __enter__(self) -> CloudHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _end(self, ask: bool) -> None:
        if ask and self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._info.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_LIMIT
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.alive:
            os.kill(self._info.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()


def attach_or_start(
    home: Path,
    *,
    live: Mapping[str, str] | None = None,
    prewarm: tuple[str, ...] = (),
    checkout: Path = CHECKOUT,
    speed: float = 1.0,
    webhooks: bool = False,
    variables: Mapping[str, str] | None = None,
    module: str = "local_cloud",
) -> CloudHandle:
    """Use the cloud whose state is in `home`, starting it when it does not run.

    `live` maps providers to API keys, the others are stand-ins; None takes whatever runs. `prewarm` names roles whose
    functions should be warm soon; `speed`, `webhooks` and `variables` are those of CloudOptions. `module` is what runs
    as the cloud's process. Raises OperatorError when it can't start, or runs with other providers than `live`.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    state = StateFolder(home)
    with contextlib.ExitStack() as on_failure:
        users = FileLock(state.users_lock)
        on_failure.callback(users.close)
        if not users.share(wait=STOP_LIMIT):
            raise OperatorError(f"The local cloud in {home} is ending, but does not come to an end; see {state.log}.")
        process = None
        info = state.running()
        if info is None:
            options: dict[str, Any] = {"live": dict(live or {}), "prewarm": prewarm, "checkout": str(checkout)}
            options |= {"speed": speed, "webhooks": webhooks, "variables": dict(variables or {})}
            process = _spawn(state, options, module)
            on_failure.callback(_reap, process)
            info = _await_ready(state, process)
            if info.pid != process.pid:
                _reap(process)
                process = None
        if live is not None and sorted(info.live) != sorted(live):
            wanted, running = (", ".join(names) or "drafts only" for names in (live, info.live))
            raise OperatorError(
                f"The local cloud that runs in {home} uses other providers for real ({running}) than this needs "
                f"({wanted}). Wait until it has finished, or stop it, then try again."
            )
        on_failure.pop_all()
    return CloudHandle(state, info, users, process)


def _spawn(state: StateFolder, options: Mapping[str, Any], module: str) -> subprocess.Popen[str]:
    """Start the cloud's process: a session of its own (Ctrl-C is not for it), nothing of our environment."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(CHECKOUT),
        "HOME": str(state.root),
        "LANG": "en_US.UTF-8",
    }
    with state.log.open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, "--home", str(state.root)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=CHECKOUT,
            env=environment,
            start_new_session=True,
            text=True,
        )
    if process.stdin is not None:
        with process.stdin as stdin, contextlib.suppress(BrokenPipeError):
            # Not on the command line, where every process could read the API keys.
            stdin.write(json.dumps(options))
    return process


def _reap(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait()


def _await_ready(state: StateFolder, process: subprocess.Popen[str]) -> CloudInfo:
    """Wait for cloud.json, ours or that of somebody who was quicker."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if info := state.running():
            return info
        if process.poll() is not None and not state.alive():
            break
        time.sleep(0.02)
    lines = state.log.read_text().strip().splitlines() or ["it printed nothing"]
    raise OperatorError(f"The local cloud did not start: {lines[-1]} (details: {state.log})")


def exports(endpoints: Endpoints) -> dict[str, str]:
    """The environment variables with which other programs use the cloud."""
    return {
        "AWS_ENDPOINT_URL": endpoints.aws,
        "AWS_ENDPOINT_URL_S3": endpoints.s3,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "VIDEO_BUCKET": LOCAL_BUCKET,
        "NODES_TABLE": NAMES.nodes_table,
        "TAKES_TABLE": NAMES.takes_table,
        "PIPELINE_MACHINE_ARN": machine_arn(NAMES.pipeline_machine),
        "NODE_MACHINE_ARN": machine_arn(NAMES.node_machine),
        "SCHEDULING_QUEUE_URL": queue_url(endpoints, NAMES.scheduling_queue),
        "FAILED_MERGES_QUEUE_URL": queue_url(endpoints, NAMES.failed_merges_queue),
        **{f"{name.upper()}_QUEUE_URL": queue_url(endpoints, NAMES.provider_queue(name)) for name in PROVIDERS},
        "API_URL": endpoints.api,
        "CALLBACK_SECRET": NAMES.callback_secret,
        **{f"{role.upper()}_FUNCTION": NAMES.function(role) for role in ROLES},
        **{f"{provider.upper()}_BASE_URL": url for provider, url in endpoints.stand_ins.items()},
    }


_GREETING = """\
# LOCAL: AWS on this machine only. Run these lines in another shell; what reads them talks to this machine.
# `aws sqs` of AWS CLI version 1 does not, it asks AWS itself: give it --endpoint-url $AWS_ENDPOINT_URL every time."""


def run_in_foreground(home: Path, out: TextIO) -> None:
    """Run a cloud for other programs until Ctrl-C (or its end). Prints how to reach it, as lines for a shell.

    Stand-ins report by webhook in it, so that all of the product is to be seen.
    """
    with attach_or_start(home, webhooks=True) as cloud:
        cloud.ensure_bucket(LOCAL_BUCKET)
        print(_GREETING, file=out)
        print("unset AWS_PROFILE AWS_SESSION_TOKEN", file=out)
        for name, value in exports(cloud.endpoints).items():
            print(f"export {name}={value}", file=out)
        print(f"# Ready. Files lie in {cloud.home}; end with Ctrl-C.", file=out, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while cloud.alive:
                time.sleep(0.2)
