"""The fake account: its key, plan and wallet, kept on disk; and what it was charged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stand_ins.account import BilledAccount
from stand_ins.charge_book import ChargeBook
from stand_ins.heygen.errors import ApiError

__all__ = ["RATES", "Account", "Plan"]

RATES: Mapping[str, float] = {
    "avatar_iii": 0.0433,
    "avatar_iv": 0.0667,
    "avatar_iv/4k": 0.0833,
    "avatar_v": 0.0667,
    "avatar_v/4k": 0.0833,
}
"""US dollars per second of finished video; HeyGen's page of autumn 2026, the dearer kind of avatar."""
_ENDLESS = 1_000_000.0
"""The balance that a wallet without limit shows."""
_CENT = 1e-9


@dataclass(frozen=True, slots=True)
class Plan:
    """What the account may do.

    `concurrency` is how many videos are made at once (None: any number), `retry_after` the seconds that one more is
    asked to wait; `usd_limit` is the amount after which the wallet is empty (None: without limit).
    """

    concurrency: int | None = 10
    retry_after: float = 5.0
    usd_limit: float | None = None


class Account(BilledAccount[Plan]):
    """Checks and charges. Safe from several threads."""

    def __init__(self, path: Path, book: ChargeBook, key: str) -> None:
        super().__init__(path, book, Plan, limit="usd_limit", unit="usd")
        self._key = key

    def authenticate(self, headers: Mapping[str, str]) -> None:
        """Raise ApiError 401 unless the key is right."""
        if headers.get("x-api-key") != self._key:
            raise ApiError(401, "The API key is missing or invalid.")

    def require_place(self, running: int) -> None:
        """Raise ApiError 429 when as many videos are being made as the plan allows."""
        limit = self.plan.concurrency
        if limit is not None and running >= limit:
            message = f"Concurrent video limit reached: your plan allows {limit} videos at once."
            raise ApiError(429, message, retry_after=self.plan.retry_after)

    def require_funds(self, usd: float, reserved: float) -> None:
        """Raise ApiError 402 when the wallet, less what running videos will cost, can't pay `usd`."""
        left = self.left
        if left is not None and usd > left - reserved + _CENT:
            free = max(0.0, left - reserved)
            raise ApiError(402, f"Insufficient credit: your balance is ${free:.2f}, this video needs ${usd:.2f}.")

    def user(self) -> dict[str, Any]:
        """`GET /v3/users/me`."""
        left = self.left
        return {
            "username": "draft",
            "email": "draft@example.com",
            "first_name": "Draft",
            "last_name": "Account",
            "billing_type": "wallet",
            "wallet": {
                "currency": "usd",
                "remaining_balance": _ENDLESS if left is None else round(left, 4),
                "auto_reload": {"enabled": False},
            },
        }
