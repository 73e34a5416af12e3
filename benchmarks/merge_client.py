"""One merge as a process of its own, so that its time, its memory and its files can be measured from outside.

Usage: python -m benchmarks.merge_client METHOD TIMES BUCKET OUTPUT INPUT...

METHOD is a method of our merge or `baseline`: download with boto3's transfer manager, `ffmpeg -f concat`, upload. Where
S3 is, who asks and where temporary files go stands in the environment. Merges so many TIMES, as a function that stays
warm, and prints one JSON object: seconds of a merge (the median) and processor seconds (the mean), imports left out.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

import boto3
import imageio_ffmpeg

from video_production.media.merge import MergeInput, Wish, merge
from video_production.storage import S3Location, Storage

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    method, repeats, bucket, output, *keys = arguments
    ffmpeg = str(imageio_ffmpeg.get_ffmpeg_exe())
    client = boto3.client("s3")

    def run(work: Path) -> None:
        if method == "baseline":
            _baseline(client, bucket, output, keys, work, ffmpeg)
            return
        wish = next(wish for wish in get_args(Wish) if wish == method)
        inputs = [MergeInput(key, S3Location(bucket, key)) for key in keys]
        target = S3Location(bucket, output)
        merge(inputs, target, work, storage=Storage(client), method=wish, ffmpeg=ffmpeg)

    walls = []
    spent = _processor_seconds()
    for _ in range(int(repeats)):
        with tempfile.TemporaryDirectory(prefix="merge-") as work:
            begun = time.monotonic()
            run(Path(work))
            walls.append(time.monotonic() - begun)
    cpu = (_processor_seconds() - spent) / int(repeats)
    print(json.dumps({"wall_s": statistics.median(walls), "cpu_s": cpu}))
    return 0


def _processor_seconds() -> float:
    """Of this process and of the children that have ended."""
    return sum(os.times()[:4])


def _baseline(client: object, bucket: str, output: str, keys: list[str], work: Path, ffmpeg: str) -> None:
    """What everyone does."""
    for index, key in enumerate(keys):
        client.download_file(bucket, key, str(work / f"{index}.mp4"))  # type: ignore[attr-defined]
    listing, joined = work / "list.txt", work / "joined.mp4"
    listing.write_text("".join(f"file '{work / f'{index}.mp4'}'\n" for index in range(len(keys))))
    command = [ffmpeg, "-v", "error", "-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy"]
    subprocess.run([*command, "-movflags", "+faststart", str(joined)], check=True)
    client.upload_file(str(joined), bucket, output)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
