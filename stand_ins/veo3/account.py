"""The fake Google Cloud project: what it may do, what it was charged; kept on disk."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from stand_ins.charge_book import Charge, ChargeBook
from stand_ins.files import read_json, write_json
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


class Account:
    """Checks and charges. Safe from several threads."""

    def __init__(self, path: Path, book: ChargeBook) -> None:
        self._path = path
        self._book = book
        self._lock = threading.Lock()
        rows = book.rows()
        self._used = sum(row.usd for row in rows)
        self._charged = {row.external_id for row in rows}
        self.plan = Plan(**read_json(path, {}))

    def change(self, changes: dict[str, Any]) -> None:
        """Replace some fields of the plan; raise ValueError for unknown ones."""
        unknown = set(changes) - {field.name for field in fields(Plan)}
        if unknown:
            raise ValueError(f"A plan has no field named {', '.join(sorted(unknown))}.")
        with self._lock:
            self.plan = Plan(**{**asdict(self.plan), **changes})
            write_json(self._path, asdict(self.plan))

    def set_balance(self, usd: float | None) -> None:
        """Leave exactly `usd` to spend; None: without limit."""
        self.change({"limit_usd": None if usd is None else self._used + usd})

    @property
    def usd_left(self) -> float | None:
        limit = self.plan.limit_usd
        return None if limit is None else max(0.0, limit - self._used)

    def require_api(self, project: str) -> None:
        """Raise ApiError 403 unless the project may call Vertex AI and has paid its bills."""
        if not self.plan.api:
            message = (
                f"Vertex AI API has not been used in project {project} before or it is disabled. Enable it by visiting "
                f"the API's page in the console, then retry."
            )
            raise ApiError(403, message, reason="SERVICE_DISABLED")
        if self.usd_left == 0:
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

    def charge(self, charge: Charge) -> None:
        """Bill a film, once per `external_id`. Google bills in arrears: it never fails."""
        with self._lock:
            if charge.external_id in self._charged:
                return
            self._book.append(charge)
            self._charged.add(charge.external_id)
            self._used += charge.usd
