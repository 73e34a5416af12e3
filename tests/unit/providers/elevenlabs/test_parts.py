"""A long voiceover is bought in parts that know their neighbours, and becomes one sound with one pair of captions."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.media.clips import make_tone, run_ffmpeg
from tests.unit.providers.elevenlabs.conftest import VOICE, speech, timed_answer
from tests.unit.providers.elevenlabs.test_script import lesson
from tests.unit.providers.scripted import Provider, reply
from video_production.errors import MediaError, RequestError
from video_production.media.captions import read_captions
from video_production.media.mp3 import read_mp3
from video_production.pipelines import provider_limits
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.elevenlabs.models import MODELS
from video_production.providers.elevenlabs.parts import LONGEST_PART, LONGEST_SCRIPT
from video_production.providers.elevenlabs.requests import script_of, timed_body
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent, Made
from video_production.storage import Storage

LONG = lesson(7, 40)
JOINED = "takes/j/joined/"


def request(elevenlabs: ElevenLabs, script: str, **config: Any) -> GenerationRequest:
    given = {"voiceId": VOICE, "modelId": "eleven_multilingual_v2"} | config
    text = InputContent("text", _digest(script), script)
    return GenerationRequest(
        "generate-voiceover", elevenlabs.effective_config("generate-voiceover", given), {"script": (text,)}
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_script_that_fits_is_bought_as_it_is(elevenlabs: ElevenLabs) -> None:
    whole = request(elevenlabs, " " + LONG[:9_000])
    assert elevenlabs.parts(whole) == (whole,)


def test_the_parts_of_a_long_script_say_all_of_it_once(elevenlabs: ElevenLabs) -> None:
    parts = elevenlabs.parts(request(elevenlabs, LONG))
    texts = [script_of(part) for part in parts]
    assert len(texts) > 3
    assert " ".join(" ".join(texts).split()) == " ".join(LONG.split())
    assert max(map(len, texts)) <= LONGEST_PART
    assert all(
        part.inputs["script"][0].sha256 == hashlib.sha256(script_of(part).encode()).hexdigest() for part in parts
    )
    assert elevenlabs.price(parts[0]).quantity == len(texts[0])


def test_each_part_knows_the_sentences_around_it(elevenlabs: ElevenLabs) -> None:
    parts = elevenlabs.parts(request(elevenlabs, LONG))
    for before, part in pairwise(parts):
        assert script_of(before).endswith(part.config["previousText"])
        assert script_of(part).startswith(before.config["nextText"])
    assert "previousText" not in parts[0].config
    assert "nextText" not in parts[-1].config
    body = timed_body(parts[1].config, script_of(parts[1]))
    assert (body["previous_text"], body["next_text"]) == (parts[1].config["previousText"], parts[1].config["nextText"])
    assert {elevenlabs.way(part) for part in parts} == {"timed"}  # the job API takes no neighbours


@pytest.mark.parametrize("model", ["eleven_v3", "eleven_v4", "eleven_v4_turbo"])
def test_models_without_that_are_told_nothing(elevenlabs: ElevenLabs, model: str) -> None:
    parts = elevenlabs.parts(request(elevenlabs, LONG, modelId=model))
    assert len(parts) > 3
    assert all(part.config == parts[0].config for part in parts)
    assert elevenlabs.way(parts[0]) == ("job" if model == "eleven_v3" else "timed")


def test_an_edit_inside_of_a_part_asks_for_that_part_alone_again(elevenlabs: ElevenLabs) -> None:
    before = elevenlabs.parts(request(elevenlabs, LONG))
    text = script_of(before[2])
    middle = text.index(". ", len(text) // 2)
    edited = LONG.replace(text, text[:middle] + " and no more" + text[middle:])
    after = elevenlabs.parts(request(elevenlabs, edited))
    assert [old == new for old, new in zip(before, after, strict=True)] == [n != 2 for n in range(len(before))]


def test_opus_parts_could_not_be_joined(elevenlabs: ElevenLabs) -> None:
    with pytest.raises(RequestError, match=r"Opus sound can't be joined as it is\. Choose an MP3 or WAV outputFormat"):
        elevenlabs.parts(request(elevenlabs, LONG, outputFormat="opus_48000_64"))


def test_there_is_an_end_to_what_one_voiceover_says(elevenlabs: ElevenLabs) -> None:
    with pytest.raises(RequestError, match="one voiceover has at most 200,000"):
        elevenlabs.parts(request(elevenlabs, "Word. " * 40_000))


def test_documents_are_checked_by_the_same_limits() -> None:
    assert {name: model.characters for name, model in MODELS.items()} == {
        name: model.characters for name, model in provider_limits.VOICE_MODELS.items()
    }
    assert provider_limits.LONGEST_SCRIPT == LONGEST_SCRIPT


@pytest.mark.parametrize("way", ["job", "timed"])
def test_pronunciation_dictionaries_are_asked_for_in_order(
    elevenlabs: ElevenLabs, provider: Provider, attempt: Any, way: str
) -> None:
    named = [{"id": "d1", "version": "v1"}, {"id": "d2", "version": "v7"}]
    provider.answers(reply(200, {"id": "j1", "status": "pending"} if way == "job" else timed_answer()))
    elevenlabs.submit(attempt(way, pronunciationDictionaries=named))
    assert provider.received[0].body["pronunciation_dictionary_locators"] == [
        {"pronunciation_dictionary_id": "d1", "version_id": "v1"},
        {"pronunciation_dictionary_id": "d2", "version_id": "v7"},
    ]


# Joining


def stored(storage: Storage, path: Path, bucket: str, number: int, captions: Any = None) -> Made:
    found = storage.upload(path, bucket, f"takes/t{number}/a/voice{path.suffix}", "audio/x")
    return Made("audio", bucket, found.key, found.size, found.sha256, 0.0, f"r{number}", captions)


def heard(storage: Storage, made: Made, folder: Path) -> np.ndarray:
    path = folder / "heard"
    storage.download(made.bucket, made.s3_key, path)
    return np.frombuffer(run_ffmpeg("-i", path, "-f", "f32le", "-"), dtype=np.float32)


@pytest.mark.parametrize(("suffix", "kind"), [(".mp3", "audio/mpeg"), (".wav", "audio/wav")])
def test_parts_become_one_sound_that_lasts_as_long_as_it_is_heard(
    elevenlabs: ElevenLabs, storage: Storage, bucket: str, s3: Any, tmp_path: Path, suffix: str, kind: str
) -> None:
    tones = [make_tone(tmp_path / f"{n}{suffix}", seconds=0.4 + n / 10, frequency=300 * (n + 1)) for n in range(3)]
    parts = [stored(storage, path, bucket, number) for number, path in enumerate(tones)]
    whole = elevenlabs.assemble(parts, request(elevenlabs, LONG), Destination(bucket, JOINED))
    assert (whole.type, whole.s3_key, whole.captions, whole.external_id) == (
        "audio",
        f"{JOINED}voice{suffix}",
        None,
        None,
    )
    head = s3.head_object(Bucket=bucket, Key=whole.s3_key)
    assert (head["ContentType"], head["ContentLength"], head["Metadata"]["sha256"]) == (kind, whole.size, whole.sha256)
    assert whole.duration == pytest.approx(len(heard(storage, whole, tmp_path)) / 44100, abs=1e-6)
    again = elevenlabs.assemble(parts, request(elevenlabs, LONG), Destination(bucket, JOINED))
    assert again == whole


def test_captions_are_moved_to_where_their_part_is_heard(
    elevenlabs: ElevenLabs, provider: Provider, storage: Storage, bucket: str
) -> None:
    wanted = request(elevenlabs, "Hello, world.", captions=True)
    provider.answers(*[reply(200, timed_answer(), {"request-id": f"r{number}"}) for number in range(3)])
    parts = []
    for number in range(3):
        where = Destination(bucket, f"takes/t{number}/a/")
        made = elevenlabs.submit(Attempt("a", "timed", 0.0, wanted, where)).made
        assert made
        parts.append(made)
    whole = elevenlabs.assemble(parts, wanted, Destination(bucket, JOINED))
    assert whole.captions
    cues = read_captions(storage.read(bucket, whole.captions.vtt))
    one = read_mp3([speech()])
    apart = one.frames * one.frame_samples / one.sample_rate
    assert [cue.text for cue in cues] == ["Hello, world."] * 3
    assert [cue.start for cue in cues] == pytest.approx([0, apart, 2 * apart], abs=0.001)
    assert read_captions(storage.read(bucket, whole.captions.srt)) == cues


def test_sound_that_can_not_be_joined_as_it_is_is_refused(
    elevenlabs: ElevenLabs, storage: Storage, bucket: str, tmp_path: Path
) -> None:
    mixed = [make_tone(tmp_path / "a.mp3", seconds=0.2), make_tone(tmp_path / "b.wav", seconds=0.2)]
    parts = [stored(storage, path, bucket, number) for number, path in enumerate(mixed)]
    with pytest.raises(MediaError, match=r"kind \.mp3, \.wav can't be joined"):
        elevenlabs.assemble(parts, request(elevenlabs, LONG), Destination(bucket, JOINED))


def test_a_part_that_is_gone_says_so(elevenlabs: ElevenLabs, bucket: str) -> None:
    gone = Made("audio", bucket, "takes/t/a/voice.mp3", 1, "0", 1.0)
    with pytest.raises(MediaError, match="does not exist"):
        elevenlabs.assemble([gone, gone], request(elevenlabs, LONG), Destination(bucket, JOINED))
