"""`python -m stand_ins.heygen --home DIR`: prints its URL, then speaks HeyGen's v3 protocol until it is stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

from stand_ins.heygen.api import application
from stand_ins.heygen.workspace import Settings, Workspace
from stand_ins.server import StandInServer, run


def main() -> None:
    """Read the command line, serve, and put everything away."""
    parser = argparse.ArgumentParser(prog="python -m stand_ins.heygen", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) picks a free one")
    parser.add_argument("--home", type=Path, required=True, help="where videos, assets and the charge book are kept")
    parser.add_argument("--api-key", default="draft-key", help="the one key that is accepted")
    parser.add_argument("--job-seconds", type=float, default=0.8, help="how long a video takes at least")
    parser.add_argument("--url-seconds", type=float, default=3600.0, help="how long a download link works")
    parser.add_argument("--retry-seconds", type=float, default=30.0, help="until a webhook is sent for the second time")
    parser.add_argument("--parent", type=int, help="stop when this process is no longer the parent")
    given = parser.parse_args()
    settings = Settings(given.home, given.api_key, given.job_seconds, given.url_seconds, given.retry_seconds)
    workspace = Workspace(settings)
    try:
        run(StandInServer(application(workspace), given.port), given.parent)
    finally:
        workspace.close()


if __name__ == "__main__":
    main()
