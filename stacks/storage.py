"""The video bucket: one that exists, or one that the stack creates."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.policies import acknowledge
from stacks.settings import Bucket
from video_production.settings import INTERMEDIATE_TAG

__all__ = ["VideoBucket"]


class VideoBucket(Construct):
    """`bucket`: encrypted, private and TLS-only where the stack creates it; it always outlives the stack."""

    def __init__(self, scope: Construct, id: str, *, settings: Bucket) -> None:
        super().__init__(scope, id)
        self.name = settings.name
        self.bucket: s3.IBucket
        if settings.create:
            self.bucket = self._created(settings)
        else:
            self.bucket = s3.Bucket.from_bucket_name(self, "Imported", settings.name)

    def _created(self, settings: Bucket) -> s3.Bucket:
        tag, value = INTERMEDIATE_TAG
        rules = [
            s3.LifecycleRule(
                id="abort-incomplete-uploads", abort_incomplete_multipart_upload_after=cdk.Duration.days(2)
            )
        ]
        if settings.versioning and settings.expire_old_versions_after_days:
            days = cdk.Duration.days(settings.expire_old_versions_after_days)
            rules.append(s3.LifecycleRule(id="expire-old-versions", noncurrent_version_expiration=days))
        if settings.expire_intermediates_after_days:
            days = cdk.Duration.days(settings.expire_intermediates_after_days)
            rules.append(s3.LifecycleRule(id="expire-intermediates", expiration=days, tag_filters={tag: value}))
        bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=settings.name,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=settings.versioning,
            lifecycle_rules=rules,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        acknowledge(
            bucket,
            {"AwsSolutions-S1": "Access logs would need a second bucket; CloudTrail's data events tell the same."},
        )
        return bucket
