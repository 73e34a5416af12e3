"""Validation errors as sentences for people: where, what is wrong, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from video_production.errors import Problem
from video_production.pipelines.node_base import Asset
from video_production.pipelines.node_types import NODE_TYPES, NodeType

__all__ = ["Located", "closest", "explain", "listed", "nearest", "node_path", "type_choice", "value_range"]

Located = tuple[int, Problem]
"""A problem and the index of its node in the document; -1 for the head of the document."""


def closest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` when one of `known` is near, else nothing. Upper and lower case don't matter."""
    near = nearest(word, known)
    return f"; did you mean '{near}'?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like `word`, where one does."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def listed(words: Sequence[str], joint: str = "and") -> str:
    """`'a', 'b' and 'c'`."""
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {joint} {quoted[-1]}"


def node_path(node: Any, index: int) -> str:
    """`nodes.intro-voice`, or `nodes[3]` for a node without a usable id."""
    id = node.get("id", node.get("uuid")) if isinstance(node, dict) else None
    return f"nodes.{id}" if isinstance(id, str) and id else f"nodes[{index}]"


def value_range(field: FieldInfo) -> str:
    """`from 0 to 1`, `at least 2`, … or nothing where a field has no bounds."""
    low = high = ""
    for rule in field.metadata:
        if isinstance(rule, annotated_types.Ge):
            low = f"{rule.ge:,}"
        elif isinstance(rule, annotated_types.Gt):
            low = f"more than {rule.gt:,}"
        elif isinstance(rule, annotated_types.Le):
            high = f"{rule.le:,}"
    if low and high:
        return f"{low} and at most {high}" if low.startswith("more") else f"from {low} to {high}"
    return f"at least {low}" if low else ""


def type_choice(given: object) -> str:
    """What to say about a node type that does not exist."""
    near = closest(str(given), NODE_TYPES)
    return f"'{given}' is not a node type{near or '.'} The types are {listed(list(NODE_TYPES))}."


def explain(data: dict[str, Any], document: type[BaseModel], errors: Iterable[ErrorDetails]) -> list[Located]:
    """One problem for each of pydantic's errors about `data`; a misspelled key is not reported as missing too."""
    explanations = [_Explanation(data, document, error) for error in errors]
    misspelled = {explanation.meant() for explanation in explanations}
    return [one.located() for one in explanations if one.error["type"] != "missing" or one.keys not in misspelled]


