"""`python -m stand_ins.veo3 --home DIR`: prints its URL, then speaks Google's protocols until it is stopped."""

from __future__ import annotations

from stand_ins.command_line import command_line, serve_until_stopped
from stand_ins.veo3.api import application
from stand_ins.veo3.workspace import Settings, Workspace


def main() -> None:
    """Read the command line, serve, and put everything away."""
    parser = command_line("veo3", __doc__, kept="operations, films")
    parser.add_argument("--job-seconds", type=float, default=0.8, help="how long an operation takes at least")
    parser.add_argument("--token-seconds", type=float, default=3600.0, help="how long an access token works")
    given = parser.parse_args()
    workspace = Workspace(Settings(given.home, given.job_seconds, given.token_seconds))
    serve_until_stopped(application(workspace), workspace, given)


if __name__ == "__main__":
    main()
