"""The functions of the local environment, in one table: handler, memory, time limit, environment.

The AWS stack has the same roles with the same variables; values differ where a laptop needs no patience: a draft is
ready in a second, so asking every ten seconds would only make people wait.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from video_production.settings import LOCAL, Names

__all__ = ["ACCOUNT", "NAMES", "REGION", "ROLES", "Endpoints", "Function", "functions", "machine_arn"]

ACCOUNT = "123456789012"
"""moto's account."""
REGION = "us-east-1"
NAMES = Names(LOCAL)
ACCESS_KEY = "local"
SECRET_KEY = "local"

ROLES = ("merger", "audio_mixer", "elevenlabs_submitter", "elevenlabs_poller", "scheduler")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the local cloud listens: base URLs. `stand_ins` has one per provider that runs as a draft."""

    aws: str
    s3: str
    stand_ins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function. `timeout` in seconds; `concurrency` is how many sandboxes may exist at once."""

    name: str
    handler: str
    memory_mb: int
    timeout: float
    concurrency: int
    environment: Mapping[str, str]

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.name}"


def machine_arn(name: str) -> str:
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


def functions(endpoints: Endpoints, live: frozenset[str] = frozenset()) -> dict[str, Function]:
    """Role → function. `live` names the providers that are the real ones; the others are stand-ins."""
    environment = {**_aws(endpoints), **_settings(), **_elevenlabs(endpoints, "elevenlabs" in live)}
    submit_timeout = 300.0 if "elevenlabs" in live else 20.0
    media = max(2, (os.cpu_count() or 2) // 2)

    def function(role: str, memory_mb: int, timeout: float, concurrency: int) -> Function:
        own = {**environment, "POWERTOOLS_SERVICE_NAME": role}
        return Function(NAMES.function(role), f"functions.{role}.handler.handler", memory_mb, timeout, concurrency, own)

    return {
        "merger": function("merger", 3008, 900.0, media),
        "audio_mixer": function("audio_mixer", 3008, 900.0, media),
        "elevenlabs_submitter": function("elevenlabs_submitter", 512, submit_timeout, 4),
        "elevenlabs_poller": function("elevenlabs_poller", 512, 150.0, 4),
        "scheduler": function("scheduler", 512, 30.0, 4),
    }


def _aws(endpoints: Endpoints) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoints.aws,
        "AWS_ENDPOINT_URL_S3": endpoints.s3,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }


def _settings() -> dict[str, str]:
    return {
        "JIKI_ENVIRONMENT": NAMES.environment,
        "NODES_TABLE": NAMES.nodes_table,
        "TAKES_TABLE": NAMES.takes_table,
        "NODE_MACHINE_ARN": machine_arn(NAMES.node_machine),
        "PIPELINE_MACHINE_ARN": machine_arn(NAMES.pipeline_machine),
        "STALE_AFTER_SECONDS": "2",
        "CALLBACK_HOSTS": "127.0.0.1,localhost",
        "CALLBACK_SECRET": "local-callback-secret",
        "POWERTOOLS_METRICS_NAMESPACE": "JikiVideo",
    }


def _elevenlabs(endpoints: Endpoints, live: bool) -> dict[str, str]:
    secret = {"ELEVENLABS_SECRET": NAMES.secret("elevenlabs")}
    if live:
        return {**secret, "ELEVENLABS_MODE": "live"}
    return {
        **secret,
        "ELEVENLABS_MODE": "draft",
        "ELEVENLABS_BASE_URL": endpoints.stand_ins.get("elevenlabs", ""),
        "ELEVENLABS_POLL_INTERVAL_SECONDS": "1",
        "ELEVENLABS_POLL_LIMIT": "120",
        "ELEVENLABS_SUBMIT_BUDGET_SECONDS": "12",
        "ELEVENLABS_INDEXING_LAG_SECONDS": "1",
    }
