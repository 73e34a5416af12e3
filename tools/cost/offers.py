"""What providers ask for a minute of speech, a minute of a talking head, a short animation: by model."""

from __future__ import annotations

from collections.abc import Iterator

from video_production.cli.spending import SPEECH_RATES
from video_production.provider_facts import PROVIDER_FACTS, ProviderFacts
from video_production.providers.prices import PriceList

__all__ = ["offers"]

_MINUTE, _CLIP = 60, 8
"""Seconds: a minute where somebody speaks, else a length that every maker of animations makes."""


def offers(prices: PriceList) -> Iterator[tuple[str, str, str, tuple[float, float]]]:
    """(what, provider, models at the same price, US dollars at least and at most)."""
    for name, facts in PROVIDER_FACTS.items():
        entry = prices.providers[name]
        what, alike = _what(facts, entry["unit"]), dict[tuple[float, float], list[str]]()
        for model in entry.get("credits_per_second") or entry["models"]:
            low, high = (prices.price(name, model, quantity).usd for quantity in _quantities(facts, model, prices))
            alike.setdefault((low, high), []).append(model)
        for usd, models in alike.items():
            yield what, facts.title, ", ".join(f"`{model}`" for model in models), usd


def _seconds(facts: ProviderFacts) -> int:
    return _CLIP if facts.node_type == "generate-animation" else _MINUTE


def _what(facts: ProviderFacts, unit: str) -> str:
    length = "8 s" if _seconds(facts) == _CLIP else "a minute"
    spoken = f" ({SPEECH_RATES[1] * _MINUTE:,.0f}–{SPEECH_RATES[0] * _MINUTE:,.0f} characters)"
    return f"{facts.makes} of {length}{spoken if unit == 'characters' else ''}"


def _quantities(facts: ProviderFacts, model: str, prices: PriceList) -> tuple[float, float]:
    """How much of its unit the provider counts for that, at least and at most."""
    entry, seconds = prices.providers[facts.name], _seconds(facts)
    if entry["unit"] == "characters":
        fast, slow = SPEECH_RATES
        return slow * seconds, fast * seconds
    each = entry["credits_per_second"][model] if entry["unit"] == "credits" else 1
    return each * seconds, each * seconds
