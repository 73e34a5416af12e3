"""What the fake accounts of all stand-ins share: a plan on disk, a balance, and the charges."""

from __future__ import annotations

import threading
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from stand_ins.charge_book import Charge, ChargeBook
from stand_ins.files import read_json, write_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["BilledAccount"]

Plan = TypeVar("Plan", bound="DataclassInstance")


class BilledAccount(Generic[Plan]):
    """`plan` says what the account may do; it is kept at `path`. Safe from several threads.

    `limit` names the field of the plan that holds how much may be spent (None: without limit), `unit` the field of a
    charge that counts against it.
    """

    def __init__(
        self, path: Path, book: ChargeBook, plan: type[Plan], *, limit: str, unit: Literal["credits", "usd"]
    ) -> None:
        self._path = path
        self._book = book
        self._limit = limit
        self._unit = unit
        self._lock = threading.RLock()
        rows = book.rows()
        self._used = sum(getattr(row, unit) for row in rows)
        self._charged = {row.external_id for row in rows}
        self.plan: Plan = plan(**read_json(path, {}))

    def change(self, changes: dict[str, Any]) -> None:
        """Replace some fields of the plan; raise ValueError for unknown ones."""
        unknown = set(changes) - {field.name for field in fields(self.plan)}
        if unknown:
            raise ValueError(f"A plan has no field named {', '.join(sorted(unknown))}.")
        with self._lock:
            self.plan = replace(self.plan, **changes)
            write_json(self._path, asdict(self.plan))

    def set_balance(self, amount: float | None) -> None:
        """Leave exactly `amount` to spend; None: without limit."""
        self.change({self._limit: None if amount is None else self._used + amount})

    @property
    def left(self) -> float | None:
        """What may still be spent; None: without limit."""
        limit: float | None = getattr(self.plan, self._limit)
        return None if limit is None else max(0.0, limit - self._used)

    def charge(self, charge: Charge) -> None:
        """Bill a result, once per `external_id`."""
        with self._lock:
            if charge.external_id not in self._charged:
                self._book.append(charge)
                self._charged.add(charge.external_id)
                self._used += getattr(charge, self._unit)
