"""Python values as DynamoDB's attribute values, and back.

Source: the DynamoDB API reference, data type AttributeValue. Sets and numbers that no float holds are not in use here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

__all__ = ["decode", "encode"]


def encode(value: Any) -> dict[str, Any]:
    """A Python value as an attribute value. Tuples become lists; None is left out of maps.

    Raises TypeError for what DynamoDB can't hold: other types, and numbers that are not finite.
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case float() if math.isfinite(value):
            return {"N": str(Decimal(repr(float(value))))}  # a numpy float calls itself something else
        case Decimal() if value.is_finite():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case Mapping():
            return {"M": {name: encode(entry) for name, entry in value.items() if entry is not None}}
        case list() | tuple():
            return {"L": [encode(entry) for entry in value]}
    raise TypeError(f"DynamoDB can't hold {value!r}, a {type(value).__name__}.")


def decode(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of attribute values as Python values; whole numbers become int, others float."""
    return {name: _decoded(value) for name, value in item.items()}


def _decoded(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "NULL":
            return None
        case "N":
            number = Decimal(content)
            return int(number) if number == number.to_integral_value() else float(number)
        case "M":
            return decode(content)
        case "L":
            return [_decoded(entry) for entry in content]
        case "S" | "BOOL" | "B":
            return content
    raise TypeError(f"An attribute of DynamoDB's type {kind} is not in use here.")
