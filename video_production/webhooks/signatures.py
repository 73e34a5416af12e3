"""Webhooks of every provider that sends any: who signs how, and what is told.

The modules of this folder and not the providers' own: anybody on the internet can call the function that checks them,
and it shall neither carry nor load what talks to a provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from video_production.webhooks import elevenlabs, heygen

__all__ = ["SENDERS", "Sender"]


class Sender(Protocol):
    """What is known of one provider's webhooks. `headers` have lower-case names, `now` is in Unix seconds."""

    def is_genuine(self, headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
        """Whether the provider sent this body, signed with `secret`, at about `now`."""
        ...

    def finished_job(self, body: bytes) -> str | None:
        """The id of the job that a genuine webhook tells of; None for any other event."""
        ...


SENDERS: Mapping[str, Sender] = {"elevenlabs": elevenlabs, "heygen": heygen}
"""Provider → its webhooks. A test compares this with `settings.PROVIDER_FACTS`."""
