"""Names and settings: every name is spelled here, every environment variable is read here.

A function calls `FunctionSettings.from_environment()` once, at import time; nothing else reads `os.environ`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from video_production.errors import OperatorError
from video_production.provider_facts import PROVIDER_FACTS, PROVIDERS, ProviderFacts

__all__ = [
    "ACTIVE_INDEX",
    "ENVIRONMENTS",
    "EVENT_SOURCE",
    "INTERMEDIATE_TAG",
    "LEDGER_INDEX",
    "LOCAL",
    "LOCAL_BUCKET",
    "NODE_MACHINE_CALLS",
    "OPEN_INDEX",
    "POLL_LIMIT",
    "PROVIDERS",
    "PROVIDER_FACTS",
    "ROLES",
    "FunctionSettings",
    "Mode",
    "Names",
    "ProviderFacts",
    "ProviderSettings",
    "Role",
    "local_home",
    "poller_of",
    "submitter_of",
]

ENVIRONMENTS = ("development", "staging", "production")
LOCAL = "local"
"""The environment on a laptop. `development` is an AWS environment."""
LOCAL_BUCKET = "jiki-videos-local"
"""Where media go on a laptop when a document names no bucket."""

EVENT_SOURCE = "jiki.video-production"
"""The source of every event that is published."""

ACTIVE_INDEX = "active"
"""The sparse index of the node table: pipelines under way, by `active` and `pipeline_id`."""
OPEN_INDEX = "open"
"""The sparse index of the take table: paid jobs under way, by `open` (the provider) and `open_since` (Unix seconds)."""
LEDGER_INDEX = "ledger"
"""The sparse index of the take table: ledger records by `ledger_month` (such as "2026-11#live") and `at`."""

INTERMEDIATE_TAG = ("jiki-video", "intermediate")
"""The tag of objects made on the way to a pipeline's final video; the bucket may let them expire."""

Mode = Literal["live", "draft"]


POLL_LIMIT = 400
"""Rounds of the node machine that no wait reaches: a round is 13 of the 25,000 events of an execution's history."""


def submitter_of(provider: str) -> str:
    """The role that sends a provider's paid requests."""
    return f"{provider}_submitter"


def poller_of(provider: str) -> str:
    """The role that looks at a provider's jobs."""
    return f"{provider}_poller"


@dataclass(frozen=True, slots=True)
class Role:
    """A Lambda function: `memory` and `disk` (`/tmp`) in MB, `timeout` in seconds; `ffmpeg` when it needs the layer."""

    name: str
    does: str
    memory: int
    timeout: int
    disk: int = 512
    ffmpeg: bool = False

    @property
    def handler(self) -> str:
        return f"functions.{self.name}.handler.handler"

    @property
    def variable(self) -> str:
        """What stands for its ARN in the state machines' files: `MergerArn`, `Veo3PollerArn`."""
        return f"{''.join(word.capitalize() for word in self.name.split('_'))}Arn"


def _roles_of(facts: ProviderFacts) -> tuple[Role, Role]:
    sends = f"sends {facts.makes}'s one request to {facts.title}, or follows the one that exists"
    follows = f"follows {facts.makes} at {facts.title} one step; never sends"
    return (
        Role(submitter_of(facts.name), sends, 512, 300, facts.disk),
        Role(poller_of(facts.name), follows, 512, 300, facts.disk),
    )


_ROLES = (
    Role("merger", "joins videos", 3008, 900, 10240, ffmpeg=True),
    Role("audio_mixer", "puts audio on a video or a still", 3008, 900, 10240, ffmpeg=True),
    *(role for facts in PROVIDER_FACTS.values() for role in _roles_of(facts)),
    Role("scheduler", "starts what is ready; writes failures down; publishes events", 512, 30),
    Role("sweeper", "every five minutes: has everything looked at that is under way", 512, 120),
    Role("webhook_receiver", "checks a provider's webhook and passes it on", 256, 15),
    Role("pipeline_starter", "starts a pipeline over HTTP", 256, 15),
    Role("error_callback", "tells a caller of a merge that ended without an answer", 256, 60),
)
ROLES = {role.name: role for role in _ROLES}
NODE_MACHINE_CALLS = (
    "merger",
    "audio_mixer",
    *(role for name in PROVIDERS for role in (submitter_of(name), poller_of(name))),
    "scheduler",
)
"""The roles whose functions the node machine calls."""


