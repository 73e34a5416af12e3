"""Runs a Python program that ends with its parent, however the parent ends: `python -P lifeline.py TARGET [ARGUMENT…]`.

TARGET is a module name or the path of a `.py` file. The parent keeps the write end of our standard input open; when it
closes (also when the parent gets a SIGKILL), the whole process group goes, FFmpeg children included. Start it in a
session of its own. Works on every POSIX system, unlike PR_SET_PDEATHSIG, which also
fires when only the *thread* that started us ends.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

__all__ = ["end_with_parent"]


def end_with_parent() -> None:
    """Kill this process group once standard input closes; afterwards standard input reads as empty."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_watch, args=(lifeline,), name="lifeline", daemon=True).start()


def _watch(lifeline: int) -> None:
    while os.read(lifeline, 64):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    end_with_parent()
    target = sys.argv[1]
    sys.argv = sys.argv[1:]
    if target.endswith(".py"):
        runpy.run_path(target, run_name="__main__")
    else:
        runpy.run_module(target, run_name="__main__", alter_sys=True)
