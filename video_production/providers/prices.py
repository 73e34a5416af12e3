"""What providers charge, from one dated file: `prices.json`, which an environment may change for itself.

The file maps a provider to the `unit` that it counts, `per` how many units a price is, and the price of each of its
`models` in US dollars; `other_models`, where given, is the price of every model that is not listed. A price that
depends on more than the model is listed as `model/variant`; a variant that is not listed costs what its model costs.

An environment's own prices have the same form and hold only what differs: `{"providers": {"heygen": {"models": {…}}}}`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_production.errors import OperatorError
from video_production.providers.made import Price

__all__ = ["PRICES", "PriceList", "dollars", "price_date", "price_of"]

PRICES = Path(__file__).with_name("prices.json")
_FIELDS = frozenset({"unit", "per", "models", "other_models", "credits_per_second", "source", "note"})


@dataclass(frozen=True, slots=True, eq=False)
class PriceList:
    """Prices of one day. `changed` names the providers whose prices somebody set for this environment."""

    date: str
    providers: Mapping[str, Mapping[str, Any]]
    changed: tuple[str, ...] = ()
    name: str = PRICES.name

    @classmethod
    def read(cls, path: Path = PRICES) -> PriceList:
        """A whole price list from its file. Raises OperatorError."""
        return _read(path)

    @classmethod
    def of(cls, changes: str) -> PriceList:
        """The shipped prices with an environment's own `changes`, JSON as above or empty. Raises OperatorError."""
        return _changed(changes) if changes.strip() else cls.read()

    def price(self, provider: str, model: str, quantity: float) -> Price:
        """What `quantity` units of `model`, or of `model/variant`, cost. Raises OperatorError where no price is known.

        The quantity is in the unit of the provider's entry.
        """
        entry = self.providers.get(provider)
        if entry is None:
            raise OperatorError(f"{self.name} has no prices of '{provider}'; add them.")
        models = entry.get("models", {})
        rate = models.get(model, models.get(model.partition("/")[0], entry.get("other_models")))
        if rate is None:
            raise OperatorError(f"{self.name} has no price of {provider} model '{model}'; add it.")
        return Price(quantity=quantity, unit=entry["unit"], usd=quantity * rate / entry.get("per", 1))

    @property
    def about(self) -> str:
        """For people: `prices of 2026-10-03`, and whose were set here."""
        own = f", {', '.join(self.changed)} as set here" if self.changed else ""
        return f"prices of {self.date}{own}"

    @property
    def digest(self) -> str:
        """Changes with every price and with nothing else."""
        rates = {
            name: {key: value for key, value in entry.items() if key not in ("source", "note")}
            for name, entry in self.providers.items()
        }
        return hashlib.sha256(json.dumps(rates, sort_keys=True).encode()).hexdigest()


def price_of(provider: str, model: str, quantity: float, price_list: PriceList | None = None) -> Price:
    """What `quantity` units of a provider's model cost in US dollars. Raises OperatorError where no price is known."""
    return (price_list or PriceList.read()).price(provider, model, quantity)


def dollars(usd: float) -> str:
    """An amount for people: `$0.06`, `$1,234.50`, `$0.0008`."""
    return f"${usd:,.2f}" if usd >= 0.005 or usd == 0 else f"${usd:.4f}"


def price_date() -> str:
    """The day on which the shipped prices were read, as `YYYY-MM-DD`."""
    return PriceList.read().date


@functools.lru_cache
def _read(path: Path) -> PriceList:
    try:
        prices: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(f"The price list {path} can't be read ({error}); restore it.") from error
    return PriceList(str(prices["date"]), prices["providers"], name=path.name)


@functools.lru_cache
def _changed(text: str) -> PriceList:
    shipped = PriceList.read()
    try:
        changes = json.loads(text)
        providers = dict(changes["providers"])
        for name, own in providers.items():
            _check(name, own)
            providers[name] = _merged(shipped.providers.get(name, {}), own)
            if "unit" not in providers[name]:
                raise ValueError(f"'{name}' needs the unit that it counts")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        form = '{"providers": {"heygen": {"models": {"avatar": 0.05}}}}'
        raise OperatorError(
            f"The prices set for this environment can't be read ({error}); their form is {form}."
        ) from error
    date = str(changes.get("date", shipped.date))
    return PriceList(date, {**shipped.providers, **providers}, tuple(providers))


def _check(name: str, own: Mapping[str, Any]) -> None:
    strange = own.keys() - _FIELDS
    if strange:
        raise ValueError(f"'{name}' has an unknown '{min(strange)}'")
    rates = [rate for table in ("models", "credits_per_second") for rate in own.get(table, {}).values()]
    rates += [own[name] for name in ("other_models", "per") if name in own]
    if not all(isinstance(rate, int | float) and not isinstance(rate, bool) and 0 <= rate < math.inf for rate in rates):
        raise ValueError(f"a price of '{name}' is not a number")
    if own.get("per") == 0:
        raise ValueError(f"the 'per' of '{name}' is 0")


def _merged(shipped: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    tables = {
        name: {**shipped.get(name, {}), **own.get(name, {})}
        for name in ("models", "credits_per_second")
        if name in shipped or name in own
    }
    return {**shipped, **own, **tables}
