"""From a node's config to a request body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from video_production.errors import OperatorError, RequestError
from video_production.providers.interface import GenerationRequest, InputContent, Price
from video_production.providers.prices import PriceList
from video_production.providers.runway import PROVIDER, Runway
from video_production.providers.runway.requests import body_of, effective_config, media_type_of, prompt_of
from video_production.takes.fingerprint import take_id

NODE = "generate-animation"


def config(**given: Any) -> dict[str, Any]:
    return effective_config(NODE, {"provider": "runway", "duration": 8} | given, model="gen4.5")


def prompted(*texts: str) -> GenerationRequest:
    return GenerationRequest("generate-animation", {}, {"prompt": tuple(InputContent("text", "0", t) for t in texts)})


def test_every_default_is_filled_in() -> None:
    assert config() == {
        "provider": "runway",
        "model": "gen4.5",
        "duration": 8,
        "aspectRatio": "16:9",
        "resolution": "720p",
        "audio": False,
    }


def test_what_the_document_names_wins_over_the_settings() -> None:
    assert config(model="veo3.1")["model"] == "veo3.1"


def test_what_the_settings_name_counts_like_what_the_document_names() -> None:
    """Also with what was bought before the settings named a model: Gen-4.5 was meant then."""
    named = effective_config(NODE, {"provider": "runway", "duration": 8, "model": "gen4.5"}, model="veo3.1")
    inputs = {"prompt": (InputContent("text", "ab" * 32, "A cat."),)}
    made = {
        take_id(
            GenerationRequest(NODE, effective, inputs),
            provider="runway",
            account="default",
            mode="live",
            adapter_version=Runway.adapter_version,
        )
        for effective in (config(), named)
    }
    assert made == {"d812f2b84674588506d5e10ce51dcda248829c5a9fc62c58f20e42ce3876ca45"}


@pytest.mark.parametrize("given", [{}, {"model": ""}, {"model": None}])
def test_no_model_is_chosen_silently(given: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=r"names no model and neither do the settings.* or set RUNWAY_MODEL"):
        effective_config(NODE, {"duration": 8} | given, model="")


def test_a_model_of_the_settings_that_is_not_known_is_refused() -> None:
    with pytest.raises(RequestError, match=r"model 'gen3' is not known here; choose one of gen4\.5, veo3\.1"):
        effective_config(NODE, {"duration": 8}, model="gen3")


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, {"model": "gen4.5", "ratio": "1280:720", "duration": 8}),
        (
            {"aspectRatio": "9:16", "duration": 2, "seed": 0},
            {"model": "gen4.5", "ratio": "720:1280", "duration": 2, "seed": 0},
        ),
        ({"model": "veo3.1"}, {"model": "veo3.1", "ratio": "1280:720", "duration": 8, "audio": False}),
        (
            {"model": "veo3.1_fast", "resolution": "1080p", "aspectRatio": "9:16", "audio": True, "duration": 4},
            {"model": "veo3.1_fast", "ratio": "1080:1920", "duration": 4, "audio": True},
        ),
    ],
)
def test_a_config_becomes_a_body(given: dict[str, Any], body: dict[str, Any]) -> None:
    assert body_of(config(**given), "A cat.", None) == body | {"promptText": "A cat."}
    first = {"promptText": "A cat.", "promptImage": [{"uri": "runway://1", "position": "first"}]}
    assert body_of(config(**given), "A cat.", "runway://1") == body | first


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"duration": None}, "names no duration"),
        ({"duration": 11}, "gen4.5 makes no clip of 11 seconds; it makes 2 to 10"),
        ({"duration": 2.5}, "no clip of 2.5 seconds"),
        ({"duration": 5, "model": "veo3.1"}, "veo3.1 makes no clip of 5 seconds; it makes 4, 6 or 8"),
        ({"model": "gen3a_turbo"}, "model 'gen3a_turbo' is not known here"),
        ({"resolution": "1080p"}, "gen4.5 makes no 16:9 picture of 1080p"),
        ({"aspectRatio": "1:1"}, "no 1:1 picture"),
        ({"audio": True}, "gen4.5 makes no sound"),
    ],
)
def test_what_no_model_makes_is_refused_before_anything_is_sent(given: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        config(**given)


def test_other_nodes_are_refused() -> None:
    with pytest.raises(RequestError, match="can't make a 'generate-voiceover' node"):
        effective_config("generate-voiceover", {}, model="gen4.5")


def test_prompts_are_counted_in_utf_16() -> None:
    assert prompt_of(prompted("😀" * 500)) == "😀" * 500
    with pytest.raises(RequestError, match="has 1,002 characters; Runway takes at most 1,000"):
        prompt_of(prompted("😀" * 501))
    for texts in ((), (" \n",), ("One.", "Two.")):
        with pytest.raises(RequestError, match="no prompt"):
            prompt_of(prompted(*texts))


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff\xe0", "image/jpeg"), (b"RIFF\0\0\0\0WEBP", "image/webp")],
)
def test_pictures_are_known_by_their_first_bytes(tmp_path: Path, head: bytes, kind: str) -> None:
    path = tmp_path / "slide"
    path.write_bytes(head + b"rest")
    assert media_type_of(path, "slide") == kind
    path.write_bytes(b"BM....")
    with pytest.raises(RequestError, match=r"The picture slide\.bmp is of a kind that Runway does not read"):
        media_type_of(path, "slide.bmp")


class TestPrice:
    @pytest.mark.parametrize(
        ("given", "price"),
        [
            ({}, Price(96, "credits", 0.96)),
            ({"model": "veo3.1"}, Price(160, "credits", 1.6)),
            ({"model": "veo3.1", "audio": True}, Price(320, "credits", 3.2)),
            ({"model": "veo3.1_fast"}, Price(80, "credits", 0.8)),
            ({"model": "veo3.1_fast", "audio": True}, Price(120, "credits", 1.2)),
        ],
    )
    def test_credits_by_the_second_and_a_cent_for_each(
        self, runway: Runway, given: dict[str, Any], price: Price
    ) -> None:
        request = GenerationRequest("generate-animation", config(**given), prompted("A cat.").inputs)
        found = runway.price(request)
        assert (found.quantity, found.unit, found.usd) == (price.quantity, price.unit, pytest.approx(price.usd))

    def test_an_environment_may_pay_less_for_a_credit(self, runway: Runway) -> None:
        runway._prices = PriceList.of('{"providers": {"runway": {"other_models": 0.008}}}')
        assert runway.price(GenerationRequest("generate-animation", config(), {})).usd == pytest.approx(0.768)

    def test_a_model_without_a_price_is_the_operators_business(self, runway: Runway) -> None:
        runway._prices = PriceList("2026-11-22", {"runway": {"unit": "credits", "other_models": 0.01}})
        with pytest.raises(OperatorError, match=r"how many credits Runway's gen4\.5 takes"):
            runway.price(GenerationRequest("generate-animation", config(), {}))


def test_the_module_is_found_by_its_name() -> None:
    assert PROVIDER is Runway
    assert (Runway.name, Runway.title) == ("runway", "Runway")
