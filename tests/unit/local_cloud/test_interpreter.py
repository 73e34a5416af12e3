"""What the local cloud spares moto: the same answers and the same executions, for a fraction of the work."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud import moto_patches, moto_savings
from local_cloud.replacing import replace

WORKFLOWS = Path(__file__).resolve().parents[3] / "workflows"


@pytest.fixture
def undo() -> Iterator[contextlib.ExitStack]:
    moto_patches.prepare(1)
    with contextlib.ExitStack() as stack:
        yield stack


ATTRIBUTES: dict[str, Any] = {
    "text": {"S": "élan"},
    "empty": {"S": ""},
    "number": {"N": "-1.50"},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "nothing": {"NULL": True},
    "bytes": {"B": b"\x00\xff"},
    "words": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "many bytes": {"BS": [b"\x00", b"\xff"]},
    "empty list": {"L": []},
    "empty map": {"M": {}},
    "S": {"M": {"S": {"S": "S"}, "L": {"L": [{"N": "1"}, {"L": [{"M": {"B": {"B": b"x"}}}]}]}}},
}


def answers(operation: str, result: dict[str, Any]) -> dict[str, Any]:
    from moto.core.serialize import XFormedAttributePicker, get_serializer_class
    from moto.core.utils import get_service_model

    model = get_service_model("dynamodb").operation_model(operation)
    serializer = get_serializer_class("dynamodb", "json")(operation_model=model, value_picker=XFormedAttributePicker())
    return dict(serializer.serialize(result))


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ("GetItem", {"Item": ATTRIBUTES}),
        ("GetItem", {"Item": {}}),
        ("GetItem", {}),
        ("Query", {"Items": [ATTRIBUTES, {}], "Count": 2, "LastEvaluatedKey": {"id": {"S": "a"}}}),
        ("BatchGetItem", {"Responses": {"one": [ATTRIBUTES], "two": []}, "UnprocessedKeys": {}}),
        ("UpdateItem", {"Attributes": ATTRIBUTES}),
        ("GetItem", {"Item": {"odd": {}, "two": {"S": "a", "N": "1"}, "unknown": {"X": "a"}}}),
    ],
)
def test_items_are_answered_as_moto_answers_them(
    undo: contextlib.ExitStack, operation: str, result: dict[str, Any]
) -> None:
    before = answers(operation, result)
    moto_savings._serialise_items_directly(undo)
    assert answers(operation, result) == before
    assert json.loads(before["body"]) is not None


def test_items_become_plain_as_moto_makes_them(undo: contextlib.ExitStack) -> None:
    from moto.dynamodb.models import utilities
    from moto.dynamodb.models.dynamo_type import DynamoType, Item

    sent = {"B": "AP8=", "BS": ["AA==", "/w=="]}
    attributes = {
        name: {kind: sent.get(kind, content) for kind, content in value.items()}
        for name, value in ATTRIBUTES.items()
        if name != "S"
    } | {"deep": {"M": {"a": {"L": [{"N": "1"}, {"M": {"b": {"B": "AP8="}}}]}}}}
    item = Item(DynamoType({"S": "a"}), None, attributes)
    result = {"Items": [item.attrs], "Item": item, "Count": 1, "Responses": {"one": [item.attrs]}, "none": None}
    before = utilities.dynamo_to_dict(result)
    moto_savings._serialise_items_directly(undo)
    assert utilities.dynamo_to_dict(result) == before
    assert before["Items"][0]["bytes"] == {"B": b"\x00\xff"}


def test_a_machine_is_parsed_once_for_all_its_executions(undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    definition = (WORKFLOWS / "node.asl.json").read_text()
    alone = AmazonStateLanguageParser.parse(definition)[0]
    moto_savings._parse_machines_once(undo)
    first, second = (AmazonStateLanguageParser.parse(definition)[0] for _ in range(2))
    assert first is second
    assert first.states.states.keys() == alone.states.states.keys() == json.loads(definition)["States"].keys()
    retries = [getattr(state, "retry", None) for state in first.states.states.values()]
    retriers = [retrier for retry in retries if retry for retrier in retry.retriers]
    keys = {part.heap_key for retrier in retriers for part in (retrier.max_attempts, retrier.backoff_rate)}
    assert len(keys) == 2 * len(retriers) > 2


def test_a_machine_that_cannot_be_parsed_is_refused_every_time(undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException

    moto_savings._parse_machines_once(undo)
    for _ in range(2):
        with pytest.raises(ASLParserException):
            AmazonStateLanguageParser.parse('{"StartAt": 1}')


def test_a_path_finds_what_is_in_the_data_of_each_execution(undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.asl.utils import json_path

    moto_savings._parse_machines_once(undo)
    for number in range(3):
        assert json_path.extract_json("$.a.b", {"a": {"b": number}}) == number
        with pytest.raises(json_path.NoSuchJsonPathError):
            json_path.extract_json("$.a.b", {"a": {"c": number}})


def test_moto_is_as_it_was_when_our_changes_are_taken_back() -> None:
    from moto.core.responses import BaseResponse

    class Owner:
        given = "theirs"

        @staticmethod
        def fixed(word: str) -> str:
            return word

    with contextlib.ExitStack() as undo:
        replace(Owner, "fixed", staticmethod(str.upper), undo)
        replace(Owner, "given", "ours", undo)
        assert (Owner().fixed("a"), Owner.given) == ("A", "ours")
    assert (Owner().fixed("a"), Owner.given) == ("a", "theirs")
    assert isinstance(vars(BaseResponse)["_enrich_response"], staticmethod)


def test_threads_of_executions_that_ended_are_forgotten(undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.backend import execution_worker

    moto_savings._forget_threads(undo)
    execution_worker.TMP_THREADS.append(threading.Thread())
    assert not execution_worker.TMP_THREADS
