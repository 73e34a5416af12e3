"""Boxes and their fields, read with checks: nothing here trusts a size or a count that a file states."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from typing import TypeAlias

__all__ = ["Boxes", "Bytes", "Fields", "Malformed", "box", "children", "printable"]

Bytes: TypeAlias = bytes | memoryview

_MOST_CHILDREN = 10_000

_WIDTH = {"B": 1, "H": 2, "I": 4, "i": 4, "Q": 8}


class Malformed(Exception):
    """What is wrong with a file, as the end of the sentence "FILE can't be used: …"; `read_movie` adds the name."""


def printable(kind: str) -> str:
    """A box type as it may stand in a sentence: a file can hold any four bytes there, control characters, too."""
    return "".join(character if character.isprintable() else "?" for character in kind)


class Fields:
    """A cursor over the payload of one box. Reading past the end raises Malformed naming the box."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: Bytes, what: str) -> None:
        self._data = memoryview(data)
        self._what = what
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> memoryview:
        if count > self.left:
            raise Malformed(f"its '{printable(self._what)}' box is too short")
        self._at += count
        return self._data[self._at - count : self._at]

    def rest(self) -> memoryview:
        return self.take(self.left)

    def unsigned(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def signed(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big", signed=True)

    def u8(self) -> int:
        return self.unsigned(1)

    def u16(self) -> int:
        return self.unsigned(2)

    def u32(self) -> int:
        return self.unsigned(4)

    def u64(self) -> int:
        return self.unsigned(8)

    def code(self) -> str:
        """Four characters."""
        return bytes(self.take(4)).decode("latin-1")

    def full_box(self) -> tuple[int, int]:
        """The version and the flags that begin a FullBox."""
        return self.u8(), self.unsigned(3)

    def table(self, typecode: str, count: int) -> array[int]:
        """`count` big-endian numbers; the bytes must be there before anything is allocated."""
        values = array(typecode, bytes(self.take(count * _WIDTH[typecode])))
        if sys.byteorder == "little":
            values.byteswap()
        return values


def children(data: Bytes, what: str) -> Iterator[tuple[str, memoryview]]:
    """The boxes inside `data` as (type, payload), in order. Trailing bytes too few for a header are padding."""
    view = memoryview(data)
    for _ in range(_MOST_CHILDREN):
        if len(view) < 8:
            return
        size, kind, header = int.from_bytes(view[:4], "big"), bytes(view[4:8]).decode("latin-1"), 8
        if size == 0 and kind == "\0\0\0\0":
            return  # QuickTime ends some lists with zeros
        if size == 1 and len(view) >= 16:
            size, header = int.from_bytes(view[8:16], "big"), 16
        elif size == 0:
            size = len(view)
        if not header <= size <= len(view):
            raise Malformed(f"a box inside its '{printable(what)}' box states an impossible size")
        yield kind, view[header:size]
        view = view[size:]
    raise Malformed(f"its '{printable(what)}' box holds more than {_MOST_CHILDREN} boxes")


class Boxes:
    """The children of one box, by type."""

    def __init__(self, data: Bytes, what: str) -> None:
        self._what = what
        self._found: dict[str, list[memoryview]] = {}
        for kind, payload in children(data, what):
            self._found.setdefault(kind, []).append(payload)

    def __contains__(self, kind: str) -> bool:
        return kind in self._found

    def all(self, kind: str) -> list[memoryview]:
        return self._found.get(kind, [])

    def get(self, kind: str) -> memoryview | None:
        """The only box of this type, None where there is none; Malformed where there are several."""
        found = self.all(kind)
        if len(found) > 1:
            raise Malformed(f"its '{printable(self._what)}' box holds {len(found)} '{kind}' boxes instead of one")
        return found[0] if found else None

    def need(self, kind: str) -> memoryview:
        payload = self.get(kind)
        if payload is None:
            raise Malformed(f"its '{printable(self._what)}' box has no '{kind}' box")
        return payload

    def fields(self, kind: str) -> Fields:
        return Fields(self.need(kind), kind)


def box(kind: str, *payload: Bytes) -> bytes:
    """Write a box: 32-bit size, type, payload."""
    body = b"".join(payload)
    return (8 + len(body)).to_bytes(4, "big") + kind.encode("latin-1") + body
