"""The settings of the three environments, read from the context of `cdk.json` and checked whole.

`cdk.json` holds `"environments": {"development": {…}, "staging": {…}, "production": {…}}`; `-c environment=NAME`
chooses one. `-c overrides='{"bucket": {"create": true}}'` (JSON, or an object in the context) is laid over the chosen
environment's settings, object by object, and checked the same way: for a trial or a test, nothing to edit.

Wrong settings raise SettingsError with one sentence per problem. Nothing here asks AWS or the network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self, get_args

from botocore.loaders import create_loader
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from video_production.pipelines import provider_limits
from video_production.settings import (
    ENVIRONMENTS,
    POLL_LIMIT,
    PROVIDER_FACTS,
    PROVIDERS,
    ROLES,
    Mode,
    Names,
    ProviderFacts,
    ProviderSettings,
    submitter_of,
)
from video_production.takes.waiting import looks_until

__all__ = [
    "DEFAULT_ENVIRONMENT",
    "Api",
    "Bucket",
    "EnvironmentSettings",
    "ExistingVpc",
    "NewVpc",
    "ProviderOptions",
    "SettingsError",
    "Tables",
    "read_settings",
    "sections_in",
]

DEFAULT_ENVIRONMENT = "development"
_OWN = "own"
"""The type of the problems whose sentence is written here."""
_THIS_MACHINE = ("localhost", "127.0.0.1")
_LONGEST_SUBMISSION = min(ROLES[submitter_of(name)].timeout for name in PROVIDERS) - 30
"""Seconds; the submitter keeps half a minute for recording what became of a request."""
_OPTIONS = tuple({option: None for facts in PROVIDER_FACTS.values() for option in facts.options})
"""The settings that only some providers have."""


class SettingsError(Exception):
    """Settings that can't be deployed; `problems` holds one sentence each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _keys_of(known: tuple[str, ...], what: str) -> AfterValidator:
    def check(given: dict[str, Any]) -> dict[str, Any]:
        for key in given:
            if key not in known:
                raise PydanticCustomError(_OWN, f"'{key}' is no {what}; there are {_listed(known)}")
        return given

    return AfterValidator(check)


def _known_region(region: str) -> str:
    """A region that botocore's own list of partitions has: a mistyped one would only fail at the deployment."""
    partitions = create_loader().load_data("partitions")["partitions"]
    known = [name for partition in partitions for name in partition["regions"] if re.search(r"-\d$", name)]
    if region not in known:
        near = tuple(sorted(get_close_matches(region, known)))
        raise PydanticCustomError(_OWN, f"AWS has no region '{region}'{f'; similar: {_listed(near)}' if near else ''}")
    return region


