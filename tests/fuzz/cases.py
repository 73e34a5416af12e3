"""What is done with a damaged file, and what has to be true of it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from video_production.errors import MediaError
from video_production.media.mp4.source import Source
from video_production.media.probe import probe_source
from video_production.media.splice.engine import Candidate, Splice, plan_splice, read_candidates
from video_production.media.splice.joins import verify_tables
from video_production.media.splice.parts import Range, plan_parts
from video_production.media.splice.transfer import VirtualFile

__all__ = ["Memory", "run_case"]

_LONGEST_SENTENCE = 500
_MOST_READS = 120_000
"""Reads of one file: its header states at most 100,000 boxes."""

_MANY = 200_000
"""Packets of sound beyond which a result is not read back: a file can ask for hours of silence, and may."""


@dataclass(slots=True)
class Memory:
    """A file in memory, followed by `zeros` bytes that take none; it checks what is asked of it."""

    name: str
    data: bytes
    zeros: int = 0
    reads: int = 0

    @property
    def size(self) -> int:
        return len(self.data) + self.zeros

    def read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        assert self.reads < _MOST_READS, "the file is read without end"
        assert 0 <= offset <= offset + length <= self.size, f"{length} bytes at {offset} of {self.size} are read"
        found = self.data[offset : offset + length]
        return found + bytes(length - len(found))


def run_case(files: Sequence[Memory]) -> str:
    """Probe every file, plan their splice and hold the plan to what must be true of it.

    Returns what came of it, in words without numbers: cases that end alike have gone alike. Any exception is a finding.
    """
    said = [_probe(file) for file in files]
    try:
        candidates = read_candidates([(file.name, file) for file in files])
    except MediaError as error:
        return " | ".join([*said, _checked_sentence(str(error), files)])
    for candidate in candidates:
        assert candidate.clip is not None or str(candidate.unfit)
        assert not str(candidate.unfit) or _is_sentence(str(candidate.unfit)), candidate.unfit
    for inband in (False, True):
        said.append(_plan(candidates, files, inband))
    return " | ".join(said)


def _probe(file: Memory) -> str:
    try:
        info = probe_source(file)
    except MediaError as error:
        return _checked_sentence(str(error), [file])
    assert info.duration >= 0
    return f"{info.video.codec if info.video else ''}+{info.audio.codec if info.audio else ''}"


def _plan(candidates: Sequence[Candidate], files: Sequence[Source], inband: bool) -> str:
    try:
        plan = plan_splice(candidates, inband=inband)
    except MediaError as error:
        return _checked_sentence(str(error), files)
    if isinstance(plan, list):
        told = [str(why) for why in plan]
        assert any(told)
        assert all(not why or _is_sentence(why) for why in told), told
        return _without_numbers(" ".join(told))
    _check_plan(plan, files)
    return "spliced in-band" if inband else "spliced"


def _check_plan(plan: Splice, files: Sequence[Source]) -> None:
    picture, sound = plan.assembly.picture, plan.assembly.sound
    assert (np.diff(picture.dts) > 0).all(), "decoding times don't rise"
    assert picture.end > int(picture.dts[-1])
    assert all(a <= b for a, b in zip(plan.assembly.starts, plan.assembly.starts[1:], strict=False))
    assert int((picture.dts + picture.composition).min()) == picture.shown
    assert plan.frames == sum(len(clip.picture.dts) for clip in plan.clips)
    assert sound is None or all(run.count > 0 for run in sound.runs), "a run of no packets"
    if sound and sound.packets > _MANY:
        return
    marked = plan.marked(draft=True, chapters=[clip.name for clip in plan.clips])
    for assembly in (plan.assembly, marked.assembly):
        assert sum(piece.size for piece in assembly.pieces) == assembly.size
        for piece in assembly.pieces:
            if isinstance(piece, Range):
                assert 0 <= piece.start < piece.start + piece.size <= files[piece.source].size
        verify_tables(VirtualFile("the result", assembly.pieces, files), assembly)
        assert sum(part.size for part in plan_parts(assembly.pieces)) == assembly.size


def _checked_sentence(said: str, files: Sequence[Source]) -> str:
    assert _is_sentence(said), ascii(said)
    assert any(file.name in said for file in files), said
    return _without_numbers(said)


def _is_sentence(said: str) -> bool:
    return said.isprintable() and 0 < len(said) <= _LONGEST_SENTENCE


def _without_numbers(said: str) -> str:
    return "".join(character for character in said if not character.isdigit())
