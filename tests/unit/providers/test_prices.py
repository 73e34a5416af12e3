"""What things cost, from the one dated file."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from video_production.errors import OperatorError
from video_production.providers.interface import Price
from video_production.providers.prices import PRICES, price_date, price_of


@pytest.mark.parametrize(
    ("model", "usd"),
    [("eleven_multilingual_v2", 0.08), ("eleven_v4", 0.08), ("eleven_v3", 0.08), ("eleven_flash_v2_5", 0.04)],
)
def test_elevenlabs_is_paid_by_the_thousand_characters(model: str, usd: float) -> None:
    assert price_of("elevenlabs", model, 1000) == Price(1000, "characters", pytest.approx(usd))
    assert price_of("elevenlabs", model, 621).usd == pytest.approx(0.621 * usd)


def test_an_unlisted_model_counts_at_the_dearest_price() -> None:
    models = json.loads(PRICES.read_text())["providers"]["elevenlabs"]["models"]
    assert price_of("elevenlabs", "eleven_v9", 1000).usd == max(models.values())


def test_the_prices_have_a_date_and_a_source() -> None:
    assert datetime.date.fromisoformat(price_date()) == datetime.date(2026, 10, 3)
    assert all("2026" in entry["source"] for entry in json.loads(PRICES.read_text())["providers"].values())


def test_another_price_list_can_be_used_and_may_count_seconds(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(
        json.dumps(
            {"date": "2027-01-01", "providers": {"runway": {"unit": "seconds", "per": 1, "models": {"gen4": 0.05}}}}
        )
    )
    assert price_of("runway", "gen4", 8, path) == Price(8, "seconds", pytest.approx(0.4))
    assert price_date(path) == "2027-01-01"
    with pytest.raises(OperatorError, match=r"mine\.json has no price of runway model 'gen9'"):
        price_of("runway", "gen9", 8, path)
    with pytest.raises(OperatorError, match="no prices of 'veo3'"):
        price_of("veo3", "veo", 8, path)


def test_a_broken_price_list_is_the_operators_fault(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(OperatorError, match="can't be read"):
        price_of("elevenlabs", "eleven_v4", 1, path)
