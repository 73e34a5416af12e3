"""What each function needs: its environment variables and its permissions, and nothing else.

The permissions are those of the calls that the code makes. A transaction needs the permission of each of its actions,
so a check in it is `ConditionCheckItem`. Source: "Using IAM with DynamoDB transactions", DynamoDB developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.policies import Allow
from stacks.settings import EnvironmentSettings
from video_production.settings import EVENT_SOURCE, PROVIDER_FACTS, PROVIDERS, Names, poller_of, submitter_of

__all__ = ["Needs", "Surroundings", "needs_of"]

_TAKES_FOLDER = "takes"
_NODES = "*/nodes/*"
_NODE_KEYS = "The key of what a node makes holds the pipeline, the node and the claim."
_WEBHOOK_RECORDS = "webhook#*"
_QUEUES = ("#slots#*", "#queue#*")
"""Who has a job slot and who waits for one, in the node table."""
_EVENT_BUS = "default"
_READ = ("s3:GetObject",)
_WRITE = ("s3:PutObject", "s3:AbortMultipartUpload")
_TAG = ("s3:PutObjectTagging",)


@dataclass(frozen=True, slots=True)
class Needs:
    """Environment variables and permissions of one function."""

    variables: dict[str, str] = field(default_factory=dict)
    allowed: tuple[Allow, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the functions work with, as ARNs and addresses; `queue_urls` and `secret_arns` are by name."""

    stack: cdk.Stack
    names: Names
    settings: EnvironmentSettings
    queue_urls: dict[str, str]
    secret_arns: dict[str, str]

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account and region."""
        stack = self.stack
        return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}:{resource}"

    def table(self, name: str, *actions: str) -> Allow:
        return Allow([f"dynamodb:{action}" for action in actions], [self.arn("dynamodb", f"table/{name}")])

    def records(self, name: str, keys: Sequence[str], *actions: str) -> Allow:
        """Those items of a table alone whose partition keys match one of `keys`."""
        allow = self.table(name, *actions)
        conditions = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
        return Allow(allow.actions, allow.resources, conditions=conditions)

    def index(self, table: str, index: str) -> Allow:
        return Allow(["dynamodb:Query"], [self.arn("dynamodb", f"table/{table}/index/{index}")])

    def secret(self, name: str) -> Allow:
        return Allow(["secretsmanager:GetSecretValue"], [self.secret_arns[name]])

    def send(self, queue: str) -> Allow:
        return Allow(["sqs:SendMessage"], [self.arn("sqs", queue)])

    def start(self, machine: str) -> Allow:
        return Allow(["states:StartExecution"], [self.machine(machine)])

    def machine(self, name: str) -> str:
        return self.arn("states", f"stateMachine:{name}")

    def objects(self, actions: Sequence[str], keys: str, because: str) -> Allow:
        return Allow(actions, [f"{self.bucket(self.settings.bucket.name)}/{keys}"], because, self.own_account)

    def readable(self) -> tuple[Allow, ...]:
        """Reading inputs: documents and direct callers name objects anywhere in the buckets that may be read.

        Without ListBucket, S3 answers "access denied" for an object that is not there.
        """
        own = self.bucket(self.settings.bucket.name)
        others = [self.bucket(name) for name in self.settings.bucket.readable]
        because = "Inputs are named by documents and callers; they may lie anywhere in the buckets of the settings."
        return (
            Allow(_READ, [f"{own}/*"], because, self.own_account),
            Allow(["s3:ListBucket"], [own], conditions=self.own_account),
            *(Allow(_READ, [f"{bucket}/*"], because) for bucket in others),
            *(Allow(["s3:ListBucket"], [bucket]) for bucket in others),
        )

    def open_uploads(self) -> Allow:
        """Seeing which uploads a killed function left open; the permission is one for the whole bucket."""
        bucket = self.bucket(self.settings.bucket.name)
        return Allow(["s3:ListBucketMultipartUploads"], [bucket], conditions=self.own_account)

    @property
    def own_account(self) -> dict[str, Any]:
        """The video bucket must be this account's: anybody may take a bucket's name that is still free."""
        return {"StringEquals": {"aws:ResourceAccount": self.stack.account}}

    def bucket(self, name: str) -> str:
        return f"arn:{self.stack.partition}:s3:::{name}"


def needs_of(role: str, around: Surroundings) -> Needs:
    """The needs of a role of `video_production.settings.ROLES`."""
    return _NEEDS[role](around)


def _merger(around: Surroundings) -> Needs:
    names = around.names
    bought = f"{around.bucket(around.settings.bucket.name)}/{_TAKES_FOLDER}/*"
    return Needs(
        {
            "NODES_TABLE": names.nodes_table,
            "ALLOW_INBAND": "on" if around.settings.allow_inband else "off",
            **_callback_variables(around),
        },
        (
            around.table(names.nodes_table, "GetItem", "UpdateItem"),
            *around.readable(),
            around.open_uploads(),
            around.objects(_TAG, _NODES, _NODE_KEYS),
            around.objects(_WRITE, "*", "A direct caller names the key of the merged video."),
            Allow(_WRITE, [bought], effect=iam.Effect.DENY),  # a direct caller must not replace what was bought
            around.secret(names.callback_secret),
            around.send(names.failed_merges_queue),  # Lambda sends there what ended without an answer, as this role
        ),
    )


def _audio_mixer(around: Surroundings) -> Needs:
    names = around.names
    return Needs(
        {"NODES_TABLE": names.nodes_table},
        (
            around.table(names.nodes_table, "GetItem", "UpdateItem"),
            *around.readable(),
            around.objects((*_WRITE, *_TAG), _NODES, _NODE_KEYS),
        ),
    )


def _buyer(around: Surroundings, provider: str, *on_nodes: str) -> Needs:
    """What the submitter and the poller of a provider have in common; `on_nodes` are actions on the node table."""
    names = around.names
    return Needs(
        {
            "NODES_TABLE": names.nodes_table,
            "TAKES_TABLE": names.takes_table,
            **_provider_variables(around, provider),
            **({"PRICES": json.dumps(around.settings.prices)} if around.settings.prices else {}),
        },
        (
            around.table(names.nodes_table, *on_nodes),
            around.table(names.takes_table, "GetItem", "UpdateItem", "PutItem"),
            *around.readable(),
            around.objects(_WRITE, f"{_TAKES_FOLDER}/*", "The key holds the purchase and its attempt."),
            around.secret(names.secret(provider)),
        ),
    )


def _submitter(around: Surroundings, provider: str) -> Needs:
    needs = _buyer(around, provider, "GetItem", "UpdateItem", "ConditionCheckItem")
    settings = around.settings
    budget = {} if settings.monthly_budget_usd is None else {"MONTHLY_BUDGET_USD": f"{settings.monthly_budget_usd:g}"}
    return Needs({**needs.variables, **budget}, needs.allowed)


def _poller(around: Surroundings, provider: str) -> Needs:
    """Without ConditionCheckItem it can't write the intent to buy, so nothing is ever bought from here."""
    needs = _buyer(around, provider, "GetItem", "UpdateItem")
    queue = around.names.scheduling_queue
    return Needs(
        {**needs.variables, "SCHEDULING_QUEUE_URL": around.queue_urls[queue]},
        (*needs.allowed, around.send(queue)),
    )


