"""`webhooks register`: have a provider report finished jobs to an environment.

The provider shows a webhook's secret once, when it creates it. So everything that can be wrong is looked at before, and
what can still fail afterwards is told with the webhook's id.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from video_production.cli.aws.connection import Connection, connect, deploy_command
from video_production.cli.aws.refusals import sentence, told
from video_production.cli.aws.workspace import AwsSite
from video_production.errors import OperatorError
from video_production.providers.registry import webhooks_of
from video_production.providers.secrets import ApiKey
from video_production.providers.subscribing import Subscription
from video_production.settings import PROVIDER_FACTS

__all__ = ["register"]


def register(environment: str, provider: str) -> Iterator[str]:
    """Subscribe, store the secret, say so. Raises OperatorError, SecretMissing, ProviderUnreachable."""
    connection = connect(environment)
    yield connection.place.banner
    settings = AwsSite(connection).settings(provider).provider(provider)
    url = f"{connection.output('ApiUrl').rstrip('/')}/webhooks/{provider}"
    name = connection.names.webhook_secret(provider)
    client = connection.client("secretsmanager")
    base_url = settings.base_url or PROVIDER_FACTS[provider].base_url
    api = webhooks_of(provider)
    key = ApiKey(connection.names.secret(provider), client=client)
    with told():
        stored = _has_value(connection, client, name)
        known = api.find_webhook(url, key, base_url=base_url)
        if known and stored:
            yield f" Webhook {known} reports to {url} already, and its secret is stored; nothing was changed."
            return
        if known:
            raise OperatorError(
                f"Webhook {known} reports to {url} already, but its secret is not stored in {name}, and it was shown "
                f"only once. Delete that webhook on the website of {provider}, then run the same command again."
            )
        made: Subscription = api.register_webhook(url, connection.names.stack, key, base_url=base_url)
    _store(client, name, made, provider)
    yield f" Webhook {made.webhook_id} of {provider} reports to {url}."
    yield f" Its secret is stored in {name}; functions read it within five minutes."
    if PROVIDER_FACTS[provider].asks_for_webhooks and not settings.webhooks:
        yield (
            f" Next: set webhooks to true for {provider} in cdk.json and deploy it ({deploy_command(environment)}), so "
            "that jobs ask for a report."
        )


def _has_value(connection: Connection, client: Any, name: str) -> bool:
    try:
        found = client.describe_secret(SecretId=name)
    except client.exceptions.ResourceNotFoundException as error:
        raise OperatorError(
            f"There is no secret {name}, so nothing was set up; deploy {connection.place.words} again: "
            f"{deploy_command(connection.names.environment)}"
        ) from error
    return any("AWSCURRENT" in stages for stages in found.get("VersionIdsToStages", {}).values())


def _store(client: Any, name: str, made: Subscription, provider: str) -> None:
    try:
        client.put_secret_value(SecretId=name, SecretString=made.secret)
    except (BotoCoreError, ClientError) as error:
        why = (sentence(error) or str(error)).rstrip(".")
        raise OperatorError(
            f"Webhook {made.webhook_id} was created at {provider}, but its secret could not be stored in {name}: "
            f"{why}. It is shown only once and kept nowhere: delete that webhook on the website of {provider}, mend "
            "this, then run the same command again."
        ) from error
