"""The stand-in against HeyGen's documented v3: schemas, states, keys, limits, listings."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

import pytest
import requests

from stand_ins.charge_book import Charge
from stand_ins.running import RunningStandIn
from tests.integration.heygen.calls import HEADERS, body, call, create, finished, speech, upload, video_id

VIDEO: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "status": (str,),
    "title": (str, type(None)),
    "created_at": (int, type(None)),
    "completed_at": (int, type(None)),
    "video_url": (str, type(None)),
    "thumbnail_url": (str, type(None)),
    "gif_url": (str, type(None)),
    "captioned_video_url": (str, type(None)),
    "subtitle_url": (str, type(None)),
    "duration": (int, float, type(None)),
    "folder_id": (str, type(None)),
    "video_page_url": (str, type(None)),
    "failure_code": (str, type(None)),
    "failure_message": (str, type(None)),
}
"""The video resource of the schemas that HeyGen's command line is generated from (2026-07-22)."""


def fits(shown: dict[str, Any]) -> bool:
    return shown.keys() <= VIDEO.keys() and all(isinstance(value, VIDEO[name]) for name, value in shown.items())


def charge_of(stand_in: RunningStandIn, video: str) -> Charge:
    (charge,) = [row for row in stand_in.charges() if row.external_id == video]
    return charge


@pytest.fixture(scope="module")
def sound(running: RunningStandIn) -> str:
    return upload(running, speech())


def test_a_video_goes_through_its_states_and_is_billed_by_the_second(stand_in: RunningStandIn, sound: str) -> None:
    answer = create(stand_in, body(sound, title="a lesson", folder_id="f1"))
    assert answer.json() == {"data": {"video_id": video_id(answer), "status": "waiting", "output_format": "mp4"}}
    assert answer.headers["X-Request-Id"]
    seen: list[str] = []
    shown: dict[str, Any] = {}
    while not seen or seen[-1] != "completed":
        shown = call(stand_in, "GET", f"/v3/videos/{video_id(answer)}").json()["data"]
        assert fits(shown), shown
        seen.append(shown["status"])
        time.sleep(0.02)
    assert seen == sorted(seen, key=["pending", "processing", "completed"].index)
    assert (shown["title"], shown["folder_id"]) == ("a lesson", "f1")
    film = requests.get(shown["video_url"], timeout=10)
    assert (film.status_code, film.headers["content-type"], film.content[4:8]) == (200, "video/mp4", b"ftyp")
    assert b" --> " in requests.get(shown["subtitle_url"], timeout=10).content
    charge = charge_of(stand_in, shown["id"])
    assert (charge.kind, charge.unit, charge.model, charge.detail) == ("avatar", "seconds", "avatar_iv", "Anna")
    assert charge.quantity == pytest.approx(shown["duration"])
    assert charge.usd == pytest.approx(shown["duration"] * 0.0667)


def test_a_script_is_spoken_and_its_words_are_the_captions(stand_in: RunningStandIn) -> None:
    script = {"type": "avatar", "avatar_id": "Tyler", "script": "Good morning, everybody.", "resolution": "720p"}
    shown = finished(stand_in, video_id(create(stand_in, script)))
    assert "Good morning, everybody." in requests.get(shown["subtitle_url"], timeout=10).text