class _Explanation:
    """One error, with the model and the field that it is about."""

    def __init__(self, data: dict[str, Any], document: type[BaseModel], error: ErrorDetails) -> None:
        self.error = error
        self.value = error["input"]
        self.context = error.get("ctx", {})
        self.keys = _without_tags(error["loc"])
        self.index = self.keys[1] if self.keys[:1] == ("nodes",) and len(self.keys) > 1 else -1
        self.node = data["nodes"][self.index] if isinstance(self.index, int) and self.index >= 0 else None
        self.kind = self._node_type()
        self.section = self._section()
        self.owner = self._owner(document)
        self.key = str(self.keys[-1]) if self.keys else ""
        self.field = _field(self.owner, self.key)

    def meant(self) -> tuple[int | str, ...] | None:
        """The location of the key that an unknown key was probably meant to be."""
        near = nearest(self.key, self._known()) if self.error["type"] == "extra_forbidden" else None
        return (*self.keys[:-1], near) if near else None

    def located(self) -> Located:
        explainers: dict[str, Callable[[], str]] = {
            "sentence": lambda: self.error["msg"],
            "missing": self._missing,
            "extra_forbidden": self._unknown,
            "invalid_key": lambda: f"The key {self.key} is not text. Put it in quotes.",
            "literal_error": self._choice,
            "union_tag_invalid": self._tag,
            "union_tag_not_found": self._tag_missing,
            "string_type": self._not_text,
            "string_too_short": lambda: f"is empty. {self._meaning()}",
            "string_too_long": lambda: (
                f"has {len(self.value)} characters; at most {self.context['max_length']} are allowed."
            ),
            "string_pattern_mismatch": lambda: f"'{self.value}' does not fit. {self._meaning()}",
            "bool_type": lambda: self._not_a("true or false"),
            "int_type": lambda: self._not_a("a whole number"),
            "float_type": lambda: self._not_a("a number"),
            "finite_number": lambda: self._not_a("a finite number"),
            "list_type": self._not_a_list,
            "too_short": self._too_few,
            "too_long": lambda: (
                f"has {self.context['actual_length']} entries; at most {self.context['max_length']} are allowed."
            ),
        }
        for name in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
            explainers[name] = self._out_of_range
        for name in ("model_type", "dict_type", "model_attributes_type"):
            explainers[name] = self._not_a_mapping
        kind = self.error["type"]
        message = explainers[kind]() if kind in explainers else f"is not usable: {self.error['msg'].lower()}."
        index = self.index if isinstance(self.index, int) else -1
        return index, Problem(self._path(), message)

    # --- where ------------------------------------------------------------------------------------------------------

    def _path(self) -> str:
        keys = list(self.keys)
        path = ""
        if self.error["type"] in ("union_tag_invalid", "union_tag_not_found"):
            keys.append("provider" if self.section == "config" else "type")
        if self.node is not None and isinstance(self.index, int):
            path = node_path(self.node, self.index)
            keys = keys[2:]
        for key in keys:
            path += f"[{key}]" if isinstance(key, int) else f".{key}" if path else str(key)
        return path

    def _node_type(self) -> NodeType | None:
        name = self.node.get("type") if isinstance(self.node, dict) else None
        return NODE_TYPES.get(name) if isinstance(name, str) else None

    def _section(self) -> str:
        """`inputs`, `config` or `asset` for what lies inside one of them (or is one of them), else nothing."""
        if self.kind and len(self.keys) > 2 and self.keys[2] in ("inputs", "config", "asset"):
            return str(self.keys[2])
        return ""

    def _owner(self, document: type[BaseModel]) -> type[BaseModel] | None:
        """The model that has, or lacks, the last key."""
        if self.kind is None:
            model: type[BaseModel] | None = document
            for key in self.keys[:-1]:
                field = _field(model, str(key))
                annotation = field.annotation if field else None
                model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
            return model
        if len(self.keys) <= 3 or not self.section:
            return self.kind.model
        if self.section == "inputs":
            return self.kind.inputs
        return Asset if self.section == "asset" else _inside(self._config_model(self.kind), self.keys[3:-1])

    def _config_model(self, kind: NodeType) -> type[BaseModel]:
        config = self.node.get("config") if isinstance(self.node, dict) else None
        provider = config.get("provider") if isinstance(config, dict) else None
        return kind.configs.get(str(provider)) or next(iter(kind.configs.values()))

    # --- what -------------------------------------------------------------------------------------------------------

    def _meaning(self) -> str:
        return (self.field.description or "").replace("`", "'") if self.field else ""

    def _known(self) -> list[str]:
        return [str(field.alias) for field in self.owner.model_fields.values()] if self.owner else []

    def _missing(self) -> str:
        if self.section == "inputs" and self.kind and self.key in self.kind.slots:
            slot = self.kind.slots[self.key]
            several = (
                f"a list of at least {slot.minimum} nodes that make" if slot.many else "the id of a node that makes"
            )
            return f"'{self.key}' is missing. It takes {several} {' or '.join(slot.accepts)}."
        return f"'{self.key}' is missing. {self._meaning()}".rstrip()

    def _unknown(self) -> str:
        known = self._known()
        place = self._right_place()
        if place:
            return f"'{self.key}' is in the wrong place: it belongs under {place}."
        name = self.kind.name if self.kind else "a pipeline document"
        if self.section == "inputs":
            return self._not_one_of(known, f"an input of {name}", f"{name} takes no inputs")
        if self.section == "config" and len(self.keys) > 4:
            return self._not_one_of(known, f"a key of '{self.keys[3]}'", "")
        if self.section == "config":
            return self._not_one_of(known, f"a setting of {name}", f"{name} has no settings")
        owner = {"asset": "an asset", "": "a node" if self.kind else "a pipeline document"}[self.section]
        if self.kind is None and len(self.keys) > 1:
            owner = f"'{'.'.join(str(key) for key in self.keys[:-1])}'"
        return self._not_one_of(known, f"a key of {owner}", "")

    def _not_one_of(self, known: list[str], what: str, none: str) -> str:
        if not known:
            return f"'{self.key}' can't be here: {none}. Remove it."
        near = closest(self.key, known)
        if near:
            return f"'{self.key}' is not {what}{near}"
        return f"'{self.key}' is not {what}. Known: {listed([key for key in known if key != '$schema'])}."

    def _right_place(self) -> str:
        """Where a key belongs that exists, but not here."""
        if self.kind is None:
            return ""
        if self.key == "asset":
            return "a node of type 'asset'"
        homes = {"inputs": list(self.kind.slots)}
        homes["config"] = [str(field.alias) for field in self._config_model(self.kind).model_fields.values()]
        if self.kind.name == "asset":
            homes["asset"] = [*(str(field.alias) for field in Asset.model_fields.values()), "url"]
        at_node = self.section == ""
        homes = {home: keys for home, keys in homes.items() if home != self.section}
        if self.section == "asset":
            return ""
        return next(
            (f"'{home}'" for home, keys in homes.items() if self.key in keys and (at_node or home != "asset")), ""
        )

    def _choice(self) -> str:
        options = list(_literals(self.field.annotation)) if self.field else []
        if options and isinstance(options[0], int):
            words = [str(option) for option in options]
            wanted = f"{', '.join(words[:-1])} or {words[-1]}"
            return f"must be {wanted}, but is {_described(self.value)}.{_unquote(self.value)}"
        if self.key == "provider" and self.kind:
            return f"'{self.value}' does not make {self.kind.name}. Use {listed(options, 'or')}."
        if not isinstance(self.value, str):
            return f"must be one of {listed(options, 'or')}, but is {_described(self.value)}."
        near = closest(self.value, options)
        return f"'{self.value}' is not possible here{near or '.'} Use {listed(options, 'or')}."

    def _tag(self) -> str:
        if self.section == "config" and self.kind:
            return (
                f"'{self.context['tag']}' does not make {self.kind.name}. Use {listed(list(self.kind.configs), 'or')}."
            )
        given = self.node.get("type") if isinstance(self.node, dict) else None
        return self._tag_missing() if given is None else type_choice(given)

    def _tag_missing(self) -> str:
        if self.section == "config" and self.kind:
            return f"'provider' is missing. Use {listed(list(self.kind.configs), 'or')}."
        return f"'type' is missing. The types are {listed(list(NODE_TYPES))}."

    def _not_text(self) -> str:
        if isinstance(self.value, bool):
            return "must be text, but YAML reads yes, no, on and off without quotes as true or false. Put it in quotes."
        if isinstance(self.value, int | float):
            return f"must be text, but is {_described(self.value)}. Put it in quotes."
        what = "the id of a node" if self.section == "inputs" else "text"
        return f"must be {what}, but is {_described(self.value)}."

    def _not_a(self, what: str) -> str:
        return f"must be {what}, but is {_described(self.value)}.{_unquote(self.value)}"

    def _not_a_list(self) -> str:
        if self.key == "nodes":
            return f"must be a list of nodes, each starting with '- id: …', but is {_described(self.value)}."
        what = "mappings" if self.section == "config" else "node ids, in order"
        return f"must be a list of {what}, but is {_described(self.value)}."

    def _too_few(self) -> str:
        needed, found = self.context["min_length"], self.context["actual_length"]
        if self.key == "nodes":
            return "The document has no nodes. Add at least one."
        return f"needs at least {needed} nodes, but has {found}."

    def _out_of_range(self) -> str:
        bounds = value_range(self.field) if self.field else ""
        return f"must be {bounds}, but is {self.value}."

    def _not_a_mapping(self) -> str:
        if self.node is not None and len(self.keys) <= 2:
            return f"must be a node with id and type, but is {_described(self.value)}."
        return f"must be a mapping of keys and values, but is {_described(self.value)}."


