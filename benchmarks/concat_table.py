"""What `ffmpeg -f concat -c copy` makes of the example lesson's clips, and what our merge makes of them.

Usage: python -m benchmarks.concat_table          (or: make bench-concat)

Produces the example lesson in a folder of its own, takes the five clips that its last node joins, joins them with
FFmpeg's concat demuxer, decodes both results and compares every clip's picture and sound with the clip itself. Writes
`benchmarks/results/concat.json` and the table in `docs/benchmarks.md` and `README.md`; and into the former how long the
merge takes, encoded and spliced.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from benchmarks.lesson_merge import compare, lines
from video_production.media.probe import probe

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "concat.json"
PAGES = (ROOT / "docs" / "benchmarks.md", ROOT / "README.md")
START, END = "<!-- concat table: made by `make bench-concat` -->", "<!-- end of concat table -->"
TIMES_START, TIMES_END = (
    "<!-- lesson merge table: made by `make bench-concat` -->",
    "<!-- end of lesson merge table -->",
)
RATE = 48000
SIZE = (160, 90)
SEARCH = 6.0
"""Seconds around its place in which a clip's sound is looked for."""
NEARLY_SILENT = 0.2
SAME_PICTURE = 6.0
"""Mean difference (of 255) up to which two pictures count as the same; other scenes of the lesson differ by 15."""

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    name: str
    path: Path


@dataclass(frozen=True)
class Scene:
    """How a clip came out: `picture` is the mean difference of its frames, `lag` in seconds, `likeness` 0–1.

    `level` is the loudness (RMS) where its sound should be, as a part of its own.
    """

    name: str
    picture: float | None
    lag: float | None
    likeness: float | None
    level: float


@dataclass(frozen=True)
class Result:
    """One way to join: `complaints` are the decoder's warnings and FFmpeg's while joining."""

    exit_code: int
    complaints: int
    frames: int
    scenes: tuple[Scene, ...]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="jiki-concat-") as folder:
        clips, alike, ours = _produce(Path(folder))
        theirs = Path(folder) / "concat.mp4"
        code, said = _concat(clips, theirs)
        expected = sum(_frames(clip.path) for clip in clips)
        results = {
            "concat": _judge(theirs, clips, code, said),
            "jiki": _judge(ours, clips, 0, 0),
        }
        timed = compare([clip.path for clip in clips], alike, _ffmpeg())
    facts = {"clips": [clip.name for clip in clips], "frames_expected": expected}
    facts = {**facts, **{name: asdict(result) for name, result in results.items()}}
    RESULTS.write_text(json.dumps({**facts, "merges": [asdict(each) for each in timed]}, indent=2) + "\n")
    table, times = _table(expected, results["concat"], results["jiki"]), "\n".join(lines(timed))
    for page in PAGES:
        _replace(page, START, table, END)
        _replace(page, TIMES_START, times, TIMES_END)
    print(table, times, sep="\n\n")
    return 0


