"""What a stand-in would have billed: one line of JSON per charge, appended and flushed to disk before the next step."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Charge", "ChargeBook"]


@dataclass(frozen=True, slots=True)
class Charge:
    """One billed generation.

    `at` is in Unix seconds; `kind` is the way it was bought ("tts", "timed", "avatar"); `external_id` is the provider's
    id of the result (a job's id, or a history item's); `quantity` in `unit` ("characters", "seconds") is what was
    delivered, `credits` what the provider counts for it (0 where it counts money), `usd` the price in US dollars.
    `request_sha256` is the hash of what the caller gave to be worked on: the text, the prompt, the sound file. `detail`
    is what else tells two charges apart, such as the voice or the avatar.
    """

    at: float
    kind: str
    external_id: str
    request_id: str
    quantity: float
    unit: str
    credits: float
    model: str
    usd: float
    request_sha256: str
    detail: str


class ChargeBook:
    """An append-only book at `path`, for one writing process and any number of readers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def append(self, charge: Charge) -> None:
        """Add a row; it is on disk when this returns."""
        line = json.dumps(asdict(charge), ensure_ascii=False).encode() + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self._path.open("ab") as book:
            book.write(line)
            book.flush()
            os.fsync(book.fileno())

    def rows(self) -> list[Charge]:
        """Every charge, oldest first."""
        content = self._path.read_bytes() if self._path.exists() else b""
        # A line without its end is being written at this moment: it is no row yet.
        complete = content[: content.rfind(b"\n") + 1]
        return [Charge(**json.loads(line)) for line in complete.splitlines()]
