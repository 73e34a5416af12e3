"""Document files as plain data: JSON and YAML, with line numbers in every complaint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from video_production.errors import DocumentError, Problem

__all__ = ["LARGEST_DOCUMENT", "read_data"]

LARGEST_DOCUMENT = 5_000_000
"""In bytes. A larger file is no document that a person wrote."""

_START = "./jiki-video new my-lesson writes one to start from."
_EXPECTED = "A document is a mapping with id, title and nodes; "


def read_data(path: Path) -> dict[str, Any]:
    """The mapping that a document file holds. Raises DocumentError for everything that is no JSON or YAML mapping."""
    try:
        text = _read_text(path)
        data = _parse_json(text) if path.suffix.lower() == ".json" else _parse_yaml(text)
    except _Unreadable as error:
        raise DocumentError(str(path), error.problems) from error
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a single value"
        message = f"The document is {kind}. {_EXPECTED}{_START}"
        raise DocumentError(str(path), [Problem("", message)])
    return data


class _Unreadable(Exception):
    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.problems = [Problem("", message) for message in messages]


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise _Unreadable(f"This is a folder, not a file. Did you mean '{path / 'pipeline.yaml'}'?")
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        raise _Unreadable(f"A pipeline document is a .yaml, .yml or .json file; '{path.name}' is none of these.")
    try:
        content = path.read_bytes() if path.stat().st_size <= LARGEST_DOCUMENT else None
    except FileNotFoundError as error:
        raise _Unreadable(f"The file does not exist. Check the path; {_START}") from error
    except OSError as error:
        raise _Unreadable(f"The file can't be read ({error.strerror}).") from error
    if content is None:
        raise _Unreadable(
            f"The file is larger than {LARGEST_DOCUMENT // 1_000_000} MB. Keep long scripts in files beside it."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _Unreadable(f"line {line}: not UTF-8 text. Save the file as UTF-8.") from error
    if not text.strip():
        raise _Unreadable(f"The file is empty. {_EXPECTED}{_START}")
    return text


# --- JSON ---------------------------------------------------------------------------------------------------------

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:]')


def _parse_json(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise _Unreadable(f"{constant} is not a number that JSON knows.")

    try:
        data = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:]
        raise _Unreadable(f"line {error.lineno}, column {error.colno}: not valid JSON ({reason}).") from error
    except RecursionError as error:
        raise _Unreadable("The document is nested too deeply.") from error
    repeated = list(_repeated_json_keys(text))
    if repeated:
        raise _Unreadable(*(_repetition(key, line, first) for key, line, first in repeated))
    return data


def _repeated_json_keys(text: str) -> Iterator[tuple[str, int, int]]:
    """Each repeated key of valid JSON text with its line and the line where it came first."""
    open_mappings: list[dict[str, int]] = []
    latest: tuple[str, int] | None = None
    for match in _JSON_TOKEN.finditer(text):
        token = match.group()
        if token in "{[":
            open_mappings.append({})
        elif token in "}]":
            open_mappings.pop()
        elif token == ":" and latest:
            key, line = latest
            if key in open_mappings[-1]:
                yield key, line, open_mappings[-1][key]
            open_mappings[-1].setdefault(key, line)
        latest = (json.loads(token), text.count("\n", 0, match.start()) + 1) if token.startswith('"') else None


def _repetition(key: object, line: int, first: int) -> str:
    return f"line {line}: the key '{key}' is there twice (first on line {first}). Keep one of them."


# --- YAML ---------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without two traps: of equal keys it kept the last, and it read 16:9 as the number 969.

    Repeated keys are noted. Ratios, times and dates stay text, as in YAML 1.2; yes, no, on and off stay booleans.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.repeated: list[str] = []

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        first: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                line = key.start_mark.line + 1
                if key.value in first:
                    self.repeated.append(_repetition(key.value, line, first[key.value]))
                first.setdefault(key.value, line)
        return node


_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_REPLACED = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp")}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"(?:{_INT.pattern})$"), list("-+0123456789"))


def _parse_yaml(text: str) -> Any:
    try:
        loader = _Loader(text)
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _Unreadable(_yaml_message(error, text)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Unreadable(
            f"line {line}: the character #x{ord(text[error.position]):04x} is not allowed in YAML."
        ) from error
    except RecursionError as error:
        raise _Unreadable("The document is nested too deeply.") from error
    if loader.repeated:
        raise _Unreadable(*loader.repeated)
    if data is None:
        raise _Unreadable(f"The file is empty. {_EXPECTED}{_START}")
    return data


def _yaml_message(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"not valid YAML ({error.problem})."
    where = f"line {mark.line + 1}, column {mark.column + 1}"
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"{where}: the line is indented with a tab. YAML allows only spaces there."
    if "expected a single document" in str(error.context):
        return f"{where}: a second document starts here ('---'). Keep one document per file."
    if "could not determine a constructor for the tag" in str(error.problem):
        tag = str(error.problem).split("'")[1]
        return f"{where}: the tag '{tag}' is not allowed. Write plain values."
    since = f" {error.context} on line {error.context_mark.line + 1}," if error.context and error.context_mark else ""
    return f"{where}: not valid YAML ({since.strip()} {error.problem}).".replace("( ", "(")
