"""Real providers on this machine: keys, settings, and what is refused before anything is asked of anybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from video_production.cli.live import read_live, read_prices, refuse_placeholders
from video_production.errors import DocumentError, RequestError
from video_production.nodes.model import Node
from video_production.settings import PROVIDER_FACTS, PROVIDERS


def test_keys_and_settings_come_from_the_environment() -> None:
    given = {
        "ELEVENLABS_API_KEY": " key\n",
        "ELEVENLABS_BASE_URL": "http://a-stand-in",
        "ELEVENLABS_LIVE_BASE_URL": "https://gateway.example.com",
        "ELEVENLABS_ACCOUNT": "ours",
        "HEYGEN_API_KEY": "not asked for",
    }
    live = read_live(["elevenlabs", "elevenlabs"], given)
    assert (live.names, live.keys["elevenlabs"]) == (("elevenlabs",), "key")
    assert live.variables == {"ELEVENLABS_BASE_URL": "https://gateway.example.com", "ELEVENLABS_ACCOUNT": "ours"}


@pytest.mark.parametrize(("name", "variable"), [("heygen", "HEYGEN_ENGINE"), ("runway", "RUNWAY_MODEL")])
def test_what_documents_leave_out_is_named_by_a_variable(name: str, variable: str) -> None:
    live = read_live([name], {variable: "the-one"}, need_keys=False)
    assert live.variables == {variable: "the-one"}


@pytest.mark.parametrize("name", PROVIDERS)
def test_without_its_key_a_provider_is_not_used(name: str) -> None:
    with pytest.raises(
        RequestError, match=rf"--live {name} needs .* in the environment variable {PROVIDER_FACTS[name].key_variable}\."
    ):
        read_live([name], {})


def test_google_wants_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps({"type": "service_account"}))
    given = {"GOOGLE_APPLICATION_CREDENTIALS": str(path), "VEO3_PROJECT": "lessons", "VEO3_BUCKET": "films"}
    live = read_live(["veo3"], given)
    assert json.loads(live.keys["veo3"]) == {"type": "service_account"}
    assert live.variables == {"VEO3_PROJECT": "lessons", "VEO3_BUCKET": "films"}
    del given["VEO3_BUCKET"]
    assert read_live(["veo3"], given, need_keys=False).variables == {"VEO3_PROJECT": "lessons"}
    with pytest.raises(
        RequestError, match=r"--live veo3 needs the bucket .* in the environment variable VEO3_BUCKET\."
    ):
        read_live(["veo3"], given)
    path.write_text("no JSON")
    with pytest.raises(RequestError, match=r"no readable key file \(it is not JSON\)\. Name the JSON key file"):
        read_live(["veo3"], given)
    path.unlink()
    with pytest.raises(RequestError, match=r"no readable key file \(No such file or directory\)"):
        read_live(["veo3"], given)


def test_prices_of_ones_own_lie_in_a_file(tmp_path: Path) -> None:
    assert read_prices({}) == ""
    path = tmp_path / "prices.json"
    path.write_text("{}")
    assert read_prices({"JIKI_VIDEO_PRICES": str(path)}) == "{}"
    with pytest.raises(RequestError, match=r"JIKI_VIDEO_PRICES names .* can't be read"):
        read_prices({"JIKI_VIDEO_PRICES": str(tmp_path / "nothing.json")})


def _node(provider: str, **config: Any) -> Node:
    return Node("lesson", "speaker", "Speaker", "generate-any", {}, {"provider": provider, **config})


PLACEHOLDERS = [
    "YOUR_VOICE_ID", "voice", "voice-1", "my-voice", "placeholder", "<voice>", "xxxxxxxx", "test", "TODO",
    "draft-voice", "exampleVoice", "replace-me", "123", "some_avatar_id", "00000000-0000-0000",
]  # fmt: skip
REAL = ["JBFqnCBsd6RMkjVDRZzb", "21m00Tcm4TlvDq8ikWAM", "Anna_public_3", "josh_lite3_20230714", "aVoiceTodoFakeXxx123"]


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_placeholders_are_refused_for_real_providers_only(value: str) -> None:
    for provider, key in (("elevenlabs", "voiceId"), ("heygen", "avatarId")):
        node = _node(provider, **{key: value})
        refuse_placeholders([node], [], "lesson.yaml")
        with pytest.raises(DocumentError, match=rf"nodes\.speaker\.config\.{key}: '.*' is a placeholder"):
            refuse_placeholders([node], [provider], "lesson.yaml")


@pytest.mark.parametrize("value", REAL)
def test_what_may_be_a_real_voice_or_avatar_passes(value: str) -> None:
    refuse_placeholders([_node("heygen", avatarId=value)], ["heygen"], "lesson.yaml")