class _Section(BaseModel):
    """A group of settings: strict types, no unknown keys, frozen. A field's description says what is allowed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
HostName = Annotated[str, Field(pattern=r"^(localhost|127\.0\.0\.1|([a-z0-9-]+\.)+[a-z]{2,})$")]
Zone = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$")]


class Bucket(_Section):
    """The video bucket. What is asked of one that exists already is refused: the stack has no hand in it.

    What expires is gone for good: a pipeline that is changed later than that is to be made anew with `--fresh`.
    """

    name: BucketName = Field(description="a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens")
    create: bool = Field(default=False, description="true (the stack creates the bucket) or false (it exists already)")
    versioning: bool = Field(default=False, description="true or false")
    expire_old_versions_after_days: int | None = Field(
        default=30, ge=1, le=3650, description="null or whole days from 1 to 3650"
    )
    expire_intermediates_after_days: int | None = Field(
        default=None, ge=1, le=3650, description="null (they stay) or whole days from 1 to 3650"
    )
    readable: tuple[BucketName, ...] = Field(
        default=(), description="a list of names of further buckets that may be read"
    )

    @model_validator(mode="after")
    def _protections_take_effect(self) -> Self:
        expiring = [
            name
            for name in ("expire_old_versions_after_days", "expire_intermediates_after_days")
            if name in self.model_fields_set and getattr(self, name) is not None
        ]
        if self.create:
            if expiring[:1] == ["expire_old_versions_after_days"] and not self.versioning:
                raise PydanticCustomError(_OWN, f"{expiring[0]} needs versioning to be true")
            return self
        commands = []
        if self.versioning:
            enabled = "--versioning-configuration Status=Enabled"
            commands.append(f"`aws s3api put-bucket-versioning --bucket {self.name} {enabled}`")
        if expiring:
            commands.append("`aws s3api put-bucket-lifecycle-configuration` as docs/deploy.md shows")
        if commands:
            asked = _listed((*(["versioning"] if self.versioning else []), *expiring))
            raise PydanticCustomError(
                _OWN,
                f"{asked} would do nothing to a bucket that exists already (create is false); take that out of the "
                f"settings and run {' and '.join(commands)}",
            )
        return self


class NewVpc(_Section):
    """A VPC that the stack creates."""

    kind: Literal["new"] = Field(description="'new' or 'existing'")
    cidr: str = Field(
        default="10.20.0.0/16",
        pattern=r"^(\d{1,3}\.){3}\d{1,3}/(1[6-9]|2[0-4])$",
        description="an IPv4 range between /16 and /24, such as '10.20.0.0/16'",
    )
    zones: tuple[Zone, ...] = Field(min_length=1, max_length=3, description="a list of 1 to 3 availability zones")
    nat_gateways: int = Field(
        default=1, ge=1, le=3, description="a number from 1 to 3; the providers are reached through them"
    )

    @model_validator(mode="after")
    def _gateways_fit(self) -> Self:
        if self.nat_gateways > len(self.zones):
            raise PydanticCustomError(_OWN, "nat_gateways must not be larger than the number of zones")
        return self


class ExistingVpc(_Section):
    """A VPC that exists, described by its ids so that nothing has to be looked up."""

    kind: Literal["existing"] = Field(description="'new' or 'existing'")
    id: str = Field(pattern=r"^vpc-[0-9a-f]{8,17}$", description="a VPC's id, such as 'vpc-0123456789abcdef0'")
    zones: tuple[Zone, ...] = Field(min_length=1, description="a list of availability zones, one per subnet")
    private_subnets: tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...] = Field(
        min_length=1, description="a list of subnet ids, one per zone, with a way to the internet through NAT"
    )

    @model_validator(mode="after")
    def _subnets_fit(self) -> Self:
        if len(self.zones) != len(self.private_subnets):
            raise PydanticCustomError(_OWN, "zones and private_subnets must have the same length")
        return self


_VPC_KINDS: dict[Any, type[BaseModel]] = {"new": NewVpc, "existing": ExistingVpc}


class ProviderOptions(_Section):
    """How the functions talk to one provider. Times in seconds; null: as `settings.PROVIDER_FACTS` says."""

    mode: Mode = Field(default="live", description="'live' or 'draft' (a stand-in at base_url)")
    base_url: str = Field(
        default="",
        pattern=r"^($|https://[^\s/]+|http://(127\.0\.0\.1|localhost)(:\d+)?(/|$))",
        description="'' (the provider's own address) or an https:// address",
    )
    account: str = Field(
        default="default", min_length=1, max_length=64, description="a name for the account, 1 to 64 letters"
    )
    max_jobs: int | None = Field(default=None, ge=1, le=500, description="a whole number from 1 to 500")
    poll_interval_seconds: float | None = Field(default=None, ge=1, le=300, description="a number from 1 to 300")
    poll_growth: float | None = Field(default=None, ge=0, le=1, description="a number from 0 to 1")
    poll_longest_seconds: float | None = Field(default=None, ge=1, le=900, description="a number from 1 to 900")
    deadline_seconds: float | None = Field(default=None, ge=60, le=86400, description="a number from 60 to 86400")
    poll_limit: int = Field(default=POLL_LIMIT, ge=1, le=1900, description="a whole number from 1 to 1900")
    """A round is 13 events in the execution's history, which ends at 25,000."""
    submit_budget_seconds: float | None = Field(
        default=None, ge=10, le=_LONGEST_SUBMISSION, description=f"a number from 10 to {_LONGEST_SUBMISSION}"
    )
    indexing_lag_seconds: float | None = Field(default=None, ge=0, le=3600, description="a number from 0 to 3600")
    webhooks: bool = Field(
        default=False, description="true (jobs ask for a webhook, once `webhooks register` has subscribed) or false"
    )
    project: str = Field(
        default="", pattern=r"^($|[a-z][a-z0-9-]{4,28}[a-z0-9]$)", description="a Google Cloud project"
    )
    location: str = Field(
        default="", pattern=r"^($|[a-z]+(-[a-z]+\d+)?$)", description="a location of Vertex AI, such as 'us-central1'"
    )
    bucket: str = Field(
        default="", pattern=r"^($|[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$)", description="a bucket of Google Cloud Storage"
    )
    model: str = Field(default="", pattern=r"^[a-z0-9._-]{0,64}$", description="the name of a model")
    engine: str = Field(default="", pattern=r"^[a-z0-9._-]{0,64}$", description="the name of an engine")

    @model_validator(mode="after")
    def _address_fits_the_mode(self) -> Self:
        if self.mode == "draft" and not self.base_url:
            raise PydanticCustomError(_OWN, "mode 'draft' needs base_url, the stand-in's address")
        if self.mode == "live" and self.base_url.startswith("http:"):
            raise PydanticCustomError(_OWN, "mode 'live' sends the API key, so base_url must be an https:// address")
        return self

    def of(self, facts: ProviderFacts, names: Names) -> ProviderSettings:
        """As the functions get them, with what the provider's facts say where nothing is said here."""

        def given(value: float | None, usual: float) -> float:
            return usual if value is None else value

        return ProviderSettings(
            mode=self.mode,
            base_url=self.base_url,
            secret=names.secret(facts.name),
            account=self.account,
            poll_interval=given(self.poll_interval_seconds, facts.first_poll),
            poll_limit=self.poll_limit,
            submit_budget=given(self.submit_budget_seconds, facts.submit_budget),
            indexing_lag=given(self.indexing_lag_seconds, facts.indexing_lag),
            webhook_secret=names.webhook_secret(facts.name) if facts.webhooks else "",
            webhooks=self.webhooks,
            poll_growth=given(self.poll_growth, facts.growth),
            poll_longest=given(self.poll_longest_seconds, facts.longest_poll),
            poll_fastest=facts.fastest_poll,
            deadline=given(self.deadline_seconds, facts.deadline),
            max_jobs=facts.concurrency if self.max_jobs is None else self.max_jobs,
            options={option: getattr(self, option) for option in facts.options},
        )

    def problem(self, facts: ProviderFacts, names: Names) -> str:
        """What can't be so with this provider, as a sentence without its full stop; empty: nothing."""
        for option in _OPTIONS:
            if getattr(self, option) and option not in facts.options:
                return f"{facts.name}.{option} is no setting of {facts.title}"
        for option, known in provider_limits.SETTINGS.get(facts.name, {}).items():
            named = getattr(self, option)
            if named and named not in known:
                return f"{facts.name}.{option}: {facts.title} has no '{named}'; there are {_listed(known)}"
        if self.webhooks and not facts.webhooks:
            return f"{facts.name}.webhooks is true, but {facts.title} sends none"
        if self.webhooks and not facts.asks_for_webhooks:
            reports = f"{facts.title} reports every job once somebody subscribed"
            return f"{facts.name}.webhooks is true, but {reports}; remove it"
        whole = self.of(facts, names)
        waits = (whole.poll_interval, whole.poll_longest, whole.deadline)
        if whole.mode == "live" and whole.poll_interval < facts.fastest_poll:
            allowed = f"{facts.title} may be asked only every {facts.fastest_poll:g} seconds"
            return f"{facts.name}.poll_interval_seconds is {whole.poll_interval:g}, but {allowed}"
        if not waits[0] <= waits[1] <= waits[2]:
            fields = "poll_interval_seconds, poll_longest_seconds and deadline_seconds"
            told = _listed(tuple(f"{wait:g}" for wait in waits))
            return f"{facts.name}: {fields} are {told}; none may be less than the one before"
        looks = looks_until(whole.deadline, whole)
        if looks > whole.poll_limit:
            return (
                f"{facts.name}.poll_limit is {whole.poll_limit}, but a job is looked at {looks} times until its "
                "deadline; raise it, or let the waits grow"
            )
        return ""


