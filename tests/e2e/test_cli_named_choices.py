"""What is paid for is named by the document or by the settings: else nothing is started, written or asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.lab import Lab


@dataclass
class Desk(Lab):
    """A desk with keys of Runway and HeyGen; what documents leave out is in `variables`, or not."""

    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        keys = {"RUNWAYML_API_SECRET": "no-key", "HEYGEN_API_KEY": "no-key"}
        return {**super().environment(), **keys, **self.variables}

    def say(self, command: str, *options: str) -> tuple[int, str]:
        done = self.run(command, str(self.document), *options)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def write(desk: Desk, **clip: object) -> None:
    """A head that speaks, and a clip: both leave to the settings what they are made with."""
    voice = {"provider": "elevenlabs", "voiceId": "JBFqnCBsd6RMkjVDRZzb", "modelId": "eleven_multilingual_v2"}
    head = {"provider": "heygen", "avatarId": "Anna_public_3"}
    runway = {"provider": "runway", "duration": 4, **clip}
    desk.write_document(
        [
            {"id": "words", "type": "asset", "asset": {"type": "text", "content": "A robot waters a plant."}},
            {"id": "voice", "type": "generate-voiceover", "inputs": {"script": "words"}, "config": voice},
            {"id": "head", "type": "generate-talking-head", "inputs": {"audio": "voice"}, "config": head},
            {"id": "clip", "type": "generate-animation", "inputs": {"prompt": "words"}, "config": runway},
            {"id": "film", "type": "merge-videos", "inputs": {"segments": ["head", "clip"]}},
        ]
    )


def test_model_and_engine_of_real_providers_are_named_before_anything_is_started(desk: Desk) -> None:
    write(desk)
    assert desk.say("validate") == (0, f"{desk.document}: 5 nodes, no problems.\n"), "the environment may name them"
    real = ("--live", "runway", "--live", "heygen")
    for command in (("plan", *real), ("produce", *real, "--yes")):
        code, told = desk.say(*command)
        assert code == 1
        assert f"{desk.document}: 2 problems, nothing was made or paid" in told
        assert "nodes.head.config: The talking head names no engine and neither do the settings" in told
        assert "nodes.clip.config: The animation names no model and neither do the settings" in told
    assert not desk.home.exists(), "not even the local cloud was started"
    desk.variables |= {"RUNWAY_MODEL": "veo3.1_fast", "HEYGEN_ENGINE": "avatar_iii"}
    code, told = desk.say("plan", *real)
    assert (code, "40 credits  $0.40" in told) == (0, True), told


def test_a_draft_needs_no_names_but_what_its_model_does_not_make_is_told_before_it_begins(desk: Desk) -> None:
    write(desk)
    code, told = desk.say("plan")
    assert (code, "48 credits  $0.48" in told) == (0, True), told
    write(desk, resolution="1080p")
    code, told = desk.say("produce")
    assert code == 1
    assert "nodes.clip.config: Runway's gen4.5 makes no 16:9 picture of 1080p" in told
    assert not desk.home.exists()
