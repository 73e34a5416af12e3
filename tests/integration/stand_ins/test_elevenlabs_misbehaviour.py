"""Every way in which the stand-in can be told to misbehave, and what it bills meanwhile."""

from __future__ import annotations

import time

import pytest
import requests
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError

from stand_ins.running import RunningStandIn
from tests.integration.stand_ins.calls import ONCE, RACHEL, call, charges_for, finished, submit, unique

TIMED = f"/v1/text-to-speech/{RACHEL}/with-timestamps"
JOBS = "/v1/flows/text-to-speech"


@pytest.mark.parametrize(("on", "path"), [("tts", f"/v1/text-to-speech/{RACHEL}"), ("timed", TIMED)])
def test_a_lost_answer_is_billed_and_can_be_found_in_history(
    stand_in: RunningStandIn, sdk: ElevenLabs, on: str, path: str
) -> None:
    text, before = unique("Lost."), len(stand_in.charges())
    stand_in.misbehave({"on": on, "do": "lose-answer", "match": text})
    with pytest.raises(requests.ConnectionError):
        call(stand_in, "POST", path, json={"text": text})
    assert len(stand_in.charges()) == before + 1
    (item,) = sdk.history.list(search=text).history
    assert b"".join(sdk.history.get_audio(item.history_item_id))
    assert (item.alignments is not None) == (on == "timed")
    assert call(stand_in, "POST", path, json={"text": text}).status_code == 200


def test_a_lost_submit_goes_on_as_a_job_and_is_billed_once(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    text, before = unique("Lost job."), len(stand_in.charges())
    stand_in.misbehave({"on": "flows.submit", "do": "lose-answer"})
    with pytest.raises(requests.ConnectionError):
        call(stand_in, "POST", JOBS, json={"model_id": "eleven_v3", "text": text, "voice": RACHEL})
    job = sdk.flows.text_to_speech.list(page_size=1).generations[0].id
    assert finished(sdk, job).status == "completed"
    assert len(stand_in.charges()) == before + 1
    (item,) = sdk.history.list(search=text, source="Flows").history
    assert b"".join(sdk.history.get_audio(item.history_item_id))[:2] == b"\xff\xfb"


def test_a_hidden_result_is_billed_but_no_listing_shows_it(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    text = unique("Hidden.")
    stand_in.misbehave({"on": "flows.submit", "do": "hide-from-history"}, {"on": "tts", "do": "hide-from-history"})
    job = submit(sdk, text)
    b"".join(sdk.text_to_speech.convert(RACHEL, text=text))
    assert finished(sdk, job).status == "completed"
    assert sdk.history.list(search=text).history == []
    hidden = stand_in.charges()[-2:]
    assert {row.kind for row in hidden} == {"tts", "flows"}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "", "authentication_error"),
        (402, "paid_plan_required", "payment_required"),
        (403, "", "authorization_error"),
        (409, "already_running", "conflict"),
        (429, "concurrent_limit_exceeded", "rate_limit_error"),
        (429, "system_busy", "rate_limit_error"),
        (500, "", "internal_error"),
        (503, "maintenance", "service_unavailable"),
    ],
)
def test_any_refusal_can_be_ordered_and_is_not_billed(
    stand_in: RunningStandIn, sdk: ElevenLabs, status: int, code: str, kind: str
) -> None:
    before = stand_in.charges()
    stand_in.misbehave({"on": "flows.submit", "status": status, "code": code, "retry_after": 3})
    with pytest.raises(ApiError) as caught:
        submit(sdk, unique("Refused."))
    assert caught.value.status_code == status
    assert caught.value.body["detail"]["type"] == kind
    assert caught.value.body["detail"]["code"] == code or not code
    assert (caught.value.headers or {})["retry-after"] == "3"
    assert stand_in.charges() == before


