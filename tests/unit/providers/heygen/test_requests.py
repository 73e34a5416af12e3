"""What a document asks of HeyGen, and what HeyGen is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.providers.heygen.conftest import AVATAR, SECONDS, speech
from tests.unit.providers.scripted import Provider
from video_production.errors import RequestError
from video_production.providers.heygen import HeyGen
from video_production.providers.heygen.requests import effective_config, video_body
from video_production.providers.interface import Attempt, GenerationRequest, InputContent
from video_production.takes.fingerprint import take_id

NODE = "generate-talking-head"


def effective(**config: Any) -> dict[str, Any]:
    return effective_config(NODE, {"avatarId": AVATAR} | config, engine="avatar_iv")


def test_defaults_are_filled_in() -> None:
    assert effective() == {
        "provider": "heygen",
        "avatarId": AVATAR,
        "width": 1280,
        "height": 720,
        "engine": "avatar_iv",
    }


def test_what_the_document_names_wins_over_the_settings() -> None:
    assert effective(engine="avatar_v")["engine"] == "avatar_v"


def test_what_the_settings_name_counts_like_what_the_document_names() -> None:
    """Also with what was bought before the settings named an engine: Avatar IV was meant then."""
    named = effective_config(NODE, {"avatarId": AVATAR, "engine": "avatar_iv"}, engine="avatar_v")
    inputs = {"audio": (InputContent("audio", "ab" * 32),)}
    made = {
        take_id(
            GenerationRequest(NODE, config, inputs),
            provider="heygen",
            account="default",
            mode="live",
            adapter_version=HeyGen.adapter_version,
        )
        for config in (effective(), named)
    }
    assert made == {"b52d82865581d2443e240ccc48ae97c0179531c770070be82372fa7021d0d16a"}


@pytest.mark.parametrize("given", [{}, {"engine": ""}, {"engine": None}])
def test_no_engine_is_chosen_silently(given: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=r"names no engine and neither do the settings.* or set HEYGEN_ENGINE"):
        effective_config(NODE, {"avatarId": AVATAR} | given, engine="")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "names no avatarId"),
        ({"avatarId": "a", "width": 1280}, "give both or neither"),
        ({"avatarId": "a", "width": 640, "height": 360}, "640×360 is no size that HeyGen makes"),
        ({"avatarId": "a", "width": 1280, "height": 1080}, "is no size that HeyGen makes"),
        ({"avatarId": "a", "engine": "avatar_ii"}, "no engine 'avatar_ii'; choose one of avatar_iii, avatar_iv"),
    ],
)
def test_what_can_not_be_made_is_refused_at_once(config: dict[str, Any], why: str) -> None:
    with pytest.raises(RequestError, match=why):
        effective_config(NODE, config, engine="avatar_iv")


def test_other_nodes_are_not_made() -> None:
    with pytest.raises(RequestError, match="can't make a 'generate-voiceover' node"):
        effective_config("generate-voiceover", {"avatarId": "a"}, engine="avatar_iv")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((1280, 720), ("720p", "16:9")),
        ((720, 1280), ("720p", "9:16")),
        ((1920, 1080), ("1080p", "16:9")),
        ((1080, 1350), ("1080p", "4:5")),
        ((900 * 3 // 2, 1080), ("1080p", "5:4")),
        ((2160, 2160), ("4k", "1:1")),
        ((3840, 2160), ("4k", "16:9")),
    ],
)
def test_sizes_become_resolution_and_aspect_ratio(size: tuple[int, int], words: tuple[str, str]) -> None:
    config = effective(width=size[0], height=size[1])
    body = video_body(config, title="t", audio_asset="s")
    assert (body["resolution"], body["aspect_ratio"]) == words


def test_the_body_says_everything_and_nothing_else() -> None:
    config = effective(engine="avatar_v")
    assert video_body(config, title="a1", audio_asset="s", background_asset="b") == {
        "type": "avatar",
        "avatar_id": AVATAR,
        "audio_asset_id": "s",
        "title": "a1",
        "callback_id": "a1",
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "engine": {"type": "avatar_v"},
        "output_format": "mp4",
        "caption": {"file_format": "srt"},
        "background": {"type": "image", "asset_id": "b"},
    }


class TestLongSpeech:
    def request(self, content: InputContent) -> GenerationRequest:
        return GenerationRequest(NODE, effective(), {"audio": (content,)})

    def test_what_is_known_to_be_too_long_is_refused_before_anything_is_sent(
        self, heygen: HeyGen, provider: Provider
    ) -> None:
        request = self.request(InputContent("audio", "0", None, "b", "k", 671.0))
        with pytest.raises(RequestError, match=r"lasts 11:11 minutes and HeyGen takes at most 10 minutes at once; cut"):
            heygen.way(request)
        assert provider.received == []

    def test_ten_minutes_and_the_padding_of_an_encoder_are_taken(self, heygen: HeyGen) -> None:
        assert heygen.way(self.request(InputContent("audio", "0", None, "b", "k", 600.3))) == "video"

    def test_a_node_without_speech_is_refused(self, heygen: HeyGen) -> None:
        with pytest.raises(RequestError, match="nothing to say"):
            heygen.way(GenerationRequest(NODE, {}, {"audio": ()}))


class TestPrice:
    @pytest.mark.parametrize(
        ("config", "usd"),
        [
            ({}, 0.0667),
            ({"engine": "avatar_iii"}, 0.0433),
            ({"engine": "avatar_v"}, 0.0667),
            ({"width": 3840, "height": 2160}, 0.0833),
            ({"width": 3840, "height": 2160, "engine": "avatar_iii"}, 0.0433),
        ],
    )
    def test_the_engine_and_the_seconds_of_speech_make_it(
        self, heygen: HeyGen, attempt: Callable[..., Attempt], config: dict[str, Any], usd: float
    ) -> None:
        price = heygen.price(attempt(**config).request)
        assert (price.quantity, price.unit) == (SECONDS, "seconds")
        assert price.usd == pytest.approx(usd * SECONDS)

    def test_speech_of_unknown_length_is_measured_once(
        self, heygen: HeyGen, content: Callable[..., InputContent], provider: Provider
    ) -> None:
        sound = content("audio", speech())
        request = GenerationRequest(NODE, effective(), {"audio": (sound,)})
        price = heygen.price(request)
        assert price.quantity == pytest.approx(SECONDS, abs=0.03)
        assert heygen.price(request) == price
        assert provider.received == []
