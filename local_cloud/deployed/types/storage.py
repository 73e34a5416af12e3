"""DynamoDB, S3 and SQS."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from local_cloud.deployed.resource import Made, Properties, ResourceType, document, tag_map, tags_of

__all__ = ["TYPES"]


class Table(ResourceType):
    type = "AWS::DynamoDB::Table"
    tags = "list"
    name_property = "TableName"
    name_limit = 255
    attributes = ("Arn", "StreamArn")
    replaced_by = frozenset({"KeySchema", "LocalSecondaryIndexes"})

    def create(self, name: str, properties: Properties) -> Made:
        request = {key: value for key, value in properties.items() if key not in _BESIDE_TABLE}
        request |= {"TableName": name, "Tags": tags_of(properties), "BillingMode": _billing(properties)}
        if "SSESpecification" in properties:
            request["SSESpecification"] = _encryption(properties)
        made = self.aws("dynamodb").create_table(**request)["TableDescription"]
        self._settle(name, {}, properties)
        return Made(name, {"Arn": made["TableArn"], "StreamArn": made.get("LatestStreamArn", "")})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        client = self.aws("dynamodb")
        request: dict[str, Any] = {}
        for key in ("DeletionProtectionEnabled", "StreamSpecification", "ProvisionedThroughput"):
            if old.get(key) != new.get(key):
                request[key] = new.get(key, False)
        if _billing(old) != _billing(new):
            request["BillingMode"] = _billing(new)
        if old.get("SSESpecification") != new.get("SSESpecification"):
            request["SSESpecification"] = _encryption(new)
        if changes := _index_changes(old, new):
            request |= {"GlobalSecondaryIndexUpdates": changes, "AttributeDefinitions": new["AttributeDefinitions"]}
        if request:
            client.update_table(TableName=made.id, **request)
        self._settle(made.id, old, new)
        if tags_of(old) != tags_of(new):
            arn = made.attributes["Arn"]
            client.untag_resource(ResourceArn=arn, TagKeys=list(tag_map(old)))
            client.tag_resource(ResourceArn=arn, Tags=tags_of(new))
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("dynamodb").delete_table(TableName=made.id)

    def _settle(self, name: str, old: Properties, new: Properties) -> None:
        """What has requests of its own: expiry and backups."""
        client = self.aws("dynamodb")
        if (expiry := new.get("TimeToLiveSpecification")) != (former := old.get("TimeToLiveSpecification")):
            wanted = expiry or {**(former or {}), "Enabled": False}
            client.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
        backups = new.get("PointInTimeRecoverySpecification")
        if backups != old.get("PointInTimeRecoverySpecification"):
            wanted = backups or {"PointInTimeRecoveryEnabled": False}
            client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=wanted)


_BESIDE_TABLE = {"TimeToLiveSpecification", "PointInTimeRecoverySpecification", "SSESpecification"}


def _billing(properties: Properties) -> str:
    return str(properties.get("BillingMode", "PROVISIONED"))


def _encryption(properties: Properties) -> dict[str, Any]:
    given = properties.get("SSESpecification", {})
    return {"Enabled": given.get("SSEEnabled", False), **{key: given[key] for key in given if key != "SSEEnabled"}}


def _index_changes(old: Properties, new: Properties) -> list[dict[str, Any]]:
    before, after = (
        {index["IndexName"]: index for index in each.get("GlobalSecondaryIndexes", ())} for each in (old, new)
    )
    gone = [name for name, index in before.items() if after.get(name) != index]
    fresh = [index for name, index in after.items() if before.get(name) != index]
    return [{"Delete": {"IndexName": name}} for name in gone] + [{"Create": index} for index in fresh]


class Bucket(ResourceType):
    """In moto, where its settings can be looked at, and in the S3 on disk, which the functions use."""

    type = "AWS::S3::Bucket"
    tags = "list"
    name_property = "BucketName"
    name_limit = 63
    attributes = ("Arn", "DomainName", "RegionalDomainName")

    def name_for(self, stack: str, logical_id: str, properties: Properties) -> str:
        return super().name_for(stack, logical_id, properties).lower()

    def create(self, name: str, properties: Properties) -> Made:
        if unknown := properties.keys() - _BUCKET_SETTINGS.keys() - {"BucketName"}:
            raise ValueError(f"properties that nothing here sets: {', '.join(sorted(unknown))}")
        self.aws("s3").create_bucket(Bucket=name)
        self.aws("media").create_bucket(Bucket=name)
        for key in properties.keys() & _BUCKET_SETTINGS.keys():
            self._set(name, key, properties[key])
        arn, domain = f"arn:aws:s3:::{name}", f"{name}.s3.amazonaws.com"
        return Made(name, {"Arn": arn, "DomainName": domain, "RegionalDomainName": domain})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        for key, empty in _BUCKET_SETTINGS.items():
            if old.get(key) != new.get(key):
                self._set(made.id, key, new.get(key, empty))
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("s3").delete_bucket(Bucket=made.id)
        self.aws("media").delete_bucket(Bucket=made.id)

    def _set(self, bucket: str, key: str, value: Any) -> None:
        s3 = self.aws("s3")
        match key:
            case "BucketEncryption":
                rules = [
                    {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
                     **({"BucketKeyEnabled": rule["BucketKeyEnabled"]} if "BucketKeyEnabled" in rule else {})}
                    for rule in value["ServerSideEncryptionConfiguration"]
                ]  # fmt: skip
                s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
            case "PublicAccessBlockConfiguration":
                s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=value)
            case "VersioningConfiguration":
                s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=value)
            case "LifecycleConfiguration" if value:
                rules = [_lifecycle(rule) for rule in value["Rules"]]
                s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
            case "LifecycleConfiguration":
                s3.delete_bucket_lifecycle(Bucket=bucket)
            case "OwnershipControls":
                s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=value)
            case "AccessControl":
                # LogDeliveryWrite → log-delivery-write
                s3.put_bucket_acl(Bucket=bucket, ACL=re.sub(r"(?<=[a-z])(?=[A-Z])", "-", value).lower())
            case _:
                s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": value})


_BUCKET_SETTINGS: Mapping[str, Any] = {
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    },
    "PublicAccessBlockConfiguration": {},
    "VersioningConfiguration": {"Status": "Suspended"},
    "LifecycleConfiguration": None,
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "AccessControl": "Private",
    "Tags": [],
}
"""The settings of a bucket that we know, each with what it is when nothing is said."""


def _lifecycle(rule: Properties) -> dict[str, Any]:
    """A rule as S3's API has it."""
    known = {
        "Id", "Status", "Prefix", "TagFilters", "ExpirationInDays", "ExpiredObjectDeleteMarker",
        "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays",
    }  # fmt: skip
    if unknown := rule.keys() - known:
        raise ValueError(f"lifecycle settings that nothing here sets: {', '.join(sorted(unknown))}")
    made: dict[str, Any] = {"Status": rule["Status"], "Filter": _filter(rule)}
    if "Id" in rule:
        made["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    elif "ExpiredObjectDeleteMarker" in rule:
        made["Expiration"] = {"ExpiredObjectDeleteMarker": rule["ExpiredObjectDeleteMarker"]}
    if "AbortIncompleteMultipartUpload" in rule:
        made["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    if "NoncurrentVersionExpiration" in rule:
        made["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    elif "NoncurrentVersionExpirationInDays" in rule:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(rule["NoncurrentVersionExpirationInDays"])}
    return made


def _filter(rule: Properties) -> dict[str, Any]:
    tags = list(rule.get("TagFilters", ()))
    prefix = rule.get("Prefix")
    if not tags:
        return {"Prefix": prefix or ""}
    if len(tags) == 1 and prefix is None:
        return {"Tag": tags[0]}
    return {"And": {"Tags": tags, **({"Prefix": prefix} if prefix else {})}}


class BucketPolicy(ResourceType):
    type = "AWS::S3::BucketPolicy"
    replaced_by = frozenset({"Bucket"})

    def create(self, name: str, properties: Properties) -> Made:
        policy = document(properties["PolicyDocument"])
        self.aws("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)
        return Made(properties["Bucket"])

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("s3").delete_bucket_policy(Bucket=properties["Bucket"])


class Queue(ResourceType):
    type = "AWS::SQS::Queue"
    tags = "list"
    name_property = "QueueName"
    name_limit = 80
    attributes = ("Arn", "QueueName", "QueueUrl")
    replaced_by = frozenset({"FifoQueue"})

    def create(self, name: str, properties: Properties) -> Made:
        url = self.aws("sqs").create_queue(
            QueueName=name, Attributes=_queue_attributes(properties), tags=tag_map(properties)
        )["QueueUrl"]
        return Made(url, {"Arn": self._arn(url), "QueueName": name, "QueueUrl": url})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        attributes = {**dict.fromkeys(_queue_attributes(old), ""), **_queue_attributes(new)}
        self.aws("sqs").set_queue_attributes(QueueUrl=made.id, Attributes=attributes)
        if tag_map(old) != tag_map(new):
            self.aws("sqs").untag_queue(QueueUrl=made.id, TagKeys=list(tag_map(old)))
            self.aws("sqs").tag_queue(QueueUrl=made.id, Tags=tag_map(new))
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("sqs").delete_queue(QueueUrl=made.id)

    def _arn(self, url: str) -> str:
        answer = self.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])


def _queue_attributes(properties: Properties) -> dict[str, str]:
    def text(value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        return json.dumps(value) if isinstance(value, Mapping) else str(value)

    return {key: text(value) for key, value in properties.items() if key not in ("QueueName", "Tags")}


class QueuePolicy(ResourceType):
    type = "AWS::SQS::QueuePolicy"
    replaced_by = frozenset({"Queues"})

    def create(self, name: str, properties: Properties) -> Made:
        for url in properties["Queues"]:
            policy = document(properties["PolicyDocument"])
            self.aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return Made(name)

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        for url in properties["Queues"]:
            self.aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})


TYPES: tuple[type[ResourceType], ...] = (Table, Bucket, BucketPolicy, Queue, QueuePolicy)