class Tables(_Section):
    """Both DynamoDB tables."""

    removal: Literal["retain", "destroy"] = Field(
        default="retain", description="'retain' (they outlive the stack) or 'destroy'"
    )
    deletion_protection: bool = Field(default=True, description="true or false")


class Api(_Section):
    """The HTTP API's throttle, for all routes together."""

    requests_per_second: float = Field(default=20, ge=1, le=10000, description="a number from 1 to 10000")
    burst: int = Field(default=40, ge=1, le=5000, description="a whole number from 1 to 5000")


_Providers = Annotated[dict[str, ProviderOptions], _keys_of(PROVIDERS, "provider")]
_Megabytes = Annotated[int, Field(ge=128, le=10240)]
_Concurrency = Annotated[int, Field(ge=1, le=10000)]


class EnvironmentSettings(_Section):
    """Everything that differs between environments."""

    environment: Literal["development", "staging", "production"]
    region: Annotated[str, AfterValidator(_known_region)] = Field(
        pattern=r"^[a-z]{2,4}(-[a-z]+)+-\d$", description="an AWS region, such as 'us-east-1'"
    )
    account: str | None = Field(
        default=None, pattern=r"^\d{12}$", description="null or the 12 digits of the only account to deploy to"
    )
    bucket: Bucket = Field(description="an object with the settings of the video bucket")
    alarm_email: str | None = Field(
        default=None,
        pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
        description="null or the e-mail address that gets the alarms",
    )
    vpc: Annotated[NewVpc | ExistingVpc, Field(discriminator="kind")] | None = Field(
        default=None, description="null, or an object whose kind is 'new' or 'existing'"
    )
    architecture: Literal["x86_64", "arm64"] = Field(default="arm64", description="'x86_64' or 'arm64'")
    memory: Annotated[dict[str, _Megabytes], _keys_of(tuple(ROLES), "function")] = Field(
        default={}, description="a whole number of megabytes from 128 to 10240"
    )
    reserved_concurrency: Annotated[dict[str, _Concurrency], _keys_of(tuple(ROLES), "function")] = Field(
        default={}, description="a whole number from 1 to 10000"
    )
    allow_inband: bool = Field(
        default=False,
        description="true or false: whether merges may put codec settings into the stream, which spares encoding",
    )
    callback_hosts: tuple[HostName, ...] = Field(
        default=(), description="a list of host names that callbacks may be sent to, without https:// and path"
    )
    providers: _Providers = Field(default={}, description="an object with one object of options per provider")
    tables: Tables = Field(default=Tables(), description="an object with the settings of the tables")
    api: Api = Field(default=Api(), description="an object with the throttle of the HTTP API")
    stale_after_seconds: int = Field(default=120, ge=30, le=3600, description="a whole number from 30 to 3600")
    monthly_budget_usd: float | None = Field(
        default=None, gt=0, description="null (no limit) or a number of US dollars above 0"
    )
    prices: dict[str, Any] = Field(
        default={}, description="an object in the form of prices.json, with the prices that differ for you"
    )
    daily_spend_alarm_usd: float = Field(default=50, gt=0, description="a number of US dollars above 0")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="'DEBUG', 'INFO', 'WARNING' or 'ERROR'"
    )
    log_execution_data: bool = Field(
        default=False, description="true or false: whether the machines log what their states pass on"
    )

    def provider(self, name: str) -> ProviderSettings:
        """The settings of a provider, whole."""
        options = self.providers.get(name) or ProviderOptions()
        return options.of(PROVIDER_FACTS[name], Names(self.environment))

    def memory_of(self, role: str) -> int:
        """The memory of a function in MB."""
        return self.memory.get(role, ROLES[role].memory)

    @model_validator(mode="after")
    def _providers_can_do_it(self) -> Self:
        for name, options in self.providers.items():
            if problem := options.problem(PROVIDER_FACTS[name], Names(self.environment)):
                raise PydanticCustomError(_OWN, f"providers.{problem}")
        return self

    @model_validator(mode="after")
    def _only_drafts_call_this_machine(self) -> Self:
        """Without TLS a callback would reach the runtime API inside the function. An emulator has its callers there."""
        drafts = any(options.mode == "draft" for options in self.providers.values())
        for host in self.callback_hosts:
            if host in _THIS_MACHINE and not drafts:
                raise PydanticCustomError(
                    _OWN,
                    f"callback_hosts: '{host}' is this machine, which on AWS is the function itself; it may only be "
                    "named where a provider's mode is 'draft'",
                )
        return self

    @model_validator(mode="after")
    def _zones_lie_in_the_region(self) -> Self:
        for zone in self.vpc.zones if self.vpc else ():
            if zone[:-1] != self.region:
                raise PydanticCustomError(_OWN, f"vpc.zones: '{zone}' does not lie in {self.region}")
        return self


