"""Build the layer, or the layer and every function's bundle, and print their sizes.

Usage: .venv/bin/python -m tools.bundles [layer]
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.bundles import Target, bundle, ffmpeg_layer, size_of, zipped
from tools.bundles.bundler import ROOT
from video_production.errors import OperatorError
from video_production.settings import ROLES

LIMIT = 250_000_000
"""Bytes that Lambda allows a function and its layers unzipped, read as cautiously as it can be."""
_ARCHITECTURES: tuple[Target, ...] = ("x86_64", "arm64")


def main() -> int:
    if sys.argv[1:] not in ([], ["layer"]):
        print(__doc__, file=sys.stderr)
        return 1
    try:
        for architecture in _ARCHITECTURES:
            _print(ffmpeg_layer(architecture))
            if not sys.argv[1:]:
                for role in ROLES:
                    _print(bundle(role, architecture=architecture))
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _print(folder: Path) -> None:
    unzipped, packed = size_of(folder), len(zipped(folder))
    print(f"{folder.relative_to(ROOT)}: {unzipped / 1e6:.1f} MB, {packed / 1e6:.1f} MB zipped", flush=True)


if __name__ == "__main__":
    sys.exit(main())
