"""The HeyGen module behind the one provider interface: talking heads by the v3 API."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from video_production.metrics import Report, unreported
from video_production.providers.http import ProviderHttp
from video_production.providers.interface import (
    Attempt,
    GenerationRequest,
    Made,
    OneRequest,
    Price,
    Progress,
    Submission,
    Unknown,
)
from video_production.providers.secrets import ApiKey
from video_production.settings import FunctionSettings
from video_production.storage import Storage

__all__ = ["BASE_URL", "HeyGen"]

BASE_URL = "https://api.heygen.com"


class HeyGen(OneRequest):
    """Buys talking heads from HeyGen. `submit_budget` is the total time of one paid request in seconds."""

    name = "heygen"
    title = "HeyGen"
    adapter_version = 1

    def __init__(
        self,
        key: ApiKey,
        storage: Storage,
        *,
        base_url: str = BASE_URL,
        submit_budget: float = 60.0,
        http: ProviderHttp | None = None,
    ) -> None:
        self._key = key
        self._storage = storage
        self._base_url = base_url.rstrip("/")
        self._submit_budget = submit_budget
        self._http = http or ProviderHttp(self.name, self.title)

    @classmethod
    def from_settings(cls, settings: FunctionSettings, storage: Storage, *, report: Report = unreported) -> HeyGen:
        """The module as a function's environment wants it: live or a stand-in, by nothing but the address."""
        provider = settings.provider(cls.name)
        bundle = settings.variables.get("REQUESTS_CA_BUNDLE")
        return cls(
            ApiKey(provider.secret),
            storage,
            base_url=provider.base_url or BASE_URL,
            submit_budget=provider.submit_budget,
            http=ProviderHttp(cls.name, cls.title, ca_bundle=bundle, report=report),
        )

    def effective_config(self, node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def way(self, request: GenerationRequest, refused_ways: tuple[str, ...] = ()) -> str:
        raise NotImplementedError

    def submit(self, attempt: Attempt) -> Submission:
        raise NotImplementedError

    def check(self, external_id: str) -> Progress:
        raise NotImplementedError

    def collect(self, external_id: str, progress: Progress, attempt: Attempt) -> Made:
        raise NotImplementedError

    def find(self, attempt: Attempt, bound: Container[str]) -> Submission | Made | Unknown:
        raise NotImplementedError

    def cancel(self, external_id: str) -> bool:
        raise NotImplementedError

    def price(self, request: GenerationRequest) -> Price:
        raise NotImplementedError
