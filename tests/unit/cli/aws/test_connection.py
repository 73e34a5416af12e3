"""Every way in which an environment can't be reached has its own sentence, which says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.aws.conftest import ENVIRONMENT, NAMES, Deployed, Shell
from tests.unit.graphs import node, write
from video_production.cli.aws import connection

STATUS = ("status", *ENVIRONMENT)
DEPLOY = "./cdk deploy -c environment=development"


def _stack(shell: Shell, status: str, **more: object) -> None:
    outputs = [{"OutputKey": name, "OutputValue": "x"} for name in ("BucketName", "NodesTable", "TakesTable")]
    found = {"StackName": NAMES.stack, "StackStatus": status, "Outputs": outputs, **more}
    shell.refusals["DescribeStacks"] = {"Stacks": [found]}


def test_no_credentials(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert shell.error(*STATUS) == (
        "No AWS credentials were found. Name a profile with AWS_PROFILE, sign in with aws sso login, or set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )


@pytest.mark.parametrize("settings", [None, "{", "{}", '{"context": {"environments": {"development": null}}}'])
def test_no_region(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: str | None) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr(connection, "_SETTINGS", tmp_path / "cdk.json")
    if settings is not None:
        (tmp_path / "cdk.json").write_text(settings)
    assert shell.error(*STATUS) == (
        "No AWS region is set. Set AWS_REGION to the one that the environment was deployed to, or region in your AWS "
        "profile."
    )


def test_the_checkout_knows_the_region_where_nobody_chose_one(
    shell: Shell, deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert json.loads(connection._SETTINGS.read_text())["context"]["environments"]["development"]["region"]
    settings = {"context": {"environments": {"development": {"region": "us-east-1"}}}}
    monkeypatch.setattr(connection, "_SETTINGS", tmp_path / "cdk.json")
    (tmp_path / "cdk.json").write_text(json.dumps(settings))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    write(deployed.nodes, [node("film", "merge-videos")])
    code, out, _ = shell.run("status", "lesson", *ENVIRONMENT)
    assert (code, out.partition(" · answered")[0]) == (
        0,
        "development · us-east-1 (from cdk.json) · account 123456789012",
    )


def test_a_chosen_region_comes_before_that_of_the_checkout(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert "in account 123456789012, eu-west-1." in shell.error(*STATUS)


def test_a_profile_that_does_not_exist(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "studio")
    assert shell.error(*STATUS) == (
        "There is no AWS profile 'studio', which AWS_PROFILE names; aws configure list-profiles lists them."
    )


def test_a_single_sign_on_that_has_ended(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "studio")
    lines = ("sso_start_url = https://sso.example.com", "sso_region = us-east-1", "sso_account_id = 123456789012")
    text = "\n".join(["[profile studio]", *lines, "sso_role_name = Maker", "region = us-east-1", ""])
    (Path.home() / "config").write_text(text)
    assert shell.error(*STATUS) == (
        "The AWS single sign-on session has ended. Run aws sso login (with --profile where you use one), then the "
        "same command again."
    )


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException"])
def test_expired_credentials(shell: Shell, code: str) -> None:
    shell.refuse("GetCallerIdentity", code)
    assert shell.error(*STATUS) == (
        "The AWS credentials have expired. Sign in again (with single sign-on: aws sso login), then run the same "
        "command again."
    )


def test_unknown_credentials(shell: Shell) -> None:
    shell.refuse("GetCallerIdentity", "InvalidClientTokenId")
    assert shell.error(*STATUS) == (
        "AWS does not know these credentials. They may be deleted or mistyped: check AWS_PROFILE, AWS_ACCESS_KEY_ID "
        "and AWS_SECRET_ACCESS_KEY."
    )


def test_no_network(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert shell.error(*STATUS) == (
        "http://127.0.0.1:9/ can't be reached. Check the network and the region, then run the same command again."
    )


def test_no_such_stack_names_account_and_region(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert shell.error("status", "--environment", "staging") == (
        "There is no stack jiki-video-production-staging in account 123456789012, eu-west-1. Deploy it with "
        "./cdk deploy -c environment=staging, or choose another account or region with AWS_PROFILE and AWS_REGION."
    )


def test_access_denied_names_action_resource_and_who(shell: Shell) -> None:
    shell.refuse(
        "DescribeStacks",
        "AccessDenied",
        "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: cloudformation:DescribeStacks on "
        "resource: arn:aws:cloudformation:us-east-1:123456789012:stack/x/* because no policy allows it",
    )
    assert shell.error(*STATUS) == (
        "AWS does not allow cloudformation:DescribeStacks on arn:aws:cloudformation:us-east-1:123456789012:stack/x/* "
        "to arn:aws:iam::123456789012:user/ada. Ask for it, or use other credentials."
    )


def test_a_denied_table_is_told_the_same_way(shell: Shell, deployed: Deployed) -> None:
    shell.refuse(
        "Query",
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: dynamodb:Query on resource: "
        "arn:aws:dynamodb:us-east-1:123456789012:table/nodes",
    )
    assert shell.error("status", "lesson", *ENVIRONMENT) == (
        "AWS does not allow dynamodb:Query on arn:aws:dynamodb:us-east-1:123456789012:table/nodes to "
        "arn:aws:iam::123456789012:user/ada. Ask for it, or use other credentials."
    )


def test_a_first_deployment_that_failed(shell: Shell) -> None:
    _stack(shell, "ROLLBACK_COMPLETE", StackStatusReason="The bucket exists.")
    assert shell.error(*STATUS) == (
        "The first deployment of the stack jiki-video-production-development in account 123456789012, us-east-1 did "
        "not succeed (ROLLBACK_COMPLETE: The bucket exists). Mend that, delete the stack and deploy it again: "
        f"{DEPLOY}"
    )


def test_a_stack_that_comes_or_goes(shell: Shell) -> None:
    _stack(shell, "CREATE_IN_PROGRESS")
    assert shell.error(*STATUS) == (
        "The stack jiki-video-production-development in account 123456789012, us-east-1 is being deployed for the "
        "first time; wait for its end."
    )
    _stack(shell, "DELETE_IN_PROGRESS")
    assert shell.error(*STATUS) == (
        "The stack jiki-video-production-development in account 123456789012, us-east-1 is being deleted "
        "(DELETE_IN_PROGRESS)."
    )


def test_an_older_stack_lacks_an_output(shell: Shell) -> None:
    _stack(shell, "CREATE_COMPLETE")
    assert shell.error("cancel", "lesson", *ENVIRONMENT) == (
        "The stack jiki-video-production-development does not say its PipelineMachineArn, so an older version of it is "
        f"deployed. Deploy it again: {DEPLOY}"
    )


def test_every_answer_says_where_it_comes_from(shell: Shell, deployed: Deployed, moto_url: str) -> None:
    write(deployed.nodes, [node("film", "merge-videos")])
    code, out, _ = shell.run("status", "lesson", *ENVIRONMENT)
    assert code == 0
    assert out.splitlines()[0] == (
        f"development · us-east-1 · account 123456789012 · answered by {moto_url} · lesson · Lesson · revision 1 · "
        "running"
    )


def test_an_unknown_environment_is_refused_with_the_known_ones(shell: Shell) -> None:
    words = shell.error("status", "--environment", "live")
    assert "'live' is not one of 'development', 'staging', 'production'" in words