def _scheduler(around: Surroundings) -> Needs:
    names = around.names
    return Needs(
        {
            "NODES_TABLE": names.nodes_table,
            "TAKES_TABLE": names.takes_table,
            "NODE_MACHINE_ARN": around.machine(names.node_machine),
            "PIPELINE_MACHINE_ARN": around.machine(names.pipeline_machine),
            "STALE_AFTER_SECONDS": str(around.settings.stale_after_seconds),
            "EVENT_BUS": _EVENT_BUS,
            **{
                f"{provider.upper()}_MAX_JOBS": str(around.settings.provider(provider).max_jobs)
                for provider in PROVIDERS
            },
        },
        (
            around.table(names.nodes_table, "GetItem", "BatchGetItem", "Query", "UpdateItem", "ConditionCheckItem"),
            around.records(names.nodes_table, _QUEUES, "PutItem", "DeleteItem"),
            around.table(names.takes_table, "GetItem"),
            around.start(names.node_machine),
            around.start(names.pipeline_machine),
            Allow(
                ["events:PutEvents"],
                [around.arn("events", f"event-bus/{_EVENT_BUS}")],
                conditions={"StringEquals": {"events:source": EVENT_SOURCE}},
            ),
        ),
    )


def _sweeper(around: Surroundings) -> Needs:
    names = around.names
    queues = {provider: names.provider_queue(provider) for provider in PROVIDERS}
    return Needs(
        {
            "NODES_TABLE": names.nodes_table,
            "TAKES_TABLE": names.takes_table,
            "SCHEDULING_QUEUE_URL": around.queue_urls[names.scheduling_queue],
            **{f"{provider.upper()}_QUEUE_URL": around.queue_urls[queue] for provider, queue in queues.items()},
        },
        (
            around.index(names.nodes_table, "active"),
            around.index(names.takes_table, "open"),
            *(around.send(queue) for queue in (names.scheduling_queue, *queues.values())),
        ),
    )


