"""The plan of parts: whatever the pieces are, S3 takes every part, and together they are the file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video_production.errors import MediaError
from video_production.media.splice.parts import Bytes, Copied, Part, Piece, Range, Sent, plan_parts

LEAST, MOST = 100, 1000
"""Small stand-ins for 5 MiB and 5 GiB, so that every corner is met."""

_PIECES = st.lists(
    st.one_of(
        st.binary(min_size=0, max_size=3 * LEAST).map(Bytes),
        st.builds(Range, st.integers(0, 2), st.integers(0, 50), st.integers(1, 4 * MOST)),
    ),
    min_size=1,
    max_size=30,
)


def _bytes(pieces: list[Piece]) -> list[tuple[int, int, int] | bytes]:
    """The content of pieces, neighbouring ranges and literals merged, as something to compare."""
    flat: list[tuple[int, int, int] | bytes] = []
    for piece in pieces:
        last = flat[-1] if flat else None
        if not piece.size:
            continue
        if isinstance(piece, Bytes):
            if isinstance(last, bytes):
                flat[-1] = last + piece.content
            else:
                flat.append(piece.content)
        elif isinstance(last, tuple) and (last[0], last[2]) == (piece.source, piece.start):
            flat[-1] = (last[0], last[1], piece.start + piece.size)
        else:
            flat.append((piece.source, piece.start, piece.start + piece.size))
    return flat


def _pieces(parts: list[Part]) -> list[Piece]:
    return [piece for part in parts for piece in ([part.range] if isinstance(part, Copied) else part.pieces)]


@settings(max_examples=400, deadline=None)
@given(_PIECES, st.lists(st.booleans(), min_size=3, max_size=3))
def test_parts_are_the_file_and_s3_takes_each(pieces: list[Piece], copyable: list[bool]) -> None:
    parts = plan_parts(pieces, copyable=copyable, least=LEAST, most=MOST)
    assert _bytes(_pieces(parts)) == _bytes(pieces)
    assert all(part.size >= LEAST for part in parts[:-1])
    assert all(part.size <= MOST for part in parts if isinstance(part, Copied))
    assert all(part.size < MOST + 4 * LEAST + 3 * LEAST for part in parts if isinstance(part, Sent))
    assert all(copyable[part.range.source] for part in parts if isinstance(part, Copied))
    assert all(part.size > 0 for part in parts)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(2 * LEAST, 4 * MOST), min_size=1, max_size=20))
def test_a_join_of_long_ranges_costs_no_bytes(sizes: list[int]) -> None:
    pieces: list[Piece] = [Bytes(b"h" * LEAST), *(Range(index, 7, size) for index, size in enumerate(sizes))]
    parts = plan_parts(pieces, least=LEAST, most=MOST)
    sent = [part for part in parts if isinstance(part, Sent)]
    assert [part.pieces for part in sent] == [(pieces[0],)]


def test_a_short_header_takes_only_what_it_needs_of_the_first_range() -> None:
    parts = plan_parts([Bytes(b"h" * 30), Range(0, 0, 500)], least=LEAST, most=MOST)
    assert parts == [Sent((Bytes(b"h" * 30), Range(0, 0, 70))), Copied(Range(0, 70, 430))]


def test_what_would_be_left_too_short_to_copy_is_taken_whole() -> None:
    parts = plan_parts([Bytes(b"h" * 30), Range(0, 0, 169), Range(1, 0, 400)], least=LEAST, most=MOST)
    assert parts == [Sent((Bytes(b"h" * 30), Range(0, 0, 169))), Copied(Range(1, 0, 400))]


def test_a_long_range_is_copied_in_equal_parts() -> None:
    parts = plan_parts([Range(0, 10, 2500)], least=LEAST, most=MOST)
    assert [part.size for part in parts] == [833, 833, 834]


def test_too_many_parts_are_refused_in_one_sentence() -> None:
    pieces: list[Piece] = [Range(index, 0, 2 * LEAST) for index in range(11)]
    with pytest.raises(MediaError, match=r"would need 11 parts, and S3 takes 10"):
        plan_parts(pieces, least=LEAST, most=MOST, most_parts=10)


def test_very_long_files_are_copied_in_longer_parts() -> None:
    terabytes = 10 << 40
    parts = plan_parts([Bytes(b"h" * (6 << 20)), Range(0, 0, terabytes)])
    assert len(parts) <= 10_000
    assert sum(part.size for part in parts) == terabytes + (6 << 20)
