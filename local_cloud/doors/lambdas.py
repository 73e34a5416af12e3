"""Functions as doors see them: moto knows which there are, the Lambda host runs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from moto.awslambda.models import lambda_backends

from local_cloud.functions import ACCOUNT, REGION
from local_cloud.sandbox.sandbox import Outcome

__all__ = ["Invoke", "existing", "find_function"]


class Invoke(Protocol):
    """Runs a function and waits for it.

    `function` is moto's object (`moto.awslambda.models.LambdaFunction`) of the version that is meant. Raises HostClosed
    when there will be no outcome, KeyError for a function that the host does not run.
    """

    def __call__(self, function: Any, event: bytes, request_id: str) -> Outcome: ...


def existing(backends: Any) -> Iterator[Any]:
    """The backends of a service that hold anything, of all accounts and regions."""
    for regions in list(backends.values()):
        yield from list(regions.values())


def find_function(name_or_arn: str) -> Any:
    """moto's function behind a name or an ARN; a version or an alias at its end is followed.

    Raises moto's UnknownFunctionException.
    """
    parts = name_or_arn.split(":")
    region, account = (parts[3], parts[4]) if parts[0] == "arn" else (REGION, ACCOUNT)
    return lambda_backends[account][region].get_function(name_or_arn)
