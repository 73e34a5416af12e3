from __future__ import annotations

from graphlib import CycleError

import pytest

from local_cloud.deployed.template import dependency_order, references, substitute


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"Ref": "Queue"}, ["Queue"]),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, ["Queue"]),
        ({"DependsOn": "Role"}, ["Role"]),
        ({"DependsOn": ["Role", "Policy"]}, ["Role", "Policy"]),
        ({"Fn::Sub": "arn:${AWS::Region}:${Queue.Arn} ${!Queue}"}, ["AWS::Region", "Queue"]),
        ({"Fn::Sub": ["${Here} ${Queue}", {"Here": {"Ref": "Table"}}]}, ["Queue", "Table"]),
        ({"Properties": {"Targets": [{"Arn": {"Fn::Join": ["", ["x", {"Ref": "Queue"}]]}}]}}, ["Queue"]),
        ({"Ref": {"not": "a reference"}}, []),
        ("Queue", []),
    ],
)
def test_a_template_refers_to_what_it_names(part: object, named: list[str]) -> None:
    assert list(references(part)) == named


def test_resources_come_after_what_they_refer_to() -> None:
    resources = {
        "Function": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}, "DependsOn": ["Policy"]},
        "Policy": {"Roles": [{"Ref": "Role"}], "Ref": "Parameter"},
        "Role": {},
    }
    assert dependency_order(resources) == ["Role", "Policy", "Function"]


def test_a_circle_of_references_is_refused() -> None:
    with pytest.raises(CycleError):
        dependency_order({"A": {"Ref": "B"}, "B": {"Ref": "A"}})


def test_substitution_leaves_what_is_not_a_variable_of_its_own() -> None:
    text = '{"a": "${Name}", "b": "$.path", "c": "$$.Execution.Name", "d": "${!Literal}", "e": "${Queue.Arn}"}'
    filled = substitute(text, {"Name": "x", "Queue.Arn": "arn"}.__getitem__)
    assert filled == '{"a": "x", "b": "$.path", "c": "$$.Execution.Name", "d": "${Literal}", "e": "arn"}'
