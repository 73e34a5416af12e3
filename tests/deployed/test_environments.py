"""Environments side by side, and what outlives one that is destroyed."""

from __future__ import annotations

from typing import Any

from tests.deployed.inventory import changed, inventory
from tests.deployed.site import BUCKETS, Environment, Site
from video_production.settings import ROLES

STAGING: dict[str, Any] = {
    "bucket": {"name": BUCKETS["staging"], "create": True},
    "vpc": {"kind": "new", "zones": ["us-east-1a", "us-east-1b"]},
}
"""Differs from the other environment in what can be chosen: a bucket and a network of its own."""


def test_two_environments_live_side_by_side(site: Site, development: Environment) -> None:
    before = inventory(development.client)
    staging = site.deploy("staging", **STAGING)
    differences = changed(before, inventory(development.client))
    assert differences
    assert not [name for name in differences if "development" in name]
    assert staging.function("merger")["Environment"]["Variables"]["JIKI_ENVIRONMENT"] == "staging"


def test_an_environment_knows_nothing_of_the_other(site: Site, development: Environment) -> None:
    staging = site.deploy("staging", **STAGING)
    for role in ROLES:
        assert "development" not in str(staging.function(role)["Environment"])
        assert "staging" not in str(development.function(role)["Environment"])
    for name in (staging.names.pipeline_machine, staging.names.node_machine):
        assert "development" not in staging.machine(name)["definition"]


def test_a_created_bucket_is_private_encrypted_and_cleans_up(site: Site, development: Environment) -> None:
    staging = site.deploy("staging", **STAGING)
    assert staging.outputs["BucketName"] == BUCKETS["staging"]
    s3 = site.moto_s3()
    name = {"Bucket": BUCKETS["staging"]}
    blocked = s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    [rule] = s3.get_bucket_encryption(**name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert "aws:SecureTransport" in s3.get_bucket_policy(**name)["Policy"]
    rules = s3.get_bucket_lifecycle_configuration(**name)["Rules"]
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


def test_functions_in_a_network_reach_every_service_that_they_use(site: Site, development: Environment) -> None:
    staging = site.deploy("staging", **STAGING)
    ec2 = staging.client("ec2")
    [vpc] = [each for each in ec2.describe_vpcs()["Vpcs"] if not each["IsDefault"]]
    belongs = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = {each["SubnetId"] for each in ec2.describe_subnets(Filters=belongs)["Subnets"]}
    for role in ROLES:
        assert set(staging.function(role)["VpcConfig"]["SubnetIds"]) < subnets, role
    endpoints = ec2.describe_vpc_endpoints(Filters=belongs)["VpcEndpoints"]
    services = {each["ServiceName"].removeprefix("com.amazonaws.us-east-1.") for each in endpoints}
    assert services >= {"s3", "dynamodb", "states", "secretsmanager", "sqs", "events"}
    assert len(ec2.describe_nat_gateways(Filter=belongs)["NatGateways"]) == 1  # to the providers
    assert "VpcConfig" not in development.function("merger")


def test_destroying_an_environment_leaves_its_bucket_and_the_other_environment(
    site: Site, development: Environment
) -> None:
    staging = site.deploy("staging", **STAGING)
    staging.client("s3").put_object(Bucket=BUCKETS["staging"], Key="lesson/video.mp4", Body=b"a finished video")
    other = inventory(development.client, "development")
    site.destroy("staging")
    left = {name for name in inventory(development.client) if "staging" in name}
    assert left == {f"bucket {BUCKETS['staging']}"}
    assert all(vpc["IsDefault"] for vpc in staging.client("ec2").describe_vpcs()["Vpcs"])
    kept = staging.client("s3").get_object(Bucket=BUCKETS["staging"], Key="lesson/video.mp4")["Body"].read()
    assert kept == b"a finished video"
    assert inventory(development.client, "development") == other


def test_the_tables_and_the_bucket_of_production_outlive_it(site: Site) -> None:
    before = inventory(site.cloud.client)
    production = site.deploy("production")
    table = production.names.nodes_table
    aws = production.client("dynamodb")
    assert aws.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is True
    aws.put_item(TableName=table, Item={"pipeline_id": {"S": "lesson"}, "id": {"S": "intro"}})
    site.destroy("production")
    left = {table, production.names.takes_table, BUCKETS["production"]}
    assert {name.split()[1] for name in changed(before, inventory(site.cloud.client))} == left
    item = aws.get_item(TableName=table, Key={"pipeline_id": {"S": "lesson"}, "id": {"S": "intro"}})
    assert "Item" in item
