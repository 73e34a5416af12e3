"""The functions of the local environment, in one table: handler, memory, time limit, environment.

The AWS stack has the same roles with the same variables; values differ where a laptop needs no patience: a draft is
ready in a second, so asking every ten seconds would only make people wait.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from video_production.metrics import NAMESPACE
from video_production.settings import LOCAL, PROVIDER_FACTS, Names, ProviderFacts, submitter_of
from video_production.settings import ROLES as _ROLES

__all__ = ["ACCOUNT", "NAMES", "REGION", "ROLES", "Endpoints", "Function", "functions", "machine_arn", "queue_url"]

ACCOUNT = "123456789012"
"""moto's account."""
REGION = "us-east-1"
NAMES = Names(LOCAL)
ACCESS_KEY = "local"
SECRET_KEY = "local"

ROLES = tuple(_ROLES)

DRAFT_SUBMITTER_TIMEOUT = 20.0
"""Seconds that suffice where the provider is a stand-in: after a kill, a request's fate is known that much sooner."""
DRAFTS = {
    "MODE": "draft",
    "POLL_INTERVAL_SECONDS": "1",
    "POLL_GROWTH": "0",
    "POLL_LONGEST_SECONDS": "1",
    "POLL_LIMIT": "1200",
    "DEADLINE_SECONDS": "900",
    "SUBMIT_BUDGET_SECONDS": "12",
    "INDEXING_LAG_SECONDS": "1",
}
"""Settings of every provider that is a stand-in."""
DRAFT_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "heygen": {"engine": "avatar_iv"},
    "veo3": {
        "project": "drafts",
        "location": "us-central1",
        "bucket": "drafts",
        "model": "veo-3.1-generate-001",
    },
    "runway": {"model": "gen4.5"},
}
"""What a draft is made with where its provider has settings of its own and the document says nothing. A draft costs
nothing; whoever turns to the real provider names these things."""
CONCURRENCY = 4


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the local cloud listens: base URLs. `stand_ins` has one per provider that runs as a draft."""

    aws: str
    s3: str
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    api: str = ""
    """The HTTP API: webhooks, starting a pipeline."""


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function. `timeout` in seconds; `concurrency` is how many sandboxes may exist at once."""

    name: str
    handler: str
    memory_mb: int
    timeout: float
    concurrency: int
    environment: Mapping[str, str]
    version: str = "$LATEST"

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.name}"


def machine_arn(name: str) -> str:
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


def queue_url(endpoints: Endpoints, name: str) -> str:
    return f"{endpoints.aws}/{ACCOUNT}/{name}"


def functions(
    endpoints: Endpoints,
    live: frozenset[str] = frozenset(),
    *,
    webhooks: bool = False,
    variables: Mapping[str, str] | None = None,
) -> dict[str, Function]:
    """Role → function. `live` names the providers that are the real ones; the others are stand-ins, which report by
    webhook where `webhooks` says so. `variables` are laid over the functions' environment."""
    environment = {**_aws(endpoints), **_settings(endpoints)}
    for facts in PROVIDER_FACTS.values():
        environment |= _provider(endpoints, facts, live=facts.name in live, webhooks=webhooks)
    environment |= variables or {}
    drafts = {submitter_of(name) for name in PROVIDER_FACTS if name not in live}
    media = max(2, (os.cpu_count() or 2) // 2)
    return {
        role.name: Function(
            name=NAMES.function(role.name),
            handler=role.handler,
            memory_mb=role.memory,
            timeout=DRAFT_SUBMITTER_TIMEOUT if role.name in drafts else float(role.timeout),
            concurrency=media if role.ffmpeg else CONCURRENCY,
            environment={**environment, "POWERTOOLS_SERVICE_NAME": role.name},
        )
        for role in _ROLES.values()
    }


def _aws(endpoints: Endpoints) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoints.aws,
        "AWS_ENDPOINT_URL_S3": endpoints.s3,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }


def _settings(endpoints: Endpoints) -> dict[str, str]:
    return {
        "JIKI_ENVIRONMENT": NAMES.environment,
        "NODES_TABLE": NAMES.nodes_table,
        "TAKES_TABLE": NAMES.takes_table,
        "NODE_MACHINE_ARN": machine_arn(NAMES.node_machine),
        "PIPELINE_MACHINE_ARN": machine_arn(NAMES.pipeline_machine),
        "STALE_AFTER_SECONDS": "2",
        "CALLBACK_HOSTS": "127.0.0.1,localhost",
        "CALLBACK_SECRET": NAMES.callback_secret,
        "SCHEDULING_QUEUE_URL": queue_url(endpoints, NAMES.scheduling_queue),
        "EVENT_BUS": "default",
        "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
    }


def _provider(endpoints: Endpoints, facts: ProviderFacts, *, live: bool, webhooks: bool) -> dict[str, str]:
    given = {"SECRET": NAMES.secret(facts.name), "QUEUE_URL": queue_url(endpoints, NAMES.provider_queue(facts.name))}
    if facts.webhooks:
        given["WEBHOOK_SECRET"] = NAMES.webhook_secret(facts.name)
    if live:
        given["MODE"] = "live"
    else:
        given |= {**DRAFTS, "BASE_URL": endpoints.stand_ins.get(facts.name, "")}
        given |= {option.upper(): value for option, value in DRAFT_OPTIONS.get(facts.name, {}).items()}
        if facts.webhooks:
            given["WEBHOOKS"] = "on" if webhooks else "off"
    return {f"{facts.name.upper()}_{key}": value for key, value in given.items()}
