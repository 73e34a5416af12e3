"""A dashboard as a CloudFormation template describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Dashboard", "Line", "Widget", "read_dashboard"]

View = Literal["timeSeries", "singleValue", "bar", "pie"]


@dataclass(frozen=True, slots=True)
class Line:
    """One visible metric of a widget: its label, and the CloudWatch metric that it shows or is computed from.

    `each` is the dimension that a search makes lines of, one for every value; empty for a plain metric. `relative`
    marks a metric that is shown in percent of a limit. `period` is in seconds; 0: that of the widget. `color` is empty
    where CloudWatch chooses.
    """

    label: str
    metric: str
    period: int = 0
    color: str = ""
    each: str = ""
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Widget:
    """One widget: its place in a grid of 24 columns, and what it shows. `marks` are the alarm lines: value, label."""

    kind: Literal["metric", "text", "alarm"]
    x: int
    y: int
    width: int
    height: int
    title: str
    view: View = "timeSeries"
    lines: tuple[Line, ...] = ()
    unit: str = ""
    top: float | None = None
    stacked: bool = False
    period: int = 300
    start: str = ""
    marks: tuple[tuple[float, str], ...] = ()
    alarms: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """What must be the same in the picture and the template."""
        return f"{self.kind} {self.x},{self.y} {self.width}x{self.height} {self.title}"


@dataclass(frozen=True, slots=True)
class Dashboard:
    name: str
    widgets: tuple[Widget, ...]


def read_dashboard(template: Mapping[str, Any]) -> Dashboard:
    """The dashboard of a CloudFormation template. Raises ValueError unless there is exactly one."""
    resources: Mapping[str, Any] = template["Resources"]
    found = [entry for entry in resources.values() if entry["Type"] == "AWS::CloudWatch::Dashboard"]
    if len(found) != 1:
        raise ValueError(f"The template has {len(found)} dashboards; one was expected.")
    properties = found[0]["Properties"]
    body = json.loads(_text(properties["DashboardBody"], resources))
    return Dashboard(properties["DashboardName"], tuple(_widget(entry, body) for entry in body["widgets"]))


def _text(value: Any, resources: Mapping[str, Any]) -> str:
    """A value of a template as text: references become the name of what they refer to."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_text(part, resources) for part in parts)
    target = str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])
    resource = resources.get(target, {"Type": "", "Properties": {}})
    properties, kind = resource.get("Properties", {}), resource["Type"].rpartition("::")[2]
    return str(properties.get(f"{kind}Name") or properties.get("Name") or target)


def _widget(entry: Mapping[str, Any], body: Mapping[str, Any]) -> Widget:
    properties = entry["properties"]
    axis = properties.get("yAxis", {}).get("left", {})
    return Widget(
        kind=entry["type"],
        x=entry["x"],
        y=entry["y"],
        width=entry["width"],
        height=entry["height"],
        title=properties.get("title") or properties.get("markdown", "").lstrip("# "),
        view=properties.get("view", "timeSeries"),
        lines=tuple(_lines(properties.get("metrics", []))),
        unit=axis.get("label", ""),
        top=axis.get("max"),
        stacked=properties.get("stacked", False),
        period=properties.get("period", 300),
        start=properties.get("start", body.get("start", "")),
        marks=tuple(
            (mark["value"], mark.get("label", "")) for mark in properties.get("annotations", {}).get("horizontal", [])
        ),
        alarms=tuple(properties.get("alarms", [])),
    )


def _lines(metrics: Sequence[Sequence[Any]]) -> list[Line]:
    entries = [(list(entry[:-1]), entry[-1]) if isinstance(entry[-1], dict) else (list(entry), {}) for entry in metrics]
    hidden = {options["id"]: names for names, options in entries if "id" in options and names}
    return [
        _computed(options, hidden) if "expression" in options else _plain(names, options)
        for names, options in entries
        if options.get("visible", True)
    ]


def _plain(names: Sequence[str], options: Mapping[str, Any]) -> Line:
    return Line(
        str(options.get("label") or names[1]), _metric(names), options.get("period", 0), options.get("color", "")
    )


def _metric(names: Sequence[str]) -> str:
    """A metric's name; the metrics of memory are named by their functions, so the namespace says what they are."""
    namespace, name = names[:2]
    return namespace.rpartition("/")[2] if namespace.count("/") and not namespace.startswith("AWS/") else name


def _computed(options: Mapping[str, Any], hidden: Mapping[str, Sequence[str]]) -> Line:
    expression, label = str(options["expression"]), str(options.get("label", ""))
    searched = re.search(r'MetricName="(\w+)"', expression)
    if searched:
        dimension = re.search(r"Dim\.(\w+)", label)
        return Line(label, searched[1], each=dimension[1] if dimension else "")
    [names] = [hidden[word] for word in re.findall(r"[a-z]\w*", expression) if word in hidden]
    return Line(label, _metric(names), relative=expression.startswith("100 *"))
