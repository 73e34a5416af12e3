"""A small S3 on disk: objects are plain files that anyone can open, served by S3's own protocol and rules."""

from local_cloud.s3.server import DiskS3, RunningS3

__all__ = ["DiskS3", "RunningS3"]
