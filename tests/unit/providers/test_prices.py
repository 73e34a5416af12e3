"""What things cost: the one dated file, and what an environment sets instead."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from video_production.errors import OperatorError
from video_production.providers.interface import Price
from video_production.providers.prices import PRICES, PriceList, price_date, price_of


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


def test_the_prices_have_a_date_and_every_provider_a_source() -> None:
    assert datetime.date.fromisoformat(price_date()) == datetime.date(2026, 10, 3)
    assert all("2026" in entry["source"] for entry in json.loads(PRICES.read_text())["providers"].values())


def test_a_price_may_depend_on_more_than_the_model(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    models = {"veo3.1": 0.2, "veo3.1/audio": 0.4}
    path.write_text(
        json.dumps({"date": "2027-01-01", "providers": {"runway": {"unit": "seconds", "per": 1, "models": models}}})
    )
    mine = PriceList.read(path)
    assert price_of("runway", "veo3.1/audio", 8, mine) == Price(8, "seconds", pytest.approx(3.2))
    assert price_of("runway", "veo3.1/silent", 8, mine).usd == pytest.approx(1.6)
    with pytest.raises(OperatorError, match=r"mine\.json has no price of runway model 'gen9'"):
        price_of("runway", "gen9", 8, mine)
    with pytest.raises(OperatorError, match="no prices of 'veo3'"):
        price_of("veo3", "veo", 8, mine)


def test_a_broken_price_list_is_the_operators_fault(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(OperatorError, match="can't be read"):
        PriceList.read(path)


def test_an_environment_sets_only_what_differs() -> None:
    own = PriceList.of('{"providers": {"elevenlabs": {"models": {"eleven_v4": 0.03}}}}')
    assert own.price("elevenlabs", "eleven_v4", 1000).usd == pytest.approx(0.03)
    assert own.price("elevenlabs", "eleven_v3", 1000).usd == pytest.approx(0.08)
    assert own.about == f"prices of {price_date()}, elevenlabs as set here"
    assert PriceList.of("").about == f"prices of {price_date()}"
    assert own.digest != PriceList.of("").digest


def test_the_digest_changes_with_prices_alone() -> None:
    same = PriceList.of('{"providers": {"elevenlabs": {"source": "our contract of 2026-11-01"}}}')
    assert same.digest == PriceList.of("").digest


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "can't be read"),
        ("[]", "can't be read"),
        ('{"providers": {"elevenlabs": {"models": {"eleven_v4": "cheap"}}}}', "is not a number"),
        ('{"providers": {"elevenlabs": {"model": {"eleven_v4": 1}}}}', "unknown 'model'"),
        ('{"providers": {"elevenlabs": {"models": {"eleven_v4": NaN}}}}', "is not a number"),
        ('{"providers": {"elevenlabs": {"other_models": 1e999}}}', "is not a number"),
        ('{"providers": {"elevenlabs": {"per": 0}}}', "'per' of 'elevenlabs'"),
        ('{"providers": {"newcomer": {"models": {"a": 1}}}}', "needs the unit"),
    ],
)
def test_prices_that_make_no_sense_are_refused_before_anything_is_bought(text: str, why: str) -> None:
    with pytest.raises(OperatorError, match=why):
        PriceList.of(text)
