"""Damages MP4 files with understanding: boxes, counts, tables and sizes, so that the damage gets past the first check.

A file is taken apart into a tree of boxes, changed in one to four places and put together again, mostly with the sizes
made right again and sometimes not.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

__all__ = ["mutated"]

_PARENTS = {
    *("moov", "trak", "mdia", "minf", "stbl", "edts", "dinf", "mvex", "moof", "traf", "udta", "tref"),
    *("stsd", "dref", "meta", "wave"),
    *("avc1", "avc3", "hvc1", "hev1", "mp4v", "vp09", "apcn", "mp4a", "Opus", "alac", ".mp3", "sowt"),
}
_PREFIX = {"stsd": 8, "dref": 8, "meta": 4} | dict.fromkeys(
    ("avc1", "avc3", "hvc1", "hev1", "mp4v", "vp09", "apcn"), 78
)
_SOUND_PREFIX = 28
"""Bytes before the boxes inside these; a sound entry of QuickTime's version 1 has 16 more."""

_COLUMNS = {"stts": 2, "ctts": 2, "stsc": 3, "stss": 1, "stco": 1, "elst": 3, "trun": 4}
"""Tables: how many 32-bit numbers a row has, after version, flags and a count."""

_EXTREMES = (
    *(0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x3FF, 0x400, 0xFFFF, 0x10000, 0xFFFFFF),
    *(0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF),
)
_WIDE = (*_EXTREMES, 1 << 32, (1 << 60) - 1, 1 << 60, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_TIMESCALES = (1, 2, 3, 7, 24, 600, 1000, 1001, 44999, 65537, 90000, 999983, 10_000_019, 16777259, 0x7FFFFFFF)
_LARGEST = 512 << 10
_MOST_ROWS = 4000


@dataclass(slots=True)
class _Node:
    """A box: `prefix` are its own fields where it holds boxes, `body` its payload where it does not."""

    kind: bytes
    body: bytearray = field(default_factory=bytearray)
    prefix: bytearray = field(default_factory=bytearray)
    children: list[_Node] = field(default_factory=list)
    wide: bool = False
    lie: int | None = None
    """A size to state instead of the true one."""

    def payload(self) -> bytearray:
        return self.prefix if self.children else self.body

    def packed(self) -> bytes:
        body = bytes(self.prefix) + b"".join(child.packed() for child in self.children) + bytes(self.body)
        if self.wide:
            size = len(body) + 16 if self.lie is None else self.lie
            return (1).to_bytes(4, "big") + self.kind + (size & (1 << 64) - 1).to_bytes(8, "big") + body
        size = len(body) + 8 if self.lie is None else self.lie
        return (size & 0xFFFFFFFF).to_bytes(4, "big") + self.kind + body

    def copy(self) -> _Node:
        children = [child.copy() for child in self.children]
        return _Node(self.kind, bytearray(self.body), bytearray(self.prefix), children, self.wide, self.lie)


def _parse(data: bytes, depth: int = 0) -> list[_Node]:
    nodes: list[_Node] = []
    at = 0
    while at + 8 <= len(data):
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1 and at + 16 <= len(data):
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if not head <= size <= len(data) - at:
            break
        node, body = _Node(kind, wide=head == 16), data[at + head : at + size]
        name = kind.decode("latin-1")
        if name in _PARENTS and depth < 12:
            skip = _PREFIX.get(name, _SOUND_PREFIX if depth and name in ("mp4a", "Opus", "alac", ".mp3", "sowt") else 0)
            if name == "mp4a" and len(body) > 60 and body[8:10] == b"\0\1":
                skip += 16
            node.prefix, node.children = bytearray(body[:skip]), _parse(body[skip:], depth + 1)
        if not node.children:
            node.prefix, node.body = bytearray(), bytearray(body)
        nodes.append(node)
        at += size
    if at < len(data) and nodes:
        nodes[-1].body += data[at:] if not nodes[-1].children else b""
    return nodes


def _all(nodes: list[_Node]) -> Iterator[tuple[list[_Node], int]]:
    """Every node as (the list that holds it, its index)."""
    for index, node in enumerate(nodes):
        yield nodes, index
        yield from _all(node.children)


def mutated(data: bytes, other: bytes, random: Random) -> bytes:
    """A damaged version of the file `data`; `other` is a file that parts may come from."""
    nodes, donor = _parse(data), _parse(other)
    if not nodes or random.random() < 0.08:
        return _roughly(data, other, random)[:_LARGEST]
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        if random.random() < 0.4:
            random.choice(_REWRITES)(nodes, random)
            continue
        places = [place for place in _all(nodes) if place[0][place[1]].kind != b"mdat" or random.random() < 0.1]
        if places:
            random.choice(_CHANGES)(*random.choice(places), donor, random)
    made = b"".join(node.packed() for node in nodes)
    if random.random() < 0.05:
        made = _roughly(made, other, random)
    return made[:_LARGEST]


def _roughly(data: bytes, other: bytes, random: Random) -> bytes:
    """Damage without understanding."""
    at, length = random.randrange(len(data) + 1), random.choice((1, 4, 8, 64, 1000))
    match random.randrange(5):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + data[at + length :]
        case 2:
            return data[:at] + random.randbytes(random.randrange(64)) + data[at:]
        case 3:
            there = random.randrange(len(other) + 1)
            return data[:at] + other[there:]
        case _:
            changed = bytearray(data)
            for _ in range(random.randrange(1, 9)):
                if changed:
                    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
            return bytes(changed)


_Change = Callable[[list[_Node], int, list[_Node], Random], None]
"""Changes the box at an index of a list of boxes; another file's boxes and chance beside it."""

_Rewrite = Callable[[list[_Node], Random], None]
"""Makes the whole file say something else that is well-formed."""


def _field(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    """A number becomes an extreme one, or its neighbour."""
    body = nodes[index].payload()
    width = random.choice((1, 2, 4, 4, 4, 8))
    if len(body) < width:
        return
    limit = min(len(body) - width, random.choice((16, 100, 1 << 20)))
    at = random.randrange(limit + 1)
    value = int.from_bytes(body[at : at + width], "big")
    match random.randrange(4):
        case 0:
            value += random.choice((-1, 1))
        case 1:
            value = random.getrandbits(8 * width)
        case _:
            value = random.choice(_WIDE if width == 8 else _EXTREMES)
    body[at : at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "big")


def _flip(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    body = nodes[index].payload()
    if body:
        body[random.randrange(len(body))] ^= 1 << random.randrange(8)


def _size(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    """A box states another size than it has."""
    node = nodes[index]
    node.wide = random.random() < 0.3
    true = len(node.packed())
    node.lie = random.choice((*_WIDE, true - 1, true + 1, true - 8, true + 8, 2 * true))


def _wide_size(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    nodes[index].wide = True


def _count(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    """The count of a table no longer fits it."""
    body = nodes[index].payload()
    at = 8 if nodes[index].kind in (b"stsz", b"tfra") else 4
    if len(body) >= at + 4:
        value = int.from_bytes(body[at : at + 4], "big")
        value = random.choice((value - 1, value + 1, value * 2, random.choice(_EXTREMES)))
        body[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "big")


def _delete(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    del nodes[index]


def _duplicate(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    times = random.choice((1, 1, 1, 2, 70))
    if len(nodes[index].packed()) * times < _LARGEST:
        nodes[index:index] = [nodes[index].copy() for _ in range(times)]


def _shuffle(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    node = nodes.pop(index)
    nodes.insert(random.randrange(len(nodes) + 1), node)


def _rename(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    kinds = [nodes_[at].kind for nodes_, at in _all(donor)] or [b"free"]
    nodes[index].kind = random.choice((b"free", b"encv", b"enca", b"\x1b[2J", random.randbytes(4), *kinds))


def _transplant(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    """The same box of another file takes this one's place, or any box comes in beside it."""
    candidates = [nodes_[at] for nodes_, at in _all(donor) if nodes_[at].kind != b"mdat"]
    same = [node for node in candidates if node.kind == nodes[index].kind]
    if same:
        nodes[index] = random.choice(same).copy()
    elif candidates:
        nodes.insert(index, random.choice(candidates).copy())


def _shorten(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    body = nodes[index].payload()
    if body:
        del body[random.randrange(len(body)) :]


def _lengthen(nodes: list[_Node], index: int, donor: list[_Node], random: Random) -> None:
    nodes[index].payload().extend(random.randbytes(random.choice((1, 3, 4, 8, 60))))


def _of_kind(nodes: list[_Node], kinds: Sequence[bytes], random: Random) -> _Node | None:
    found = [each[at] for each, at in _all(nodes) if each[at].kind in kinds]
    return random.choice(found) if found else None


def _row(roots: list[_Node], random: Random) -> None:
    """One number of one row of a table somewhere below becomes another one; the count stays right."""
    node = _of_kind(roots, [kind.encode() for kind in _COLUMNS], random)
    if node is None or len(node.body) < 12:
        return
    at = 8 + 4 * random.randrange((len(node.body) - 8) // 4)
    value = int.from_bytes(node.body[at : at + 4], "big") + random.choice((-1, 1, 1000))
    value = random.choice((value, random.choice(_EXTREMES), random.getrandbits(random.randrange(1, 33))))
    node.body[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "big")


def _rows(roots: list[_Node], random: Random) -> None:
    """Rows of a table come or go, and its count with them."""
    node = _of_kind(roots, [kind.encode() for kind in _COLUMNS], random)
    if node is None or len(node.body) < 12:
        return
    width = 4 * _COLUMNS[node.kind.decode()]
    rows = [bytes(node.body[at : at + width]) for at in range(8, len(node.body), width)]
    match random.randrange(3):
        case 0:
            rows.pop(random.randrange(len(rows)))
        case 1:
            rows = (rows * random.choice((2, 3, 300)))[:_MOST_ROWS]
        case _:
            random.shuffle(rows)
    node.body[4:8] = len(rows).to_bytes(4, "big")
    node.body[8:] = b"".join(rows)


def _durations(roots: list[_Node], random: Random) -> None:
    """Another table of times that covers exactly the samples that the old one covers."""
    node = _of_kind(roots, (b"stts", b"ctts"), random)
    if node is None or len(node.body) < 16 or len(node.body) % 8:
        return
    left = sum(int.from_bytes(node.body[at : at + 4], "big") for at in range(8, len(node.body), 8))
    if not 0 < left < _MOST_ROWS:
        return
    runs = b""
    while left:
        count = random.randint(1, left)
        value = random.choice(
            (0, 1, 512, 1024, 3003, 0x7FFFFFFF, 0x40000000, random.getrandbits(random.randint(1, 31)))
        )
        runs += struct.pack(">II", count, value)
        left -= count
    node.body[4:] = (len(runs) // 8).to_bytes(4, "big") + runs


def _edits(roots: list[_Node], random: Random) -> None:
    """Another edit list, of the kinds that are met: empty ones, cuts, several, endless."""
    node = _of_kind(roots, (b"elst",), random)
    if node is None:
        return
    edits = b""
    count = random.choice((1, 1, 1, 2, 2, 3))
    for _ in range(count):
        duration = random.choice((0, 1, 100, 400, 2000, 0xFFFFFFFF, 1 << 40, (1 << 60) - 1))
        time = random.choice((-1, 0, 1, 512, 1024, 2048, 4000, 0x7FFFFFFF, 1 << 40, random.getrandbits(14)))
        edits += struct.pack(">Qqi", duration, time, 0x10000)
    node.body[:] = struct.pack(">II", 1 << 24, count) + edits


def _timescale(roots: list[_Node], random: Random) -> None:
    node = _of_kind(roots, (b"mdhd", b"mvhd"), random)
    if node is None or len(node.body) < 24:
        return
    at = 20 if node.body[0] else 12
    node.body[at : at + 4] = random.choice((*_TIMESCALES, random.randint(1, 1 << 31))).to_bytes(4, "big")


def _sample_sizes(roots: list[_Node], random: Random) -> None:
    node = _of_kind(roots, (b"stsz",), random)
    if node is None or len(node.body) < 16:
        return
    if random.random() < 0.3:
        node.body[4:8] = random.choice((1, 2, 1024, *_EXTREMES)).to_bytes(4, "big")
        return
    at = 12 + 4 * random.randrange(max(1, (len(node.body) - 12) // 4))
    node.body[at : at + 4] = random.choice((0, 1, 4, 5, 100, 5000, *_EXTREMES)).to_bytes(4, "big")


_CHANGES: tuple[_Change, ...] = (
    *(_field, _field, _field, _flip, _flip, _size, _wide_size, _count, _delete, _duplicate, _shuffle, _rename),
    *(_transplant, _transplant, _shorten, _lengthen),
)
_REWRITES: tuple[_Rewrite, ...] = (
    _row,
    _row,
    _rows,
    _durations,
    _durations,
    _edits,
    _edits,
    _timescale,
    _timescale,
    _sample_sizes,
)
