"""An environment that the command line takes for one on AWS: the local cloud, and a stack whose outputs name it.

Tables, machines, functions and bucket are the local cloud's; the command line finds them through CloudFormation, STS
and boto3's own settings alone, as it would on AWS.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from local_cloud.functions import NAMES, machine_arn
from local_cloud.handle import CloudHandle, exports
from video_production.settings import Names

__all__ = ["BUCKET", "DEVELOPMENT", "pretend", "variables"]

DEVELOPMENT = Names("development")
BUCKET = "jiki-videos-dev"


def variables(cloud: CloudHandle) -> dict[str, str]:
    """What a shell has after `up`'s lines: endpoints, credentials, region."""
    return {name: value for name, value in exports(cloud.endpoints).items() if name.startswith("AWS_")}


@contextmanager
def pretend(cloud: CloudHandle, *, mode: str = "draft", without: tuple[str, ...] = ()) -> Iterator[None]:
    """A development environment in this cloud, until the end of the block."""
    cloud.ensure_bucket(BUCKET)
    outputs = {
        "BucketName": BUCKET,
        "NodesTable": NAMES.nodes_table,
        "TakesTable": NAMES.takes_table,
        "PipelineMachineArn": machine_arn(NAMES.pipeline_machine),
        "NodeMachineArn": machine_arn(NAMES.node_machine),
        "MergerName": NAMES.function("merger"),
    }
    template = {
        "Resources": {"Any": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items() if name not in without},
    }
    formation, functions = cloud.client("cloudformation"), cloud.client("lambda")
    submitter = DEVELOPMENT.function("elevenlabs_submitter")
    formation.create_stack(StackName=DEVELOPMENT.stack, TemplateBody=json.dumps(template))
    role = functions.get_function_configuration(FunctionName=NAMES.function("scheduler"))["Role"]
    functions.create_function(
        FunctionName=submitter,
        Runtime="python3.13",
        Role=role,
        Handler="none.handler",
        Code={"ZipFile": _empty_zip()},
        Environment={"Variables": {"JIKI_ENVIRONMENT": "development", "ELEVENLABS_MODE": mode}},
    )
    try:
        yield
    finally:
        functions.delete_function(FunctionName=submitter)
        formation.delete_stack(StackName=DEVELOPMENT.stack)


def _empty_zip() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("none.py", "")
    return archive.getvalue()
