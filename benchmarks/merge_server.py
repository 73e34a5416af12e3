"""The project's S3 alone, until standard input ends.

Usage: python -m benchmarks.merge_server FOLDER ACCESS_LOG ACCESS_KEY SECRET_KEY          (prints its address)
"""

from __future__ import annotations

import sys
from pathlib import Path

from local_cloud.s3 import DiskS3


def main(arguments: list[str]) -> int:
    folder, log, key, secret = arguments
    with DiskS3(Path(folder), key, secret, Path(log)).serve() as running:
        print(running.url, flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
