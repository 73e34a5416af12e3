"""Looking for what became of a request whose answer was lost."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.providers.elevenlabs.conftest import (
    SCRIPT,
    VOICE,
    history_row,
    speech,
    timed_answer,
)
from tests.unit.providers.scripted import Provider, hang_up, reply
from video_production.errors import (
    ProviderUnreachable,
)
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.interface import Made, Unknown
from video_production.storage import Storage

TIMED_PATH = f"POST /v1/text-to-speech/{VOICE}/with-timestamps?output_format=mp3_44100_128"
JOB_PATH = "POST /v1/flows/text-to-speech"


class TestFind:
    def test_what_was_stored_is_found_without_asking_elevenlabs(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(reply(200, timed_answer(), {"request-id": "r1"}))
        wanted = attempt("timed", captions=True)
        made = elevenlabs.submit(wanted).made
        assert elevenlabs.find(wanted, frozenset()) == made
        assert len(provider.received) == 1

    def test_a_sound_without_its_times_is_not_taken_for_finished(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, storage: Storage, bucket: str
    ) -> None:
        storage.put_bytes(speech(), bucket, "takes/t1/a1/voice.mp3", "audio/mpeg")
        provider.answers(reply(200, {"history": []}))
        assert isinstance(elevenlabs.find(attempt("timed"), frozenset()), Unknown)

    def test_times_without_their_sound_are_not_taken_for_finished(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, storage: Storage, bucket: str
    ) -> None:
        provider.answers(reply(200, timed_answer()), reply(200, {"history": []}))
        elevenlabs.submit(attempt("timed"))
        storage.put_bytes(b"other", bucket, "takes/t1/a1/voice.mp3", "audio/mpeg")
        assert isinstance(elevenlabs.find(attempt("timed"), frozenset()), Unknown)

    @pytest.mark.parametrize(("way", "source"), [("timed", "TTS"), ("job", "Flows")])
    def test_one_match_in_the_history_is_the_voiceover(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, way: str, source: str
    ) -> None:
        provider.answers(reply(200, {"history": [history_row(source=source)]}), reply(200, speech()))
        found = elevenlabs.find(attempt(way), frozenset())
        assert isinstance(found, Made)
        assert (found.external_id, found.sha256) == ("r1", hashlib.sha256(speech()).hexdigest())
        listing, audio = provider.received
        query = parse_qs(urlsplit(listing.path).query)
        assert query["voice_id"] == [VOICE]
        assert query["date_after_unix"] == [str(1_790_000_000 - 60)]
        assert query.get("source") == (["Flows"] if way == "job" else None)
        assert audio.path == "/v1/history/h1/audio"

    @pytest.mark.parametrize(
        "row",
        [
            history_row(text=SCRIPT + " "),
            history_row(model_id="eleven_v3"),
            history_row(voice_id="another"),
            history_row(source="Flows"),
            history_row(source="STS"),
            history_row(output_format="mp3_22050_32"),
            history_row(settings={"stability": 0.9}),
            history_row(history_item_id=None),
        ],
        ids=["text", "model", "voice", "job", "speech to speech", "format", "settings", "nameless"],
    )
    def test_a_row_that_contradicts_the_request_is_another_one(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, row: dict[str, Any]
    ) -> None:
        provider.answers(reply(200, {"history": [row, "strange"], "has_more": False}))
        found = elevenlabs.find(attempt("timed", stability=0.5), frozenset())
        assert isinstance(found, Unknown)
        assert "does not prove" in found.why

    def test_a_row_that_says_less_may_still_be_ours(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        row = history_row(source=None, output_format=None, settings=None, request_id=None, alignments=None)
        provider.answers(reply(200, {"history": [row]}), reply(200, speech()))
        found = elevenlabs.find(attempt("timed"), frozenset())
        assert isinstance(found, Made)
        assert found.external_id == "h1"

    @pytest.mark.parametrize("bound", ["r1", "h1"])
    def test_a_voiceover_of_another_take_is_not_taken(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, bound: str
    ) -> None:
        other = history_row(history_item_id="h2", request_id="r2")
        provider.answers(reply(200, {"history": [history_row(), other]}), reply(200, speech()))
        found = elevenlabs.find(attempt("timed"), frozenset({bound}))
        assert isinstance(found, Made)
        assert found.external_id == "r2"

    def test_several_matches_are_left_to_a_person(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        other = history_row(history_item_id="h2", request_id="r2")
        provider.answers(reply(200, {"history": [history_row(), other]}))
        found = elevenlabs.find(attempt("timed"), frozenset())
        assert isinstance(found, Unknown)
        assert "2 voiceovers" in found.why

    def test_every_page_is_read(self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any) -> None:
        first = {"history": [history_row(text="other")], "has_more": True, "last_history_item_id": "h0"}
        provider.answers(reply(200, first), reply(200, {"history": [history_row()]}), reply(200, speech()))
        assert isinstance(elevenlabs.find(attempt("timed"), frozenset()), Made)
        assert "start_after_history_item_id=h0" in provider.received[1].path

    def test_a_history_without_an_end_proves_nothing(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(reply(200, {"history": [history_row()], "has_more": True, "last_history_item_id": "h0"}))
        assert elevenlabs.find(attempt("timed"), frozenset()) == Unknown(
            "ElevenLabs' history is too long to be searched to its end"
        )

    def test_times_are_asked_for_where_the_list_leaves_them_out(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(
            reply(200, {"history": [history_row(alignments=None)]}), reply(200, history_row()), reply(200, speech())
        )
        found = elevenlabs.find(attempt("timed", captions=True), frozenset())
        assert isinstance(found, Made)
        assert found.captions is not None
        assert provider.received[1].path == "/v1/history/h1"

    def test_what_was_recovered_is_found_in_storage_the_next_time(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(reply(200, {"history": [history_row()]}), reply(200, speech()))
        wanted = attempt("timed", captions=True)
        found = elevenlabs.find(wanted, frozenset())
        assert elevenlabs.find(wanted, frozenset({"r1"})) == found
        assert len(provider.received) == 2

    @pytest.mark.parametrize("behaviour", [reply(500), reply(401), reply(403), hang_up, reply(200, b"<html>")])
    def test_a_history_that_can_not_be_read_is_asked_again(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, behaviour: Any
    ) -> None:
        provider.answers(behaviour)
        with pytest.raises(ProviderUnreachable):
            elevenlabs.find(attempt("timed"), frozenset())

    @pytest.mark.parametrize("content", [speech()[:3000], b"", b"<html>"])
    def test_half_a_sound_from_the_history_is_fetched_again(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, content: bytes
    ) -> None:
        provider.answers(reply(200, {"history": [history_row()]}), reply(200, content))
        with pytest.raises(ProviderUnreachable):
            elevenlabs.find(attempt("timed"), frozenset())