def test_an_ordered_422_has_the_shape_of_a_schema_error(stand_in: RunningStandIn) -> None:
    stand_in.misbehave({"on": "timed", "status": 422})
    answer = call(stand_in, "POST", TIMED, json={"text": "Hello"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body"]


def test_a_server_error_can_come_after_the_work_was_billed(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    text, before = unique("Billed."), len(stand_in.charges())
    stand_in.misbehave({"on": "timed", "status": 503, "billed": True})
    assert call(stand_in, "POST", TIMED, json={"text": text}).status_code == 503
    assert len(stand_in.charges()) == before + 1
    assert len(sdk.history.list(search=text).history) == 1


def test_a_garbled_answer_is_a_200_that_nobody_can_read(stand_in: RunningStandIn) -> None:
    before = len(stand_in.charges())
    stand_in.misbehave({"on": "timed", "do": "garbage"})
    answer = call(stand_in, "POST", TIMED, json={"text": "Hello"})
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert len(stand_in.charges()) == before + 1


def test_a_late_answer_is_late_but_its_work_is_done_at_once(stand_in: RunningStandIn) -> None:
    before = len(stand_in.charges())
    stand_in.misbehave({"on": "timed", "delay": 1.5})
    with pytest.raises(requests.ReadTimeout):
        call(stand_in, "POST", TIMED, json={"text": "Hello"}, timeout=1)
    assert len(stand_in.charges()) == before + 1


def test_a_failing_job_says_why_and_is_not_billed(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    stand_in.misbehave({"on": "flows.submit", "do": "fail-job", "reason": "moderated", "message": "Not allowed."})
    job = submit(sdk, unique("Failing."))
    progress = finished(sdk, job)
    assert (progress.status, progress.failure_reason, progress.error_message) == ("failed", "moderated", "Not allowed.")
    assert charges_for(stand_in, job) == []


def test_a_job_can_stay_in_progress_for_ever(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    stand_in.misbehave({"on": "flows.submit", "do": "never-finish"})
    job = submit(sdk, unique("Endless."))
    time.sleep(1)
    assert sdk.flows.text_to_speech.get(job).status == "generating"
    assert charges_for(stand_in, job) == []


def test_a_job_that_the_balance_can_no_longer_pay_fails(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    text = unique("Both can't be paid.")
    stand_in.set_balance(len(text) + 1)
    jobs = [submit(sdk, text), submit(sdk, text)]
    assert sorted(finished(sdk, job).status for job in jobs) == ["completed", "failed"]
    reasons = {getattr(finished(sdk, job), "failure_reason", None) for job in jobs}
    assert reasons == {None, "charging_failed"}
    assert sum(len(charges_for(stand_in, job)) for job in jobs) == 1


def test_download_links_die_and_the_next_check_gives_a_fresh_one(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    job = submit(sdk, unique("Expiring."))
    first = finished(sdk, job).content_url
    time.sleep(2.1)
    dead = requests.get(first, timeout=10)
    assert (dead.status_code, b"ExpiredToken" in dead.content) == (400, True)
    fresh = finished(sdk, job).content_url
    assert requests.get(fresh, timeout=10).status_code == 200
    for forged in (fresh.replace("Expires=2", "Expires=9999"), fresh.split("?")[0], fresh[:-1] + "g"):
        assert requests.get(forged, timeout=10).status_code == 403


@pytest.mark.parametrize("on", ["flows.check", "download"])
def test_a_link_can_be_dead_on_arrival(stand_in: RunningStandIn, sdk: ElevenLabs, on: str) -> None:
    job = submit(sdk, unique("Dead."))
    finished(sdk, job)
    stand_in.misbehave({"on": on, "do": "expire-url"})
    assert requests.get(finished(sdk, job).content_url, timeout=10).status_code == 400
    assert requests.get(finished(sdk, job).content_url, timeout=10).status_code == 200


def test_a_download_can_break_off_half_way(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    text = unique("Half.")
    link = finished(sdk, submit(sdk, text)).content_url
    stand_in.misbehave({"on": "download", "do": "half-download", "match": text})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(link, timeout=10)
    assert requests.get(link, timeout=10).status_code == 200


def test_too_many_requests_at_once_are_refused(stand_in: RunningStandIn, sdk: ElevenLabs) -> None:
    stand_in.change_plan(concurrency=0)
    with pytest.raises(ApiError) as caught:
        sdk.text_to_speech.convert_with_timestamps(RACHEL, text="Hello", request_options=ONCE)
    assert caught.value.status_code == 429
    assert caught.value.body["detail"]["code"] == "concurrent_limit_exceeded"
    assert caught.value.body["detail"]["status"] == "too_many_concurrent_requests"


def test_a_rule_that_makes_no_sense_is_refused(stand_in: RunningStandIn) -> None:
    with pytest.raises(ValueError, match="'do' is"):
        stand_in.misbehave({"on": "tts", "do": "explode"})
