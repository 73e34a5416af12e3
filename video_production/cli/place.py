"""Where one is: this machine, or an environment on AWS. Every command says so first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from video_production.settings import LOCAL

__all__ = ["ON_THIS_MACHINE", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """An environment and, on AWS, where it lies. `endpoint` is set where something else answers in place of AWS.

    `region_from` says where the region comes from when nobody chose it.
    """

    environment: str
    region: str = ""
    account: str = ""
    endpoint: str = ""
    region_from: str = ""

    @property
    def local(self) -> bool:
        return self.environment == LOCAL

    @property
    def banner(self) -> str:
        """`development · eu-west-1 · account 123456789012`, or `LOCAL`."""
        if self.local:
            return LOCAL.upper()
        instead = f" · answered by {self.endpoint}" if self.endpoint else ""
        origin = f" (from {self.region_from})" if self.region_from else ""
        return f"{self.environment} · {self.region}{origin} · account {self.account}{instead}"

    @property
    def words(self) -> str:
        """For the middle of a sentence: `environment development (account 123456789012, eu-west-1)`."""
        if self.local:
            return "the local cloud"
        return f"environment {self.environment} (account {self.account}, {self.region})"

    @property
    def option(self) -> str:
        """What a command needs to come back here; it stands behind its other arguments."""
        return "" if self.local else f" --environment {self.environment}"

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        if self.local:
            return {"environment": LOCAL}
        return {"environment": self.environment, "region": self.region, "account": self.account}


ON_THIS_MACHINE = Place(LOCAL)