class TestKeys:
    def test_the_same_key_gives_the_same_video_whatever_the_body(self, stand_in: RunningStandIn, sound: str) -> None:
        key = uuid.uuid4().hex
        first = create(stand_in, body(sound), key)
        again = create(stand_in, body(sound, avatar_id="Tyler"), key)
        assert again.json() == first.json()
        assert video_id(create(stand_in, body(sound), uuid.uuid4().hex)) != video_id(first)
        finished(stand_in, video_id(first))
        assert create(stand_in, body(sound), key).json() == first.json()
        charge_of(stand_in, video_id(first))

    def test_a_repetition_during_the_first_is_a_conflict(self, stand_in: RunningStandIn, sound: str) -> None:
        key = uuid.uuid4().hex
        stand_in.misbehave({"on": "videos.submit", "delay": 1.5})
        answers: list[requests.Response] = []
        first = threading.Thread(target=lambda: answers.append(create(stand_in, body(sound), key)))
        first.start()
        time.sleep(0.5)
        second = create(stand_in, body(sound), key)
        first.join()
        assert (second.status_code, second.json()["error"]["code"]) == (409, "request_in_progress")
        assert video_id(create(stand_in, body(sound), key)) == video_id(answers[0])

    def test_a_refused_request_leaves_its_key_free(self, stand_in: RunningStandIn, sound: str) -> None:
        key = uuid.uuid4().hex
        stand_in.set_balance(0)
        assert create(stand_in, body(sound), key).status_code == 402
        stand_in.set_balance(None)
        assert create(stand_in, body(sound), key).status_code == 200

    @pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
    def test_a_key_has_a_form(self, stand_in: RunningStandIn, sound: str, key: str) -> None:
        if key == "é":
            headers: Any = {**HEADERS, "Idempotency-Key": key.encode("latin-1")}
            answer = call(stand_in, "POST", "/v3/videos", json=body(sound), headers=headers)
        else:
            answer = create(stand_in, body(sound), key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_parameter")


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "parameter"),
        [
            ({"script": "Hello."}, None),
            ({"audio_asset_id": None}, None),
            ({"audio_asset_id": None, "script": "x" * 5001}, "script"),
            ({"avatar_id": None}, "avatar_id"),
            ({"type": "film"}, None),
            ({"resolution": "360p"}, "resolution"),
            ({"aspect_ratio": "21:9"}, "aspect_ratio"),
            ({"engine": {"type": "avatar_vi"}}, "engine.type"),
            ({"background": {"type": "color", "value": "red"}}, "background.value"),
            ({"background": {"type": "image"}}, "background"),
            ({"output_format": "webm", "background": {"type": "color", "value": "#ff0000"}}, None),
            ({"voice_settings": {"speed": 2}}, "voice_settings.speed"),
        ],
    )
    def test_the_union_is_checked(
        self, stand_in: RunningStandIn, sound: str, changes: dict[str, Any], parameter: str | None
    ) -> None:
        answer = create(stand_in, body(sound, **changes))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error.get("param")) == (400, "validation_error", parameter)

    def test_assets_must_be_there_and_of_the_right_kind(
        self, stand_in: RunningStandIn, sound: str, slide: bytes
    ) -> None:
        assert create(stand_in, body("nothing")).json()["error"]["code"] == "asset_not_available"
        picture = upload(stand_in, slide, "slide.png", "image/png")
        assert create(stand_in, body(picture)).json()["error"]["code"] == "invalid_parameter"
        behind = {"background": {"type": "image", "asset_id": sound}}
        assert create(stand_in, body(sound, **behind)).json()["error"]["param"] == "background.asset_id"

    def test_ten_minutes_are_the_limit(self, stand_in: RunningStandIn) -> None:
        long = upload(stand_in, speech(602))
        assert "10 minutes" in create(stand_in, body(long)).json()["error"]["message"]

    def test_the_wallet_is_asked_first_and_what_runs_is_kept_free(self, stand_in: RunningStandIn, sound: str) -> None:
        stand_in.set_balance(0.03)
        first = video_id(create(stand_in, body(sound)))
        refused = create(stand_in, body(sound))
        assert (refused.status_code, refused.json()["error"]["code"]) == (402, "insufficient_credit")
        assert "your balance is $0.00" in refused.json()["error"]["message"]
        finished(stand_in, first)
        wallet = call(stand_in, "GET", "/v3/users/me").json()["data"]["wallet"]
        assert wallet["remaining_balance"] == pytest.approx(0.03 - charge_of(stand_in, first).usd, abs=1e-4)

    def test_more_videos_than_the_plan_allows_have_to_wait(self, stand_in: RunningStandIn, sound: str) -> None:
        stand_in.change_plan(concurrency=2, retry_after=7)
        accepted = [video_id(create(stand_in, body(sound))) for _ in range(2)]
        refused = create(stand_in, body(sound))
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        for video in accepted:
            finished(stand_in, video)
        assert create(stand_in, body(sound)).status_code == 200

    @pytest.mark.parametrize("headers", [{}, {"x-api-key": "another"}])
    def test_the_key_is_checked(self, stand_in: RunningStandIn, headers: dict[str, str]) -> None:
        answer = call(stand_in, "GET", "/v3/users/me", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")

    def test_what_does_not_exist(self, stand_in: RunningStandIn) -> None:
        assert call(stand_in, "GET", "/v3/videos/none").json()["error"]["code"] == "not_found"
        assert call(stand_in, "GET", "/v2/avatars").status_code == 404
        assert call(stand_in, "PUT", "/v3/videos").status_code == 405


class TestAssets:
    def test_a_direct_upload_is_announced_put_and_completed(self, stand_in: RunningStandIn) -> None:
        content = speech()
        wanted = {"filename": "voice.wav", "content_type": "audio/wav", "size_bytes": len(content)}
        announced = call(stand_in, "POST", "/v3/assets/direct-uploads", json=wanted).json()["data"]
        done = f"/v3/assets/{announced['asset_id']}/complete"
        assert call(stand_in, "POST", done, json={}).json()["error"]["code"] == "asset_not_available"
        assert create(stand_in, body(announced["asset_id"])).status_code == 400
        headers = announced["upload_headers"]
        assert requests.put(announced["upload_url"], data=content[:-1], headers=headers, timeout=9).status_code == 403
        assert requests.put(announced["upload_url"], data=content, headers=headers, timeout=9).status_code == 200
        first = call(stand_in, "POST", done, json={}).json()["data"]
        assert call(stand_in, "POST", done, json={}).json()["data"] == first
        assert (first["mime_type"], first["size_bytes"]) == ("audio/wav", len(content))
        assert create(stand_in, body(announced["asset_id"])).status_code == 200

    def test_what_is_no_media_is_not_taken(self, stand_in: RunningStandIn) -> None:
        files = {"file": ("a.wav", b"hello", "audio/wav")}
        assert call(stand_in, "POST", "/v3/assets", files=files).status_code == 400
        assert call(stand_in, "POST", "/v3/assets", files={"other": ("a", b"")}).json()["error"]["param"] == "file"

    def test_assets_are_shown_and_deleted(self, stand_in: RunningStandIn, slide: bytes) -> None:
        asset = upload(stand_in, slide, "slide.png", "image/png")
        shown = call(stand_in, "GET", f"/v3/assets/{asset}").json()["data"]
        assert (shown["name"], shown["type"]) == ("slide.png", "image")
        assert call(stand_in, "DELETE", f"/v3/assets/{asset}").json()["data"] == {"id": asset}
        assert call(stand_in, "GET", f"/v3/assets/{asset}").status_code == 404


class TestListings:
    def test_a_part_of_the_title_finds_videos_page_by_page(self, stand_in: RunningStandIn, sound: str) -> None:
        mark = uuid.uuid4().hex
        made = [video_id(create(stand_in, body(sound, title=f"{mark} {number}"))) for number in range(3)]
        found: list[str] = []
        token = ""
        while True:
            page = call(stand_in, "GET", f"/v3/videos?title={mark[4:20]}&limit=2&token={token}").json()
            found += [row["id"] for row in page["data"]]
            assert all(fits(row) for row in page["data"])
            if not page["has_more"]:
                break
            token = page["next_token"]
        assert found == made[::-1]
        many = call(stand_in, "GET", f"/v3/videos/statuses?video_ids={made[0]},none").json()["data"]
        assert [row["status"] for row in many][1] == "not_found"

    def test_a_deleted_video_is_gone_but_was_paid(self, stand_in: RunningStandIn, sound: str) -> None:
        mark = uuid.uuid4().hex
        video = video_id(create(stand_in, body(sound, title=mark)))
        finished(stand_in, video)
        assert call(stand_in, "DELETE", f"/v3/videos/{video}").json()["data"] == {"id": video, "deleted": True}
        assert call(stand_in, "GET", f"/v3/videos/{video}").status_code == 404
        assert call(stand_in, "GET", f"/v3/videos?title={mark}").json()["data"] == []
        charge_of(stand_in, video)

    @pytest.mark.parametrize("path", ["/v3/avatars", "/v3/avatars/looks", "/v3/voices", "/v3/webhooks/event-types"])
    def test_what_can_be_chosen_from(self, stand_in: RunningStandIn, path: str) -> None:
        assert call(stand_in, "GET", path).json()["data"]
        assert call(stand_in, "GET", f"{path}?limit=0").status_code == (200 if "webhooks" in path else 400)