def local_home(checkout: Path, variables: Mapping[str, str] | None = None) -> Path:
    """Where the local cloud keeps its state: `$JIKI_VIDEO_HOME`, or `.jiki-video` in the checkout."""
    given = (os.environ if variables is None else variables).get("JIKI_VIDEO_HOME")
    return Path(given).expanduser().absolute() if given else checkout / ".jiki-video"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one environment's resources."""

    environment: str

    @property
    def nodes_table(self) -> str:
        return f"jiki-video-nodes-{self.environment}"

    @property
    def takes_table(self) -> str:
        return f"jiki-video-takes-{self.environment}"

    @property
    def pipeline_machine(self) -> str:
        return f"jiki-video-pipeline-{self.environment}"

    @property
    def node_machine(self) -> str:
        return f"jiki-video-node-{self.environment}"

    def function(self, role: str) -> str:
        """The Lambda function of `role` (`merger`, `audio_mixer`, `elevenlabs_submitter`, …)."""
        stem = "jiki-video-merger" if role == "merger" else f"jiki-{role.replace('_', '-')}"
        return f"{stem}-{self.environment}"

    def function_log_group(self, role: str) -> str:
        return f"/aws/lambda/{self.function(role)}"

    def machine_log_group(self, machine: str) -> str:
        return f"/aws/vendedlogs/states/{machine}"

    def secret(self, provider: str) -> str:
        """The secret with a provider's API key."""
        return f"jiki-video/{self.environment}/{provider}"

    def webhook_secret(self, provider: str) -> str:
        """The secret with which a provider signs its webhooks."""
        return f"jiki-video/{self.environment}/{provider}-webhook"

    @property
    def callback_secret(self) -> str:
        """The secret with which callbacks are signed."""
        return f"jiki-video/{self.environment}/callbacks"

    @property
    def scheduling_queue(self) -> str:
        """Pipelines that the scheduler shall look at."""
        return f"jiki-video-scheduling-{self.environment}"

    @property
    def failed_merges_queue(self) -> str:
        """Asynchronous merges that ended without an answer."""
        return f"jiki-video-failed-merges-{self.environment}"

    def provider_queue(self, provider: str) -> str:
        """Jobs of a provider that its poller shall look at."""
        return f"jiki-video-{provider}-{self.environment}"

    @staticmethod
    def dead_letters(queue: str) -> str:
        """The queue that takes what `queue` could not deliver."""
        stem, _, environment = queue.rpartition("-")
        return f"{stem}-dead-{environment}"

    @property
    def stack(self) -> str:
        return f"jiki-video-production-{self.environment}"

    @property
    def dashboard(self) -> str:
        return f"jiki-video-production-{self.environment}"


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """How this environment talks to one provider. Times in seconds."""

    mode: Mode
    base_url: str
    secret: str
    account: str
    poll_interval: float
    """How long a young job is left alone. Later it is asked about after `age × poll_growth`, up to `poll_longest`."""
    poll_limit: int
    """Rounds of the node machine; a safety net, the deadline comes before it."""
    submit_budget: float
    """Total time of one paid request, enforced; the submitter does not start with less time remaining."""
    indexing_lag: float
    """How long after a request its result may still be missing from the provider's listings."""
    webhook_secret: str = ""
    """The Secrets Manager name of what the provider signs its webhooks with."""
    queue_url: str = ""
    """The queue of jobs that the poller shall look at; empty where none is needed."""
    webhooks: bool = False
    """Whether jobs ask for a webhook at their end. A provider refuses such a job while nobody is subscribed."""
    poll_growth: float = 0.0
    poll_longest: float = 60.0
    poll_fastest: float = 1.0
    """The provider allows no shorter interval."""
    deadline: float = 1800.0
    """How old a job may get before its node stops waiting for it; what comes later is kept all the same."""
    max_jobs: int = 1
    """Jobs that may be under way at this provider at once, all pipelines together."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The settings that only this provider has, by the names of `ProviderFacts.options`."""


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """What a function knows of its environment. Read once from environment variables."""

    environment: str
    role: str
    """Which function this is; empty in the command line."""
    nodes_table: str
    takes_table: str
    node_machine_arn: str
    pipeline_machine_arn: str
    stale_after: float
    """Seconds after which the scheduler checks on an untouched node in progress."""
    allow_inband: bool
    """Whether merges may put codec settings into the stream, which spares encoding and not every player plays."""
    callback_hosts: tuple[str, ...]
    callback_secret: str
    """The Secrets Manager name of what callbacks are signed with."""
    scheduling_queue_url: str
    """The queue of pipelines that the scheduler shall look at; empty where none is needed."""
    event_bus: str
    """Where events are published; empty: nowhere."""
    monthly_budget_usd: float | None
    """What all pipelines together may spend in a calendar month (UTC), in US dollars; None: no limit."""
    prices: str
    """What differs here from the shipped prices, as JSON in their form; empty where nothing does."""
    variables: Mapping[str, str]

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] | None = None) -> FunctionSettings:
        """Read the settings; raise OperatorError naming every variable that is missing."""
        given = dict(os.environ if variables is None else variables)
        required = ("JIKI_ENVIRONMENT",)
        missing = [name for name in required if not given.get(name)]
        if missing:
            raise OperatorError(f"Environment variables are missing: {', '.join(missing)}. Deploy the stack again.")
        names = Names(given["JIKI_ENVIRONMENT"])
        return cls(
            environment=names.environment,
            role=given.get("POWERTOOLS_SERVICE_NAME", ""),
            nodes_table=given.get("NODES_TABLE", names.nodes_table),
            takes_table=given.get("TAKES_TABLE", names.takes_table),
            node_machine_arn=given.get("NODE_MACHINE_ARN", ""),
            pipeline_machine_arn=given.get("PIPELINE_MACHINE_ARN", ""),
            stale_after=float(given.get("STALE_AFTER_SECONDS", "120")),
            allow_inband=given.get("ALLOW_INBAND") == "on",
            callback_hosts=tuple(host for host in given.get("CALLBACK_HOSTS", "").split(",") if host),
            callback_secret=given.get("CALLBACK_SECRET", names.callback_secret),
            scheduling_queue_url=given.get("SCHEDULING_QUEUE_URL", ""),
            event_bus=given.get("EVENT_BUS", ""),
            monthly_budget_usd=float(given["MONTHLY_BUDGET_USD"]) if given.get("MONTHLY_BUDGET_USD") else None,
            prices=given.get("PRICES", ""),
            variables=given,
        )

    def provider(self, name: str) -> ProviderSettings:
        """The settings of one provider, from `{NAME}_MODE`, `{NAME}_BASE_URL`, … with the live API as default."""
        upper, facts, names = name.upper(), PROVIDER_FACTS[name], Names(self.environment)

        def read(key: str, default: object) -> str:
            return self.variables.get(f"{upper}_{key}", str(default))

        mode, webhooks = read("MODE", "live"), read("WEBHOOKS", "off")
        if mode not in ("live", "draft"):
            raise OperatorError(f"{upper}_MODE is '{mode}'; it must be 'live' or 'draft'.")
        if webhooks not in ("on", "off"):
            raise OperatorError(f"{upper}_WEBHOOKS is '{webhooks}'; it must be 'on' or 'off'.")
        return ProviderSettings(
            mode="draft" if mode == "draft" else "live",
            base_url=read("BASE_URL", ""),
            secret=read("SECRET", names.secret(name)),
            account=read("ACCOUNT", "default"),
            poll_interval=float(read("POLL_INTERVAL_SECONDS", facts.first_poll)),
            poll_limit=int(read("POLL_LIMIT", POLL_LIMIT)),
            submit_budget=float(read("SUBMIT_BUDGET_SECONDS", facts.submit_budget)),
            indexing_lag=float(read("INDEXING_LAG_SECONDS", facts.indexing_lag)),
            webhook_secret=read(
                "WEBHOOK_SECRET", Names(self.environment).webhook_secret(name) if facts.webhooks else ""
            ),
            queue_url=read("QUEUE_URL", ""),
            webhooks=webhooks == "on",
            poll_growth=float(read("POLL_GROWTH", facts.growth)),
            poll_longest=float(read("POLL_LONGEST_SECONDS", facts.longest_poll)),
            poll_fastest=facts.fastest_poll,
            deadline=float(read("DEADLINE_SECONDS", facts.deadline)),
            max_jobs=int(read("MAX_JOBS", facts.concurrency)),
            options={option: read(option.upper(), "") for option in facts.options},
        )
