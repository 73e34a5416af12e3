"""Misbehaviour on demand: rules that a stand-in follows when a matching request arrives, kept on disk.

A rule is a JSON object: `on` (the operation, or "*"), `do` (what happens), and optionally `times` (default 1; null:
until cleared) and `match` (only requests whose text contains it). What can happen:

    "lose-answer"         carry the request out, bill it, then drop the connection without an answer
    "delay"               carry it out, then wait `delay` seconds before answering
    "status"              answer with `status` (and `code`, `message`, `retry_after`) and do nothing; with
                          `billed: true` the request is carried out and billed first
    "garbage"             carry it out, then answer 200 with an unreadable body
    "fail-job"            the job ends failed, for `reason`; not billed
    "never-finish"        the job stays in progress for ever
    "hide-from-history"   what is made never shows up in listings
    "expire-url"          the download link has expired
    "half-download"       the connection drops after half of the body
    "lose-webhook"        the webhook is never sent
    "repeat-webhook"      it is sent twice
    "forge-webhook"       it is signed with another secret

`do` may be left out where `delay` or `status` says it. Of several matching rules the oldest of each sort applies, so
that two refusals follow one another, while a lost answer and a hidden result fall on the same request.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from stand_ins.files import read_json, write_json

__all__ = ["Fault", "FaultBook", "FaultError", "Faults"]

SORTS: Mapping[str, str] = {
    "lose-answer": "answer",
    "status": "answer",
    "garbage": "answer",
    "half-download": "answer",
    "expire-url": "answer",
    "delay": "time",
    "fail-job": "fate",
    "never-finish": "fate",
    "hide-from-history": "listing",
    "lose-webhook": "delivery",
    "repeat-webhook": "delivery",
    "forge-webhook": "delivery",
}


class FaultError(ValueError):
    """A rule makes no sense; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule. See the module for the meaning of each field."""

    on: str
    do: str
    times: int | None = 1
    match: str = ""
    delay: float = 0.0
    status: int = 500
    code: str = ""
    message: str = ""
    reason: str = "internal_error"
    retry_after: float | None = None
    billed: bool = False

    @classmethod
    def from_json(cls, rule: object, operations: Iterable[str]) -> Fault:
        """Read a rule; raise FaultError when it names unknown fields, operations or actions."""
        if not isinstance(rule, dict):
            raise FaultError(f"A rule must be an object, not {json.dumps(rule)}.")
        given = dict(rule)
        given.setdefault("do", "delay" if "delay" in given else "status" if "status" in given else "")
        unknown = sorted(set(given) - {field.name for field in fields(cls)})
        if unknown:
            raise FaultError(f"A rule has no field named {', '.join(unknown)}.")
        if given.get("on") not in (known := [*operations, "*"]):
            raise FaultError(f"'on' is {json.dumps(given.get('on'))}; it must be one of {', '.join(known)}.")
        if given["do"] not in SORTS:
            raise FaultError(f"'do' is {json.dumps(given['do'])}; it must be one of {', '.join(SORTS)}.")
        for name in ("times", "delay", "status", "retry_after"):
            if not isinstance(given.get(name, 0), (int, float, type(None))):
                raise FaultError(f"'{name}' must be a number, not {json.dumps(given[name])}.")
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Faults:
    """What applies to one request: at most one rule of each sort."""

    answer: Fault | None = None
    time: Fault | None = None
    fate: Fault | None = None
    listing: Fault | None = None
    delivery: Fault | None = None

    @property
    def refusal(self) -> Fault | None:
        """The rule that refuses the request before anything is done."""
        return self.answer if self.answer and self.answer.do == "status" and not self.answer.billed else None

    def answers(self, do: str) -> bool:
        return self.answer is not None and self.answer.do == do


class FaultBook:
    """The rules in force, at `path`. Safe from several threads."""

    def __init__(self, path: Path, operations: Iterable[str]) -> None:
        self._path = path
        self._operations = tuple(operations)
        self._lock = threading.Lock()
        self._rules = [Fault(**rule) for rule in read_json(path, [])]

    def add(self, rules: object) -> None:
        """Add a rule or a list of rules; all or none. Raises FaultError."""
        given = rules if isinstance(rules, list) else [rules]
        new = [Fault.from_json(rule, self._operations) for rule in given]
        with self._lock:
            self._rules.extend(new)
            self._save()

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self._save()

    def rules(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    def take(self, operation: str, text: str) -> Faults:
        """The rules for a request of `operation` about `text`; each is used up by one."""
        with self._lock:
            chosen: dict[str, Fault] = {}
            for rule in self._rules:
                if rule.on in (operation, "*") and rule.match in text:
                    chosen.setdefault(SORTS[rule.do], rule)
            faults = Faults(**chosen)
            if faults.refusal:
                # A refused request makes nothing, so rules about what it makes are kept for the next one.
                faults = Faults(answer=faults.answer, time=faults.time)
            used = [rule for rule in (faults.answer, faults.time, faults.fate, faults.listing, faults.delivery) if rule]
            for rule in used:
                self._use_up(rule)
            if used:
                self._save()
            return faults

    def _use_up(self, rule: Fault) -> None:
        index = next(position for position, known in enumerate(self._rules) if known is rule)
        if rule.times is None:
            return
        if rule.times > 1:
            self._rules[index] = replace(rule, times=rule.times - 1)
        else:
            del self._rules[index]

    def _save(self) -> None:
        write_json(self._path, [asdict(rule) for rule in self._rules])
