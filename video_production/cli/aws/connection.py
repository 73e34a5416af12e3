"""An environment on AWS: who asks, where, and what its stack says its resources are called. Nothing is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from video_production.cli.aws.refusals import NO_CREDENTIALS, NO_REGION, code_of, told
from video_production.cli.place import Place
from video_production.errors import OperatorError
from video_production.settings import Names

__all__ = ["Connection", "Identity", "connect", "deploy_command", "sign_in"]

_SETTINGS = Path(__file__).resolve().parents[3] / "cdk.json"
"""Where the checkout says what region an environment is deployed to; not there when the package is installed alone."""
_GONE = ("DELETE_IN_PROGRESS", "DELETE_COMPLETE")
_NEVER_THERE = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "ROLLBACK_IN_PROGRESS", "REVIEW_IN_PROGRESS")
_LAMBDA_LIMIT = 960
"""Seconds; a function may take fifteen minutes, and its answer is waited for, not asked for again."""


@dataclass(frozen=True)
class Identity:
    """Who asks AWS, and where."""

    session: Any
    place: Place
    arn: str

    def client(self, service: str) -> Any:
        """A boto3 client. A Lambda client never repeats an invocation; the others repeat what failed, a few times."""
        patient = service == "lambda"
        return self.session.client(
            service,
            region_name=self.place.region,
            config=Config(
                connect_timeout=10,
                read_timeout=_LAMBDA_LIMIT if patient else 30,
                retries={"total_max_attempts": 1} if patient else {"mode": "standard", "max_attempts": 5},
                signature_version="s3v4" if service == "s3" else None,
                user_agent_extra="jiki-video",
            ),
        )

    @property
    def temporary(self) -> bool:
        """Whether the credentials are a session's, with which everything signed by them ends."""
        return bool(self.session.get_credentials().token)


@dataclass(frozen=True)
class Connection:
    """A deployed environment. `stack` is what CloudFormation says of it."""

    identity: Identity
    names: Names
    stack: Mapping[str, Any]

    @property
    def place(self) -> Place:
        return self.identity.place

    @property
    def status(self) -> str:
        return str(self.stack["StackStatus"])

    @property
    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.stack.get("Outputs", ())}

    def client(self, service: str) -> Any:
        return self.identity.client(service)

    def output(self, name: str) -> str:
        """What the stack calls one of its resources. Raises OperatorError where an older stack does not say it."""
        if name not in self.outputs:
            raise OperatorError(
                f"The stack {self.names.stack} does not say its {name}, so an older version of it is deployed. "
                f"Deploy it again: {deploy_command(self.names.environment)}"
            )
        return self.outputs[name]


def deploy_command(environment: str) -> str:
    return f"./cdk deploy -c environment={environment}"


def sign_in(environment: str, session: Any = None) -> Identity:
    """Who asks. Raises OperatorError: no credentials, expired or unknown ones, no region, no network."""
    with told():
        session = session or boto3.Session()
        region = os.environ.get("AWS_REGION") or session.region_name  # boto3 reads AWS_DEFAULT_REGION alone
        region_from = "" if region else _SETTINGS.name
        region = region or _region_of_checkout(environment)
        if not region:
            raise OperatorError(NO_REGION)
        if session.get_credentials() is None:
            raise OperatorError(NO_CREDENTIALS)
        place = Place(environment, region, region_from=region_from)
        caller = Identity(session, place, "").client("sts").get_caller_identity()
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    return Identity(session, replace(place, account=caller["Account"], endpoint=endpoint), caller["Arn"])


def _region_of_checkout(environment: str) -> str:
    """The region that `cdk.json` deploys an environment to; empty where it does not say."""
    try:
        return str(json.loads(_SETTINGS.read_text("utf-8"))["context"]["environments"][environment]["region"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def connect(environment: str, session: Any = None) -> Connection:
    """Find an environment by its stack. Raises OperatorError: not there, not usable, not allowed."""
    identity = sign_in(environment, session)
    return find_stack(identity)


def find_stack(identity: Identity) -> Connection:
    """The environment's stack, in a state in which there is something to work with."""
    place, names = identity.place, Names(identity.place.environment)
    where = f"account {place.account}, {place.region}"
    try:
        with told():
            [stack] = identity.client("cloudformation").describe_stacks(StackName=names.stack)["Stacks"]
    except OperatorError as error:
        if isinstance(error.__cause__, ClientError) and code_of(error.__cause__) == "ValidationError":
            raise OperatorError(
                f"There is no stack {names.stack} in {where}. Deploy it with {deploy_command(place.environment)}, or "
                "choose another account or region with AWS_PROFILE and AWS_REGION."
            ) from error
        raise
    status = str(stack["StackStatus"])
    if status in _GONE:
        raise OperatorError(f"The stack {names.stack} in {where} is being deleted ({status}).")
    if status == "CREATE_IN_PROGRESS":
        raise OperatorError(
            f"The stack {names.stack} in {where} is being deployed for the first time; wait for its end."
        )
    if status in _NEVER_THERE:
        reason = str(stack.get("StackStatusReason", "")).rstrip(".")
        why = f"{status}: {reason}" if reason else status
        raise OperatorError(
            f"The first deployment of the stack {names.stack} in {where} did not succeed ({why}). Mend that, delete "
            f"the stack and deploy it again: {deploy_command(place.environment)}"
        )
    return Connection(identity, names, stack)
