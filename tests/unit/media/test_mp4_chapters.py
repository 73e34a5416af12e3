from __future__ import annotations

import struct
from fractions import Fraction

import pytest

from video_production.media.mp4.boxes import Boxes, box
from video_production.media.mp4.chapters import read_chapters

ENTRIES = struct.pack(">QB", 0, 3) + b"One" + struct.pack(">QB", 15_000_000, 4) + "Zwö".encode()
CHAPTERS = ((Fraction(0), "One"), (Fraction(3, 2), "Zwö"))


def _read(*content: bytes) -> tuple[tuple[Fraction, str], ...]:
    return read_chapters(Boxes(b"".join(content), "moov"))


@pytest.mark.parametrize("head", [struct.pack(">B3xIB", 1, 0, 2), struct.pack(">B3xB", 0, 2)])
def test_chapters_of_both_versions_are_read(head: bytes) -> None:
    assert _read(box("udta", box("chpl", head + ENTRIES))) == CHAPTERS


@pytest.mark.parametrize(
    "content",
    [b"", box("udta"), box("udta", box("chpl", b"\1")), box("udta", box("chpl", struct.pack(">B3xIB", 1, 0, 9)))],
)
def test_missing_and_damaged_chapters_are_none(content: bytes) -> None:
    assert _read(content) == ()


def test_a_title_that_is_no_text_is_shown_as_well_as_it_can_be() -> None:
    damaged = struct.pack(">B3xIBQB", 1, 0, 1, 0, 2) + b"\xff!"
    assert _read(box("udta", box("chpl", damaged))) == ((Fraction(0), "\ufffd!"),)
