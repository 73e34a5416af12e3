"""The table of settings in docs/deploy.md names every setting, its default and what it may be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stacks.settings import EnvironmentSettings, ProviderOptions, sections_in
from tests.unit.docs.pages import table
from video_production.settings import PROVIDER_FACTS, Names, ProviderFacts

ROLE = "FUNCTION"


def test_the_table_of_settings_is_complete_and_right() -> None:
    told = [tuple(row[:3]) for row in table("deploy.md", "| setting | default | it may be | what it does |")]
    assert told == list(dict.fromkeys(rows(EnvironmentSettings)))


def test_the_table_of_each_providers_settings_is_complete_and_right() -> None:
    columns = " | ".join(f"`{name}`" for name in PROVIDER_FACTS)
    told = table("deploy.md", f"| setting | {columns} | it may be | what it does |")
    wanted = [
        [name, *(usual(facts, name) for facts in PROVIDER_FACTS.values()), allowed(field)]
        for name, field in ProviderOptions.model_fields.items()
    ]
    assert [list(row[: len(PROVIDER_FACTS) + 2]) for row in told] == wanted


def usual(facts: ProviderFacts, name: str) -> str:
    """What a provider's setting is where `cdk.json` says nothing."""
    if name == "webhooks" and not facts.asks_for_webhooks:
        return "–"
    if name in {option for each in PROVIDER_FACTS.values() for option in each.options} - set(facts.options):
        return "–"
    value = ProviderOptions.model_fields[name].default
    if value is None:
        value = getattr(ProviderOptions().of(facts, Names("development")), name.removesuffix("_seconds"))
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def rows(section: type[BaseModel], above: str = "") -> Iterator[tuple[str, str, str]]:
    """Setting, default and allowed values of everything in a section; optional sections come after their own row."""
    for name, field in section.model_fields.items():
        key, inner = f"{above}{name}", sections_in(field.annotation)
        if key == "environment":
            continue
        if inner == [ProviderOptions]:
            continue  # their own table, a column for each provider
        if inner:
            if not field.is_required() and field.default is None:
                yield key, default(field), allowed(field)
            for each in inner:
                yield from rows(each, f"{key}.")
        else:
            key += f".{ROLE}" if name in ("memory", "reserved_concurrency") else ""
            yield key, default(field), allowed(field)


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "–"
    value: Any = field.default
    return "unset" if value == {} else json.dumps(list(value) if isinstance(value, tuple) else value)


def allowed(field: FieldInfo) -> str:
    return (field.description or "").replace("`", "")
