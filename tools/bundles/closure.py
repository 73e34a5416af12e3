"""What a function needs of this checkout: every module that its handler reaches by `import`, found without running it.

Imports inside functions count; imports for type checkers only (`if TYPE_CHECKING:`) do not.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from video_production.errors import OperatorError

__all__ = ["FIRST_PARTY", "Closure", "closure_of"]

FIRST_PARTY = ("functions", "video_production")
"""The packages of this checkout that may run in Lambda."""

_GONE = {"aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt", "distutils", "imghdr", "imp"}
_GONE |= {"lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "smtpd", "sndhdr", "spwd", "sunau"}
_GONE |= {"telnetlib", "uu", "xdrlib"}
"""Standard modules of Python 3.11 that Python 3.13 has no more."""
_STANDARD = sys.stdlib_module_names - _GONE


@dataclass(slots=True)
class Closure:
    """`files`: paths below the checkout; `third_party`: top-level module → the file that imports it;
    `services`: the AWS services for which clients are made, by botocore's names."""

    files: set[Path] = field(default_factory=set)
    third_party: dict[str, Path] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)


def closure_of(entry: str, root: Path) -> Closure:
    """The closure of the module `entry` (`functions.merger.handler`) in the checkout `root`.

    Raises OperatorError for what can't be followed: a missing module, a dynamic import, a client of a computed name.
    """
    closure = Closure()
    waiting = [entry]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = _file_of(module, root)
        if path is None:
            raise OperatorError(f"The module {module} does not exist in this checkout; a function can't be bundled.")
        closure.files.add(path)
        facts = _read(module, path, (root / path).read_text(encoding="utf-8"))
        for imported, attribute in facts.imports:
            top = imported.partition(".")[0]
            if top in FIRST_PARTY:
                waiting += _loaded_by(imported, attribute, root)
            elif top not in _STANDARD:
                closure.third_party.setdefault(top, path)
        closure.services |= facts.services
        closure.files |= _data_files(path, facts, root)
    return closure


def _file_of(module: str, root: Path) -> Path | None:
    """The file of `module`, relative to `root`; None where there is no such module."""
    stem = Path(*module.split("."))
    return next((file for file in (stem.with_suffix(".py"), stem / "__init__.py") if (root / file).is_file()), None)


def _loaded_by(module: str, attribute: str, root: Path) -> Iterator[str]:
    """The modules that the import runs: `module`, the packages around it, and `attribute` where that is a module."""
    steps = module.split(".")
    yield from (".".join(steps[:end]) for end in range(1, len(steps) + 1))
    if attribute and _file_of(f"{module}.{attribute}", root):
        yield f"{module}.{attribute}"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What one module's syntax tree says.

    `imports`: modules, each with the name that is taken from it (`from module import name`) or none; `services`: AWS
    services; `beside`: where it uses `__file__`, the texts that may name files beside it.
    """

    imports: tuple[tuple[str, str], ...]
    services: frozenset[str]
    beside: frozenset[str] | None


@functools.cache
def _read(module: str, path: Path, source: str) -> _Facts:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imports: list[tuple[str, str]] = []
    services: set[str] = set()
    texts: set[str] = set()
    asks_for_file = False
    for node in _running(ast.parse(source, str(path))):
        if isinstance(node, ast.Import):
            imports += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports += [(_base(node, package), alias.name) for alias in node.names]
        elif isinstance(node, ast.Call):
            services |= _called_service(node, path)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
        elif isinstance(node, ast.Name) and node.id == "__file__":
            asks_for_file = True
    return _Facts(tuple(imports), frozenset(services), frozenset(texts) if asks_for_file else None)


def _base(node: ast.ImportFrom, package: str) -> str:
    """The module that `from … import` names, relative ones made absolute."""
    if not node.level:
        return node.module or ""
    steps = package.split(".")
    steps = steps[: len(steps) - node.level + 1]
    return ".".join([*steps, node.module] if node.module else steps)


def _called_service(call: ast.Call, path: Path) -> set[str]:
    """The AWS service of a call `LazyClient("name")`. Raises OperatorError for calls that can't be followed."""
    name = _name(call.func)
    if name in ("import_module", "__import__"):
        raise OperatorError(
            f"{path}, line {call.lineno}: a dynamic import can't be followed into a bundle; import by name."
        )
    if name != "LazyClient":
        return set()
    service = call.args[0] if call.args else None
    if not isinstance(service, ast.Constant) or not isinstance(service.value, str):
        raise OperatorError(
            f"{path}, line {call.lineno}: write the AWS service's name as a literal; a bundle holds only the services "
            "that are named."
        )
    return {service.value}


def _data_files(path: Path, facts: _Facts, root: Path) -> set[Path]:
    """The files beside the module that it names. Raises OperatorError when it uses `__file__`, but names none."""
    if facts.beside is None:
        return set()
    folder = (root / path).parent
    candidates = (folder / text for text in facts.beside if _is_file_name(text))
    found = {file.relative_to(root) for file in candidates if file.is_file()}
    if not found:
        raise OperatorError(
            f"{path} uses __file__, but names no file beside it; a bundle can't hold what it does not know."
        )
    return found


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and _name(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield other
                yield from _running(other)
            continue
        yield child
        yield from _running(child)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_file_name(text: str) -> bool:
    return 0 < len(text) < 100 and text.isprintable() and "/" not in text and not text.startswith(".")
