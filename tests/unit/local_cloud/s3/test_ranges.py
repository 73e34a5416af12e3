"""Byte ranges, against the slices of a list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.s3.conditions import copy_range_of, range_of
from local_cloud.s3.errors import S3Error

sizes = st.integers(1, 50)
positions = st.integers(0, 60)


@given(sizes, positions, positions)
def test_a_range_is_what_a_slice_would_be(size: int, first: int, last: int) -> None:
    content = list(range(size))
    headers = {"range": f"bytes={first}-{last}"}

    if last < first:
        assert range_of(headers, size) is None
    elif first >= size:
        with pytest.raises(S3Error, match="InvalidRange"):
            range_of(headers, size)
    else:
        found = range_of(headers, size)
        assert found is not None
        assert content[found[0] : sum(found)] == content[first : last + 1]


@given(sizes, st.integers(1, 60))
def test_a_suffix_is_the_end_of_a_slice(size: int, length: int) -> None:
    content = list(range(size))

    found = range_of({"range": f"bytes=-{length}"}, size)

    assert found is not None
    assert content[found[0] : sum(found)] == content[-length:]


@pytest.mark.parametrize("header", ["", "bytes=-", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes 0-1"])
def test_what_is_no_range_of_bytes_is_ignored(header: str) -> None:
    assert range_of({"range": header}, 10) is None


@pytest.mark.parametrize(("header", "size"), [("bytes=0-", 0), ("bytes=-5", 0), ("bytes=-0", 10), ("bytes=10-", 10)])
def test_an_empty_range_is_refused(header: str, size: int) -> None:
    with pytest.raises(S3Error, match="InvalidRange"):
        range_of({"range": header}, size)


@given(sizes, positions, positions)
def test_a_copied_range_is_never_shortened(size: int, first: int, last: int) -> None:
    headers = {"x-amz-copy-source-range": f"bytes={first}-{last}"}

    if first <= last < size:
        assert copy_range_of(headers, size) == (first, last - first + 1)
    else:
        with pytest.raises(S3Error, match="InvalidArgument"):
            copy_range_of(headers, size)
