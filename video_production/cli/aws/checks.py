"""`doctor` of an environment on AWS. Nothing is changed and no secret is read; what may not be looked at is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from video_production.cli.aws.connection import Connection, Identity, deploy_command, find_stack, sign_in
from video_production.cli.aws.operating_checks import alarms, dead_letters, mail, quotas, throttled
from video_production.cli.aws.refusals import code_of, told
from video_production.cli.findings import Finding, broken, note, well
from video_production.cli.words import count
from video_production.errors import OperatorError
from video_production.settings import PROVIDER_FACTS, ROLES, FunctionSettings, ProviderFacts

__all__ = ["examine_environment", "examine_stack"]

_SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "IMPORT_COMPLETE")
_OUTPUTS = (
    "BucketName",
    "NodesTable",
    "TakesTable",
    "PipelineMachineArn",
    "NodeMachineArn",
    "MergerName",
    "ApiUrl",
    "AlarmTopicArn",
)

Check = Callable[[Connection], Iterator[Finding]]


def examine_environment(environment: str) -> tuple[str, Iterator[Finding]]:
    """The banner, and every finding as soon as it is known. Raises OperatorError where nobody can be asked at all."""
    identity = sign_in(environment)
    return identity.place.banner, _findings(identity)


def _findings(identity: Identity) -> Iterator[Finding]:
    yield well("credentials", identity.arn)
    yield well("region", identity.place.region)
    try:
        connection = find_stack(identity)
    except OperatorError as error:
        yield broken("stack", str(error))
        return
    yield from examine_stack(connection)


def examine_stack(connection: Connection) -> Iterator[Finding]:
    """Every finding about a stack that is there."""
    checks: tuple[tuple[str, Check], ...] = (
        ("stack", _stack),
        ("functions", _functions),
        ("machines", _machines),
        ("throttling", throttled),
        ("tables", _tables),
        ("bucket", _bucket),
        ("secrets", _secrets),
        ("quotas", quotas),
        ("alarms", alarms),
        ("dead letters", dead_letters),
        ("alarm mail", mail),
    )
    for subject, check in checks:
        try:
            with told():
                yield from check(connection)
        except OperatorError as error:
            yield note(subject, f"could not be looked at: {error}")


def _stack(connection: Connection) -> Iterator[Finding]:
    stack, again = connection.stack, deploy_command(connection.names.environment)
    changed = stack.get("LastUpdatedTime") or stack.get("CreationTime")
    when = f", deployed {changed.astimezone():%Y-%m-%d %H:%M}" if changed else ""
    words = f"{connection.names.stack} {connection.status}{when}"
    if connection.status in _SETTLED:
        yield well("stack", words)
    elif connection.status.endswith("IN_PROGRESS"):
        yield note("stack", words, "a deployment is under way; look again when it has ended")
    elif connection.status == "UPDATE_ROLLBACK_COMPLETE":
        yield note("stack", words, f"the last deployment was taken back; see its events, then: {again}")
    else:
        advice = "let CloudFormation finish: aws cloudformation continue-update-rollback --stack-name "
        yield broken("stack", words, f"{advice}{connection.names.stack}; then: {again}")
    if missing := [name for name in _OUTPUTS if name not in connection.outputs]:
        yield broken("stack", f"does not say its {', '.join(missing)}", f"an older version is deployed: {again}")
    if stack.get("DriftInformation", {}).get("StackDriftStatus") == "DRIFTED":
        yield note("stack", "somebody changed resources by hand", f"see its drift in CloudFormation, then: {again}")


def _functions(connection: Connection) -> Iterator[Finding]:
    client, again = connection.client("lambda"), deploy_command(connection.names.environment)
    sound = 0
    for role in ROLES:
        name = connection.names.function(role)
        try:
            found = client.get_function_configuration(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            yield broken("functions", f"there is no function {name}", f"deploy again: {again}")
            continue
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if state in ("Active", "Inactive") and update != "Failed":
            sound += 1
        else:
            why = found.get("LastUpdateStatusReason") or found.get("StateReason") or ""
            yield broken("functions", f"{name} is {state}, its last update {update} {why}".rstrip(), f"deploy: {again}")
        if role.endswith("_submitter"):
            yield from _mode(role, found.get("Environment", {}).get("Variables", {}))
    if sound == len(ROLES):
        yield well("functions", f"{sound} of {len(ROLES)} are active")


def _mode(role: str, variables: dict[str, str]) -> Iterator[Finding]:
    provider = role.removesuffix("_submitter")
    settings = FunctionSettings.from_environment(variables).provider(provider)
    if settings.mode == "draft":
        yield note("provider", f"{provider} is a stand-in at {settings.base_url}: what it makes is a draft")
        return
    yield well("provider", f"{provider} is live: its results are paid for")
    if settings.options.get("bucket") == "":
        yield note("provider", f"{provider} has no bucket", f"set bucket of {provider} in cdk.json to use it; deploy")


def _machines(connection: Connection) -> Iterator[Finding]:
    client = connection.client("stepfunctions")
    for output in ("PipelineMachineArn", "NodeMachineArn"):
        arn = connection.output(output)
        status = client.describe_state_machine(stateMachineArn=arn)["status"]
        name = arn.rpartition(":")[2]
        yield well("machines", f"{name} is active") if status == "ACTIVE" else broken("machines", f"{name} is {status}")


def _tables(connection: Connection) -> Iterator[Finding]:
    client = connection.client("dynamodb")
    for output in ("NodesTable", "TakesTable"):
        name = connection.output(output)
        table = client.describe_table(TableName=name)["Table"]
        if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
            yield broken("tables", f"{name} is {table['TableStatus']}")
        else:
            yield well("tables", f"{name}: about {count(table['ItemCount'], 'item')}")


def _bucket(connection: Connection) -> Iterator[Finding]:
    """Reachable, in this region, and writable: an upload is begun and abandoned, which leaves nothing behind."""
    client, name = connection.client("s3"), connection.output("BucketName")
    try:
        found = client.head_bucket(Bucket=name)
    except client.exceptions.ClientError as error:
        if code_of(error) != "404":
            raise
        yield broken("bucket", f"{name} does not exist", f"create it: aws s3 mb s3://{name}")
        return
    region = found.get("BucketRegion") or connection.place.region
    if region != connection.place.region:
        yield note("bucket", f"{name} lies in {region}", "every byte between it and the functions is paid for")
    key = ".jiki-video/doctor"
    upload = client.create_multipart_upload(Bucket=name, Key=key)["UploadId"]
    client.abort_multipart_upload(Bucket=name, Key=key, UploadId=upload)
    yield well("bucket", f"{name} can be reached and written")


def _secrets(connection: Connection) -> Iterator[Finding]:
    """Whether each has a value; which one is not asked."""
    names, client = connection.names, connection.client("secretsmanager")
    keys = [_key(connection, client, facts) for facts in PROVIDER_FACTS.values()]
    unused = [each for each in keys if each.state == "note"]
    # Nobody needs every provider, but without any nothing can be made.
    yield from (replace(each, state="broken") if len(unused) == len(keys) else each for each in keys)
    for facts in PROVIDER_FACTS.values():
        if facts.webhooks:
            option = f" --provider {facts.name}"
            advice = f"./jiki-video webhooks register{connection.place.option}{option}"
            without = f"finished jobs are noticed by asking; to be told of them: {advice}"
            yield _secret(connection, client, names.webhook_secret(facts.name), note, without)
    advice = (
        f"aws secretsmanager put-secret-value --secret-id {names.callback_secret} --secret-string A_LONG_RANDOM_TEXT"
    )
    yield _secret(connection, client, names.callback_secret, note, f"merges with a callback_url need it: {advice}")


def _key(connection: Connection, client: Any, facts: ProviderFacts) -> Finding:
    name = connection.names.secret(facts.name)
    key = "file://CREDENTIALS.json" if facts.key_in_file else "YOUR_API_KEY"
    command = f"aws secretsmanager put-secret-value --secret-id {name} --secret-string {key}"
    return _secret(connection, client, name, note, f"{facts.title} can't make {facts.makes} until: {command}")


def _secret(
    connection: Connection, client: Any, name: str, unless: Callable[[str, str, str], Finding], advice: str
) -> Finding:
    try:
        found = client.describe_secret(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return broken("secrets", f"{name} does not exist", f"deploy: {deploy_command(connection.names.environment)}")
    if found.get("DeletedDate"):
        return broken("secrets", f"{name} is being deleted", f"aws secretsmanager restore-secret --secret-id {name}")
    stages = [stage for version in found.get("VersionIdsToStages", {}).values() for stage in version]
    return (
        well("secrets", f"{name} has a value")
        if "AWSCURRENT" in stages
        else unless("secrets", f"{name} has no value", advice)
    )
