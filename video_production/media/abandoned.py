"""Multipart uploads that a killed process left open: nobody sees them, and S3 bills their parts until they end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from video_production.settings import ROLES
from video_production.storage import S3Location

__all__ = ["UPLOAD_LIFETIME", "abort_abandoned"]

UPLOAD_LIFETIME = ROLES["merger"].timeout + 300.0
"""Seconds after which no upload of a merger can be alive: its time limit, and what clocks may differ."""

_log = logging.getLogger(__name__)


def abort_abandoned(client: Any, target: S3Location, *, folder: str = "", lifetime: float = UPLOAD_LIFETIME) -> int:
    """Abort the open uploads of `target`, or of everything below `folder` (a prefix of its key that ends with "/"),
    which began more than `lifetime` seconds ago; return how many.

    It only cleans up: where it isn't allowed, or S3 does not answer, what is left stays for the next time.
    """
    before = datetime.now(UTC) - timedelta(seconds=lifetime)
    aborted = 0
    try:
        # All pages first: S3 finds the next one by the last upload of a page, so that must still be there.
        for upload in list(_open_uploads(client, target.bucket, folder or target.key)):
            if upload["Initiated"] <= before and (folder or upload["Key"] == target.key):
                client.abort_multipart_upload(Bucket=target.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                aborted += 1
    except (ClientError, BotoCoreError) as error:
        _log.info("open uploads of s3://%s/%s can't be cleaned up: %s", target.bucket, folder or target.key, error)
    return aborted


def _open_uploads(client: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    after: dict[str, str] = {}
    while True:
        page = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix, **after)
        yield from page.get("Uploads", [])
        if not page.get("IsTruncated"):
            return
        after = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
