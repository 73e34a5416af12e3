"""What docs/runway.md says of models, limits and prices is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from video_production.pipelines.provider_limits import ANIMATION_PROMPT_LIMIT, RUNWAY_MODELS
from video_production.providers.prices import PriceList
from video_production.providers.runway import adapter, requests

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "runway.md").read_text(encoding="utf-8")
ROWS = {
    cells[1].strip("` ").split("`")[0]: cells
    for cells in (row.split("|") for row in PAGE.splitlines())
    if len(cells) == 7
}
PRICES = PriceList.read().providers["runway"]


@pytest.mark.parametrize("name", RUNWAY_MODELS)
def test_models_are_told_as_they_are(name: str) -> None:
    model = RUNWAY_MODELS[name]  # type: ignore[index]
    _, _, seconds, sizes, sound, credits, _ = ROWS[name]
    numbers = [int(number) for number in re.findall(r"\d+", seconds)]
    assert (numbers[0], numbers[-1]) == (model.durations[0], model.durations[-1])
    assert sizes.strip() == ", ".join(model.resolutions)
    assert ("audio: true" in sound) is model.sound
    per_second = PRICES["credits_per_second"]
    expected = [per_second[name], per_second[f"{name}/audio"]] if model.sound else [per_second[name]]
    assert [int(number) for number in re.findall(r"\d+", credits)] == expected


def test_limits_and_the_price_of_a_credit_are_told_as_they_are() -> None:
    assert f"A credit costs {PRICES['other_models']} US dollars" in PAGE
    assert f"at most {ANIMATION_PROMPT_LIMIT['runway']:,} UTF-16 code units" in PAGE
    assert ANIMATION_PROMPT_LIMIT["runway"] == requests.PROMPT_LIMIT
    assert requests.UPLOAD_LIMIT == 16_000_000
    assert "at most 16 MB" in PAGE
    assert f"Up to {requests.INLINE_LIMIT >> 20} MiB" in PAGE
    assert adapter.BASE_URL in PAGE


@pytest.mark.parametrize("name", RUNWAY_MODELS)
def test_documents_and_the_module_agree_about_lengths(name: str) -> None:
    for duration in range(1, 12):
        try:
            requests.effective_config("generate-animation", {"model": name, "duration": duration}, model="")
        except requests.RequestError:
            made = False
        else:
            made = True
        assert made is (duration in RUNWAY_MODELS[name].durations)  # type: ignore[index]
