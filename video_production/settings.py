"""Names and settings: every name is spelled here, every environment variable is read here.

A function calls `FunctionSettings.from_environment()` once, at import time; nothing else reads `os.environ`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from video_production.errors import OperatorError

__all__ = [
    "ACTIVE_INDEX",
    "ENVIRONMENTS",
    "EVENT_SOURCE",
    "INTERMEDIATE_TAG",
    "LOCAL",
    "LOCAL_BUCKET",
    "OPEN_INDEX",
    "PROVIDERS",
    "ROLES",
    "FunctionSettings",
    "Mode",
    "Names",
    "ProviderSettings",
    "Role",
    "local_home",
]

ENVIRONMENTS = ("development", "staging", "production")
LOCAL = "local"
"""The environment on a laptop. `development` is an AWS environment."""
LOCAL_BUCKET = "jiki-videos-local"
"""Where media go on a laptop when a document names no bucket."""

PROVIDERS = ("elevenlabs",)
"""The generation providers, each with a submitter, a poller, a secret and a queue."""
EVENT_SOURCE = "jiki.video-production"
"""The source of every event that is published."""

ACTIVE_INDEX = "active"
"""The sparse index of the node table: pipelines under way, by `active` and `pipeline_id`."""
OPEN_INDEX = "open"
"""The sparse index of the take table: paid jobs under way, by `open` (the provider) and `open_since` (Unix seconds)."""

INTERMEDIATE_TAG = ("jiki-video", "intermediate")
"""The tag of objects made on the way to a pipeline's final video; the bucket may let them expire."""

Mode = Literal["live", "draft"]


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


_ROLES = (
    Role("merger", "joins videos", 3008, 900, 10240, ffmpeg=True),
    Role("audio_mixer", "puts audio on a video or a still", 3008, 900, 10240, ffmpeg=True),
    Role("elevenlabs_submitter", "sends a voiceover's one request, or follows the one that exists", 512, 300),
    Role("elevenlabs_poller", "follows a voiceover one step; also asked by the provider's webhooks", 512, 150),
    Role("scheduler", "starts what is ready; writes failures down; publishes events", 512, 30),
    Role("sweeper", "every five minutes: has everything looked at that is under way", 512, 120),
    Role("webhook_receiver", "checks a provider's webhook and passes it on", 256, 15),
    Role("pipeline_starter", "starts a pipeline over HTTP", 256, 15),
    Role("error_callback", "tells a caller of a merge that ended without an answer", 256, 60),
)
ROLES = {role.name: role for role in _ROLES}


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
    poll_limit: int
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
    callback_hosts: tuple[str, ...]
    callback_secret: str
    """The Secrets Manager name of what callbacks are signed with."""
    scheduling_queue_url: str
    """The queue of pipelines that the scheduler shall look at; empty where none is needed."""
    event_bus: str
    """Where events are published; empty: nowhere."""
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
            callback_hosts=tuple(host for host in given.get("CALLBACK_HOSTS", "").split(",") if host),
            callback_secret=given.get("CALLBACK_SECRET", names.callback_secret),
            scheduling_queue_url=given.get("SCHEDULING_QUEUE_URL", ""),
            event_bus=given.get("EVENT_BUS", ""),
            variables=given,
        )

    def provider(self, name: str) -> ProviderSettings:
        """The settings of one provider, from `{NAME}_MODE`, `{NAME}_BASE_URL`, … with the live API as default."""
        upper = name.upper()

        def read(key: str, default: str) -> str:
            return self.variables.get(f"{upper}_{key}", default)

        mode, webhooks = read("MODE", "live"), read("WEBHOOKS", "off")
        if mode not in ("live", "draft"):
            raise OperatorError(f"{upper}_MODE is '{mode}'; it must be 'live' or 'draft'.")
        if webhooks not in ("on", "off"):
            raise OperatorError(f"{upper}_WEBHOOKS is '{webhooks}'; it must be 'on' or 'off'.")
        return ProviderSettings(
            mode="draft" if mode == "draft" else "live",
            base_url=read("BASE_URL", ""),
            secret=read("SECRET", Names(self.environment).secret(name)),
            account=read("ACCOUNT", "default"),
            poll_interval=float(read("POLL_INTERVAL_SECONDS", "10")),
            poll_limit=int(read("POLL_LIMIT", "60")),
            submit_budget=float(read("SUBMIT_BUDGET_SECONDS", "240")),
            indexing_lag=float(read("INDEXING_LAG_SECONDS", "60")),
            webhook_secret=read("WEBHOOK_SECRET", Names(self.environment).webhook_secret(name)),
            queue_url=read("QUEUE_URL", ""),
            webhooks=webhooks == "on",
        )
