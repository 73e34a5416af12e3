"""The one way in which this project runs FFmpeg."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import IO

from video_production.errors import MediaError, OperatorError, OutOfTime, VideoProductionError

__all__ = ["broken_picture", "broken_sound", "run_ffmpeg", "undecodable"]

_STDERR_LIMIT = 256 << 10
"""Bytes of FFmpeg's messages that are kept: the newest ones, where errors and summaries stand."""

_CHUNK = 64 << 10

_CONTEXT = re.compile(r"^(\[[^\]]*\] *)+")
_NOISE = re.compile(
    r"^(Conversion failed|Exiting|frame=|size=|video:|Last message repeated|Nothing was written|Terminating|"
    r"Task finished|Failed to inject|Error (opening|selecting|(re)?initializing|sending|submitting|muxing|writing|"
    r"closing) |Error while (opening|filtering|processing)|Could not open encoder before EOF|Output file is empty|"
    r"Press \[q\]|Finishing stream|Received |Qavg|kb/s:|Statistics:|Parsed_|Stream #|Stream mapping|Input #|"
    r"Output #|Metadata:|Duration:|Side data:|\w+ +: |Summary:|Integrated loudness:|Loudness range:|"
    r"(I|LRA|LRA low|LRA high|Threshold): )"
)
_BROKEN_FILE = re.compile(
    r"File ended prematurely|exceeds containing master element|inside parent with finite size|of an EBML number"
    r"|[Pp]acket corrupt|corrupt input packet"
)
_BROKEN_PICTURE = re.compile(
    r"\[vist#[^\n]*(corrupt decoded frame|Error submitting|Decoding error)|error while decoding MB|concealing \d+"
    r"|LZW decode failed"
)
_BROKEN_SOUND = re.compile(r"\[aist#[^\n]*(corrupt decoded frame|Error submitting|Decoding error)|Header missing")
_INPUT_AT_FAULT = (
    "Invalid data found",
    "moov atom not found",
    "No such file",
    "Error opening input",
    "does not contain any stream",
    "matches no streams",
    "could not find codec parameters",
    "Decoder not found",
    "no decoder found",
)


def run_ffmpeg(
    arguments: Sequence[str],
    *,
    duration: float | None = None,
    on_progress: Callable[[float], None] | None = None,
    deadline: float | None = None,
    inherited: Sequence[int] = (),
    ffmpeg: str = "ffmpeg",
) -> str:
    """Run FFmpeg to its end and return its messages (stderr; the newest 256 KiB).

    `arguments` follow the global options, which are set here (no stdin, overwrite, machine-readable progress on stdout;
    outputs must therefore be files). `on_progress` gets the fraction 0–1 of `duration` (seconds of output). `deadline`
    is a `time.monotonic()` value. `inherited` are open files that FFmpeg gets, too (`scratch`). Whatever happens, no
    process is left behind.

    Raises OutOfTime past the deadline, OperatorError when FFmpeg is missing or the disk is full, MediaError when an
    input can't be read, VideoProductionError for any other failure: one sentence each.
    """
    # A static FFmpeg that loads the host's character set modules dies of SIGSEGV, at the name of any MPEG-TS channel:
    # GCONV_PATH hides them.
    command = [ffmpeg, "-nostdin", "-hide_banner", "-y", "-nostats", "-progress", "pipe:1", *arguments]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "GCONV_PATH": os.devnull},
            pass_fds=inherited,
        )
    except FileNotFoundError as error:
        raise OperatorError(f"FFmpeg was not found as '{ffmpeg}'. Install it or put it on PATH.") from error
    except PermissionError as error:
        raise OperatorError(f"FFmpeg at '{ffmpeg}' may not be run. Make the file executable.") from error
    with process:
        try:
            messages = _follow(process, _Progress(duration, on_progress), deadline)
        except BaseException:
            process.kill()
            raise
    text = messages.decode("utf-8", "replace")
    if "No space left on device" in text:  # FFmpeg can meet a full disk and still exit 0
        raise OperatorError("The disk is full: FFmpeg could not write its output. Free some space and run again.")
    if process.returncode:
        raise _failure(process.returncode, text)
    return text


def undecodable(name: str, error: MediaError) -> MediaError:
    """The same failure of `run_ffmpeg`, said of the file `name`."""
    reason = str(error).removeprefix("FFmpeg can't read an input: ").rstrip(".")
    return MediaError(f"{name} can't be decoded: {reason}. Export it again.")


def broken_picture(messages: str) -> bool:
    """Whether FFmpeg's messages say that a file has holes or that frames of its picture could not be decoded whole.

    FFmpeg hides that as well as it can (it repeats, guesses and drops frames) and exits 0.
    """
    return bool(_BROKEN_FILE.search(messages) or _BROKEN_PICTURE.search(messages))


def broken_sound(messages: str) -> bool:
    """Whether FFmpeg's messages say that some of a file's sound could not be decoded."""
    return _BROKEN_SOUND.search(messages) is not None


class _Progress:
    """Turns FFmpeg's `key=value` progress lines into fractions."""

    def __init__(self, duration: float | None, report: Callable[[float], None] | None) -> None:
        self._duration = duration
        self._report = report
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            key, _, value = line.partition(b"=")
            if key == b"out_time_us":
                self._time(value.strip())
            elif key == b"progress" and value.strip() == b"end" and self._report:
                self._report(1.0)

    def _time(self, microseconds: bytes) -> None:
        if self._report and self._duration and microseconds.isdigit():  # "N/A" and negative times come first
            self._report(min(1.0, int(microseconds) / 1e6 / self._duration))


def _follow(process: subprocess.Popen[bytes], progress: _Progress, deadline: float | None) -> bytearray:
    """Read both pipes until FFmpeg closes them and ends; return the tail of stderr."""
    messages = bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(_remaining(deadline)):
                pipe = _as_pipe(key.fileobj)
                chunk = os.read(pipe.fileno(), _CHUNK)
                if not chunk:
                    selector.unregister(pipe)
                elif pipe is process.stdout:
                    progress.feed(chunk)
                else:
                    messages += chunk
                    del messages[:-_STDERR_LIMIT]
    try:
        process.wait(_remaining(deadline))
    except subprocess.TimeoutExpired as error:
        raise _out_of_time() from error
    return messages


def _as_pipe(fileobj: object) -> IO[bytes]:
    return fileobj  # type: ignore[return-value]  # only pipes are registered


def _remaining(deadline: float | None) -> float | None:
    """Seconds until the deadline; raises OutOfTime once it has passed."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise _out_of_time()
    return left


def _out_of_time() -> OutOfTime:
    return OutOfTime("FFmpeg was stopped at the time limit. Use shorter inputs or allow more time.")


def _failure(returncode: int, messages: str) -> VideoProductionError:
    line = _last_meaningful_line(messages)
    if returncode < 0:
        name = signal.Signals(-returncode).name
        hint = " (often because memory ran out)" if -returncode == signal.SIGKILL else ""
        return VideoProductionError(f"FFmpeg was stopped from outside by {name}{hint}. Run again with more memory.")
    if any(words in messages for words in _INPUT_AT_FAULT):
        return MediaError(f"FFmpeg can't read an input: {line}.")
    return VideoProductionError(f"FFmpeg failed: {line}.")


def _last_meaningful_line(messages: str) -> str:
    lines = [_CONTEXT.sub("", line.strip()) for line in messages.splitlines()]
    lines = [line for line in lines if line]
    telling = [line for line in lines if not _NOISE.match(line)]
    return (telling or lines or ["it gave no reason"])[-1].rstrip(". ")[:300]
