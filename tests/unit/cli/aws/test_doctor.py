"""`doctor`: a line for everything that can be wrong, with what to do; it changes nothing and reads no secret."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.cli.aws.conftest import ENVIRONMENT, MACHINE, NAMES, Deployed, Shell
from video_production.cli import local_checks
from video_production.settings import PROVIDER_FACTS, PROVIDERS, ROLES, Names

DOCTOR = ("doctor", *ENVIRONMENT)


@pytest.fixture
def healthy(shell: Shell, deployed: Deployed) -> Iterator[Deployed]:
    """Everything that the stack would have made, in order."""
    client = deployed.client
    iam, functions, states = client("iam"), client("lambda"), client("stepfunctions")
    role = iam.create_role(RoleName="doctor", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("none.py", "")
    for name in ROLES:
        functions.create_function(
            FunctionName=NAMES.function(name),
            Runtime="python3.13",
            Role=role,
            Handler="none.handler",
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": {"JIKI_ENVIRONMENT": "development", "VEO3_BUCKET": "films"}},
        )
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    for machine in (NAMES.pipeline_machine, NAMES.node_machine):
        states.create_state_machine(name=machine, definition=definition, roleArn=role)
    secrets = [NAMES.callback_secret]
    secrets += [NAMES.secret(provider) for provider in PROVIDERS]
    secrets += [NAMES.webhook_secret(facts.name) for facts in PROVIDER_FACTS.values() if facts.webhooks]
    for secret in secrets:
        client("secretsmanager").create_secret(Name=secret, SecretString="a value")
    queues = [NAMES.scheduling_queue, NAMES.failed_merges_queue, *map(NAMES.provider_queue, PROVIDERS)]
    urls = [client("sqs").create_queue(QueueName=Names.dead_letters(queue))["QueueUrl"] for queue in queues]
    topic = client("sns").create_topic(Name="jiki-video-alarms-development")["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="studio@example.com")
    alarm(deployed, "OK")
    allow_together(shell, 1000)
    yield deployed
    for name in ROLES:
        functions.delete_function(FunctionName=NAMES.function(name))
    for machine in (NAMES.pipeline_machine, NAMES.node_machine):
        states.delete_state_machine(stateMachineArn=MACHINE + machine)
    for secret in secrets:
        client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    for url in urls:
        client("sqs").delete_queue(QueueUrl=url)
    client("sns").delete_topic(TopicArn=topic)
    client("cloudwatch").delete_alarms(AlarmNames=["jiki-video-stuck-nodes-development"])
    iam.delete_role(RoleName="doctor")


def alarm(deployed: Deployed, state: str) -> None:
    cloudwatch = deployed.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="jiki-video-stuck-nodes-development",
        AlarmDescription="Read the log of the scheduler (docs/runbook.md).",
        MetricName="StuckNodes",
        Namespace="JikiVideo",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Statistic="Sum",
    )
    cloudwatch.set_alarm_state(AlarmName="jiki-video-stuck-nodes-development", StateValue=state, StateReason="test")


def allow_together(shell: Shell, executions: int) -> None:
    shell.refusals["GetAccountSettings"] = {
        "AccountLimit": {"ConcurrentExecutions": executions, "TotalCodeSize": 80_530_636_800},
        "AccountUsage": {"TotalCodeSize": 1_000_000},
    }


def found(shell: Shell) -> tuple[int, dict[str, list[tuple[str, str, str]]]]:
    """The exit code; what was found, by subject."""
    code, out, _ = shell.run(*DOCTOR, "--json")
    by_subject: dict[str, list[tuple[str, str, str]]] = {}
    for entry in json.loads(out):
        by_subject.setdefault(entry["subject"], []).append((entry["state"], entry["words"], entry["advice"]))
    return code, by_subject


def test_a_healthy_environment_has_nothing_but_ticks(shell: Shell, healthy: Deployed) -> None:
    code, out, _ = shell.run(*DOCTOR)
    marks = [line[1] for line in out.splitlines()[1:]]
    assert marks == ["✓"] * len(marks), out
    assert code == 0
    assert f" ✓ bucket          {healthy.bucket} can be reached and written" in out
    assert " ✓ functions       15 of 15 are active" in out
    assert " ✓ provider        elevenlabs is live: its results are paid for" in out
    assert " ✓ provider        runway is live: its results are paid for" in out
    assert " ✓ quotas          1,000 functions at once" in out
    assert " ✓ alarms          1 are watching" in out
    assert " ✓ dead letters    none in 6 queues" in out
    assert " ✓ alarm mail      alarms go to studio@example.com (email)" in out


def test_nothing_is_left_in_the_bucket_and_no_secret_is_read(shell: Shell, healthy: Deployed) -> None:
    shell.refuse("GetSecretValue", "AccessDeniedException")
    code, _ = found(shell)
    s3 = healthy.client("s3")
    assert code == 0
    assert s3.list_objects_v2(Bucket=healthy.bucket)["KeyCount"] == 0
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=healthy.bucket)


def test_what_is_wrong_comes_with_what_to_do(shell: Shell, healthy: Deployed) -> None:
    client = healthy.client
    secret = NAMES.secret("elevenlabs")
    client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    shell.refusals["DescribeSecret"] = {"Name": "any", "VersionIdsToStages": {}}
    alarm(healthy, "ALARM")
    dead = Names.dead_letters(NAMES.scheduling_queue)
    client("sqs").send_message(QueueUrl=client("sqs").get_queue_url(QueueName=dead)["QueueUrl"], MessageBody="x")
    client("lambda").delete_function(FunctionName=NAMES.function("sweeper"))
    allow_together(shell, 10)
    code, by_subject = found(shell)
    client("lambda").create_function(
        FunctionName=NAMES.function("sweeper"),
        Runtime="python3.13",
        Role=client("iam").get_role(RoleName="doctor")["Role"]["Arn"],
        Handler="none.handler",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
    )
    client("secretsmanager").create_secret(Name=secret, SecretString="x")
    assert code == 1
    deploy = "./cdk deploy -c environment=development"
    assert (
        "broken",
        "jiki-video/development/elevenlabs has no value",
        "ElevenLabs can't make a voiceover until: aws secretsmanager put-secret-value --secret-id "
        "jiki-video/development/elevenlabs --secret-string YOUR_API_KEY",
    ) in by_subject["secrets"]
    assert [state for state, *_ in by_subject["secrets"]] == ["broken"] * 4 + ["note"] * 3
    assert by_subject["functions"] == [
        ("broken", "there is no function jiki-sweeper-development", f"deploy again: {deploy}")
    ]
    assert by_subject["alarms"][0] == (
        "broken",
        "jiki-video-stuck-nodes-development is in alarm",
        "Read the log of the scheduler (docs/runbook.md).",
    )
    assert by_subject["dead letters"][0][:2] == ("broken", f"1 message in {dead}")
    assert by_subject["quotas"][0][:2] == ("note", "10 functions at once")


def test_a_provider_that_nobody_uses_is_worth_a_note(shell: Shell, healthy: Deployed) -> None:
    """No environment needs all of them; with none, nothing can be made."""
    client, secret = healthy.client, NAMES.secret("veo3")
    client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    client("secretsmanager").create_secret(Name=secret)
    client("lambda").update_function_configuration(
        FunctionName=NAMES.function("veo3_submitter"), Environment={"Variables": {"JIKI_ENVIRONMENT": "development"}}
    )
    code, by_subject = found(shell)
    assert code == 0
    assert (
        "note",
        "jiki-video/development/veo3 has no value",
        "veo3 (Veo 3.1) can't make an animation until: aws secretsmanager put-secret-value --secret-id "
        "jiki-video/development/veo3 --secret-string file://CREDENTIALS.json",
    ) in by_subject["secrets"]
    advice = "set bucket of veo3 in cdk.json to use it; deploy"
    assert ("note", "veo3 has no bucket", advice) in by_subject["provider"]


def test_a_mail_that_nobody_confirmed_is_broken(shell: Shell, healthy: Deployed) -> None:
    shell.refusals["ListSubscriptionsByTopic"] = {
        "Subscriptions": [
            {"SubscriptionArn": "PendingConfirmation", "Protocol": "email", "Endpoint": "studio@example.com"}
        ]
    }
    code, by_subject = found(shell)
    assert code == 1
    assert by_subject["alarm mail"] == [
        (
            "broken",
            "studio@example.com (email) has not confirmed",
            "click the link in the mail that AWS sent there",
        )
    ]


def test_what_may_not_be_looked_at_is_said_and_the_rest_is_looked_at(shell: Shell, healthy: Deployed) -> None:
    shell.refuse("DescribeAlarms", "AccessDenied")
    shell.refuse("HeadBucket", "403")
    code, by_subject = found(shell)
    assert code == 0
    [(state, words, _)] = by_subject["alarms"]
    assert (state, words) == (
        "note",
        "could not be looked at: AWS does not allow DescribeAlarms to these credentials. Ask for that permission, or "
        "use others.",
    )
    assert by_subject["bucket"][0][0] == "note"
    assert by_subject["dead letters"][0][0] == "well"


def test_without_a_stack_the_rest_is_not_asked(shell: Shell) -> None:
    code, by_subject = found(shell)
    assert code == 1
    assert list(by_subject) == ["credentials", "region", "stack"]
    assert by_subject["stack"][0][1].startswith("There is no stack jiki-video-production-development in account ")


def test_programs_get_json_even_where_nobody_can_be_asked(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    code, out, err = shell.run(*DOCTOR, "--json")
    [finding] = json.loads(out)
    assert (code, err) == (1, "")
    assert (finding["state"], finding["subject"]) == ("broken", "credentials")
    assert finding["words"].startswith("No AWS credentials were found.")
    assert shell.error(*DOCTOR) == finding["words"]


def test_a_failed_update_is_broken_and_nothing_is_made_there(shell: Shell, healthy: Deployed, tmp_path: Any) -> None:
    formation = healthy.client("cloudformation")
    [stack] = formation.describe_stacks(StackName=NAMES.stack)["Stacks"]
    shell.refusals["DescribeStacks"] = {"Stacks": [{**stack, "StackStatus": "UPDATE_ROLLBACK_FAILED"}]}
    code, by_subject = found(shell)
    assert code == 1
    assert by_subject["stack"][0][0] == "broken"
    document = tmp_path / "pipeline.json"
    nodes: list[dict[str, Any]] = [
        {"id": name, "type": "asset", "asset": {"type": "video", "source": f"s3://clips/{name}.mp4"}}
        for name in ("one", "two")
    ]
    nodes.append({"id": "film", "type": "merge-videos", "inputs": {"segments": ["one", "two"]}})
    document.write_text(json.dumps({"id": "lesson", "title": "Lesson", "nodes": nodes}))
    assert shell.error("produce", str(document), *ENVIRONMENT) == (
        "A deployment of environment development (account 123456789012, us-east-1) failed (stack "
        "jiki-video-production-development: UPDATE_ROLLBACK_FAILED), so parts may be missing and nothing was started; "
        "./jiki-video doctor --environment development says more."
    )
    assert healthy.nodes.pipeline("lesson") is None


# This machine


def test_this_machine_is_looked_at_without_an_environment(
    shell: Shell, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_checks.examine, "__defaults__", (tmp_path / "home",))
    code, out, _ = shell.run("doctor")
    assert code == 0, out
    assert out.splitlines()[0] == f"LOCAL · {tmp_path / 'home'}"
    assert " ✓ FFmpeg          7.0.2-static" in out
    assert " ✓ local cloud     does not run; it starts with the first command that needs it" in out


def test_a_full_disk_and_a_damaged_journal_are_broken(
    shell: Shell, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "journal.jsonl").write_text("{}\n{}\n")
    monkeypatch.setattr(local_checks.examine, "__defaults__", (tmp_path,))
    usage = local_checks.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(local_checks.shutil, "disk_usage", lambda path: usage)
    code, out, _ = shell.run("doctor")
    assert code == 1
    assert " ✗ disk            0.0 GB free" in out
    assert " ✗ pipelines " in out
