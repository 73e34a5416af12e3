"""The dashboard shows every metric that there is, and its picture in the docs shows the same dashboard."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pytest

from tests.infrastructure.synthesised import Template
from tests.unit.docs.pages import CHECKOUT
from tools.dashboard.drawing import SAMPLE_DATA, Box, Written
from tools.dashboard.template import Dashboard, Widget, read_dashboard
from tools.dashboard_picture import drawn, save, widgets_in
from video_production.metrics import METRICS, NAMESPACE

PICTURE = CHECKOUT / "docs" / "images" / "dashboard.png"


@pytest.fixture(scope="module")
def dashboard(templates: Mapping[str, Template]) -> Dashboard:
    return read_dashboard(templates["production"].body)


@pytest.fixture(scope="module")
def written(dashboard: Dashboard) -> list[Written]:
    """Every text of the dashboard's picture."""
    return drawn(dashboard).written


def _body(template: Template) -> str:
    entry = template.one("AWS::CloudWatch::Dashboard")
    return "".join(part for part in entry["DashboardBody"]["Fn::Join"][1] if isinstance(part, str))


def test_the_first_row_says_whether_all_is_well(dashboard: Dashboard) -> None:
    first = [widget for widget in dashboard.widgets if widget.y == 0]
    assert [widget.kind for widget in first] == ["alarm", "metric", "metric"]
    assert [line.label for line in first[1].lines] == ["Started", "Completed", "Failed", "Cancelled"]


def test_every_alarm_is_on_the_dashboard(dashboard: Dashboard, production: Template) -> None:
    names = {entry["AlarmName"] for entry in production.properties("AWS::CloudWatch::Alarm")}
    [status] = [widget for widget in dashboard.widgets if widget.kind == "alarm"]
    assert set(status.alarms) == names
    assert len(names) <= 100, "an alarm widget takes a hundred"


def test_every_metric_of_the_catalogue_is_drawn_or_watched(production: Template) -> None:
    drawn_or_watched = _body(production) + str(production.properties("AWS::CloudWatch::Alarm"))
    assert [name for name in METRICS if not re.search(rf"\b{name}\b", drawn_or_watched)] == []


def test_searches_name_the_dimensions_of_their_metric(production: Template) -> None:
    searches = re.findall(r"SEARCH\('\{([^}]+)\} MetricName=\\+\"(\w+)\\+\" ([^']*)'", _body(production))
    assert len(searches) >= 4
    for schema, name, terms in searches:
        assert schema.split(",") == [NAMESPACE, "environment", *METRICS[name].dimensions]
        assert 'environment=\\"production\\"' in terms.replace("\\\\", "\\")


def test_widgets_have_titles_of_their_own_and_do_not_overlap(dashboard: Dashboard) -> None:
    titles = [widget.title for widget in dashboard.widgets]
    assert all(titles)
    assert len(set(titles)) == len(titles)
    assert all(widget.x + widget.width <= 24 for widget in dashboard.widgets)
    assert [(a.title, b.title) for a, b in combinations(dashboard.widgets, 2) if _overlap(a, b)] == []


def _overlap(a: Widget, b: Widget) -> bool:
    apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
    return not apart


def test_the_picture_of_the_docs_shows_the_widgets_of_the_template(dashboard: Dashboard) -> None:
    shown = widgets_in(PICTURE)
    assert shown == [widget.place for widget in dashboard.widgets], "draw it anew: tools/dashboard_picture.py"


def test_a_picture_of_another_dashboard_would_be_noticed(dashboard: Dashboard, tmp_path: Path) -> None:
    fewer = Dashboard(dashboard.name, dashboard.widgets[:3])
    save(fewer, tmp_path / "fewer.png")
    assert widgets_in(tmp_path / "fewer.png") == [widget.place for widget in fewer.widgets]
    assert widgets_in(tmp_path / "fewer.png") != [widget.place for widget in dashboard.widgets]


def test_the_picture_says_that_its_numbers_are_invented_on_every_widget(
    dashboard: Dashboard, written: list[Written]
) -> None:
    texts = [entry.text for entry in written]
    framed = [widget for widget in dashboard.widgets if widget.kind != "text"]
    assert SAMPLE_DATA.upper() in texts
    assert texts.count(SAMPLE_DATA) == len(framed)
    assert {widget.title for widget in dashboard.widgets} <= set(texts)


def test_no_text_of_the_picture_leaves_its_widget_or_meets_another(written: list[Written]) -> None:
    assert [entry.text for entry in written if not entry.place.inside(entry.within)] == []
    met = [(a.text, b.text) for a, b in combinations(written, 2) if _meets(a.place, b.place)]
    assert met == []


def _meets(a: Box, b: Box) -> bool:
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


def test_a_template_without_a_dashboard_is_refused() -> None:
    with pytest.raises(ValueError, match="has 0 dashboards"):
        read_dashboard({"Resources": {}})
