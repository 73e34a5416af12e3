"""The fake account: its key, plan, permissions and balance, kept on disk; and what it was charged."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stand_ins.account import BilledAccount
from stand_ins.charge_book import Charge, ChargeBook
from stand_ins.elevenlabs.catalog import PLANS, SpeechModel
from stand_ins.elevenlabs.errors import ApiError

__all__ = ["Account", "Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the account may do.

    `flows` is access to asynchronous jobs; `permissions` are the scopes of the key (None: all); `credit_limit` is the
    number of credits after which the account is empty (None: further use is billed without limit); `concurrency` is the
    number of requests at once (None: as the tier has it).
    """

    tier: str = "pro"
    flows: bool = True
    permissions: list[str] | None = None
    credit_limit: int | None = None
    concurrency: int | None = None


class Account(BilledAccount[Plan]):
    """Checks and charges. Safe from several threads."""

    def __init__(self, path: Path, book: ChargeBook, key: str) -> None:
        super().__init__(path, book, Plan, limit="credit_limit", unit="credits")
        self._key = key
        self._in_flight = {True: 0, False: 0}

    def change(self, changes: dict[str, Any]) -> None:
        """Replace some fields of the plan; raise ValueError for unknown ones and for an unknown tier."""
        if changes.get("tier", "pro") not in PLANS:
            raise ValueError(f"A plan has no such field or tier: {changes}.")
        super().change(changes)

    def authenticate(self, headers: dict[str, str]) -> None:
        """Raise ApiError 401 unless the key is right."""
        given = headers.get("xi-api-key")
        if given == self._key:
            return
        if given:
            raise ApiError(401, "unauthorized", "Invalid API key", legacy="invalid_api_key")
        if "authorization" in headers:
            raise ApiError(401, "unauthorized", "Invalid authorization header", legacy="invalid_authorization_header")
        raise ApiError(
            401, "unauthorized", "Neither authorization header nor xi-api-key received", legacy="needs_authorization"
        )

    def require(self, permission: str) -> None:
        """Raise ApiError 403 unless the key has the scope."""
        if self.plan.permissions is not None and permission not in self.plan.permissions:
            message = f"The API key you used is missing the permission {permission} to execute this operation."
            raise ApiError(403, "insufficient_permissions", message)

    def require_flows(self) -> None:
        """Raise ApiError 402 unless the plan includes asynchronous jobs."""
        if not self.plan.flows:
            raise ApiError(402, "paid_plan_required", "Your subscription does not include Flows over the API.")

    def require_tier(self, tier: str, what: str) -> None:
        """Raise ApiError 403 on a plan below `tier`."""
        tiers = list(PLANS)
        if tiers.index(self.plan.tier) < tiers.index(tier):
            message = f"{what} needs the {tier.capitalize()} plan or above."
            raise ApiError(403, "subscription_required", message)

    def require_credits(self, credits: int) -> None:
        """Raise ApiError 402 when the balance can't pay `credits`."""
        left = self.left
        if left is not None and credits > left:
            message = (
                f"This request exceeds your quota of {self.plan.credit_limit}. You have {left:.0f} credits remaining, "
                f"while {credits} credits are required for this request."
            )
            raise ApiError(402, "insufficient_credits", message)

    def pay(self, charge: Charge) -> bool:
        """Bill a result, once per `external_id`; False when the balance can't pay it."""
        with self._lock:
            if charge.external_id not in self._charged and self.left is not None and charge.credits > self.left:
                return False
            self.charge(charge)
            return True

    @property
    def used(self) -> int:
        """Credits spent so far."""
        return int(self._used)

    def concurrency_limit(self, model: SpeechModel) -> int:
        own = self.plan.concurrency
        return own if own is not None else PLANS[self.plan.tier][1] * (2 if model.turbo else 1)

    def enter(self, model: SpeechModel) -> int:
        """Count a request as running and return how many run now; raise ApiError 429 when there are too many.

        Leave with `leave`. Above the limit the real service queues a request briefly before it refuses it.
        """
        for patience in (0.05, 0.0):
            with self._lock:
                if self._in_flight[model.turbo] < self.concurrency_limit(model):
                    self._in_flight[model.turbo] += 1
                    return self._in_flight[model.turbo]
            time.sleep(patience)
        message = f"Too many concurrent requests. Your subscription allows {self.concurrency_limit(model)} at once."
        raise ApiError(429, "concurrent_limit_exceeded", message)

    def leave(self, model: SpeechModel) -> None:
        with self._lock:
            self._in_flight[model.turbo] -= 1

    def subscription(self, now: float) -> dict[str, Any]:
        """The account as `GET /v1/user/subscription` shows it."""
        limit = self.plan.credit_limit
        extension: int | str = "unlimited" if limit is None else 0
        return {
            "tier": self.plan.tier,
            "character_count": self.used,
            "character_limit": PLANS[self.plan.tier][0] if limit is None else limit,
            "max_character_limit_extension": None,
            "max_credit_limit_extension": extension,
            "can_extend_character_limit": limit is None,
            "allowed_to_extend_character_limit": limit is None,
            "next_character_count_reset_unix": int(now) + 30 * 86400,
            "voice_slots_used": 0,
            "professional_voice_slots_used": 0,
            "professional_voice_slots_used_in_workspace": 0,
            "voice_limit": 160,
            "max_voice_add_edits": 350,
            "voice_add_edit_counter": 0,
            "professional_voice_limit": 1,
            "can_extend_voice_limit": False,
            "can_use_instant_voice_cloning": True,
            "can_use_professional_voice_cloning": True,
            "currency": "usd",
            "current_overage": {"amount": "0", "currency": "usd"},
            "status": "free" if self.plan.tier == "free" else "active",
            "billing_period": "monthly_period",
            "character_refresh_period": "monthly_period",
            "next_invoice": None,
            "open_invoices": [],
            "has_open_invoices": False,
            "pending_change": None,
        }
