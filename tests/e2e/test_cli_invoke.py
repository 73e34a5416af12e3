"""`invoke` runs one function once; every example event in examples/events/ does what docs say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.functions import ROLES
from tests.e2e.lab import CHECKOUT, Lab
from tests.unit.media.clips import make_clip

EVENTS = CHECKOUT / "examples" / "events"
BUCKET = "jiki-videos-local"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A desk with a running cloud, clips in its bucket and a finished pipeline of the name that the events have."""
    lab = Lab(tmp_path_factory.mktemp("invoke"), name="binary-search")
    lab.write_scene("A few words.")
    with lab.cloud() as cloud:
        cloud.ensure_bucket(BUCKET)
        s3 = cloud.client("s3")
        for name in ("phone", "screen"):
            clip = make_clip(lab.root / f"{name}.mp4", seconds=0.5)
            s3.upload_file(str(clip), BUCKET, f"clips/{name}.mp4")
        assert lab.run("produce", "lesson/pipeline.json").returncode == 0
        yield lab


def _invoke(lab: Lab, role: str) -> object:
    done = lab.run("invoke", role, "--event", str(EVENTS / f"{role}.json"))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def test_there_is_an_event_for_every_function() -> None:
    assert {path.stem for path in EVENTS.iterdir()} == set(ROLES)


def test_the_merger_merges_objects_for_a_direct_caller(desk: Lab) -> None:
    answer = _invoke(desk, "merger")
    assert isinstance(answer, dict)
    merged = desk.home / "s3" / BUCKET / "clips" / "merged.mp4"
    assert (answer["statusCode"], answer["s3_key"]) == (200, "clips/merged.mp4")
    assert answer["size"] == merged.stat().st_size
    assert answer["duration"] == pytest.approx(1.0, abs=0.05)
    assert answer["reason"]


def test_the_scheduler_tells_how_a_pipeline_ended(desk: Lab) -> None:
    assert _invoke(desk, "scheduler") == {"outcome": "completed"}


def test_the_starter_answers_that_a_finished_pipeline_needs_nothing(desk: Lab) -> None:
    answer = _invoke(desk, "pipeline_starter")
    assert isinstance(answer, dict)
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["pipeline_id"], body["status"]) == (200, "binary-search", "completed")


def test_the_sweeper_and_the_error_callback_find_nothing_to_do(desk: Lab) -> None:
    assert _invoke(desk, "sweeper") == {"pipelines": 0, "jobs": 0, "complete": True}
    assert _invoke(desk, "error_callback") == {"batchItemFailures": []}


def test_the_receiver_believes_no_webhook_without_a_good_signature(desk: Lab) -> None:
    done = desk.run("invoke", "webhook_receiver", "--event", str(EVENTS / "webhook_receiver.json"))
    assert json.loads(done.stdout)["statusCode"] in (401, 503)
    assert done.returncode in (1, 2)


@pytest.mark.parametrize("role", ["audio_mixer", "elevenlabs_submitter", "elevenlabs_poller"])
def test_a_function_lets_go_of_a_node_that_has_moved_on(desk: Lab, role: str) -> None:
    answer = _invoke(desk, role)
    assert isinstance(answer, dict)
    assert answer["status"] == "superseded"
    assert len(desk.charges()) == 1


def test_an_event_that_can_not_be_carried_out_ends_as_its_answer_says(desk: Lab, tmp_path: Path) -> None:
    cases = [
        ("merger", '{"input_videos": []}', 1, ""),
        ("scheduler", "{}", 2, "scheduler failed: RequestError: The event lacks pipeline_id.\n"),
        ("merger", "{", 1, "event.json is not JSON: "),
        ("composer", "{}", 1, f"There is no function 'composer'; the functions are {', '.join(ROLES)}.\n"),
    ]
    for role, text, code, sentence in cases:
        event = tmp_path / "event.json"
        event.write_text(text)
        done = desk.run("invoke", role, "--event", str(event))
        assert done.returncode == code, done.stdout + done.stderr
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
