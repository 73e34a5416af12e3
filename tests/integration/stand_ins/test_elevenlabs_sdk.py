"""Conformance: the official SDK talks to the stand-in as to the real service."""

from __future__ import annotations

import base64
import time
from typing import Any

import elevenlabs
import pytest
import requests
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError
from elevenlabs.types import TextToSpeechGenerationRequest_ElevenFlashV25 as FlashV25
from elevenlabs.types import TextToSpeechGenerationRequest_ElevenMultilingualV2 as MultilingualV2
from elevenlabs.types import TextToSpeechGenerationRequest_ElevenV3 as V3

from stand_ins.running import RunningStandIn
from tests.integration.stand_ins.calls import ONCE, RACHEL, charges_for, finished, submit, unique


def test_a_job_goes_from_pending_over_generating_to_a_download(sdk: ElevenLabs, stand_in: RunningStandIn) -> None:
    text = unique("Look at the middle of the list.")
    answer = sdk.flows.text_to_speech.create(request=V3(text=text, voice=RACHEL))
    assert (answer.status, len(answer.id)) == ("pending", 20)
    seen: list[str] = []
    while not seen or seen[-1] not in ("completed", "failed"):
        progress: Any = sdk.flows.text_to_speech.get(answer.id)
        seen.append(progress.status)
        time.sleep(0.02)
    # A slow machine may miss a state, but none comes back.
    assert seen == sorted(seen, key=["pending", "generating", "completed"].index)
    assert progress.content_mime_type == "audio/mpeg"
    audio = requests.get(progress.content_url, timeout=10)
    assert audio.status_code == 200
    assert audio.headers["content-type"] == "audio/mpeg"
    assert audio.content[:2] == b"\xff\xfb"
    (charge,) = charges_for(stand_in, answer.id)
    assert (charge.kind, charge.quantity, charge.model, charge.detail) == ("flows", len(text), "eleven_v3", RACHEL)
    assert charge.usd == pytest.approx(len(text) * 0.08 / 1000)


@pytest.mark.parametrize(
    "request_",
    [
        FlashV25(
            text="Hello",
            voice=RACHEL,
            language_code="en",
            output_format="mp3_22050_32",
            voice_settings=elevenlabs.ElevenFlashV25VoiceSettings(stability=0.5, similarity_boost=0.7, speed=1.1),
        ),
        MultilingualV2(
            text="Hello",
            voice=RACHEL,
            voice_settings=elevenlabs.TtsVoiceSettings(stability=0.5, style=0.1, use_speaker_boost=True, speed=0.9),
        ),
        V3(text="Hello", voice=RACHEL, voice_settings=elevenlabs.ElevenV3VoiceSettings(stability=0.4)),
    ],
    ids=lambda request_: request_.model_id,
)
def test_each_model_takes_its_own_fields(sdk: ElevenLabs, request_: Any) -> None:
    assert finished(sdk, sdk.flows.text_to_speech.create(request=request_).id).status == "completed"


def test_jobs_are_listed_newest_first_in_pages(sdk: ElevenLabs) -> None:
    jobs = [submit(sdk, unique("Listed")) for _ in range(3)]
    for job in jobs:
        finished(sdk, job)
    page = sdk.flows.text_to_speech.list(page_size=2)
    assert [item.id for item in page.generations] == [jobs[2], jobs[1]]
    assert page.has_more
    following = sdk.flows.text_to_speech.list(page_size=1, cursor=page.next_cursor)
    assert following.generations[0].id == jobs[0]
    assert sdk.flows.text_to_speech.list(status="failed").generations == []
    assert sdk.flows.text_to_speech.list(model_id="eleven_flash_v2", page_size=5).generations == []
    assert not {"text", "model_id", "created_at"} & set(page.generations[0].model_dump())


def test_plain_speech_is_the_answer_itself(sdk: ElevenLabs, stand_in: RunningStandIn) -> None:
    text = unique("Plain speech.")
    with sdk.text_to_speech.with_raw_response.convert(
        RACHEL, text=text, model_id="eleven_flash_v2_5", output_format="mp3_22050_32"
    ) as answer:
        audio = b"".join(answer.data)
    assert audio[:2] in (b"\xff\xf3", b"\xff\xfb")
    assert int(answer.headers["character-cost"]) == (len(text) + 1) // 2
    assert len(answer.headers["request-id"]) == 20
    assert answer.headers["current-concurrent-requests"] == "1"
    assert answer.headers["maximum-concurrent-requests"] == "20"
    charge = stand_in.charges()[-1]
    assert (charge.kind, charge.request_id) == ("tts", answer.headers["request-id"])
    assert charge.usd == pytest.approx(len(text) * 0.04 / 1000)


