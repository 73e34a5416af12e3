"""What `python -m stand_ins.PROVIDER` takes and does, whatever the provider."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from stand_ins.home import Home
from stand_ins.server import Application, StandInServer, run

__all__ = ["command_line", "serve_until_stopped"]


def command_line(name: str, description: str | None, *, kept: str) -> argparse.ArgumentParser:
    """The options that every stand-in has; `kept` is what lies in its folder."""
    parser = argparse.ArgumentParser(prog=f"python -m stand_ins.{name}", description=description)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) picks a free one")
    parser.add_argument("--home", type=Path, required=True, help=f"where {kept} and the charge book are kept")
    parser.add_argument("--parent", type=int, help="stop when this process is no longer the parent")
    return parser


def serve_until_stopped(application: Application, home: Home, given: argparse.Namespace) -> None:
    """Serve as the command line says, and put everything away."""
    with contextlib.closing(home):
        run(StandInServer(application, given.port), given.parent)