def _without_tags(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A location in document words: pydantic puts in which member of a union it tried."""
    if len(loc) < 3 or loc[0] != "nodes":
        return loc
    keys = (*loc[:2], *loc[3:])
    if len(keys) > 3 and loc[2] == "generate-animation" and keys[2] == "config":
        keys = (*keys[:3], *keys[4:])
    return keys


def _inside(model: type[BaseModel] | None, keys: Sequence[int | str]) -> type[BaseModel] | None:
    """The model that the keys lead to, from a model on; places in a list are no step."""
    for key in keys:
        if isinstance(key, str):
            field = _field(model, key)
            model = next(_models(field.annotation), None) if field else None
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation, such as that of `list[Model] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _literals(annotation: Any) -> Iterator[Any]:
    """The values that an annotation allows, such as those of `Literal["a", "b"] | None`."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for part in get_args(annotation):
        yield from _literals(part)


def _field(model: type[BaseModel] | None, key: str) -> FieldInfo | None:
    fields = model.model_fields.values() if model else ()
    return next((field for field in fields if field.alias == key), None)


def _described(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text '{value if len(value) <= 60 else value[:57] + '…'}'"
    return "a list" if isinstance(value, list) else "a mapping"


def _unquote(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        return ""
    return f" Write {value.replace(',', '.')}." if re.fullmatch(r"\d+,\d+", value) else " Remove the quotes."
