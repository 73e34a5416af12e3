"""The sentences that modules can raise or answer with, read from their source: none can be forgotten on a page."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from video_production import errors

__all__ = ["GAP", "Said", "sentences_of"]

GAP = "…"
"""Stands for what is only known when it happens."""
_ROOT = Path(__file__).resolve().parent.parent
_MAKERS = ("ambiguous", "unreachable", "Unknown", "Explanation")
"""Methods and classes, errors apart, whose first argument people read."""


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence: `kind` is the class or method that takes it."""

    kind: str
    text: str


def sentences_of(package: str) -> list[Said]:
    """Every sentence that a module, or each module of a package, gives to an error; in the order of the source."""
    found: dict[Said, None] = {}
    for name in _modules(package):
        module = importlib.import_module(name)
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        for function in _functions(tree):
            found |= dict.fromkeys(_said(function, module))
    return list(found)


def _modules(package: str) -> list[str]:
    module = importlib.import_module(package)
    if not hasattr(module, "__path__"):
        return [package]
    folder = Path(str(module.__file__)).parent
    return [f"{package}.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]


def _functions(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node


def _said(function: ast.AST, module: ModuleType) -> Iterator[Said]:
    """The sentences of one function. A name stands for everything that the function assigned to it so far."""
    assigned: dict[str, list[ast.expr]] = {}
    for node in _in_order(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
        kind = _kind(node)
        if kind and isinstance(node, ast.Call) and node.args:
            for text in _texts(node.args[0], assigned, vars(module)):
                yield Said(kind, text)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function as they are read, functions inside it apart."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _in_order(child)


def _kind(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    called = node.func
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    known = getattr(errors, name, None)
    is_error = isinstance(known, type) and issubclass(known, errors.VideoProductionError)
    return name if is_error or name in _MAKERS else ""


def _texts(value: ast.expr, assigned: Mapping[str, list[ast.expr]], names: Mapping[str, Any]) -> list[str]:
    """What an expression can say; nothing where it only passes on what somebody else said."""
    match value:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=first, orelse=second):
            return [*_texts(first, assigned, names), *_texts(second, assigned, names)]
        case ast.Name(id=name) if name in assigned:
            rest = {known: one for known, one in assigned.items() if known != name}
            return [text for one in assigned[name] for text in _texts(one, rest, names)]
        case ast.JoinedStr(values=parts):
            text = "".join(_part(part, names) for part in parts)
            return [text] if any(isinstance(part, ast.Constant) for part in parts) else []
    return []


def _part(part: ast.expr, names: Mapping[str, Any]) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
        known = names.get(part.value.id)
        if isinstance(known, int | str):
            return f"{known:,}" if isinstance(known, int) else known
    return GAP