def read_settings(environments: Any, environment: Any = None, overrides: Any = None) -> EnvironmentSettings:
    """The settings of `environment`, with `overrides` (a mapping or its JSON) laid over them.

    `environments` is the object of that name in the context. Without `environment`, development is meant.
    Raises SettingsError with every problem.
    """
    environment = DEFAULT_ENVIRONMENT if environment is None else environment
    if environment == "":
        known = _listed(ENVIRONMENTS)
        raise SettingsError((f"-c environment= names no environment; there are {known}.",))
    if environment not in ENVIRONMENTS:
        raise SettingsError((f"There is no environment '{environment}'; there are {_listed(ENVIRONMENTS)}.",))
    if not isinstance(environments, Mapping) or not isinstance(environments.get(environment), Mapping):
        raise SettingsError((f"cdk.json: context.environments lacks an object with the settings of '{environment}'.",))
    raw = {**_laid_over(environments[environment], _parsed(overrides)), "environment": environment}
    try:
        return EnvironmentSettings.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise SettingsError(tuple(_sentence(environment, problem) for problem in error.errors())) from None


def _parsed(overrides: Any) -> Mapping[str, Any]:
    if isinstance(overrides, str):
        try:
            overrides = json.loads(overrides)
        except ValueError:
            overrides = ...
    if overrides is not None and not isinstance(overrides, Mapping):
        raise SettingsError(('overrides must be a JSON object, such as -c overrides=\'{"log_level": "DEBUG"}\'.',))
    return overrides or {}


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _laid_over(below[key], value)
        for key, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
    }
    return {**below, **above, **both}