def test_timed_speech_has_a_time_for_every_character_sent(sdk: ElevenLabs) -> None:
    text = unique("There are 42 cats.")
    answer = sdk.text_to_speech.convert_with_timestamps(RACHEL, text=text, model_id="eleven_multilingual_v2")
    assert base64.b64decode(answer.audio_base_64)[:2] == b"\xff\xfb"
    assert answer.alignment is not None
    assert answer.normalized_alignment is not None
    assert "".join(answer.alignment.characters) == text
    assert "forty two" in "".join(answer.normalized_alignment.characters)
    for alignment in (answer.alignment, answer.normalized_alignment):
        starts, ends = alignment.character_start_times_seconds, alignment.character_end_times_seconds
        assert len(starts) == len(ends) == len(alignment.characters)
        assert starts == sorted(starts)


def test_history_finds_results_and_gives_their_audio_back(sdk: ElevenLabs) -> None:
    text, job_text = unique("Remember me."), unique("Me too.")
    audio = b"".join(sdk.text_to_speech.convert(RACHEL, text=text, model_id="eleven_v3"))
    finished(sdk, submit(sdk, job_text))
    (item,) = sdk.history.list(search=text, voice_id=RACHEL).history
    assert (item.text, item.voice_id, item.model_id, item.source) == (text, RACHEL, "eleven_v3", "TTS")
    assert item.character_count_change_to - item.character_count_change_from == len(text)
    assert sdk.history.get(item.history_item_id) == item
    assert b"".join(sdk.history.get_audio(item.history_item_id)) == audio
    assert [found.text for found in sdk.history.list(source="Flows", search=job_text).history] == [job_text]
    assert sdk.history.list(source="Flows", search=text).history == []
    assert sdk.history.delete(item.history_item_id).status == "ok"
    with pytest.raises(ApiError) as caught:
        sdk.history.get(item.history_item_id)
    assert caught.value.body["detail"]["code"] == "history_item_not_found"


def test_history_filters_by_date_and_pages_in_both_directions(sdk: ElevenLabs) -> None:
    mark = unique("Page")
    for number in range(3):
        b"".join(sdk.text_to_speech.convert(RACHEL, text=f"{mark} {number}"))
    newest = sdk.history.list(search=mark, page_size=2)
    assert [item.text for item in newest.history] == [f"{mark} 2", f"{mark} 1"]
    assert newest.has_more
    rest = sdk.history.list(search=mark, start_after_history_item_id=newest.last_history_item_id)
    assert [item.text for item in rest.history] == [f"{mark} 0"]
    oldest = sdk.history.list(search=mark, sort_direction="asc")
    assert oldest.history[0].text == f"{mark} 0"
    now = oldest.history[-1].date_unix
    assert sdk.history.list(search=mark, date_after_unix=now + 1).history == []
    assert len(sdk.history.list(search=mark, date_after_unix=now - 60, date_before_unix=now + 1).history) == 3
    assert sdk.history.list(search=mark, date_before_unix=now - 60).history == []


def test_models_voices_and_the_subscription_can_be_read(sdk: ElevenLabs, stand_in: RunningStandIn) -> None:
    models = {model.model_id: model for model in sdk.models.list()}
    assert models["eleven_v3"].maximum_text_length_per_request == 5000
    assert models["eleven_flash_v2_5"].model_rates is not None
    assert models["eleven_flash_v2_5"].model_rates.character_cost_multiplier == 0.5
    voices = sdk.voices.search(page_size=3)
    assert (len(voices.voices), voices.has_more) == (3, True)
    following = sdk.voices.search(page_size=3, next_page_token=voices.next_page_token)
    assert not {voice.voice_id for voice in voices.voices} & {voice.voice_id for voice in following.voices}
    assert [voice.name for voice in sdk.voices.search(search="rachel").voices] == ["Rachel"]
    assert sdk.voices.get(RACHEL).name == "Rachel"
    assert sdk.voices.get("Zz9" * 6 + "ab").category == "generated"
    stand_in.set_balance(1234)
    subscription = sdk.user.subscription.get()
    assert (subscription.tier, subscription.status) == ("pro", "active")
    assert subscription.character_limit - subscription.character_count == 1234


