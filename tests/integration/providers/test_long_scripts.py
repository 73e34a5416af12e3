"""A script that is too long for one request, from its node to one sound with captions: bought from the stand-in."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.providers.conftest import VOICE, StandIn
from tests.unit.graphs import claim, node, text_output, write
from tests.unit.media.clips import decoded_audio_samples
from tests.unit.memory import MemoryDynamo
from video_production.media.captions import read_captions
from video_production.nodes.model import Node, NodeStatus, Output
from video_production.nodes.table import NodeTable
from video_production.providers.elevenlabs import ElevenLabs, models, parts
from video_production.settings import ProviderSettings
from video_production.storage import Storage
from video_production.takes.buying import Buyer
from video_production.takes.table import TakeTable

BUCKET = "jiki-videos"
SCRIPT = """\
Binary search looks for an entry in a sorted list. It looks at the middle first. Half of the list is gone after that.

The other half is searched in the same way. Every step halves what is left, so a list of a million entries takes twenty.

What must hold is that the list is sorted. Sorting it once is worth the while when many searches follow. One search \
alone is done as quickly from front to back.

In the end there is one entry. It is the one that was looked for, or there is none such in the list."""
SETTINGS = ProviderSettings("draft", "", "secret", "main", 1, 60, 20, 1)
Speak = Callable[..., Output]


@pytest.fixture
def speak(elevenlabs: ElevenLabs, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Speak:
    """Produces the one voice of a lesson as its state machine does, with a model that speaks little at once."""
    short = models.SpeechModel(400, job=models.MODELS["eleven_multilingual_v2"].job)
    monkeypatch.setitem(models.MODELS, "eleven_multilingual_v2", short)
    monkeypatch.setattr(parts, "_SHORTEST_PART", 60)
    monkeypatch.setattr(parts, "LONGEST_PART", 220)
    client, names = MemoryDynamo(), count(1)
    nodes = NodeTable(client, "nodes")
    takes = TakeTable(client, "takes", "nodes")

    def produce(script: str, **config: Any) -> Output:
        stored = storage.put_bytes(script.encode(), BUCKET, "long/script.txt", "text/plain")
        given = {"provider": "elevenlabs", "voiceId": VOICE, "modelId": "eleven_multilingual_v2"} | config
        voice = Node("lesson", "voice", "Voice", "generate-voiceover", {"script": ("script",)}, given)
        write(nodes, [node("script", "asset"), voice], {"script": text_output(script, BUCKET, stored.key)})
        mine = claim(nodes, "voice", f"p{next(names)}")
        buyer = Buyer(elevenlabs, SETTINGS, nodes, takes, storage, remaining=lambda: 300.0, alert=lambda text: None)
        while buyer.submit(mine).status == "resubmit":
            continue
        found = nodes.node("lesson", "voice")
        assert found is not None
        assert found.status == NodeStatus.COMPLETED
        assert found.output is not None
        return found.output

    return produce


def test_each_part_is_paid_once_and_heard_once(
    speak: Speak, stand_in: StandIn, storage: Storage, tmp_path: Path
) -> None:
    before = stand_in.book()
    output = speak(SCRIPT, captions=True)
    charges = stand_in.book()[len(before) :]
    assert len(charges) == output.details["parts"] > 3
    assert len(SCRIPT) - 2 * len(charges) <= sum(row["quantity"] for row in charges) <= len(SCRIPT)

    storage.download(output.bucket, output.s3_key, tmp_path / "voice.mp3")
    assert output.duration == pytest.approx(decoded_audio_samples(tmp_path / "voice.mp3") / 44100)

    assert output.captions
    cues = read_captions(storage.read(output.bucket, output.captions.vtt))
    assert " ".join(" ".join(cue.text for cue in cues).split()) == " ".join(SCRIPT.split())
    assert all(one.end <= other.start for one, other in pairwise(cues))
    assert output.duration is not None
    assert output.duration - 1.5 < cues[-1].end <= output.duration


def test_after_an_edit_of_one_sentence_its_part_alone_is_paid_again(speak: Speak, stand_in: StandIn) -> None:
    first = speak(SCRIPT, captions=True)
    before = stand_in.book()
    second = speak(SCRIPT.replace("It looks at the middle first.", "First it looks at the middle."), captions=True)
    assert len(stand_in.book()) == len(before) + 1
    assert first.sha256 != second.sha256
    assert speak(SCRIPT, captions=True) == first
    assert len(stand_in.book()) == len(before) + 1


@pytest.mark.parametrize("sound", ["pcm_16000", "ulaw_8000"])
def test_samples_are_joined_to_the_sample(speak: Speak, storage: Storage, tmp_path: Path, sound: str) -> None:
    output = speak(SCRIPT, outputFormat=sound)
    storage.download(output.bucket, output.s3_key, tmp_path / "voice.wav")
    assert output.s3_key.endswith(".wav")
    rate = int(sound.rpartition("_")[2])
    assert output.duration == decoded_audio_samples(tmp_path / "voice.wav") / rate
