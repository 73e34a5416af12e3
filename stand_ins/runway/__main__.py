"""`python -m stand_ins.runway --home DIR`: prints its URL, then speaks Runway's protocol until it is stopped."""

from __future__ import annotations

from stand_ins.command_line import command_line, serve_until_stopped
from stand_ins.runway.api import application
from stand_ins.runway.workspace import Settings, Workspace


def main() -> None:
    """Read the command line, serve, and put everything away."""
    parser = command_line("runway", __doc__, kept="tasks, clips")
    parser.add_argument("--api-key", default="draft-key", help="the one key that is accepted")
    parser.add_argument("--job-seconds", type=float, default=0.8, help="how long a task runs")
    parser.add_argument("--url-seconds", type=float, default=86400.0, help="how long the address of a clip works")
    given = parser.parse_args()
    workspace = Workspace(Settings(given.home, given.api_key, given.job_seconds, given.url_seconds))
    serve_until_stopped(application(workspace), workspace, given)


if __name__ == "__main__":
    main()
