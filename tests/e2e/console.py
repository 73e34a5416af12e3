"""Console blocks of the documentation: reading them, running them in a shell, comparing what they print.

A block is fenced as `console`. A line that starts with `$ ` is a command, `> ` lines right after it continue it, and
the lines up to the next command are what it prints. In these, `…` stands for anything within a line, and a line that is
only `…` for any number of lines. A command must end with exit code 0. Times, ids and ports need not be the same, nor
the order of nodes that finish next to each other.

All blocks of a page run in order in one shell. A block that can't be run here has the line
`<!-- not-local: reason -->` above it.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "Command", "ConsoleError", "Shell", "matches", "read_blocks"]

_FENCE = re.compile(r"```(\w*)(?: .*)?\s*")
_NOT_LOCAL = re.compile(r"<!-- not-local: (.+) -->")
ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Command:
    """One command with what it should print; `line` is its place in the page."""

    line: int
    text: str
    output: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One console block. `not_local` says why it is not run; empty for a block that is."""

    page: Path
    line: int
    commands: tuple[Command, ...]
    not_local: str


class ConsoleError(AssertionError):
    """A block is malformed, or a command did not do what its page says."""


def read_blocks(page: Path) -> list[Block]:
    """Every console block of a page. Raises ConsoleError for output without a command and for a missing end."""
    blocks: list[Block] = []
    fence, start, above = "", 0, ""
    lines: list[str] = []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        found = _FENCE.fullmatch(line)
        if found and not fence:
            fence, start, lines = found[1] or "text", number, []
            marker = _NOT_LOCAL.fullmatch(above)
        elif found:
            if fence == "console":
                blocks.append(Block(page, start, _commands(page, start + 1, lines), marker[1] if marker else ""))
            fence = ""
        elif fence:
            lines.append(line)
        above = line
    if fence:
        raise ConsoleError(f"{page}:{start}: this block has no end.")
    return blocks


def _commands(page: Path, first: int, lines: list[str]) -> tuple[Command, ...]:
    commands: list[Command] = []
    for number, line in enumerate(lines, start=first):
        if line.startswith("$ "):
            commands.append(Command(number, line[2:], ()))
            continue
        if not commands:
            raise ConsoleError(f"{page}:{number}: this output belongs to no command.")
        last = commands.pop()
        if not last.output and (line.startswith("> ") or line == ">"):
            commands.append(Command(last.line, f"{last.text}\n{line[2:]}", ()))
        else:
            commands.append(Command(last.line, last.text, (*last.output, line)))
    return tuple(commands)


def matches(expected: tuple[str, ...], printed: str) -> bool:
    """Whether a command printed what its page shows."""
    pattern = []
    for line in _in_order(list(expected)):
        if line.strip() == ANYTHING:
            pattern.append(r"(?:.*\n)*?")
        else:
            pattern.append(".*".join(re.escape(_same(part)) for part in line.rstrip().split(ANYTHING)) + r"\n")
    text = "".join(f"{_same(line)}\n" for line in _in_order(printed.rstrip().splitlines()))
    return re.fullmatch("".join(pattern), text if text.strip() else "") is not None


def _same(text: str) -> str:
    """Text with everything replaced by a fixed word that differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\b[0-9a-f]{32,64}\b", "(id)", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:(port)", text)
    text = re.sub(r"\b(?:\d+ min )?\d+(?:\.\d+)? s\b", "(time)", text)
    return re.sub(r"(?<=\S) {2,}", "  ", text).rstrip()


def _in_order(lines: list[str]) -> list[str]:
    """Nodes that finish next to each other (` ✓ …` with what is told beneath) sorted, since their order is not fixed.

    Signs of life (`   … lesson (joining)`) come when a machine is slow; they are left out.
    """
    ordered: list[str] = []
    done: list[list[str]] = []
    for line in [*(line for line in lines if not line.startswith("   … ")), ""]:
        if line.startswith(" ✓ "):
            done.append([line])
        elif done and line.startswith("    "):
            done[-1].append(line)
        else:
            ordered += [entry for node in sorted(done, key=lambda node: _same(node[0])) for entry in node]
            ordered.append(line)
            done = []
    return ordered[:-1]


class Shell:
    """One bash for the blocks of one page, in `folder`. A context manager; its background jobs end with it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._scratch = folder.parent / f"{folder.name}-shell"
        self._scratch.mkdir()
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._tell("kill $(jobs -p) 2>/dev/null; wait; exit")
            self._process.wait(30)
        except BrokenPipeError:
            self._process.wait()
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def run(self, text: str, timeout: float) -> tuple[int, str]:
        """Run a command; its exit code and what it printed, errors included. Raises ConsoleError when time is over."""
        script, printed = self._scratch / "command", self._scratch / "printed"
        script.write_text(text + "\n")
        printed.unlink(missing_ok=True)
        self._tell(f". {script} </dev/null >{printed} 2>&1; echo $?")
        code = self._read_line(timeout)
        if code is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise ConsoleError(f"did not end within {timeout:.0f} s; it printed:\n{printed.read_text()}")
        return int(code), printed.read_text()

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _read_line(self, timeout: float) -> str | None:
        pipe = self._process.stdout
        assert pipe
        line, deadline = b"", time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
                piece = os.read(pipe.fileno(), 64)
                if not piece:
                    raise ConsoleError("ended the shell.")
                line += piece
        return line.decode().strip()
