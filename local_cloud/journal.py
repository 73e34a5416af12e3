"""The journal: every table write on disk before it is answered, replayed at the next start.

One line of JSON per request, holding the *resulting images* of all items that it touched, so that a transaction is one
line and thus atomic, and replaying is nothing but putting the images back in order:

    {"writes": [{"table": "…", "key": {"pipeline_id": {"S": "lesson"}, "id": {"S": "intro"}}, "item": {…} | null}]}

Items and keys are in DynamoDB's own JSON; `null` means deleted. A last line without its newline was torn by a crash
before anybody was told of the write, and is dropped.

Reading needs neither moto nor boto3: the command line looks here to see at once that everything is done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_production.errors import OperatorError

__all__ = ["FILE_NAME", "Item", "Journal", "Key", "Tables", "Write", "compact", "read_tables"]

FILE_NAME = "journal.jsonl"
"""The journal's name inside the state folder."""

COMPACT_ABOVE = 1 << 20
"""Bytes from which compaction is considered; below, replaying costs next to nothing."""

Item = Mapping[str, Any]
"""An item in DynamoDB's JSON: attribute name → `{"S": …}`."""

Key = tuple[str, ...]
"""The values of an item's key attributes, partition key first. All keys are strings (or numbers, as strings)."""

Tables = dict[str, dict[Key, Item]]


@dataclass(frozen=True, slots=True)
class Write:
    """What one item looks like after a request. `item` is None when it is gone."""

    table: str
    key: Item
    item: Item | None

    @property
    def key_values(self) -> Key:
        return tuple(str(value) for attribute in self.key.values() for value in attribute.values())


class Journal:
    """An open journal, ready to be appended to. One process at a time holds it (see the state folder's lock).

    Opening drops a torn last line. `durable` makes every append survive a power cut (fsync), not only a crash of the
    process; it costs milliseconds per write and is meant for live providers.
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.path = path
        self._durable = durable
        self._file = path.open("ab", buffering=0)
        self._size = _whole_lines(path)
        self._file.truncate(self._size)

    def append(self, writes: Sequence[Write]) -> None:
        """Append one line; on return it is with the operating system (on the disk when durable).

        Raises OSError when the disk refuses; the journal is then as it was before.
        """
        images = [{"table": write.table, "key": write.key, "item": write.item} for write in writes]
        line = json.dumps({"writes": images}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]
            if self._durable:
                os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._size)
            raise
        self._size += len(line)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def read_tables(path: Path) -> Tables:
    """The tables as the journal has them: `{table: {key values: item}}`; empty when there is no journal.

    Safe while a cloud is writing. Raises OperatorError naming file and line when a line is damaged.
    """
    tables: Tables = {}
    for write in _read(path):
        items = tables.setdefault(write.table, {})
        if write.item is None:
            items.pop(write.key_values, None)
        else:
            items[write.key_values] = write.item
    return tables


def compact(path: Path) -> bool:
    """Rewrite the journal with one line per living item when that makes it much smaller; True when it did.

    The new file replaces the old one in a single rename, so a crash leaves one or the other.
    """
    if not path.exists() or path.stat().st_size < COMPACT_ABOVE:
        return False
    living: dict[tuple[str, Key], Write] = {}
    for write in _read(path):
        place = (write.table, write.key_values)
        living.pop(place, None)
        if write.item is not None:
            living[place] = write
    draft = path.with_suffix(".compacting")
    draft.unlink(missing_ok=True)
    with Journal(draft) as journal:
        for write in living.values():
            journal.append([write])
        os.fsync(journal._file.fileno())
    if draft.stat().st_size * 2 > path.stat().st_size:
        draft.unlink()
        return False
    draft.replace(path)
    return True


def _read(path: Path) -> Iterator[Write]:
    """Every write in order; a torn last line is left out."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                for write in json.loads(line)["writes"]:
                    yield Write(write["table"], write["key"], write["item"])
            except (ValueError, KeyError, TypeError) as error:
                raise OperatorError(
                    f"{path}, line {number}: this line of the journal is damaged ({error}). Delete the line to go on "
                    "without that write, or produce again with --fresh."
                ) from error


def _whole_lines(path: Path) -> int:
    """The size in bytes up to and including the last newline."""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        while position:
            start = max(0, position - (1 << 16))
            file.seek(start)
            newline = file.read(position - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            position = start
    return 0