def _webhook_receiver(around: Surroundings) -> Needs:
    names = around.names
    senders = [facts.name for facts in PROVIDER_FACTS.values() if facts.webhooks]
    variables = {"TAKES_TABLE": names.takes_table}
    for provider in senders:
        variables[f"{provider.upper()}_WEBHOOK_SECRET"] = names.webhook_secret(provider)
        variables[f"{provider.upper()}_QUEUE_URL"] = around.queue_urls[names.provider_queue(provider)]
    return Needs(
        variables,
        (
            # The one function that anybody on the internet can call reaches its own records and nothing else.
            around.records(names.takes_table, [_WEBHOOK_RECORDS], "GetItem", "PutItem"),
            *(around.send(names.provider_queue(provider)) for provider in senders),
            *(around.secret(names.webhook_secret(provider)) for provider in senders),
        ),
    )


def _pipeline_starter(around: Surroundings) -> Needs:
    names = around.names
    return Needs(
        {
            "NODES_TABLE": names.nodes_table,
            "TAKES_TABLE": names.takes_table,
            "PIPELINE_MACHINE_ARN": around.machine(names.pipeline_machine),
        },
        (
            around.table(names.nodes_table, "GetItem", "UpdateItem", "Query"),
            around.table(names.takes_table, "GetItem"),
            around.start(names.pipeline_machine),
        ),
    )


def _error_callback(around: Surroundings) -> Needs:
    return Needs(_callback_variables(around), (around.secret(around.names.callback_secret),))


def _callback_variables(around: Surroundings) -> dict[str, str]:
    return {
        "CALLBACK_HOSTS": ",".join(around.settings.callback_hosts),
        "CALLBACK_SECRET": around.names.callback_secret,
    }


def _provider_variables(around: Surroundings, provider: str) -> dict[str, str]:
    settings = around.settings.provider(provider)
    variables = {
        "MODE": settings.mode,
        "BASE_URL": settings.base_url,
        "SECRET": settings.secret,
        "ACCOUNT": settings.account,
        "WEBHOOKS": "on" if settings.webhooks else "off",
        "POLL_INTERVAL_SECONDS": f"{settings.poll_interval:g}",
        "POLL_GROWTH": f"{settings.poll_growth:g}",
        "POLL_LONGEST_SECONDS": f"{settings.poll_longest:g}",
        "POLL_LIMIT": str(settings.poll_limit),
        "DEADLINE_SECONDS": f"{settings.deadline:g}",
        "SUBMIT_BUDGET_SECONDS": f"{settings.submit_budget:g}",
        "INDEXING_LAG_SECONDS": f"{settings.indexing_lag:g}",
        **{option.upper(): value for option, value in settings.options.items()},
    }
    return {f"{provider.upper()}_{name}": value for name, value in variables.items()}


_NEEDS: Mapping[str, Callable[[Surroundings], Needs]] = {
    "merger": _merger,
    "audio_mixer": _audio_mixer,
    **{submitter_of(provider): partial(_submitter, provider=provider) for provider in PROVIDERS},
    **{poller_of(provider): partial(_poller, provider=provider) for provider in PROVIDERS},
    "scheduler": _scheduler,
    "sweeper": _sweeper,
    "webhook_receiver": _webhook_receiver,
    "pipeline_starter": _pipeline_starter,
    "error_callback": _error_callback,
}
