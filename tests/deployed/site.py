"""Where the app is deployed in these tests: an emulated AWS, a copy of the checkout, the real CDK CLI."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.config import Config

from local_cloud.deployed.cdk import Cdk, Step
from local_cloud.functions import ACCESS_KEY, REGION, SECRET_KEY
from local_cloud.handle import CloudHandle
from local_cloud.state import StateFolder
from stand_ins.keys import draft_key
from video_production.settings import PROVIDERS, Names, poller_of, submitter_of

__all__ = ["BUCKETS", "CHECKOUT", "PROBES", "Environment", "Site", "broken_functions", "copy_checkout"]

CHECKOUT = Path(__file__).resolve().parent.parent.parent
BUCKETS = {
    "development": "jiki-videos-dev",
    "staging": "jiki-videos-staging",
    "production": "jiki-videos-production",
}
_COPIED = (
    "app.py", "cdk", "cdk.json", "functions", "layers", "package.json", "package-lock.json", "pyproject.toml",
    "requirements", "stacks", "tools", "video_production", "workflows",
)  # fmt: skip
_LINKED = (".venv", "node_modules", "build")


def copy_checkout(target: Path) -> Path:
    """A checkout that tests may change, with what the set-up installed."""
    target.mkdir()
    for name in _COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / name)
    (CHECKOUT / "build").mkdir(exist_ok=True)
    for name in _LINKED:
        (target / name).symlink_to(CHECKOUT / name)
    return target


@dataclass
class Environment:
    """One deployed environment: its names, its stack, what its resources say."""

    site: Site
    names: Names

    def client(self, service: str) -> Any:
        return self.site.cloud.client(service)

    @property
    def stack(self) -> dict[str, Any]:
        [stack] = self.client("cloudformation").describe_stacks(StackName=self.names.stack)["Stacks"]
        found: dict[str, Any] = stack
        return found

    @property
    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.stack["Outputs"]}

    def function(self, role: str, qualifier: str | None = None) -> dict[str, Any]:
        chosen = {"Qualifier": qualifier} if qualifier else {}
        found: dict[str, Any] = self.client("lambda").get_function_configuration(
            FunctionName=self.names.function(role), **chosen
        )
        return found

    def machine(self, name: str) -> dict[str, Any]:
        arn = f"arn:aws:states:{REGION}:123456789012:stateMachine:{name}"
        found: dict[str, Any] = self.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
        return found

    def log(self, group: str) -> list[str]:
        """Everything in a log group, oldest first."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]

    def variables(self) -> dict[str, str]:
        """What an operator's shell has in which AWS is this emulator."""
        endpoints = self.site.cloud.endpoints
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.site.folder),
            "PYTHONPATH": str(CHECKOUT),
            "AWS_ENDPOINT_URL": endpoints.aws,
            "AWS_ENDPOINT_URL_S3": endpoints.s3,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def run(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run one of the product's commands against this environment."""
        command = [sys.executable, "-m", "video_production.cli", *arguments]
        where = ("--environment", self.names.environment)
        return subprocess.run(
            [*command, *where],
            cwd=self.site.folder,
            env=self.variables(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@dataclass
class Site:
    """`folder` takes assemblies and logs; `checkout` is the copy that is deployed."""

    cloud: CloudHandle
    cdk: Cdk
    folder: Path
    checkout: Path
    _assemblies: dict[str, Path] = field(default_factory=dict)
    _deployed: dict[str, Path] = field(default_factory=dict)
    empty_secrets: dict[str, set[str]] = field(default_factory=dict)
    """Environment → the secrets that had no value after its first deployment."""

    def settings(self, **changes: Any) -> dict[str, Any]:
        """The settings of every environment here: every provider is a stand-in, which is ready in some seconds."""
        draft = {
            "mode": "draft",
            "poll_interval_seconds": 1,
            "poll_growth": 0,
            "poll_longest_seconds": 1,
            "deadline_seconds": 300,
            "submit_budget_seconds": 12,
            "indexing_lag_seconds": 1,
        }
        providers = {
            name: {**draft, "base_url": url, **({"project": "drafts", "bucket": "drafts"} if name == "veo3" else {})}
            for name, url in self.cloud.endpoints.stand_ins.items()
        }
        architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
        return {"architecture": architecture, "providers": providers, **changes}

    def assembly(self, environment: str, checkout: Path | None = None, **changes: Any) -> Path:
        """What would be deployed, synthesised once."""
        checkout = checkout or self.checkout
        settings = self.settings(**changes)
        key = json.dumps([environment, str(checkout), settings], sort_keys=True)
        if key not in self._assemblies:
            output = self.folder / "assemblies" / str(len(self._assemblies) + 1)
            self.cdk.at(checkout).synth(output, environment, settings)
            self._assemblies[key] = output
        return self._assemblies[key]

    def deploy(self, environment: str, checkout: Path | None = None, **changes: Any) -> Environment:
        """Bring an environment to these settings and this code, unless it is there."""
        assembly = self.assembly(environment, checkout, **changes)
        deployed = Environment(self, Names(environment))
        if self._deployed.get(environment) != assembly:
            first = environment not in self._deployed
            if first and not changes.get("bucket", {}).get("create"):
                self.cloud.ensure_bucket(BUCKETS[environment])
            self.cdk.deploy(assembly)
            self._deployed[environment] = assembly
            if first:
                self._enter_secrets(deployed)
        return deployed

    def deploy_again(self, environment: str, *options: str) -> Step:
        """Deploy what is deployed already."""
        return self.cdk.deploy(self._deployed[environment], *options)

    def destroy(self, environment: str) -> Step:
        return self.cdk.destroy(self._deployed.pop(environment))

    def moto_s3(self) -> Any:
        """The S3 in which the settings of buckets can be looked at; media lie in the one on disk."""
        config = Config(proxies={}, s3={"addressing_style": "path"})
        return self.cloud.session().client("s3", endpoint_url=self.cloud.endpoints.aws, config=config)

    def _enter_secrets(self, deployed: Environment) -> None:
        """What an operator does after the first deployment."""
        secrets = deployed.client("secretsmanager")
        self.empty_secrets[deployed.names.environment] = {
            each["Name"]
            for each in secrets.list_secrets()["SecretList"]
            if deployed.names.environment in each["Name"] and not each.get("SecretVersionsToStages")
        }
        for provider in PROVIDERS:
            key = draft_key(provider, StateFolder(self.cloud.home).stand_in(provider))
            secrets.put_secret_value(SecretId=deployed.names.secret(provider), SecretString=key)
        secrets.put_secret_value(SecretId=deployed.names.callback_secret, SecretString="a-long-random-text")


def broken_functions(environment: Environment) -> Mapping[str, str]:
    """Role → what went wrong, of every function that can't answer a harmless event from its package."""
    broken = {}
    for role, event in PROBES.items():
        answer = environment.client("lambda").invoke(
            FunctionName=environment.names.function(role), Payload=json.dumps(event).encode()
        )
        if answer.get("FunctionError"):
            said = json.loads(answer["Payload"].read())
            broken[role] = f"{said.get('errorType')}: {said.get('errorMessage')}"
    return broken


def _request(**parameters: str) -> dict[str, Any]:
    """What the HTTP API sends to a function."""
    return {"version": "2.0", "headers": {}, "pathParameters": parameters, "body": "{}", "isBase64Encoded": False}


_NO_NODE = {"pipeline_id": "none", "node_id": "none", "process_uuid": "none"}
PROBES: Mapping[str, dict[str, Any]] = {
    "merger": {},
    "audio_mixer": _NO_NODE,
    **{role: _NO_NODE for name in PROVIDERS for role in (submitter_of(name), poller_of(name))},
    "scheduler": {"Records": []},
    "sweeper": {},
    "webhook_receiver": _request(provider="none"),
    "pipeline_starter": _request(id="none"),
    "error_callback": {"Records": []},
}
"""For every role an event that it answers without doing anything."""
