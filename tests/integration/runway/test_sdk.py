"""Conformance: the official SDK talks to the stand-in as to the real service."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
import requests
import runwayml
from runwayml import RunwayML

from stand_ins.charge_book import Charge
from stand_ins.running import RunningStandIn
from tests.integration.runway.calls import seen_until_ended, unique

CHARGES = Callable[[str], list[Charge]]


def clip_of(url: str) -> dict[str, Any]:
    """What is in a downloaded clip, by decoding it."""
    answer = requests.get(url, timeout=20)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    with av.open(io.BytesIO(answer.content)) as film:
        sounds = film.streams.audio
        frames = list(film.decode(video=0))
        return {
            "size": (frames[0].width, frames[0].height),
            "frames": len(frames),
            "sound": bool(sounds),
            "comment": film.metadata.get("comment", ""),
            "first": frames[0].to_ndarray(format="rgb24"),
            "last": frames[-1].to_ndarray(format="rgb24"),
        }


def test_a_prompt_becomes_a_moving_picture(sdk: RunwayML, charges: CHARGES) -> None:
    prompt = unique("A robot waters a plant.")
    created = sdk.text_to_video.create(model="gen4.5", prompt_text=prompt, ratio="1280:720", duration=2, seed=1)
    assert created.estimated_cost.credits == 24
    seen = seen_until_ended(sdk, created.id)
    words = [task.status for task in seen]
    # A slow machine may miss a state, but none comes back.
    assert words == sorted(words, key=["PENDING", "RUNNING", "SUCCEEDED"].index)
    progress = [task.progress for task in seen if task.status == "RUNNING"]
    assert progress == sorted(progress)
    assert all(task.estimated_cost.credits == 24 for task in seen[:-1])
    assert (seen[-1].id, seen[-1].cost.credits) == (created.id, 24)
    clip = clip_of(seen[-1].output[0])
    assert (clip["size"], clip["frames"], clip["sound"]) == ((1280, 720), 48, False)
    assert clip["comment"].startswith("DRAFT")
    assert abs(clip["first"].astype(int) - clip["last"]).mean() > 1, "nothing moves"
    (charge,) = charges(created.id)
    assert (charge.kind, charge.quantity, charge.unit, charge.credits) == ("text_to_video", 2, "seconds", 24)
    assert charge.usd == pytest.approx(0.24)


def test_a_picture_is_where_a_film_starts(sdk: RunwayML, slide: bytes, tmp_path: Path) -> None:
    path = tmp_path / "slide.png"
    path.write_bytes(slide)
    upload = sdk.uploads.create_ephemeral(file=path)
    assert upload.uri.startswith("runway://")
    created = sdk.image_to_video.create(
        model="veo3.1_fast",
        prompt_text=unique("It falls."),
        prompt_image=[{"uri": upload.uri, "position": "first"}],
        ratio="720:1280",
        duration=4,
        audio=True,
    )
    assert created.estimated_cost.credits == 60
    finished = seen_until_ended(sdk, created.id)[-1]
    clip = clip_of(finished.output[0])
    assert (clip["size"], clip["frames"], clip["sound"]) == ((720, 1280), 96, True)
    top, bottom = clip["first"][:64, 200:].mean(), clip["first"][-128:-64, 200:].mean()
    assert bottom > top + 40, "the picture's own gradient does not show"


class TestCancelling:
    def test_a_task_that_waits_is_refunded_and_gone(
        self, sdk: RunwayML, stand_in: RunningStandIn, charges: CHARGES
    ) -> None:
        stand_in.change_plan(concurrency=0)
        task = sdk.text_to_video.create(model="gen4.5", prompt_text="Wait.", ratio="1280:720", duration=2)
        sdk.tasks.delete(task.id)
        with pytest.raises(runwayml.NotFoundError):
            sdk.tasks.retrieve(task.id)
        with pytest.raises(runwayml.NotFoundError):
            sdk.tasks.delete(task.id)
        assert charges(task.id) == []

    def test_a_task_that_runs_is_charged_all_the_same(
        self, sdk: RunwayML, stand_in: RunningStandIn, charges: CHARGES
    ) -> None:
        stand_in.misbehave({"on": "submit", "do": "never-finish"})
        task = sdk.text_to_video.create(model="gen4.5", prompt_text="Run.", ratio="1280:720", duration=2)
        while sdk.tasks.retrieve(task.id).status != "RUNNING":
            pass
        sdk.tasks.delete(task.id)
        assert [charge.credits for charge in charges(task.id)] == [24]


GOOD: Any = {"model": "gen4.5", "prompt_text": "A cat.", "ratio": "1280:720", "duration": 5}


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"duration": 11}, "duration"),
            ({"duration": 2.5}, "duration"),
            ({"ratio": "1920:1080"}, "ratio"),
            ({"prompt_text": ""}, "promptText"),
            ({"prompt_text": "😀" * 501}, "promptText"),
            ({"seed": -1}, "seed"),
            ({"audio": True}, "audio"),
            ({"model": "veo3.1", "duration": 5}, "duration"),
            ({"model": "veo3.1", "ratio": "960:960", "duration": 4}, "ratio"),
            ({"model": "gen3a_turbo"}, None),
        ],
    )
    def test_a_body_that_does_not_fit_its_model_is_refused_with_its_field(
        self, sdk: RunwayML, changes: Any, field: str | None
    ) -> None:
        with pytest.raises(runwayml.BadRequestError) as caught:
            sdk.text_to_video.create(**(GOOD | changes))
        body: Any = caught.value.body
        assert body["error"] == "Validation of body failed"
        if field:
            assert [issue["path"] for issue in body["issues"]] == [[field]]

    def test_image_mode_has_six_shapes(self, sdk: RunwayML, stand_in: RunningStandIn) -> None:
        stand_in.misbehave({"on": "submit", "do": "never-finish", "times": 6})
        pixel = "data:image/png;base64,iVBORw0KGgo="
        for ratio in ("1280:720", "720:1280", "1104:832", "960:960", "832:1104", "1584:672"):
            wanted: Any = GOOD | {"ratio": ratio, "prompt_image": pixel}
            sdk.tasks.delete(sdk.image_to_video.create(**wanted).id)

    @pytest.mark.parametrize(
        "image",
        [
            "https://example.com/a.png",
            "runway://nothing",
            "data:text/plain;base64,QQ==",
            "data:image/png;base64,?",
            "data:image/png;base64," + "A" * (5 << 20),
            [{"uri": "data:image/png;base64,AA==", "position": "last"}],
        ],
        ids=["address", "unknown upload", "text", "no base64", "too large", "last frame alone"],
    )
    def test_a_picture_that_can_not_be_used_is_refused(self, sdk: RunwayML, image: Any) -> None:
        with pytest.raises(runwayml.BadRequestError, match="promptImage"):
            sdk.image_to_video.create(**(GOOD | {"prompt_image": image}))

    def test_keys_and_versions_are_checked(self, sdk: RunwayML, stand_in: RunningStandIn) -> None:
        with pytest.raises(runwayml.AuthenticationError):
            sdk.with_options(api_key="wrong").organization.retrieve()
        for version in ("2023-01-01", None):
            headers = {"Authorization": "Bearer draft-key"} | ({"X-Runway-Version": version} if version else {})
            answer = requests.get(f"{stand_in.url}/v1/organization", headers=headers, timeout=10)
            assert answer.status_code == 400
            assert "ersion" in answer.json()["error"]
        assert requests.get(f"{stand_in.url}/v1/nothing", timeout=10).status_code == 404
        assert requests.get(f"{stand_in.url}/v1/text_to_video", timeout=10).status_code == 405


def test_an_organisation_shows_its_limits_and_what_it_used(
    sdk: RunwayML, stand_in: RunningStandIn, charges: CHARGES
) -> None:
    stand_in.change_plan(concurrency=30, daily=500)
    stand_in.set_balance(10_000)
    before = sdk.organization.retrieve()
    task = sdk.text_to_video.create(model="gen4.5", prompt_text="Two.", ratio="1280:720", duration=2)
    account = sdk.organization.retrieve()
    assert account.credit_balance == before.credit_balance - 24  # what a task will cost is set aside
    assert account.tier.models["gen4.5"].max_concurrent_generations == 30
    assert account.tier.models["gen4.5"].max_daily_generations == 500
    made = account.usage.models["gen4.5"].daily_generations - before.usage.models["gen4.5"].daily_generations
    assert made == 1
    seen_until_ended(sdk, task.id)
    today = datetime.datetime.now(datetime.UTC).date()
    (used,) = [day for day in sdk.organization.retrieve_usage(start_date=today).results if day.date == today]
    spent = sum(charge.credits for charge in stand_in.charges() if charge.model == "gen4.5")
    assert {row.model: row.amount for row in used.used_credits}["gen4.5"] == spent


def test_a_router_chooses_the_model_and_remembers_the_task(sdk: RunwayML, stand_in: RunningStandIn) -> None:
    stand_in.misbehave({"on": "submit", "do": "never-finish"})
    allowed: Any = {"models": {"ids": ["veo3.1", "veo3.1_fast"], "mode": "allowlist_only"}}
    router = sdk.routers.create(slug=unique("worker").replace(" ", "-"), settings=allowed)
    assert router.id in [one.id for one in sdk.routers.list(limit=100)]
    assert sdk.routers.retrieve(router.id).slug == router.slug
    wanted: Any = {"prompt_text": "A cat.", "duration": 4, "audio": False}
    made = sdk.generate.video.create(config_id=router.slug, input=wanted)
    assert (made.routing.model, made.routing.estimated_cost.credits) == ("veo3.1_fast", 40)
    with pytest.raises(runwayml.BadRequestError, match="no_eligible_model"):
        sdk.generate.video.create(config_id=router.slug, input=wanted | {"duration": 5})
    with pytest.raises(runwayml.NotFoundError, match="router_config_not_found"):
        sdk.generate.video.create(config_id="nobody", input=wanted)
    refused, routed = sdk.routers.list_requests(router.id, limit=1)
    assert (refused.status, refused.task_id) == ("no_eligible_model", None)
    assert (routed.status, routed.task_id, routed.model) == ("routed", made.id, "veo3.1_fast")
    sdk.tasks.delete(made.id)
