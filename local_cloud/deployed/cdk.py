"""The CDK CLI, pointed at an emulated AWS and at nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_cloud.functions import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY, Endpoints
from video_production.errors import OperatorError

__all__ = ["Cdk", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One command that ran: `seconds` it took, all that it printed."""

    command: str
    seconds: float
    output: str

    @property
    def unchanged(self) -> bool:
        """Whether the CDK said that there was nothing to deploy."""
        return "(no changes)" in self.output


@dataclass(slots=True)
class Cdk:
    """Runs the CDK CLI in `checkout`. `program` starts it; `logs` is a folder that gets one file per command.

    Every command that ran is in `steps`.
    """

    checkout: Path
    program: Sequence[str]
    endpoints: Endpoints
    logs: Path
    steps: list[Step] = field(default_factory=list)

    def at(self, checkout: Path) -> Cdk:
        """The same CLI for another checkout; what it runs is listed here too."""
        return Cdk(checkout, self.program, self.endpoints, self.logs, self.steps)

    def bootstrap(self) -> Step:
        """Create what the CDK itself needs in the account."""
        # An app that does nothing: bootstrapping would run ours just to learn where it wants to go.
        return self._run("bootstrap", "bootstrap", f"aws://{ACCOUNT}/{REGION}", "--app", "")

    def synth(self, output: Path, environment: str, overrides: Mapping[str, Any]) -> Step:
        """Write the cloud assembly of one environment to the folder `output`, with packages for this machine."""
        given = {"environment": environment, "overrides": json.dumps(overrides), "bundle_for": "local"}
        context = [word for name, value in given.items() for word in ("--context", f"{name}={value}")]
        return self._run(f"synth-{environment}", "synth", "--quiet", *context, "--output", str(output))

    def deploy(self, assembly: Path, *options: str) -> Step:
        """Deploy an assembly."""
        # Without a change set: moto confuses those of different stacks, which all bear the CDK's one name.
        direct = ("--method", "direct", "--require-approval", "never")
        return self._run("deploy", "deploy", "--all", "--app", str(assembly), *direct, *options)

    def destroy(self, assembly: Path) -> Step:
        """Remove the stack of an assembly."""
        return self._run("destroy", "destroy", "--all", "--app", str(assembly), "--force")

    def _run(self, name: str, *arguments: str) -> Step:
        """Run the CLI. Raises OperatorError: which step failed, its last lines, where all of them are."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{len(self.steps) + 1:02}-{name}.log"
        started = time.monotonic()
        done = subprocess.run(
            [*self.program, *arguments],
            cwd=self.checkout,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        step = Step(name, time.monotonic() - started, done.stdout)
        self.steps.append(step)
        log.write_text(done.stdout)
        if done.returncode:
            tail = "\n".join(done.stdout.strip().splitlines()[-30:])
            raise OperatorError(f"`cdk {name}` failed with exit status {done.returncode} (all of it: {log}):\n{tail}")
        return step

    def _environment(self) -> dict[str, str]:
        """Nothing of the caller's AWS configuration gets through."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
        nothing = os.devnull
        return {
            **kept,
            "AWS_ENDPOINT_URL": self.endpoints.aws,
            # The CLI only puts this address together; moto finds the template by it in its own S3.
            "AWS_ENDPOINT_URL_S3_FOR_CLOUDFORMATION": f"https://s3.{REGION}.amazonaws.com",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": nothing,
            "AWS_SHARED_CREDENTIALS_FILE": nothing,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DISABLE_VERSION_CHECK": "true",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CI": "true",
            "NO_COLOR": "1",
        }
