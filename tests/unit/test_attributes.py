"""DynamoDB's attribute values: what boto3 makes of the same value, and back without loss."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from video_production.attributes import decode, encode
from video_production.nodes.model import NodeStatus

floats = st.floats(-(2.0**53), 2.0**53).filter(lambda number: number == 0 or abs(number) > 1e-100)
numbers = st.integers(-(10**37), 10**37) | floats
leaves = numbers | st.text() | st.booleans() | st.none() | st.binary()
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=6,
)


def for_boto3(value: Any) -> Any:
    """What boto3 wants instead of floats and of None in a map."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: for_boto3(entry) for name, entry in value.items() if entry is not None}
    return [for_boto3(entry) for entry in value] if isinstance(value, list) else value


def without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_none(entry) for name, entry in value.items() if entry is not None}
    return [without_none(entry) for entry in value] if isinstance(value, list) else value


@given(values)
def test_a_value_is_written_as_boto3_writes_it(value: Any) -> None:
    assert encode(value) == TypeSerializer().serialize(for_boto3(value))


@given(st.dictionaries(st.text(min_size=1), values, max_size=3))
def test_what_is_written_is_read_again(item: dict[str, Any]) -> None:
    assert decode({name: encode(value) for name, value in item.items()}) == {
        name: without_none(value) for name, value in item.items()
    }


@given(values)
def test_a_value_is_read_as_boto3_reads_it(value: Any) -> None:
    written = TypeSerializer().serialize(for_boto3(value))
    assert decode({"value": written})["value"] == plain(TypeDeserializer().deserialize(written))


def plain(value: Any) -> Any:
    """boto3's own types as Python's."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value.value if hasattr(value, "value") else value


def test_a_number_keeps_its_kind_tuples_become_lists_and_words_of_a_kind_are_words() -> None:
    assert encode({"whole": 3, "part": 0.1, "numpy": np.float64(0.25)}) == {
        "M": {"whole": {"N": "3"}, "part": {"N": "0.1"}, "numpy": {"N": "0.25"}}
    }
    assert encode(("a", NodeStatus.PENDING)) == {"L": [{"S": "a"}, {"S": "pending"}]}
    assert decode({"whole": {"N": "3.00"}, "part": {"N": "1E-1"}}) == {"whole": 3, "part": 0.1}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("Infinity"), {1, 2}, object()])
def test_what_dynamodb_can_not_hold_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="DynamoDB can't hold"):
        encode(value)
    with pytest.raises(TypeError, match="type SS is not in use here"):
        decode({"words": {"SS": ["a"]}})
