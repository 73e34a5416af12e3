"""Stacks behave as CloudFormation's do where a deployment would otherwise look better than it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deployed.site import Site

NAME = "small"


class Stack:
    """A small stack, deployed without the CDK."""

    def __init__(self, site: Site) -> None:
        self.client = site.cloud.client
        self._formation = site.cloud.client("cloudformation")
        self._there = False

    def deploy(self, resources: dict[str, Any], **outputs: Any) -> str:
        """Create or update it; the status in which that ends."""
        template = {"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
        change = self._formation.update_stack if self._there else self._formation.create_stack
        change(StackName=NAME, TemplateBody=json.dumps(template))
        self._there = True
        return str(self._described["StackStatus"])

    @property
    def outputs(self) -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self._described.get("Outputs", ())}

    @property
    def reasons(self) -> str:
        """Why resources failed."""
        events = self._formation.describe_stack_events(StackName=NAME)["StackEvents"]
        return " ".join(each.get("ResourceStatusReason", "") for each in events if "FAILED" in each["ResourceStatus"])

    @property
    def _described(self) -> dict[str, Any]:
        [found] = self._formation.describe_stacks(StackName=NAME)["Stacks"]
        described: dict[str, Any] = found
        return described

    def delete(self) -> None:
        if self._there:
            self._formation.delete_stack(StackName=NAME)
            self._there = False

    def queues(self) -> list[str]:
        urls = self.client("sqs").list_queues(QueueNamePrefix=NAME).get("QueueUrls", ())
        return sorted(url.rpartition("/")[2] for url in urls)


@pytest.fixture
def stack(site: Site) -> Iterator[Stack]:
    made = Stack(site)
    yield made
    made.delete()


def queue(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, **more}}


def test_a_type_that_nothing_makes_fails_the_deployment_and_leaves_nothing(stack: Stack) -> None:
    status = stack.deploy({"First": queue("small-first"), "Odd": {"Type": "AWS::Odd::Thing", "DependsOn": "First"}})
    assert status == "ROLLBACK_COMPLETE"
    assert "Odd (AWS::Odd::Thing)" in stack.reasons
    assert stack.queues() == []


def test_a_property_that_the_api_does_not_know_fails_the_deployment(stack: Stack) -> None:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "small", "Colour": "red"}}
    assert stack.deploy({"Secret": secret}) == "ROLLBACK_COMPLETE"
    assert 'Unknown parameter in input: "Colour"' in stack.reasons


def test_a_failed_update_says_why(stack: Stack) -> None:
    stack.deploy({"First": queue("small-first")})
    status = stack.deploy({"First": queue("small-first"), "Odd": {"Type": "AWS::Odd::Thing"}})
    assert status == "UPDATE_ROLLBACK_FAILED"
    assert "Odd (AWS::Odd::Thing)" in stack.reasons


def test_what_replaces_a_resource_reaches_what_refers_to_it(stack: Stack) -> None:
    def resources(name: str) -> dict[str, Any]:
        policy = {"Statement": [{"Effect": "Allow", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}]}
        properties = {"Queues": [{"Ref": "Queue"}], "PolicyDocument": policy}
        return {"Queue": queue(name), "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": properties}}

    stack.deploy(resources("small-before"), Url={"Ref": "Queue"})
    assert stack.deploy(resources("small-after"), Url={"Ref": "Queue"}) == "UPDATE_COMPLETE"
    assert stack.queues() == ["small-after"]
    url = stack.outputs["Url"]
    policy = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    assert url.endswith("small-after")
    assert "small-after" in policy


def test_a_retained_resource_outlives_its_removal_from_the_template(stack: Stack) -> None:
    kept = {**queue("small-kept"), "DeletionPolicy": "Retain"}
    stack.deploy({"Kept": kept, "Gone": queue("small-gone"), "Other": queue("small-other")})
    stack.deploy({"Other": queue("small-other")})
    assert stack.queues() == ["small-kept", "small-other"]
    stack.delete()
    assert stack.queues() == ["small-kept"]
    sqs = stack.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="small-kept")["QueueUrl"])


def test_a_named_resource_is_not_replaced_under_its_name(stack: Stack) -> None:
    def table(key: str) -> dict[str, Any]:
        return {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "small-table",
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            },
        }

    stack.deploy({"Table": table("before")})
    assert stack.deploy({"Table": table("after")}) == "UPDATE_ROLLBACK_FAILED"
    assert "custom-named resource requires replacing" in stack.reasons
