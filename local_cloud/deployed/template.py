"""Reading templates: what refers to what, in which order to make things, and `Fn::Sub`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

__all__ = ["dependency_order", "references", "substitute"]

_VARIABLE = re.compile(r"\$\{(!?)([^${}]*)\}")


def references(part: Any) -> Iterator[str]:
    """The logical ids (and parameters) that a part of a template names, by Ref, GetAtt, Sub or DependsOn."""
    if isinstance(part, list):
        for each in part:
            yield from references(each)
    elif isinstance(part, Mapping):
        for key, value in part.items():
            match key, value:
                case "Ref", str():
                    yield value
                case "Fn::GetAtt", [str() as name, *_]:
                    yield name
                case "DependsOn", _:
                    yield from [value] if isinstance(value, str) else value
                case "Fn::Sub", str():
                    yield from _named(value)
                case "Fn::Sub", [str() as text, Mapping() as given]:
                    yield from (name for name in _named(text) if name not in given)
                    yield from references(list(given.values()))
                case _:
                    yield from references(value)


def _named(text: str) -> Iterator[str]:
    return (name.partition(".")[0] for literal, name in _VARIABLE.findall(text) if not literal)


def dependency_order(resources: Mapping[str, Any]) -> list[str]:
    """Logical ids, each after everything that it refers to. Raises graphlib.CycleError."""
    graph = {
        name: {each for each in references(resource) if each in resources and each != name}
        for name, resource in resources.items()
    }
    return list(TopologicalSorter(graph).static_order())


def substitute(text: str, value: Callable[[str], Any]) -> str:
    """`Fn::Sub`: `${Name}` and `${Name.Attribute}` become `value("Name")`…, `${!Name}` becomes `${Name}`."""
    return _VARIABLE.sub(lambda found: f"${{{found[2]}}}" if found[1] else str(value(found[2])), text)