def _produce(folder: Path) -> tuple[list[Clip], list[Path], Path]:
    """Produce the example lesson in `folder`; the clips that are joined, those of them copied, and the result."""
    lesson = folder / "lesson"
    shutil.copytree(ROOT / "examples" / "lesson", lesson, ignore=shutil.ignore_patterns("output"))
    environment = {**os.environ, "JIKI_VIDEO_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "video_production.cli"]
    document = str(lesson / "pipeline.yaml")
    run = subprocess.run(
        [*command, "produce", document, "--json"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    last = json.loads(run.stdout.splitlines()[-1])
    shown = subprocess.run(
        [*command, "status", document, "--json"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    outputs = {node["id"]: node["output"] for node in json.loads(shown.stdout)["nodes"]}
    clips, alike = [], []
    for join in last["videos"][-1]["joins"]:
        output = outputs[Path(join["name"]).stem]
        clips.append(Clip(join["name"], folder / "home" / "s3" / output["bucket"] / output["s3_key"]))
        if join["treatment"] == "copied":
            alike.append(clips[-1].path)
    return clips, alike, Path(last["output"]["path"])


def _concat(clips: Sequence[Clip], output: Path) -> tuple[int, int]:
    """Join with the concat demuxer; FFmpeg's exit code and how many warnings it printed."""
    listing = output.with_suffix(".txt")
    listing.write_text("".join(f"file '{clip.path}'\n" for clip in clips))
    command = [_ffmpeg(), "-v", "repeat+warning", "-y", "-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy"]
    done = subprocess.run(
        [*command, "-movflags", "+faststart", str(output)], capture_output=True, text=True, check=False
    )
    return done.returncode, len(done.stderr.splitlines())


def _judge(path: Path, clips: Sequence[Clip], code: int, said: int) -> Result:
    check = [_ffmpeg(), "-v", "repeat+warning", "-i", str(path), "-f", "null", "-"]
    complaints = subprocess.run(check, capture_output=True, text=True, check=False).stderr.splitlines()
    pictures = list(_pictures(path))
    sound = _sound(path)
    scenes, start = [], 0.0
    for clip in clips:
        own = list(_pictures(clip.path))
        length = _length(clip.path)
        at = [start + part * length for part in (0.2, 0.5, 0.8)]
        differences = [_difference(_shown(pictures, moment), _shown(own, moment - start)) for moment in at]
        own_sound = _sound(clip.path)
        lag, likeness = _find(own_sound, sound, start)
        place = sound[round(start * RATE) :][: len(own_sound)]
        level = round(_loudness(place) / _loudness(own_sound), 3)
        scenes.append(Scene(clip.name, max(differences), lag, likeness, level))
        start += length
    return Result(code, said + len(complaints), _frames(path), tuple(scenes))


def _length(path: Path) -> float:
    """How long a clip is: the longer of its picture and its sound, as a viewer sees it."""
    video = probe(path, _ffmpeg()).video
    assert video is not None
    return float(video.start + video.duration)


def _frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _pictures(path: Path) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Each frame's time and its picture as a player shows it, small, grey, fitted into 16:9 with black."""
    video = probe(path, _ffmpeg()).video
    turns = (video.rotation if video else 0) // 90
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            upright = np.rot90(frame.to_ndarray(format="gray"), -turns)
            yield float(frame.time or 0), _fitted(upright)


def _fitted(picture: NDArray[Any]) -> NDArray[np.float32]:
    height, width = picture.shape
    scale = min(SIZE[0] / width, SIZE[1] / height)
    fitted = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray").reformat(
        max(2, round(width * scale)), max(2, round(height * scale)), "gray", interpolation="AREA"
    )
    small = fitted.to_ndarray()
    whole = np.zeros((SIZE[1], SIZE[0]), np.float32)
    top, left = (SIZE[1] - small.shape[0]) // 2, (SIZE[0] - small.shape[1]) // 2
    whole[top : top + small.shape[0], left : left + small.shape[1]] = small
    return whole


def _shown(pictures: Sequence[tuple[float, NDArray[np.float32]]], moment: float) -> NDArray[np.float32]:
    """The picture on screen at a moment."""
    return min((p for p in pictures if p[0] <= moment + 0.02), key=lambda p: moment - p[0], default=pictures[0])[1]


def _difference(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return round(float(np.abs(left - right).mean()), 2)


def _sound(path: Path) -> Samples:
    """The decoded sound on the player's timeline, mono."""
    command = [_ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0"]
    command += ["-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=False).stdout, np.float32)


def _loudness(sound: Samples) -> float:
    return float(np.sqrt(np.square(sound, dtype=np.float64).mean())) if len(sound) else 0.0


def _find(clip: Samples, whole: Samples, start: float) -> tuple[float | None, float | None]:
    """Where a clip's sound lies, as (seconds late, likeness), by normalised cross-correlation around its place."""
    margin = round(SEARCH * RATE)
    first = round(start * RATE) - margin
    window = np.zeros(len(clip) + 2 * margin, np.float32)
    part = whole[max(0, first) : first + len(window)]
    window[max(0, -first) : max(0, -first) + len(part)] = part
    size = 1 << (len(window) + len(clip)).bit_length()
    products = np.fft.irfft(np.fft.rfft(window, size) * np.conj(np.fft.rfft(clip, size)), size)[: 2 * margin]
    squares = np.concatenate([[0.0], np.cumsum(np.square(window, dtype=np.float64))])
    energy = squares[len(clip) : len(clip) + 2 * margin] - squares[: 2 * margin]
    scores = products / np.sqrt(np.maximum(energy * float(np.square(clip, dtype=np.float64).sum()), 1e-9))
    best = int(np.argmax(scores))
    return round((best - margin) / RATE, 4), round(float(scores[best]), 3)


def _table(expected: int, theirs: Result, ours: Result) -> str:
    rows = [
        ("", "`ffmpeg -f concat -c copy`", "jiki-video"),
        ("exit code", str(theirs.exit_code), str(ours.exit_code)),
        ("warnings while joining and decoding", f"{theirs.complaints:,}", f"{ours.complaints:,}"),
        (f"frames (the clips have {expected:,}, at three rates)", f"{theirs.frames:,}", f"{ours.frames:,} at one rate"),
    ]
    for their, our in zip(theirs.scenes, ours.scenes, strict=True):
        rows.append((f"{our.name}: picture", _picture_words(their), _picture_words(our)))
        rows.append((f"{our.name}: sound", _sound_words(their), _sound_words(our)))
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]])


def _picture_words(scene: Scene) -> str:
    return "right" if scene.picture is not None and scene.picture <= SAME_PICTURE else "wrong"


def _sound_words(scene: Scene) -> str:
    if scene.likeness is None or scene.lag is None or scene.likeness < 0.5:
        return "lost, nearly silent" if scene.level < NEARLY_SILENT else "not recognisable"
    late = round(1000 * scene.lag)
    return "in place" if late == 0 else f"{abs(late)} ms {'late' if late > 0 else 'early'}"


def _replace(page: Path, start: str, table: str, end: str) -> None:
    """Put the table between its marks."""
    text = page.read_text() if page.exists() else ""
    if start not in text:
        return
    before, rest = text.split(start, 1)
    page.write_text(f"{before}{start}\n{table}\n{end}{rest.split(end, 1)[1]}")


def _ffmpeg() -> str:
    return str(imageio_ffmpeg.get_ffmpeg_exe())


if __name__ == "__main__":
    sys.exit(main())
