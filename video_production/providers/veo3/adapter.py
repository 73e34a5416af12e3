"""The Veo module behind the one provider interface: Veo 3.1 on Vertex AI.

A film is an *operation*: `predictLongRunning` names it, `fetchPredictOperation` tells when it is done, and the film
lies in a bucket of Google Cloud Storage, below a prefix of its attempt. So a film whose answer was lost is found there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from video_production.metrics import Report, unreported
from video_production.providers.interface import GenerationRequest
from video_production.providers.veo3.requests import effective_config, prompt_of
from video_production.settings import FunctionSettings
from video_production.storage import Storage

__all__ = ["Veo"]

_WAY = "operation"


class Veo:
    """Buys films from Veo 3.1 on Vertex AI."""

    name = "veo3"
    title = "veo3 (Veo 3.1)"
    adapter_version = 1

    def __init__(self, storage: Storage, *, model: str = "") -> None:
        self._storage = storage
        self._model = model

    @classmethod
    def from_settings(cls, settings: FunctionSettings, storage: Storage, report: Report = unreported) -> Veo:
        return cls(storage, model=settings.variables.get("VEO3_MODEL", ""))

    def effective_config(self, node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
        return effective_config(node_type, config, model=self._model)

    def way(self, request: GenerationRequest, refused_ways: tuple[str, ...] = ()) -> str:
        """There is one; a request without a prompt is refused here, before anything is written down."""
        prompt_of(request)
        return _WAY

    def cancel(self, external_id: str) -> bool:
        return False