def test_a_continued_request_must_be_known_and_its_model_able_to(sdk: ElevenLabs) -> None:
    with sdk.text_to_speech.with_raw_response.convert(RACHEL, text="First part.") as first:
        b"".join(first.data)
    known = first.headers["request-id"]
    assert b"".join(sdk.text_to_speech.convert(RACHEL, text="Second part.", previous_request_ids=[known]))
    for model, previous in (("eleven_multilingual_v2", "unknown"), ("eleven_v3", known)):
        with pytest.raises(ApiError) as caught:
            b"".join(sdk.text_to_speech.convert(RACHEL, text="No.", model_id=model, previous_request_ids=[previous]))
        assert caught.value.status_code == 400
        assert caught.value.body["detail"]["param"] == "previous_request_ids"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"voice_id": "missing-voice"}, 404, "voice_not_found"),
        ({"voice_id": "missingVoice12345678"}, 404, "voice_not_found"),
        ({"model_id": "eleven_v99"}, 404, "model_not_found"),
        ({"model_id": "eleven_monolingual_v1"}, 400, "unsupported_model"),
        ({"text": "  "}, 400, "empty_text"),
        ({"text": "a" * 5001, "model_id": "eleven_v3"}, 400, "text_too_long"),
        ({"output_format": "mp3_1_1"}, 400, "invalid_output_format"),
        ({"voice_settings": elevenlabs.VoiceSettings(speed=3.0)}, 400, "invalid_voice_settings"),
        ({"seed": -1}, 400, "invalid_parameters"),
        ({"enable_logging": False}, 403, "subscription_required"),
        (
            {"pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "x"}]},
            404,
            "pronunciation_dictionary_not_found",
        ),
    ],
)
def test_each_mistake_has_its_own_code_and_costs_nothing(
    sdk: ElevenLabs, stand_in: RunningStandIn, fields: dict[str, Any], status: int, code: str
) -> None:
    before = stand_in.charges()
    with pytest.raises(ApiError) as caught:
        b"".join(sdk.text_to_speech.convert(**{"voice_id": RACHEL, "text": "Hello", **fields}, request_options=ONCE))
    detail = caught.value.body["detail"]
    assert (caught.value.status_code, detail["code"]) == (status, code)
    assert detail["request_id"] == (caught.value.headers or {})["request-id"]
    assert detail["message"]
    assert stand_in.charges() == before


def test_a_request_that_does_not_fit_its_schema_raises_the_sdks_own_class(sdk: ElevenLabs) -> None:
    with pytest.raises(elevenlabs.UnprocessableEntityError) as caught:
        sdk.text_to_speech.convert_with_timestamps(
            RACHEL, text="Hello", voice_settings=elevenlabs.VoiceSettings(stability=7), request_options=ONCE
        )
    (problem,) = caught.value.body["detail"]
    assert problem["loc"] == ["body", "voice_settings", "stability"]
    with pytest.raises(elevenlabs.UnprocessableEntityError) as caught:
        submit(sdk, "Hello", seed=7)
    (problem,) = caught.value.body["detail"]
    assert (problem["type"], problem["loc"][-1]) == ("extra_forbidden", "seed")


def test_a_wrong_key_is_refused(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    with pytest.raises(ApiError) as caught:
        sdk.user.subscription.get(request_options={"max_retries": 0, "additional_headers": {"xi-api-key": "wrong"}})
    assert caught.value.status_code == 401
    assert caught.value.body["detail"]["code"] == "unauthorized"
    assert caught.value.body["detail"]["status"] == "invalid_api_key"


def test_an_empty_balance_refuses_every_way_of_buying(sdk: ElevenLabs, stand_in: RunningStandIn) -> None:
    stand_in.set_balance(3)
    before = stand_in.charges()
    buyers: list[Any] = [
        lambda: b"".join(sdk.text_to_speech.convert(RACHEL, text="Hello", request_options=ONCE)),
        lambda: sdk.text_to_speech.convert_with_timestamps(RACHEL, text="Hello", request_options=ONCE),
        lambda: submit(sdk, "Hello"),
    ]
    for buy in buyers:
        with pytest.raises(ApiError) as caught:
            buy()
        assert caught.value.status_code == 402
        assert caught.value.body["detail"]["code"] == "insufficient_credits"
        assert caught.value.body["detail"]["status"] == "quota_exceeded"
    assert stand_in.charges() == before


def test_a_plan_without_jobs_and_a_key_without_permission_say_so(sdk: ElevenLabs, stand_in: RunningStandIn) -> None:
    stand_in.change_plan(flows=False)
    with pytest.raises(ApiError) as caught:
        submit(sdk, "Hello")
    assert (caught.value.status_code, caught.value.body["detail"]["code"]) == (402, "paid_plan_required")
    stand_in.change_plan(flows=True, permissions=["text_to_speech"])
    with pytest.raises(ApiError) as caught:
        submit(sdk, "Hello")
    assert (caught.value.status_code, caught.value.body["detail"]["code"]) == (403, "insufficient_permissions")
    assert b"".join(sdk.text_to_speech.convert(RACHEL, text="Hello"))


def test_a_small_plan_does_not_sell_the_best_format(sdk: ElevenLabs, stand_in: RunningStandIn) -> None:
    stand_in.change_plan(tier="starter")
    with pytest.raises(ApiError) as caught:
        b"".join(sdk.text_to_speech.convert(RACHEL, text="Hello", output_format="mp3_44100_192", request_options=ONCE))
    assert (caught.value.status_code, caught.value.body["detail"]["code"]) == (403, "subscription_required")


def test_a_job_that_asks_for_a_webhook_nobody_subscribed_to_is_refused(sdk: ElevenLabs) -> None:
    with pytest.raises(ApiError) as caught:
        submit(sdk, "Hello", webhook={"type": "all"})
    assert (caught.value.status_code, caught.value.body["detail"]["code"]) == (400, "no_webhooks_configured")
