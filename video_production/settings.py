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

__all__ = ["ENVIRONMENTS", "LOCAL", "FunctionSettings", "Mode", "Names", "ProviderSettings", "local_home"]

ENVIRONMENTS = ("development", "staging", "production")
LOCAL = "local"
"""The environment on a laptop. `development` is an AWS environment."""

Mode = Literal["live", "draft"]


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

    def secret(self, provider: str) -> str:
        return f"jiki-video/{self.environment}/{provider}"


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


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """What a function knows of its environment. Read once from environment variables."""

    environment: str
    nodes_table: str
    takes_table: str
    node_machine_arn: str
    pipeline_machine_arn: str
    stale_after: float
    """Seconds after which the scheduler checks on an untouched node in progress."""
    callback_hosts: tuple[str, ...]
    callback_secret: str
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
            nodes_table=given.get("NODES_TABLE", names.nodes_table),
            takes_table=given.get("TAKES_TABLE", names.takes_table),
            node_machine_arn=given.get("NODE_MACHINE_ARN", ""),
            pipeline_machine_arn=given.get("PIPELINE_MACHINE_ARN", ""),
            stale_after=float(given.get("STALE_AFTER_SECONDS", "120")),
            callback_hosts=tuple(host for host in given.get("CALLBACK_HOSTS", "").split(",") if host),
            callback_secret=given.get("CALLBACK_SECRET", ""),
            variables=given,
        )

    def provider(self, name: str) -> ProviderSettings:
        """The settings of one provider, from `{NAME}_MODE`, `{NAME}_BASE_URL`, … with the live API as default."""
        upper = name.upper()

        def read(key: str, default: str) -> str:
            return self.variables.get(f"{upper}_{key}", default)

        mode = read("MODE", "live")
        if mode not in ("live", "draft"):
            raise OperatorError(f"{upper}_MODE is '{mode}'; it must be 'live' or 'draft'.")
        return ProviderSettings(
            mode="draft" if mode == "draft" else "live",
            base_url=read("BASE_URL", ""),
            secret=read("SECRET", Names(self.environment).secret(name)),
            account=read("ACCOUNT", "default"),
            poll_interval=float(read("POLL_INTERVAL_SECONDS", "10")),
            poll_limit=int(read("POLL_LIMIT", "60")),
            submit_budget=float(read("SUBMIT_BUDGET_SECONDS", "240")),
            indexing_lag=float(read("INDEXING_LAG_SECONDS", "60")),
        )
