"""The table of settings in docs/deploy.md names every setting, its default and what it may be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stacks.settings import EnvironmentSettings, ProviderOptions, sections_in
from tests.unit.docs.pages import table
from video_production.settings import PROVIDERS

ROLE = "FUNCTION"


def test_the_table_of_settings_is_complete_and_right() -> None:
    told = [tuple(row[:3]) for row in table("deploy.md", "| setting | default | it may be | what it does |")]
    assert told == list(dict.fromkeys(rows(EnvironmentSettings)))


def rows(section: type[BaseModel], above: str = "") -> Iterator[tuple[str, str, str]]:
    """Setting, default and allowed values of everything in a section; optional sections come after their own row."""
    for name, field in section.model_fields.items():
        key, inner = f"{above}{name}", sections_in(field.annotation)
        if key == "environment":
            continue
        if inner == [ProviderOptions]:
            for provider in PROVIDERS:
                yield from rows(ProviderOptions, f"{key}.{provider}.")
        elif inner:
            if not field.is_required() and field.default is None:
                yield key, default(field), allowed(field)
            for each in inner:
                yield from rows(each, f"{key}.")
        else:
            key += f".{ROLE}" if field.default == {} else ""
            yield key, default(field), allowed(field)


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "–"
    value: Any = field.default
    return "unset" if value == {} else json.dumps(list(value) if isinstance(value, tuple) else value)


def allowed(field: FieldInfo) -> str:
    return (field.description or "").replace("`", "")