def _sentence(environment: str, problem: Any) -> str:
    """One of pydantic's problems as a sentence: environment, key, what is allowed there."""
    sections: list[type[BaseModel]] = [EnvironmentSettings]
    path: list[str] = []
    allowed = ""
    for step in problem["loc"]:
        around = sections
        if step in _VPC_KINDS and path == ["vpc"]:
            sections = [_VPC_KINDS[step]]
            continue
        path.append(str(step))
        field = next((each.model_fields[step] for each in sections if step in each.model_fields), None)
        if field:
            sections, allowed = sections_in(field.annotation), field.description or ""
    where, key = f"Settings of '{environment}': ", ".".join(path)
    if problem["type"] == "extra_forbidden":
        return f"{where}{key} is not a setting; there are {_listed(_keys(around))}."
    if problem["type"] == "missing":
        return f"{where}{key} is missing; it must be {allowed}."
    if problem["type"] == _OWN:
        return f"{where}{key + ': ' if key else ''}{problem['msg']}."
    return f"{where}{key} is {json.dumps(problem['input'])}; it must be {allowed}."


def sections_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field may hold, however deep in its type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in sections_in(part)]


def _keys(sections: list[type[BaseModel]]) -> tuple[str, ...]:
    return tuple(key for section in sections for key in section.model_fields if key != "environment")


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
