"""Settings: what `cdk.json` says, what may be laid over it, and what is told when it can't be right."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stacks.settings import SettingsError, read_settings
from video_production.pipelines.provider_limits import SETTINGS
from video_production.settings import ENVIRONMENTS, PROVIDER_FACTS, ProviderFacts

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def environments() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((CHECKOUT / "cdk.json").read_text())["context"]["environments"]
    return found


def problems(environments: Any, environment: str = "staging", overrides: Any = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        read_settings(environments, environment, overrides)
    return refused.value.problems


def test_cdk_json_has_the_three_environments_and_no_other(environments: Mapping[str, Any]) -> None:
    assert tuple(environments) == ENVIRONMENTS
    for environment in ENVIRONMENTS:
        assert read_settings(environments, environment).environment == environment


def test_development_is_meant_when_nothing_is_said(environments: Mapping[str, Any]) -> None:
    assert read_settings(environments).environment == "development"


def test_the_buckets_exist_beforehand(environments: Mapping[str, Any]) -> None:
    buckets = [read_settings(environments, environment).bucket for environment in ENVIRONMENTS]
    assert [bucket.name for bucket in buckets] == ["jiki-videos-dev", "jiki-videos-staging", "jiki-videos-production"]
    assert not any(bucket.create for bucket in buckets)


def test_overrides_change_what_they_name_and_nothing_else(environments: Mapping[str, Any]) -> None:
    before = read_settings(environments, "production")
    after = read_settings(environments, "production", '{"bucket": {"create": true}, "log_level": "ERROR"}')
    assert (after.bucket.name, after.bucket.create, after.log_level) == (before.bucket.name, True, "ERROR")
    assert after.tables == before.tables
    assert after.provider("elevenlabs") == before.provider("elevenlabs")


def test_a_provider_can_be_replaced_by_a_stand_in(environments: Mapping[str, Any]) -> None:
    overrides = {"providers": {"elevenlabs": {"mode": "draft", "base_url": "http://127.0.0.1:1234"}}}
    options = read_settings(environments, "development", overrides).provider("elevenlabs")
    assert (options.mode, options.base_url, options.deadline) == ("draft", "http://127.0.0.1:1234", 1800)


def test_callbacks_reach_this_machine_where_a_stand_in_makes_the_voices(environments: Mapping[str, Any]) -> None:
    voices = {"mode": "draft", "base_url": "http://127.0.0.1:1234"}
    overrides = {"callback_hosts": ["localhost", "127.0.0.1"], "providers": {"elevenlabs": voices}}
    assert read_settings(environments, "development", overrides).callback_hosts == ("localhost", "127.0.0.1")


def test_settings_are_frozen(environments: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read_settings(environments).region = "eu-west-1"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("facts", PROVIDER_FACTS.values(), ids=PROVIDER_FACTS)
def test_cdk_json_says_what_is_usual_at_each_provider(
    environments: Mapping[str, Any], environment: str, facts: ProviderFacts
) -> None:
    provider = read_settings(environments, environment).provider(facts.name)
    assert (provider.mode, provider.max_jobs, provider.deadline) == ("live", facts.concurrency, facts.deadline)
    assert (provider.poll_interval, provider.poll_growth) == (facts.first_poll, facts.growth)
    assert facts.fastest_poll <= provider.poll_interval <= provider.poll_longest == facts.longest_poll


def test_a_provider_that_is_not_mentioned_is_used_as_usual(environments: Mapping[str, Any]) -> None:
    development = {**environments["development"], "providers": {}}
    settings = read_settings({"development": development})
    usual = read_settings(environments).provider("runway")
    assert settings.provider("runway") == replace(usual, options={"model": ""}), "what is paid for is never assumed"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_cdk_json_names_what_documents_may_leave_out(environments: Mapping[str, Any], environment: str) -> None:
    settings = read_settings(environments, environment)
    assert settings.provider("heygen").options == {"engine": "avatar_iv"}
    assert settings.provider("runway").options == {"model": "gen4.5"}


@pytest.mark.parametrize(
    ("provider", "option", "name"),
    [(provider, *named) for provider, options in SETTINGS.items() for named in options.items()],
)
def test_everything_that_documents_may_name_may_be_set(
    environments: Mapping[str, Any], provider: str, option: str, name: tuple[str, ...]
) -> None:
    for each in name:
        overrides = {"providers": {provider: {option: each}}}
        assert read_settings(environments, "staging", overrides).provider(provider).options[option] == each


def test_an_unknown_environment_is_one_sentence(environments: Mapping[str, Any]) -> None:
    assert problems(environments, "prod") == (
        "There is no environment 'prod'; there are development, staging and production.",
    )


def test_an_empty_variable_is_no_environment(environments: Mapping[str, Any]) -> None:
    assert problems(environments, "") == (
        "-c environment= names no environment; there are development, staging and production.",
    )


def test_what_asks_nothing_of_the_bucket_may_be_written_down(environments: Mapping[str, Any]) -> None:
    written = {"versioning": False, "expire_old_versions_after_days": None, "expire_intermediates_after_days": None}
    assert not read_settings(environments, "staging", {"bucket": written}).bucket.create


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1", "us-gov-east-1", "eusc-de-east-1"])
def test_every_partition_has_regions(environments: Mapping[str, Any], region: str) -> None:
    assert read_settings(environments, "staging", {"region": region}).region == region


def test_an_environment_that_cdk_json_lacks_is_one_sentence() -> None:
    sentence = "cdk.json: context.environments lacks an object with the settings of 'staging'."
    assert problems({}) == problems(None) == (sentence,)


@pytest.mark.parametrize("overrides", ["{", "[]", "5", 5])
def test_overrides_that_are_no_object_are_one_sentence(environments: Mapping[str, Any], overrides: Any) -> None:
    [sentence] = problems(environments, overrides=overrides)
    assert sentence.startswith("overrides must be a JSON object, such as")


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"architecture": "mips"}, "architecture is \"mips\"; it must be 'x86_64' or 'arm64'."),
        ({"bucket": {"name": "Videos"}}, 'bucket.name is "Videos"; it must be a bucket name: 3 to 63 lower-case'),
        ({"bucket": {"create": "yes"}}, 'bucket.create is "yes"; it must be true (the stack creates the bucket) or'),
        ({"bucket": {"make": True}}, "bucket.make is not a setting; there are name, create, versioning"),
        ({"alarm_email": "nobody"}, 'alarm_email is "nobody"; it must be null or the e-mail address'),
        ({"regoin": "eu-west-1"}, "regoin is not a setting; there are region, account, bucket"),
        ({"region": "Ireland"}, "region is \"Ireland\"; it must be an AWS region, such as 'us-east-1'."),
        ({"region": "us-eest-1"}, "region: AWS has no region 'us-eest-1'; similar: us-east-1, us-west-1 and us-west-2"),
        ({"region": "mars-north-1"}, "region: AWS has no region 'mars-north-1'"),
        (
            {"account": "12345"},
            'account is "12345"; it must be null or the 12 digits of the only account to deploy to.',
        ),
        ({"account": 123456789012}, "account is 123456789012; it must be null or the 12 digits"),
        (
            {"providers": {"elevenlabs": {"poll_limit": 1901}}},
            "providers.elevenlabs.poll_limit is 1901; it must be a whole number from 1 to 1900.",
        ),
        (
            {"bucket": {"versioning": True}},
            "bucket: versioning would do nothing to a bucket that exists already (create is false); take that out of "
            "the settings and run `aws s3api put-bucket-versioning --bucket jiki-videos-staging "
            "--versioning-configuration Status=Enabled`.",
        ),
        (
            {"bucket": {"expire_old_versions_after_days": 30, "expire_intermediates_after_days": 60}},
            "bucket: expire_old_versions_after_days and expire_intermediates_after_days would do nothing to a bucket "
            "that exists already (create is false); take that out of the settings and run `aws s3api "
            "put-bucket-lifecycle-configuration` as docs/deploy.md shows.",
        ),
        (
            {"bucket": {"create": True, "expire_old_versions_after_days": 10}},
            "bucket: expire_old_versions_after_days needs versioning to be true.",
        ),
        (
            {"callback_hosts": ["https://x.org/"]},
            'callback_hosts.0 is "https://x.org/"; it must be a list of host names',
        ),
        ({"callback_hosts": ["169.254.169.254"]}, 'callback_hosts.0 is "169.254.169.254"; it must be a list of host'),
        *(
            (
                {"callback_hosts": ["app.example.com", host]},
                f"callback_hosts: '{host}' is this machine, which on AWS is the function itself; it may only be named "
                "where a provider's mode is 'draft'.",
            )
            for host in ("localhost", "127.0.0.1")
        ),
        ({"memory": {"murger": 3008}}, "memory: 'murger' is no function; there are merger, audio_mixer"),
        ({"memory": {"merger": 20000}}, "memory.merger is 20000; it must be a whole number of megabytes from 128 to"),
        (
            {"memory": {"merger": True}},
            "memory.merger is true; it must be a whole number of megabytes from 128 to 10240",
        ),
        ({"reserved_concurrency": {"merger": 0}}, "reserved_concurrency.merger is 0; it must be a whole number from 1"),
        (
            {"providers": {"sora": {}}},
            "providers: 'sora' is no provider; there are elevenlabs, heygen, veo3 and runway.",
        ),
        (
            {"providers": {"runway": {"poll_interval_seconds": 2}}},
            "providers.runway.poll_interval_seconds is 2, but Runway may be asked only every 5 seconds.",
        ),
        (
            {"providers": {"heygen": {"poll_interval_seconds": 90, "poll_longest_seconds": 60}}},
            "providers.heygen: poll_interval_seconds, poll_longest_seconds and deadline_seconds are 90, 60 and 7200; "
            "none may be less than the one before.",
        ),
        (
            {"providers": {"heygen": {"poll_growth": 0}}},
            "providers.heygen.poll_limit is 400, but a job is looked at 1440 times until its deadline; raise it, or "
            "let the waits grow.",
        ),
        (
            {"providers": {"heygen": {"max_jobs": 0}}},
            "providers.heygen.max_jobs is 0; it must be a whole number",
        ),
        (
            {"providers": {"veo3": {"webhooks": True}}},
            "providers.veo3.webhooks is true, but veo3 (Veo 3.1) sends",
        ),
        (
            {"providers": {"heygen": {"webhooks": True}}},
            "providers.heygen.webhooks is true, but HeyGen reports every job once somebody subscribed; remove it.",
        ),
        ({"providers": {"heygen": {"project": "lessons"}}}, "providers.heygen.project is no setting of HeyGen."),
        (
            {"providers": {"runway": {"model": "gen5"}}},
            "providers.runway.model: Runway has no 'gen5'; there are gen4.5, veo3.1 and veo3.1_fast.",
        ),
        (
            {"providers": {"veo3": {"model": "veo-2"}}},
            "providers.veo3.model: veo3 (Veo 3.1) has no 'veo-2'; there are veo-3.1-generate-001, veo-3.1-fast-",
        ),
        (
            {"providers": {"heygen": {"engine": "avatar_9"}}},
            "providers.heygen.engine: HeyGen has no 'avatar_9'; there are avatar_iii, avatar_iv and avatar_v.",
        ),
        (
            {"providers": {"heygen": {"engine": "Avatar IV"}}},
            'providers.heygen.engine is "Avatar IV"; it must be the name of an engine.',
        ),
        (
            {"providers": {"veo3": {"bucket": "gs://films"}}},
            'providers.veo3.bucket is "gs://films"; it must be a',
        ),
        (
            {"monthly_budget_usd": math.inf},
            "monthly_budget_usd is Infinity; it must be null (no limit) or a number of US",
        ),
        ({"monthly_budget_usd": 0}, "monthly_budget_usd is 0; it must be null (no limit) or a number of US dollars"),
        ({"providers": {"elevenlabs": {"mode": "draft"}}}, "providers.elevenlabs: mode 'draft' needs base_url"),
        (
            {"providers": {"elevenlabs": {"base_url": "http://api.example.com"}}},
            "providers.elevenlabs.base_url is \"http://api.example.com\"; it must be '' (the provider's own",
        ),
        (
            {"providers": {"elevenlabs": {"base_url": "http://127.0.0.1:1234"}}},
            "providers.elevenlabs: mode 'live' sends the API key, so base_url must be an https:// address.",
        ),
        (
            {"providers": {"elevenlabs": {"submit_budget_seconds": 280}}},
            "providers.elevenlabs.submit_budget_seconds is 280; it must be a number from 10 to 270.",
        ),
        (
            {"tables": {"removal": "keep"}},
            "tables.removal is \"keep\"; it must be 'retain' (they outlive the stack) or",
        ),
        ({"daily_spend_alarm_usd": 0}, "daily_spend_alarm_usd is 0; it must be a number of US dollars above 0."),
        ({"vpc": {"zones": ["us-east-1a"]}}, "vpc is {"),
        ({"vpc": {"kind": "new", "zones": []}}, "vpc.zones is []; it must be a list of 1 to 3 availability zones."),
        ({"vpc": {"kind": "new"}}, "vpc.zones is missing; it must be a list of 1 to 3 availability zones."),
        ({"vpc": {"kind": "new", "zones": ["eu-west-1a"]}}, "vpc.zones: 'eu-west-1a' does not lie in us-east-1."),
        (
            {"vpc": {"kind": "new", "zones": ["us-east-1a"], "nat_gateways": 2}},
            "vpc: nat_gateways must not be larger than the number of zones.",
        ),
        (
            {
                "vpc": {
                    "kind": "existing",
                    "id": "main",
                    "zones": ["us-east-1a"],
                    "private_subnets": ["subnet-12345678"],
                }
            },
            'vpc.id is "main"; it must be a VPC\'s id, such as',
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_says_what_is_allowed(
    environments: Mapping[str, Any], overrides: Any, sentence: str
) -> None:
    [problem] = problems(environments, overrides=overrides)
    assert problem.startswith(f"Settings of 'staging': {sentence}")
    assert problem.endswith(".")
    assert "\n" not in problem


def test_every_problem_is_told_at_once(environments: Mapping[str, Any]) -> None:
    found = problems(environments, overrides={"region": None, "architecture": "mips", "bucket": {"name": ""}})
    assert len(found) == 3
