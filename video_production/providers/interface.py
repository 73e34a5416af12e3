"""The one interface behind which every generation provider stands.

A provider module knows HTTP and the provider's words; it knows nothing of nodes, tables or money. The money protocol
(`video_production.takes`) decides when `submit` may be called: exactly one POST per call, no retry, no redirect.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from video_production.nodes.model import MediaType
from video_production.providers.made import Made, Price

__all__ = [
    "Attempt",
    "Destination",
    "GenerationProvider",
    "GenerationRequest",
    "InputContent",
    "Made",
    "OneRequest",
    "Price",
    "Progress",
    "Submission",
    "Unknown",
]


@dataclass(frozen=True, slots=True)
class InputContent:
    """One input of a generation: its media type, content hash and, for text, the text itself.

    `duration` is in seconds, where it is known: that of a file which is not ours is measured when it is needed.
    """

    type: MediaType
    sha256: str
    text: str | None = None
    bucket: str = ""
    s3_key: str = ""
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Everything that shapes a take. `config` is effective: defaults filled in, camelCase keys as in documents."""

    node_type: str
    config: Mapping[str, Any]
    inputs: Mapping[str, tuple[InputContent, ...]]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the files of one attempt go: `{bucket}/{prefix}{name}`, prefix `takes/{take}/{attempt}/`."""

    bucket: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to buy a take, as far as a provider needs it.

    `id` is the attempt's uuid; `way` is what the provider module chose when it was sent (ElevenLabs: "job" or "timed");
    `sent_at` is in Unix seconds; `request` is what was asked for; `destination` is where its files lie or will lie.
    `wanted` is false when its node was edited away or its pipeline cancelled: `find` may look then, but not buy.
    """

    id: str
    way: str
    sent_at: float
    request: GenerationRequest
    destination: Destination
    wanted: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Submission:
    """The provider accepted a job. `external_id` is what `check` asks for. `made` is set when no polling is needed.

    `aliases` are other names under which the provider's listings may show the job.
    """

    external_id: str
    made: Made | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands. `word` is the provider's own status; `percent` (0 to 100) is None where it tells none.

    `result` is what `collect` needs (download URL, content type) once `state` is "completed". `failure` says why it
    failed, in one sentence; `charged` whether it is billed all the same (None: not known), `cost` what the provider
    says that it billed.
    """

    state: Literal["running", "completed", "failed"]
    word: str
    percent: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    failure_code: str = ""
    charged: bool | None = None
    cost: Price | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing can be proven about an attempt. An empty listing is never proof of absence."""

    why: str


class GenerationProvider(Protocol):
    """What the money protocol needs of a provider module. `name` is the documents' word, `title` the provider's own.

    Errors: `submit` raises ProviderRefused (definitely not made) or ProviderAmbiguous (may have been paid); `check` and
    `collect` raise ProviderUnreachable where repeating may help and ProviderJobFailed where it can't; `find` raises
    ProviderUnreachable, and ProviderRefused where it can prove that the request never left; SecretMissing anywhere.
    """

    name: str
    title: str
    adapter_version: int

    def effective_config(self, node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in every default that shapes the result; part of the fingerprint."""
        ...

    def parts(self, request: GenerationRequest) -> tuple[GenerationRequest, ...]:
        """What is bought one after another to make this: `(request,)` where one job makes it (see OneRequest).

        The same request gives the same parts in the same order; each is bought, kept and reused on its own, so it holds
        everything that shapes its own result and nothing else. Raises RequestError where it can't be cut.
        """
        ...

    def assemble(self, parts: Sequence[Made], request: GenerationRequest, destination: Destination) -> Made:
        """Join what was made of two parts or more, in order, and store it. The same parts give the same bytes.

        Free, and repeatable. Raises MediaError (a part can't be read or does not fit), TransientError, OperatorError.
        """
        ...

    def way(self, request: GenerationRequest, refused_ways: tuple[str, ...] = ()) -> str:
        """Choose how to buy: the provider's word for one of its APIs, skipping those that refused themselves."""
        ...

    def submit(self, attempt: Attempt) -> Submission: ...

    def check(self, external_id: str) -> Progress: ...

    def collect(self, external_id: str, progress: Progress, attempt: Attempt) -> Made: ...

    def find(self, attempt: Attempt, bound: Container[str]) -> Submission | Made | Unknown:
        """Look for what became of `attempt`. `bound` contains the external ids that belong to other takes.

        What is not `wanted` any more is never sent again, not even with the same idempotency key.
        """
        ...

    def cancel(self, external_id: str) -> bool:
        """Ask the provider to stop a job; False where it can't be stopped."""
        ...

    def price(self, request: GenerationRequest) -> Price: ...


class OneRequest:
    """A base for providers that buy whatever is asked of them in one request."""

    def parts(self, request: GenerationRequest) -> tuple[GenerationRequest, ...]:
        return (request,)

    def assemble(self, parts: Sequence[Made], request: GenerationRequest, destination: Destination) -> Made:
        raise NotImplementedError(f"{type(self).__name__} buys everything in one request; there is nothing to join.")
