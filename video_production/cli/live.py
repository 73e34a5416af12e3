"""Real providers on this machine: whose key is where, and what is refused before anybody is asked for anything."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from video_production.errors import DocumentError, Problem, RequestError
from video_production.nodes.model import Node
from video_production.settings import PROVIDER_FACTS

__all__ = ["NO_LIVE", "Live", "placeholders", "read_live", "read_prices", "refuse_placeholders"]

_SETTINGS = ("ACCOUNT", "MAX_JOBS", "SUBMIT_BUDGET_SECONDS", "INDEXING_LAG_SECONDS")
_ADDRESS = "LIVE_BASE_URL"
PRICES = "JIKI_VIDEO_PRICES"
"""Names a JSON file with prices that differ from the shipped ones."""

_CHOSEN = {"voiceId": "a voice", "avatarId": "an avatar"}
_WORDS = frozenset(
    [
        "an",
        "any",
        "avatar",
        "change",
        "demo",
        "example",
        "id",
        "insert",
        "me",
        "my",
        "placeholder",
        "sample",
        "some",
        "stand",
        "in",
        "test",
        "the",
        "voice",
    ]
)
"""An id that consists of these and of numbers is no id."""
_TELLING = frozenset(
    ["changeme", "draft", "dummy", "fake", "fixme", "placeholder", "replace", "standin", "todo", "xxx", "your"]
)
"""An id with one of these words in it is none either."""
_GENERATED = re.compile(r"[A-Za-z0-9]{20}|[0-9a-f]{32}")
"""What providers make up themselves: nothing in it is a word."""


@dataclass(frozen=True)
class Live:
    """The providers that are to be the real ones: their keys, and their settings as variables of the functions."""

    keys: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.keys)


NO_LIVE = Live()


def read_live(names: Iterable[str], variables: Mapping[str, str] | None = None, *, need_keys: bool = True) -> Live:
    """The keys and settings of `names` from environment variables. Raises RequestError where one is missing.

    Without `need_keys` none is needed: a plan asks nobody.
    """
    given = os.environ if variables is None else variables
    keys: dict[str, str] = {}
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        keys[name] = _key(name, given) if need_keys else ""
        found |= _settings(name, given, need_all=need_keys)
    return Live(keys, found)


def read_prices(variables: Mapping[str, str] | None = None) -> str:
    """The content of the file with prices of one's own, empty where there is none. Raises RequestError."""
    path = (os.environ if variables is None else variables).get(PRICES, "")
    if not path:
        return ""
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{PRICES} names {path}, which can't be read ({error}); mend it or unset it.") from error


def _key(name: str, given: Mapping[str, str]) -> str:
    facts = PROVIDER_FACTS[name]
    title, variable = facts.title, facts.key_variable
    value = given.get(variable, "").strip()
    if not value:
        what = "the path of a service account's key file" if facts.key_in_file else "an API key"
        raise RequestError(f"--live {name} needs {what} of {title} in the environment variable {variable}.")
    if not facts.key_in_file:
        return value
    try:
        content = Path(value).expanduser().read_text(encoding="utf-8")
        json.loads(content)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not JSON"
        raise RequestError(
            f"{variable} names {value}, which is no readable key file ({why}). Name the JSON key file of a service "
            "account; nothing was started."
        ) from error
    return content


def _settings(name: str, given: Mapping[str, str], *, need_all: bool) -> dict[str, str]:
    facts, upper = PROVIDER_FACTS[name], name.upper()
    wanted = [f"{upper}_{key}" for key in (*_SETTINGS, *(option.upper() for option in facts.options))]
    found = {variable: given[variable] for variable in wanted if given.get(variable)}
    for option, what in facts.needs if need_all else ():
        if (variable := f"{upper}_{option.upper()}") not in found:
            raise RequestError(f"--live {name} needs {what} in the environment variable {variable}.")
    address = given.get(f"{upper}_{_ADDRESS}", "")
    return found | ({f"{upper}_BASE_URL": address} if address else {})


def refuse_placeholders(nodes: Iterable[Node], live: Iterable[str], document: str) -> None:
    """Raise DocumentError for every voice and avatar of a real provider that can't be meant."""
    problems = list(placeholders(nodes, live))
    if problems:
        raise DocumentError(document, problems)


def placeholders(nodes: Iterable[Node], live: Iterable[str]) -> Iterator[Problem]:
    """What `refuse_placeholders` refuses."""
    real = frozenset(live)
    for node in nodes:
        if node.provider not in real:
            continue
        for key, what in _CHOSEN.items():
            value = node.config.get(key)
            if isinstance(value, str) and _placeholder(value):
                title = PROVIDER_FACTS[str(node.provider)].title
                message = f"'{value}' is a placeholder. Name {what} of your {title} account; it is paid for."
                yield Problem(f"nodes.{node.id}.config.{key}", message)


def _placeholder(value: str) -> bool:
    if "<" in value or ">" in value or len(set(value.lower())) < 3:
        return True
    if _GENERATED.fullmatch(value):
        return False
    words = [word for word in re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value).lower()) if word]
    return all(word in _WORDS for word in words) or not _TELLING.isdisjoint(words)
