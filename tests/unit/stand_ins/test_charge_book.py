"""The charge book is what money tests believe, so it must not lose or invent rows."""

from __future__ import annotations

import threading
from pathlib import Path

from stand_ins.charge_book import Charge, ChargeBook


def charge(external_id: str) -> Charge:
    return Charge(1.5, "flows", external_id, "r", 10, "characters", 5, "eleven_flash_v2_5", 0.0004, "0" * 64, "ü")


def test_rows_come_back_as_they_were_written_and_in_order(tmp_path: Path) -> None:
    book = ChargeBook(tmp_path / "deeper" / "book.jsonl")
    assert book.rows() == []
    book.append(charge("a"))
    book.append(charge("b"))
    assert ChargeBook(tmp_path / "deeper" / "book.jsonl").rows() == [charge("a"), charge("b")]


def test_concurrent_charges_are_all_written(tmp_path: Path) -> None:
    book = ChargeBook(tmp_path / "book.jsonl")
    threads = [threading.Thread(target=book.append, args=(charge(str(number)),)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {row.external_id for row in book.rows()} == {str(number) for number in range(16)}


def test_a_row_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    ChargeBook(path).append(charge("a"))
    with path.open("ab") as file:
        file.write(b'{"at": 1.5, "kind": "fl')
    assert ChargeBook(path).rows() == [charge("a")]
