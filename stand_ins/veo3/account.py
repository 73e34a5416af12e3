"""The fake Google Cloud project: what it may do, what it was charged; kept on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stand_ins.account import BilledAccount
from stand_ins.charge_book import ChargeBook
from stand_ins.veo3.errors import ApiError

__all__ = ["Account", "Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the project may do.

    `api` tells whether the Vertex AI API is enabled; `permissions` are "predict" and "storage" (None: all);
    `concurrency` is the number of operations at once; `buckets` are those that exist (None: every one);
    `writable` tells whether Vertex AI may write to them; `limit_usd` is the sum after which billing is switched off.
    """

    api: bool = True
    permissions: list[str] | None = None
    concurrency: int = 10
    buckets: list[str] | None = None
    writable: bool = True
    limit_usd: float | None = None


class Account(BilledAccount[Plan]):
    """Checks and charges. Google bills in arrears: charging never fails. Safe from several threads."""

    def __init__(self, path: Path, book: ChargeBook) -> None:
        super().__init__(path, book, Plan, limit="limit_usd", unit="usd")

    def require_api(self, project: str) -> None:
        """Raise ApiError 403 unless the project may call Vertex AI and has paid its bills."""
        if not self.plan.api:
            message = (
                f"Vertex AI API has not been used in project {project} before or it is disabled. Enable it by visiting "
                f"the API's page in the console, then retry."
            )
            raise ApiError(403, message, reason="SERVICE_DISABLED")
        if self.left == 0:
            message = f"This API method requires billing to be enabled. Please enable billing on project {project}."
            raise ApiError(403, message, reason="BILLING_DISABLED")

    def require(self, permission: str, what: str) -> None:
        """Raise ApiError 403 unless the credentials have the permission."""
        if self.plan.permissions is not None and permission not in self.plan.permissions:
            raise ApiError(403, f"Permission '{what}' denied on resource (or it may not exist).")

    def require_bucket(self, bucket: str) -> None:
        """Raise ApiError 404 for a bucket that does not exist."""
        if self.plan.buckets is not None and bucket not in self.plan.buckets:
            raise ApiError(404, "The specified bucket does not exist.")

    def require_room(self, running: int, model: str) -> None:
        """Raise ApiError 429 when as many operations run as may."""
        if running >= self.plan.concurrency:
            message = (
                "Quota exceeded for aiplatform.googleapis.com/long_running_online_prediction_requests with base model: "
                f"{model}. Please submit a quota increase request."
            )
            raise ApiError(429, message)
