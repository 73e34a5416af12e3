"""Chapters as `udta`/`chpl` lists them: no standard has that box, every writer of chapters does."""

from __future__ import annotations

from fractions import Fraction

from video_production.media.mp4.boxes import Boxes, Fields, Malformed

__all__ = ["read_chapters"]

_TICKS = 10_000_000


def read_chapters(moov: Boxes) -> tuple[tuple[Fraction, str], ...]:
    """(start in seconds, title) of every chapter; none where they are damaged, since nothing depends on them."""
    try:
        udta = moov.all("udta")
        listed = Boxes(udta[0], "udta").all("chpl") if udta else []
        return tuple(_entries(Fields(listed[0], "chpl"))) if listed else ()
    except Malformed:
        return ()


def _entries(chpl: Fields) -> list[tuple[Fraction, str]]:
    version, _ = chpl.full_box()
    chpl.take(4 if version else 0)
    chapters = []
    for _ in range(chpl.u8()):
        start = Fraction(chpl.u64(), _TICKS)
        chapters.append((start, bytes(chpl.take(chpl.u8())).decode(errors="replace")))
    return chapters
