"""The generation providers: what the rest of the house needs to know of each, in one table."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PROVIDERS", "PROVIDER_FACTS", "ProviderFacts"]


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What holds of a generation provider in every environment, unless its settings say otherwise. Times in seconds.

    A provider has a submitter, a poller, a secret and a queue. Everything that is made per provider loops over
    `PROVIDER_FACTS`; only its own module knows more.
    """

    name: str
    """The documents' word."""
    title: str
    """What people read."""
    output: str
    """What the names of its stack outputs begin with."""
    node_type: str
    makes: str
    """What comes of a job, as in "sends a voiceover's one request"."""
    base_url: str
    """The live API. `{location}` is the setting of that name."""
    webhooks: bool
    """Whether the provider can send webhooks."""
    concurrency: int
    """Jobs under way at once that an account of the usual plan may have."""
    deadline: float
    """How old a job may get before its node stops waiting for it."""
    first_poll: float = 10
    asks_for_webhooks: bool = False
    """Whether each job asks for its webhook; else every job of the account is reported to whoever subscribed."""
    growth: float = 0.1
    """A job is asked about after `age × growth`, but never sooner than `first_poll` or later than `longest_poll`."""
    longest_poll: float = 60
    fastest_poll: float = 1
    """The provider allows no shorter interval."""
    submit_budget: float = 120
    """Total time of one paid request."""
    indexing_lag: float = 60
    """How long after a request its result may still be missing from what `find` looks at."""
    disk: int = 512
    """MB of `/tmp` that its functions need for a result."""
    key_variable: str = ""
    """The environment variable that holds the key on a laptop, as the provider's own tools call it."""
    key_in_file: bool = False
    """Whether that variable names a file."""
    options: tuple[str, ...] = ()
    """Settings that only this provider has, read from `{NAME}_{OPTION}` into `ProviderSettings.options`."""
    needs: tuple[tuple[str, str], ...] = ()
    """Those of them without which nothing can be bought, each with what people read of it."""


_FACTS = (
    ProviderFacts(
        "elevenlabs",
        "ElevenLabs",
        "ElevenLabs",
        "generate-voiceover",
        makes="a voiceover",
        base_url="https://api.elevenlabs.io",
        webhooks=True,
        asks_for_webhooks=True,
        concurrency=5,
        deadline=30 * 60,
        submit_budget=240,
        disk=2048,
        key_variable="ELEVENLABS_API_KEY",
    ),
    ProviderFacts(
        "heygen",
        "HeyGen",
        "HeyGen",
        "generate-talking-head",
        makes="a talking head",
        base_url="https://api.heygen.com",
        webhooks=True,
        concurrency=10,
        deadline=2 * 60 * 60,
        key_variable="HEYGEN_API_KEY",
        longest_poll=120,
        indexing_lag=10,
        disk=4096,
        options=("engine",),
    ),
    ProviderFacts(
        "veo3",
        "veo3 (Veo 3.1)",
        "Veo3",
        "generate-animation",
        makes="an animation",
        base_url="https://{location}-aiplatform.googleapis.com",
        webhooks=False,
        concurrency=10,
        deadline=30 * 60,
        indexing_lag=10 * 60,
        disk=2048,
        key_variable="GOOGLE_APPLICATION_CREDENTIALS",
        key_in_file=True,
        options=("project", "location", "bucket", "model"),
        needs=(("bucket", "the bucket of Google Cloud Storage that films are written to"),),
    ),
    ProviderFacts(
        "runway",
        "Runway",
        "Runway",
        "generate-animation",
        makes="an animation",
        base_url="https://api.dev.runwayml.com",
        webhooks=False,
        concurrency=2,
        deadline=60 * 60,
        key_variable="RUNWAYML_API_SECRET",
        fastest_poll=5,
        indexing_lag=10,
        disk=2048,
        options=("model",),
    ),
)
PROVIDER_FACTS = {facts.name: facts for facts in _FACTS}
PROVIDERS = tuple(PROVIDER_FACTS)
"""The generation providers, as documents name them."""
