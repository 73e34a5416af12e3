"""The secrets: created without a value, which people and the command line put in."""

from __future__ import annotations

from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.policies import acknowledge
from video_production.settings import PROVIDER_FACTS, PROVIDERS, Names

__all__ = ["Secrets"]


class Secrets(Construct):
    """`keys` and `webhooks` by provider, and `callbacks`; `arns` by name.

    The low-level construct on purpose: the other one invents a value, which would be sent to a provider as a key.
    """

    def __init__(self, scope: Construct, id: str, *, names: Names) -> None:
        super().__init__(scope, id)
        self.arns: dict[str, str] = {}
        self.keys = {
            provider: self._secret(f"{provider}-key", names.secret(provider), f"What {provider} is called with")
            for provider in PROVIDERS
        }
        self.webhooks = {
            provider: self._secret(
                f"{provider}-webhook", names.webhook_secret(provider), f"What {provider} signs its webhooks with"
            )
            for provider, facts in PROVIDER_FACTS.items()
            if facts.webhooks
        }
        self.callbacks = self._secret("callbacks", names.callback_secret, "What callbacks to callers are signed with")

    def _secret(self, id: str, name: str, description: str) -> secretsmanager.CfnSecret:
        secret = secretsmanager.CfnSecret(self, id, name=name, description=description)
        acknowledge(
            secret,
            {
                "AwsSolutions-SMG4": "AWS can't rotate it: the provider issues the key, or the callers must be told of "
                "the new one. It is replaced by putting a new value, which functions read within five minutes."
            },
        )
        self.arns[name] = secret.ref
        return secret
