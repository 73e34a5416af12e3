"""The right to work on a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from video_production.errors import RequestError

__all__ = ["Claim"]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a node: valid as long as the node holds this `process_uuid` and is in progress."""

    pipeline_id: str
    node_id: str
    process_uuid: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Claim:
        try:
            return cls(str(event["pipeline_id"]), str(event["node_id"]), str(event["process_uuid"]))
        except KeyError as error:
            raise RequestError(f"The event lacks {error}; it needs pipeline_id, node_id and process_uuid.") from None

    @property
    def key(self) -> dict[str, str]:
        return {"pipeline_id": self.pipeline_id, "id": self.node_id}
