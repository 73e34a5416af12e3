"""The fake organisation: its tier and balance, kept on disk; and what it was charged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from stand_ins.account import BilledAccount
from stand_ins.charge_book import ChargeBook
from stand_ins.runway.errors import ApiError
from stand_ins.runway.schema import MODELS

__all__ = ["Account", "Plan"]

NO_CREDIT = "You do not have enough credits to run this task."
_ENDLESS = 1_000_000
"""The balance that an account without limit shows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the organisation may do.

    `concurrency` is how many tasks of one model run at once (others are throttled, None: any number); `daily` how many
    may be submitted per model in 24 hours; `credit_limit` after how many credits the account is empty.
    """

    concurrency: int | None = 2
    daily: int | None = None
    credit_limit: float | None = None


class Account(BilledAccount[Plan]):
    """Checks and charges. Safe from several threads."""

    def __init__(self, path: Path, book: ChargeBook, key: str) -> None:
        super().__init__(path, book, Plan, limit="credit_limit", unit="credits")
        self._key = key

    def authenticate(self, authorization: str | None) -> None:
        """Raise ApiError 401 unless the key is right."""
        if not authorization:
            raise ApiError(401, "You did not provide an API key. Send it as a bearer token.")
        if authorization != f"Bearer {self._key}":
            raise ApiError(401, "The API key you provided is not valid.")

    def require_credits(self, credits: float, reserved: float) -> None:
        """Raise ApiError 400 when the balance, less what waiting tasks will cost, can't pay `credits`."""
        left = self.left
        if left is not None and credits > left - reserved:
            raise ApiError(400, NO_CREDIT)

    def require_generations(self, model: str, today: int) -> None:
        """Raise ApiError 429 when `model` made as many clips `today` as the tier allows."""
        if self.plan.daily is not None and today >= self.plan.daily:
            raise ApiError(429, f"You have reached the daily limit of {self.plan.daily} generations with {model}.")

    def organization(self, reserved: float, today: Counter[str]) -> dict[str, Any]:
        """`GET /v1/organization`; `today` counts the generations of the last 24 hours by model."""
        left = self.left
        limits = {"maxConcurrentGenerations": self.plan.concurrency, "maxDailyGenerations": self.plan.daily}
        return {
            "creditBalance": _ENDLESS if left is None else int(left - reserved),
            "tier": {"maxMonthlyCreditSpend": _ENDLESS, "models": dict.fromkeys(MODELS, limits)},
            "usage": {"models": {model: {"dailyGenerations": today[model]} for model in MODELS}},
        }

    def usage(self, start: str | None, before: str | None) -> dict[str, Any]:
        """`POST /v1/organization/usage`: credits by model for each day of the period."""
        first = date.fromisoformat(start) if start else datetime.now(UTC).date() - timedelta(days=30)
        last = date.fromisoformat(before) if before else first + timedelta(days=31)
        days: dict[date, Counter[str]] = {first + timedelta(n): Counter() for n in range((last - first).days)}
        for row in self._book.rows():
            day = datetime.fromtimestamp(row.at, UTC).date()
            if day in days:
                days[day][row.model] += int(row.credits)
        results = [
            {"date": day.isoformat(), "usedCredits": [{"model": m, "amount": n} for m, n in used.items()]}
            for day, used in days.items()
        ]
        return {"models": sorted({row.model for row in self._book.rows()}), "results": results}
