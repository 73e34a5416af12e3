"""`python -m stand_ins.veo3 --home DIR`: prints its URL, then speaks Google's protocols until it is stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

from stand_ins.server import StandInServer, run
from stand_ins.veo3.api import application
from stand_ins.veo3.workspace import Settings, Workspace


def main() -> None:
    """Read the command line, serve, and put everything away."""
    parser = argparse.ArgumentParser(prog="python -m stand_ins.veo3", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) picks a free one")
    parser.add_argument("--home", type=Path, required=True, help="where operations, films and the charge book are kept")
    parser.add_argument("--job-seconds", type=float, default=0.8, help="how long an operation takes at least")
    parser.add_argument("--token-seconds", type=float, default=3600.0, help="how long an access token works")
    parser.add_argument("--parent", type=int, help="stop when this process is no longer the parent")
    given = parser.parse_args()
    workspace = Workspace(Settings(given.home, given.job_seconds, given.token_seconds))
    try:
        run(StandInServer(application(workspace), given.port), given.parent)
    finally:
        workspace.close()


if __name__ == "__main__":
    main()
