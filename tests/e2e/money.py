"""What must hold of the money after every run: the ledger against the stand-in's charge book."""

from __future__ import annotations

from collections import Counter, defaultdict

from tests.e2e.lab import Lab
from video_production.takes.entries import balance, read_entry

_ENDS = ("settled", "refunded")


def check_money(lab: Lab) -> tuple[int, int, int]:
    """known ≤ book ≤ known + unknown, in requests and in dollars; at most one charge per take.

    Returns the three, in requests.
    """
    events: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item in lab.takes_items():
        if item["record"].startswith("ledger#"):
            events[item["take_id"], item["attempt"]].add(item["event"])
    known = sum(1 for seen in events.values() if "settled" in seen)
    unknown = sum(1 for seen in events.values() if not seen.intersection(_ENDS))
    book = len(lab.charges())
    assert known <= book <= known + unknown, f"known {known}, book {book}, unknown {unknown}"
    entries = [entry for item in lab.takes_items() if (entry := read_entry(item))]
    bill = sum(charge.usd for charge in lab.charges())
    assert balance(entries).admits(bill), f"{balance(entries)}, bill {bill}"
    charges = Counter((charge.request_sha256, charge.detail, charge.model) for charge in lab.charges())
    assert all(number <= 1 for number in charges.values()), charges
    return known, book, unknown
