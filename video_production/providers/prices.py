"""What providers charge, from one dated file: `prices.json`.

The file maps a provider to the `unit` that it counts, `per` how many units a price is, and the price of each of its
`models` in US dollars; `other_models`, where given, is the price of every model that is not listed.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from video_production.errors import OperatorError
from video_production.providers.interface import Price

__all__ = ["PRICES", "price_date", "price_of"]

PRICES = Path(__file__).with_name("prices.json")


def price_of(provider: str, model: str, quantity: float, path: Path = PRICES) -> Price:
    """What `quantity` units of a provider's model cost in US dollars. Raises OperatorError where no price is known."""
    entry = _load(path)["providers"].get(provider)
    if entry is None:
        raise OperatorError(f"{path.name} has no prices of '{provider}'; add them.")
    rate = entry["models"].get(model, entry.get("other_models"))
    if rate is None:
        raise OperatorError(f"{path.name} has no price of {provider} model '{model}'; add it.")
    return Price(quantity=quantity, unit=entry["unit"], usd=quantity * rate / entry["per"])


def price_date(path: Path = PRICES) -> str:
    """The day on which the prices were read, as `YYYY-MM-DD`."""
    return str(_load(path)["date"])


@functools.lru_cache
def _load(path: Path) -> dict[str, Any]:
    try:
        prices: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(f"The price list {path} can't be read ({error}); restore it.") from error
    return prices
