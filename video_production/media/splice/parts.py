"""How an object is put together on S3: which bytes S3 copies itself, which go through us.

A part is 5 MiB to 5 GiB, the last one may be short; there are at most 10,000. Source: "Amazon S3 multipart upload
limits". Where a range is too short to be a part of its own, its bytes are fetched and sent with its neighbours'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from video_production.errors import MediaError

__all__ = ["LEAST_PART", "MOST_PART", "MOST_PARTS", "Bytes", "Copied", "Part", "Piece", "Range", "Sent", "plan_parts"]

LEAST_PART = 5 << 20
MOST_PART = 5 << 30
MOST_PARTS = 10_000
_USUAL = 96 << 20
"""What S3 copies at once: small enough that many run side by side, large enough that requests don't count."""

_USUAL_SENT = 8 << 20


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes that we make ourselves."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes [start, start + size) of source number `source`."""

    source: int
    start: int
    size: int


Piece: TypeAlias = Bytes | Range


@dataclass(frozen=True, slots=True)
class Copied:
    """A part that S3 copies."""

    range: Range

    @property
    def size(self) -> int:
        return self.range.size


@dataclass(frozen=True, slots=True)
class Sent:
    """A part that goes through us, from its pieces."""

    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        return sum(piece.size for piece in self.pieces)


Part: TypeAlias = Copied | Sent


def plan_parts(
    pieces: Sequence[Piece],
    *,
    copyable: Sequence[bool] | None = None,
    least: int = LEAST_PART,
    most: int = MOST_PART,
    most_parts: int = MOST_PARTS,
) -> list[Part]:
    """Cut `pieces`, in their order, into parts. Raises MediaError when they are too many.

    `copyable` says of each source whether S3 can copy from it (None: from all). Greedy: what is not yet a part is held
    back until it is long enough; of a range that follows, only as much is fetched as that takes, unless what would be
    left of it is too short to be copied.
    """
    usual = min(max(_USUAL, -(-sum(piece.size for piece in pieces) // (most_parts // 2))), most)
    parts: list[Part] = []
    held: list[Piece] = []
    for piece in _cut(pieces, copyable, usual):
        rest: Piece | None = piece
        while rest is not None and rest.size:
            waiting = sum(each.size for each in held)
            can_copy = isinstance(rest, Range) and (copyable is None or copyable[rest.source])
            if isinstance(rest, Range) and can_copy and not held and rest.size >= least:
                parts += [Copied(part) for part in _equal(rest, usual)]
                break
            missing = least - waiting
            if isinstance(rest, Bytes) or not can_copy or rest.size < missing + least:
                held.append(rest)
                rest = None
            else:
                held.append(Range(rest.source, rest.start, missing))
                rest = Range(rest.source, rest.start + missing, rest.size - missing)
            if sum(each.size for each in held) >= least:
                parts.append(Sent(tuple(held)))
                held = []
    if held:
        parts.append(Sent(tuple(held)))
    if len(parts) > most_parts:
        raise MediaError(
            f"The result would need {len(parts):,} parts, and S3 takes {most_parts:,}; merge in several steps."
        )
    return parts


def _cut(pieces: Sequence[Piece], copyable: Sequence[bool] | None, usual: int) -> Iterator[Piece]:
    """The pieces, those that must go through us cut so that a part of them never fills the memory."""
    for piece in pieces:
        if isinstance(piece, Range) and copyable is not None and not copyable[piece.source]:
            yield from _equal(piece, min(usual, _USUAL_SENT))
        else:
            yield piece


def _equal(whole: Range, usual: int) -> list[Range]:
    """Ranges of about the same size, none longer than `usual`."""
    count = -(-whole.size // usual)
    bounds = [whole.start + whole.size * number // count for number in range(count + 1)]
    return [Range(whole.source, begin, end - begin) for begin, end in pairwise(bounds)]
