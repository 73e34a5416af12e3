"""The command line against the deployed environment: everything it says comes from the stack and what it made."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import requests

from tests.deployed.lessons import Lesson, produce
from tests.deployed.site import BUCKETS, Environment, Site


@pytest.fixture(scope="module")
def environment(site: Site) -> Environment:
    return site.deploy("development")


@pytest.fixture(scope="module")
def lesson(site: Site, environment: Environment) -> Lesson:
    return produce(environment, site.folder / "command-line", "command-line")


def _lines(environment: Environment, *arguments: str) -> list[str]:
    done = environment.run(*arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout.splitlines()


def _doctor(environment: Environment) -> tuple[subprocess.CompletedProcess[str], dict[str, list[str]]]:
    done = environment.run("doctor", "--json")
    assert not done.stderr
    by_state: dict[str, list[str]] = {}
    for finding in json.loads(done.stdout):
        by_state.setdefault(finding["state"], []).append(f"{finding['subject']}: {finding['words']}")
    return done, by_state


def test_status_and_list_name_where_they_look(environment: Environment, lesson: Lesson) -> None:
    where = "development · us-east-1 · account 123456789012 · answered by http://127.0.0.1:"
    for arguments in (("status", lesson.name), ("list",)):
        assert _lines(environment, *arguments)[0].startswith(where)
    assert any(re.match(r" command-line +completed ", line) for line in _lines(environment, "list"))
    told = json.loads("\n".join(_lines(environment, "status", lesson.name, "--json")))
    assert [node["status"] for node in told["nodes"]] == ["completed"] * 6


def test_a_finished_pipeline_is_no_longer_under_way(environment: Environment, lesson: Lesson) -> None:
    listed = json.loads("\n".join(_lines(environment, "list", "--active", "--json")))
    assert lesson.name not in [entry["pipeline"] for entry in listed]


def test_the_address_of_the_video_gives_the_file_that_was_downloaded(environment: Environment, lesson: Lesson) -> None:
    done = environment.run("open", lesson.name)
    assert done.returncode == 0, done.stderr
    answer = requests.get(done.stdout.strip(), timeout=30)
    assert answer.content == lesson.video.read_bytes()
    assert BUCKETS["development"] in done.stdout


def test_the_logs_tell_the_lessons_story_in_order(environment: Environment, lesson: Lesson) -> None:
    lines = [json.loads(line) for line in _lines(environment, "logs", lesson.name, "--json")]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert {line["pipeline_id"] for line in lines} == {lesson.name}
    roles = [line["role"] for line in lines]
    assert {"scheduler", "elevenlabs_submitter", "audio_mixer", "merger"} <= set(roles)
    assert roles.index("scheduler") < roles.index("audio_mixer") < roles.index("merger")
    films = _lines(environment, "logs", lesson.name, "film")
    assert films, "the merger's lines name the node"
    assert all("  merger  " in line for line in films[1:])


def test_doctor_finds_nothing_broken_and_says_what_is_missing(environment: Environment, lesson: Lesson) -> None:
    done, by_state = _doctor(environment)
    assert (done.returncode, by_state.get("broken", [])) == (0, [])
    assert "functions: 15 of 15 are active" in by_state["well"]
    assert "dead letters: none in 6 queues" in by_state["well"]
    assert f"bucket: {BUCKETS['development']} can be reached and written" in by_state["well"]
    assert "secrets: jiki-video/development/elevenlabs has a value" in by_state["well"]
    assert any(words.startswith("provider: elevenlabs is a stand-in at ") for words in by_state["note"])
    assert "secrets: jiki-video/development/elevenlabs-webhook has no value" in by_state["note"]


def test_doctor_finds_a_dead_letter(environment: Environment, lesson: Lesson) -> None:
    sqs = environment.client("sqs")
    name = environment.names.dead_letters(environment.names.scheduling_queue)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    done, by_state = _doctor(environment)
    sqs.purge_queue(QueueUrl=url)
    assert (done.returncode, by_state["broken"]) == (1, [f"dead letters: 1 message in {name}"])


def test_an_environment_that_is_not_deployed_says_how_to_deploy_it(environment: Environment, lesson: Lesson) -> None:
    other = Environment(environment.site, type(environment.names)("staging"))
    done = other.run("status")
    if done.returncode == 0:
        pytest.skip("another test has deployed staging here")
    assert done.stderr == (
        "There is no stack jiki-video-production-staging in account 123456789012, us-east-1. Deploy it with "
        "./cdk deploy -c environment=staging, or choose another account or region with AWS_PROFILE and AWS_REGION.\n"
    )


def test_a_provider_is_subscribed_once(environment: Environment, lesson: Lesson) -> None:
    secret = environment.names.webhook_secret("elevenlabs")
    first = _lines(environment, "webhooks", "register")
    assert first[2] == f" Its secret is stored in {secret}; functions read it within five minutes."
    value = environment.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    [line] = _lines(environment, "webhooks", "register")[1:]
    assert re.fullmatch(r" Webhook \S+ reports to http\S+/webhooks/elevenlabs already, .* nothing was changed\.", line)
    assert environment.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"] == value
    assert f"secrets: {secret} has a value" in _doctor(environment)[1]["well"]
