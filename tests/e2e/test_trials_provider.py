"""Refusals, failures and lost answers of a provider, as a user meets them: sentence, exit code, charges."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_cloud.handle import CloudHandle
from tests.e2e.lab import Lab

SECRET = "jiki-video/local/elevenlabs"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("provider") / "home"


@pytest.fixture(scope="module")
def cloud(home: Path) -> Iterator[CloudHandle]:
    """One local cloud for all trials of this module; it stays up between the commands."""
    with Lab(home.parent, home).cloud() as cloud:
        yield cloud


@pytest.fixture
def desk(tmp_path: Path, home: Path, cloud: CloudHandle) -> Lab:
    """A desk of its own, with a pipeline of its own, at the shared cloud."""
    return Lab(tmp_path, home, name=tmp_path.name.strip("_")[-60:].replace("_", "-"))


def produce(lab: Lab, script: str, *rules: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Produce a lesson with one voiceover, while the provider follows `rules` for this script."""
    lab.write_scene(script)
    if rules:
        lab.faults(*({"match": script, **rule} for rule in rules))
    return lab.run("produce", "lesson/pipeline.json")


@dataclass(frozen=True)
class Refusal:
    status: int
    code: str
    said: str
    sentence: str


REFUSALS = {
    "401": Refusal(
        401,
        "invalid_api_key",
        "Invalid API key",
        f"ElevenLabs refused the API key. Set the secret '{SECRET}' to a valid key and retry.",
    ),
    "402": Refusal(
        402,
        "insufficient_credits",
        "You have 3 credits remaining.",
        "The ElevenLabs account is out of credit (You have 3 credits remaining). Top it up and retry.",
    ),
    "404": Refusal(
        404,
        "voice_not_found",
        "A voice for the id was not found.",
        "Voice 'JBFqnCBsd6RMkjVDRZzb' does not exist in this ElevenLabs account; choose another voiceId.",
    ),
    "422": Refusal(
        422,
        "",
        "value is not a valid language",
        "ElevenLabs rejected the request as invalid (value is not a valid language); "
        "correct the node's config or its script.",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_one_sentence_and_costs_nothing(desk: Lab, case: str) -> None:
    refusal = REFUSALS[case]
    script = f"A script that is refused with {case}."
    rule = {"on": "flows.submit", "status": refusal.status, "code": refusal.code, "message": refusal.said}
    done = produce(desk, script, rule)
    assert (done.returncode, done.stderr) == (2, "")
    lines = done.stdout.splitlines()
    assert lines[1].startswith(" ✗ voice  voiceover  failed")
    assert lines[2:] == [
        f"     voice, sending: {refusal.sentence}",
        " Failed: voice · not made because of that: scene",
        " Next: mend the cause and run the same command again",
    ]
    assert not desk.charges_for(script)

    again = desk.run("produce", "lesson/pipeline.json")  # the rule is used up: the cause is mended
    assert again.returncode == 0, again.stdout
    assert again.stdout.splitlines()[-1] == "lesson/output/scene.draft.mp4"
    assert len(desk.charges_for(script)) == 1


def test_a_wrong_api_key_is_named_with_the_secret_that_holds_it(lab: Lab) -> None:
    """With a cloud of its own: functions keep a key that works."""
    lab.write_scene("Words for a wrong key.")
    with lab.cloud() as cloud:
        secrets = cloud.client("secretsmanager")
        secrets.put_secret_value(SecretId=SECRET, SecretString="sk_wrong")
        done = lab.run("produce", "lesson/pipeline.json")
        assert done.returncode == 2
        assert f"ElevenLabs refused the API key. Set the secret '{SECRET}' to a valid key and retry." in done.stdout
        assert "sk_wrong" not in done.stdout + done.stderr

        secrets.put_secret_value(SecretId=SECRET, SecretString="draft-key")
        again = lab.run("produce", "lesson/pipeline.json")
        assert again.returncode == 0, again.stdout
        assert len(lab.charges()) == 1


def test_being_asked_to_wait_is_waited_for(desk: Lab) -> None:
    script = "A script for a busy provider."
    busy = {"on": "flows.submit", "status": 429, "code": "rate_limit_exceeded", "message": "slow", "retry_after": 1}
    done = produce(desk, script, {**busy, "times": 2})
    assert done.returncode == 0, done.stdout
    assert len(desk.charges_for(script)) == 1
    told = desk.run("status", "lesson/pipeline.json").stdout
    assert "attempt 3 of 3 · last answer: completed" in told


def test_a_refused_job_api_falls_back_to_the_synchronous_call_and_says_so(desk: Lab) -> None:
    script = "A script for a plan without jobs."
    rule = {"on": "flows.submit", "status": 402, "code": "paid_plan_required", "message": "Flows need a paid plan."}
    done = produce(desk, script, rule)
    assert done.returncode == 0, done.stdout
    assert "     ElevenLabs refused the job request (paid_plan_required); the timed one was used.\n" in done.stdout, (
        done.stdout
    )
    assert [charge.kind for charge in desk.charges_for(script)] == ["timed"]


def test_a_job_that_fails_says_why_and_that_nothing_was_charged(desk: Lab) -> None:
    script = "A script whose job fails."
    done = produce(desk, script, {"on": "flows.submit", "do": "fail-job", "reason": "model_error"})
    assert done.returncode == 2
    [told] = [line for line in done.stdout.splitlines() if line.startswith("     voice, ")]
    assert told.startswith("     voice, waiting: The ElevenLabs model failed on this script (")
    assert told.endswith("); retry or choose another modelId. Nothing was charged.")
    assert not desk.charges_for(script)

    again = desk.run("retry", "lesson/pipeline.json", "voice")
    assert again.returncode == 0, again.stdout
    assert len(desk.charges_for(script)) == 1


@pytest.mark.parametrize("fault", ["expire-url", "half-download", "garbage"])
def test_a_bad_download_is_repeated_and_paid_once(desk: Lab, fault: str) -> None:
    script = f"A script whose download suffers {fault}."
    desk.write_scene(script)
    desk.faults({"on": "download", "do": fault, "match": script})
    code, event = desk.produce()
    assert code == 0, event
    assert len(desk.charges_for(script)) == 1


@pytest.mark.slow
def test_a_job_that_never_finishes_ends_at_its_deadline_and_is_kept(tmp_path: Path) -> None:
    desk = Lab(tmp_path, tmp_path / "home", name="endless")
    with desk.cloud(ELEVENLABS_DEADLINE_SECONDS="4"):
        script = "A script whose job never ends."
        desk.write_scene(script)
        desk.faults({"on": "flows.submit", "do": "never-finish", "match": script})
        done = desk.run("produce", "lesson/pipeline.json")
    assert done.returncode == 2
    assert (
        "     voice, waiting: The provider was still at work when the time for waiting was over; its result will be "
        "kept when it comes, and a retry goes on waiting for it without paying again.\n"
    ) in done.stdout


# Lost answers: the request may have been carried out. Nobody may ask for ten to twenty seconds, because its sender may
# still be alive; so all of these wait at the same time.

LOST: dict[str, tuple[bool, list[dict[str, Any]]]] = {
    "job answer lost": (False, [{"on": "flows.submit", "do": "lose-answer"}]),
    "job answer unreadable": (False, [{"on": "flows.submit", "do": "garbage"}]),
    "job billed, then 500": (False, [{"on": "flows.submit", "do": "status", "status": 500, "billed": True}]),
    "timed answer lost": (True, [{"on": "timed", "do": "lose-answer"}]),
    "timed answer unreadable": (True, [{"on": "timed", "do": "garbage"}]),
    "500, nothing made": (False, [{"on": "flows.submit", "status": 500, "code": "internal_error", "message": "sorry"}]),
    "made, but nowhere listed": (
        False,
        [{"on": "flows.submit", "do": "lose-answer"}, {"on": "flows.submit", "do": "hide-from-history"}],
    ),
    "given up": (False, [{"on": "flows.submit", "status": 503}]),
}
MAY_HAVE_BEEN_PAID = (
    "The request to ElevenLabs may have been paid (ElevenLabs' history shows no such voiceover, which does not prove "
    "that none was made), so it is not sent again. Look it up at the provider, then run resolve with --adopt ID, "
    "--pay-again or --give-up."
)


@dataclass
class Run:
    lab: Lab
    script: str
    process: subprocess.Popen[str]
    out: str = ""

    def wait(self) -> int:
        if not self.out:
            self.out, _ = self.process.communicate(timeout=120)
        return self.process.returncode

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.lab.run(name, "lesson/pipeline.json", *arguments)


@pytest.fixture(scope="module")
def lost(home: Path, cloud: CloudHandle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """Every run whose answer gets lost, under way at the same time."""
    runs = {}
    for case, (captions, rules) in LOST.items():
        lab = Lab(tmp_path_factory.mktemp("lost"), home, name=case.replace(" ", "-").replace(",", ""))
        script = f"A script for the case {case}."
        lab.write_scene(script, captions=captions)
        lab.faults(*({"match": script, **rule} for rule in rules))
        runs[case] = Run(lab, script, lab.start("produce", "lesson/pipeline.json"))
    yield runs
    for run in runs.values():
        run.wait()


@pytest.mark.slow
@pytest.mark.parametrize("case", list(LOST)[:5])
def test_a_lost_answer_is_found_again_and_paid_once(lost: dict[str, Run], case: str) -> None:
    run = lost[case]
    assert run.wait() == 0, run.out
    assert run.out.splitlines()[-1] == "lesson/output/scene.draft.mp4"
    assert len(run.lab.charges_for(run.script)) == 1


@pytest.mark.slow
def test_what_may_have_been_paid_is_not_sent_again_until_somebody_says_so(lost: dict[str, Run]) -> None:
    run = lost["500, nothing made"]
    assert run.wait() == 2
    assert run.out.count(MAY_HAVE_BEEN_PAID) == 1
    choice = "./jiki-video resolve lesson/pipeline.json voice --adopt ID | --pay-again | --give-up"
    assert run.out.splitlines()[-1] == f" Next: {choice}"
    assert "may have been paid, to be decided with resolve" in run.command("status").stdout

    again = run.command("produce")
    assert (again.returncode, again.stdout.count(MAY_HAVE_BEEN_PAID)) == (2, 1)
    retried = run.command("retry", "voice")
    assert (retried.returncode, retried.stderr) == (1, MAY_HAVE_BEEN_PAID + "\n")
    for nonsense in ((), ("--pay-again", "--give-up")):
        refused = run.command("resolve", "voice", *nonsense)
        assert refused.returncode == 1
        assert refused.stderr == "Say exactly one of --adopt ID, --pay-again and --give-up.\n"
    assert not run.lab.charges_for(run.script)

    decided = run.command("resolve", "voice", "--pay-again", "--why", "not in the list")
    assert decided.returncode == 0
    assert decided.stdout == (
        "Noted: the request of 'voice' will be sent and paid again. Next: ./jiki-video produce lesson/pipeline.json\n"
    )
    assert run.command("produce").returncode == 0
    assert len(run.lab.charges_for(run.script)) == 1


@pytest.mark.slow
def test_a_result_that_a_person_found_is_taken_over(lost: dict[str, Run]) -> None:
    run = lost["made, but nowhere listed"]
    assert run.wait() == 2
    [charge] = run.lab.charges_for(run.script)
    decided = run.command("resolve", "voice", "--adopt", charge.external_id)
    assert decided.stdout.startswith(f"Noted: 'voice' takes over '{charge.external_id}', nothing is paid again.")
    done = run.command("produce", "--json")
    assert done.returncode == 0, done.stdout
    [node] = [node for node in json.loads(run.command("status", "--json").stdout)["nodes"] if node["id"] == "voice"]
    assert node["requests"][0]["external_id"] == charge.external_id
    assert run.lab.charges_for(run.script) == [charge]


@pytest.mark.slow
def test_what_is_given_up_stays_so_until_somebody_pays_again(lost: dict[str, Run]) -> None:
    run = lost["given up"]
    assert run.wait() == 2
    assert run.command("resolve", "voice", "--give-up").returncode == 0
    done = run.command("produce")
    assert done.returncode == 2
    assert (
        "     voice, waiting: Its request was given up after the answer was lost, so nothing more is bought for it; "
        "to pay for another, run resolve with --pay-again.\n"
    ) in done.stdout
    assert not run.lab.charges_for(run.script)
    assert run.command("resolve", "voice", "--pay-again").returncode == 0
    assert run.command("produce").returncode == 0
    assert len(run.lab.charges_for(run.script)) == 1


def test_resolving_what_is_decided_is_refused(desk: Lab) -> None:
    done = produce(desk, "A script without any trouble.")
    assert done.returncode == 0
    for node, sentence in {
        "voice": "Node 'voice': there is nothing to resolve, no request of it is undecided.",
        "nobody": f"There is no node 'nobody' in pipeline '{desk.name}'; `status` lists the nodes.",
    }.items():
        refused = desk.run("resolve", "lesson/pipeline.json", node, "--pay-again")
        assert (refused.returncode, refused.stderr) == (1, f"{sentence}\n")
    refused = desk.run("retry", "lesson/pipeline.json", "voice")
    sentence = "Node 'voice' is completed; only a failed node can be retried."
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", f"{sentence}\n")
