"""What `doctor` finds: one line each, with what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Finding", "broken", "lines", "note", "to_objects", "well"]

_MARKS = {"well": "✓", "note": "!", "broken": "✗"}
_WIDTH = 15


@dataclass(frozen=True, slots=True)
class Finding:
    """How something is: `well`, worth a `note`, or `broken`. `advice` is what to do about it."""

    state: Literal["well", "note", "broken"]
    subject: str
    words: str
    advice: str = ""

    @property
    def broken(self) -> bool:
        return self.state == "broken"


def well(subject: str, words: str) -> Finding:
    return Finding("well", subject, words)


def note(subject: str, words: str, advice: str = "") -> Finding:
    return Finding("note", subject, words, advice)


def broken(subject: str, words: str, advice: str = "") -> Finding:
    return Finding("broken", subject, words, advice)


def lines(finding: Finding) -> Iterator[str]:
    """A finding for a person: what it is, and below it what to do."""
    yield f" {_MARKS[finding.state]} {finding.subject:<{_WIDTH}} {finding.words}"
    if finding.advice:
        yield f"   {'':<{_WIDTH}} → {finding.advice}"


def to_objects(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings for programs."""
    return [
        {"state": found.state, "subject": found.subject, "words": found.words, "advice": found.advice}
        for found in findings
    ]
