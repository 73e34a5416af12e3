"""The queues, each with the queue that takes what could not be delivered."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from video_production.settings import PROVIDERS, ROLES, Names, poller_of

__all__ = ["QueuePair", "Queues"]

_TRIES = 5
_VISIBILITY = 6
"""AWS asks for a visibility timeout of at least six times the function's, so that throttling doesn't burn tries."""


class QueuePair(Construct):
    """`queue`, read by the function `reader`, and `dead_letters`."""

    def __init__(self, scope: Construct, id: str, *, name: str, reader: str) -> None:
        super().__init__(scope, id)
        self.name = name
        self.reader = reader
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=Names.dead_letters(name),
            retention_period=cdk.Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=name,
            visibility_timeout=cdk.Duration.seconds(_VISIBILITY * ROLES[reader].timeout),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_TRIES),
        )


class Queues(Construct):
    """`scheduling`: pipelines to look at. `providers`: jobs to look at. `failed_merges`: callers to tell."""

    def __init__(self, scope: Construct, id: str, *, names: Names) -> None:
        super().__init__(scope, id)
        self.scheduling = QueuePair(self, "Scheduling", name=names.scheduling_queue, reader="scheduler")
        self.providers = {
            provider: QueuePair(self, provider, name=names.provider_queue(provider), reader=poller_of(provider))
            for provider in PROVIDERS
        }
        self.failed_merges = QueuePair(self, "FailedMerges", name=names.failed_merges_queue, reader="error_callback")

    @property
    def all(self) -> tuple[QueuePair, ...]:
        return (self.scheduling, *self.providers.values(), self.failed_merges)
