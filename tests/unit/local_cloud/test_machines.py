"""State machine files and their variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_cloud.cloud import CHECKOUT
from local_cloud.functions import Endpoints, functions
from local_cloud.machines import machine_definitions, substitute
from video_production.errors import OperatorError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.asl.json"


def test_variables_are_put_in_as_cloudformation_does(file: Path) -> None:
    file.write_text('{"a": "${Table}-${Table}", "b": "${!Literal}", "c": "$.path", "d": ${Seconds}}')
    filled = substitute(file, {"Table": "nodes", "Seconds": "1"})
    assert json.loads(filled) == {"a": "nodes-nodes", "b": "${Literal}", "c": "$.path", "d": 1}


def test_a_variable_that_nobody_gives_is_an_error_naming_it(file: Path) -> None:
    file.write_text("${Table} ${Other}")
    with pytest.raises(OperatorError, match=r"some\.asl\.json: nothing is known to put in for Other"):
        substitute(file, {"Table": "nodes"})


def test_a_variable_that_nobody_uses_is_an_error_naming_it(file: Path) -> None:
    file.write_text("${Table}")
    with pytest.raises(OperatorError, match="Other is given to this file, which does not use it"):
        substitute(file, {"Table": "nodes", "Other": "x"})


def test_the_projects_own_machines_become_plain_json() -> None:
    table = functions(Endpoints("http://127.0.0.1:1", "http://127.0.0.1:2"))
    definitions = machine_definitions(CHECKOUT / "workflows", table)
    assert list(definitions) == ["jiki-video-node-local", "jiki-video-pipeline-local"]
    for definition in definitions.values():
        assert "${" not in definition
        assert json.loads(definition)["StartAt"] in json.loads(definition)["States"]
    assert json.loads(definitions["jiki-video-pipeline-local"])["States"]["Watch"]["Seconds"] == 1
