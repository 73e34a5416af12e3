"""How long the tables of long films take to merge, without any bytes of media: processor time and memory.

Usage: python -m benchmarks.merge_tables HOURS          (prints one JSON object)
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from array import array
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from benchmarks.merge_inputs import Kind, make_input, make_loops
from video_production.media.mp4.model import Edit, Movie, Samples, Track
from video_production.media.mp4.reader import read_movie
from video_production.media.mp4.source import LocalFile
from video_production.media.splice.assemble import assemble
from video_production.media.splice.spans import read_clip

__all__ = ["INPUTS", "main"]

INPUTS = 60
_FRAME, _REORDERED = 512, (1024, 2560, 1024, 0, 512)
_PACKET, _RATE = 1024, 48_000
_STRIDE = 3000


@dataclass(frozen=True, slots=True)
class _Long:
    """One input with the tables of `seconds` of film, as an encoder with B-frames writes them."""

    movie: Movie
    video: Track
    audio: Track


def main(arguments: list[str]) -> int:
    hours = int(arguments[0])
    long = _lengthen(_short(), hours * 3600 // INPUTS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    clips = [read_clip(f"{index}", long.movie, long.video, long.audio) for index in range(INPUTS)]
    made = assemble(clips, chapters=[clip.name for clip in clips])
    spent = time.process_time() - begun
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    samples = len(made.picture.sizes) + (made.sound.packets if made.sound else 0)
    print(json.dumps({"hours": hours, "samples": samples, "cpu_s": spent, "memory_mb": grown / 1024}))
    return 0


def _short() -> _Long:
    with tempfile.TemporaryDirectory(prefix="merge-tables-") as folder:
        path = Path(folder) / "short.mp4"
        make_input(make_loops(Kind(500, 2), Path(folder)), 1, path)
        with LocalFile(path) as file:
            movie = read_movie(file)
    return _Long(movie, movie.of_kind("video")[0], movie.of_kind("audio")[0])


def _lengthen(short: _Long, seconds: int) -> _Long:
    frames, packets = seconds * 30, seconds * _RATE // _PACKET + 2
    picture = Samples(
        sizes=array("I", [2500]) * frames,
        offsets=array("Q", range(1000, 1000 + frames * _STRIDE, _STRIDE)),
        dts=array("q", range(0, frames * _FRAME, _FRAME)),
        end=frames * _FRAME,
        composition=array("q", _REORDERED) * (frames // len(_REORDERED)),
        sync=bytes([1] + [0] * 59) * (frames // 60),
        entries=((0, 0),),
    )
    sound = Samples(
        sizes=array("I", [400]) * packets,
        offsets=array("Q", range(3500, 3500 + packets * _STRIDE, _STRIDE)),
        dts=array("q", range(0, packets * _PACKET, _PACKET)),
        end=packets * _PACKET,
        composition=None,
        sync=None,
        entries=((0, 0),),
    )
    whole = int(Fraction(seconds) * short.movie.timescale)
    video = replace(short.video, samples=picture, timescale=30 * _FRAME, edits=())
    return _Long(short.movie, video, replace(short.audio, samples=sound, edits=(Edit(whole, _PACKET),)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
