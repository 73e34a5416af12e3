"""`python -m stand_ins.elevenlabs --home DIR`: prints its URL, then speaks ElevenLabs' protocol until it is stopped."""

from __future__ import annotations

from stand_ins.command_line import command_line, serve_until_stopped
from stand_ins.elevenlabs.api import application
from stand_ins.elevenlabs.workspace import Settings, Workspace


def main() -> None:
    """Read the command line, serve, and put everything away."""
    parser = command_line("elevenlabs", __doc__, kept="jobs, audio")
    parser.add_argument("--api-key", default="draft-key", help="the one key that is accepted")
    parser.add_argument("--job-seconds", type=float, default=0.8, help="how long an asynchronous job takes")
    parser.add_argument("--url-seconds", type=float, default=3600.0, help="how long a download link works")
    parser.add_argument("--retry-seconds", type=float, default=30.0, help="until a webhook is sent for the second time")
    given = parser.parse_args()
    settings = Settings(given.home, given.api_key, given.job_seconds, given.url_seconds, given.retry_seconds)
    workspace = Workspace(settings)
    serve_until_stopped(application(workspace), workspace, given)


if __name__ == "__main__":
    main()
