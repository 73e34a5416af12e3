"""A lesson made in the deployed environment: by the machines, from the packages and the layer that were deployed."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import pytest

from stand_ins.charge_book import ChargeBook
from tests.deployed.lessons import Lesson, events_of, executions, produce, script_of, wait_for_end
from tests.deployed.site import BUCKETS, PROBES, Environment, Site, broken_functions
from tests.e2e.lesson_sound import decoded, rms
from tests.unit.media.listening import RATE
from video_production.settings import EVENT_SOURCE, ROLES


@dataclass
class Made:
    environment: Environment
    lesson: Lesson
    events: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
def made(site: Site) -> Iterator[Made]:
    environment = site.deploy("development")
    with events_of(environment, {"source": [EVENT_SOURCE]}) as events:
        lesson = produce(environment, site.folder / "lesson", "deployed-lesson")
    return Made(environment, lesson, [each for each in events if each["detail"]["pipeline_id"] == lesson.name])


def test_every_function_answers_from_its_package(development: Environment) -> None:
    assert PROBES.keys() == ROLES.keys()
    assert not broken_functions(development)


def test_the_finished_video_shows_and_sounds(made: Made) -> None:
    """The still for as long as the voice speaks, then one second of the clip with its tone."""
    with av.open(str(made.lesson.video)) as video:
        pictures = [frame.to_ndarray(format="gray") for frame in video.decode(video=0)]
        duration = float((video.duration or 0) / av.time_base)
    sound = decoded(made.lesson.video)
    assert len(pictures) == pytest.approx(duration * 25, abs=2)
    assert duration > 2.0
    assert all(picture.std() > 1 for picture in (pictures[0], pictures[-1]))
    assert not np.array_equal(pictures[0], pictures[-1])
    voice, clip = sound[: round((duration - 1.0) * RATE)], sound[-round(0.9 * RATE) :]
    assert rms(voice) > -40
    assert rms(clip) > -40


def test_the_video_lies_in_the_environments_bucket_and_is_marked_as_a_draft(made: Made) -> None:
    listed = made.environment.client("s3").list_objects_v2(Bucket=BUCKETS["development"])["Contents"]
    assert [entry["Key"] for entry in listed if entry["Key"].endswith("video.draft.mp4")]
    assert made.lesson.video.name.endswith(".draft.mp4")


def test_both_machines_succeeded(made: Made) -> None:
    nodes = executions(made.environment, made.environment.names.node_machine, made.lesson.name)
    assert Counter(each["status"] for each in nodes) == {"SUCCEEDED": 3}  # voice, scene, film
    assert wait_for_end(made.environment, made.lesson.execution) == "SUCCEEDED"


def test_every_node_and_the_pipeline_were_announced(made: Made) -> None:
    announced = [(event["detail-type"], event["detail"].get("node_id")) for event in made.events]
    assert set(announced) == {
        ("Node Completed", "voice"),
        ("Node Completed", "scene"),
        ("Node Completed", "film"),
        ("Pipeline Completed", None),
    }
    assert {event["detail"]["environment"] for event in made.events} == {"development"}
    for event in made.events:
        assert event["detail"]["id"].endswith(":completed")


def test_every_function_that_ran_wrote_into_its_log_group(made: Made) -> None:
    names = made.environment.names
    for role in ("scheduler", "elevenlabs_submitter", "audio_mixer", "merger"):
        lines = made.environment.log(names.function_log_group(role))
        assert any(line.startswith("START RequestId") for line in lines), role
        assert any(line.startswith("REPORT RequestId") for line in lines), role


def test_machines_ran_the_published_versions(made: Made) -> None:
    names = made.environment.names
    group, function = names.function_log_group("audio_mixer"), names.function("audio_mixer")
    [called] = set(re.findall(rf"{function}:(\d+)", made.environment.machine(names.node_machine)["definition"]))
    streams = made.environment.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert any(f"[{called}]" in stream["logStreamName"] for stream in streams)


def test_the_voice_was_bought_once(made: Made, site: Site) -> None:
    book = ChargeBook(site.cloud.home / "stand-ins" / "elevenlabs" / "charge_book.jsonl")
    said = hashlib.sha256(script_of(made.lesson.name).encode()).hexdigest()
    assert len([charge for charge in book.rows() if charge.request_sha256 == said]) == 1
