"""`cost`: rows, sums and the chart, from the entries of the ledger."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from video_production.cli.cost_chart import chart
from video_production.cli.costs import (
    cost_lines,
    cost_object,
    costs_of_month,
    costs_of_pipeline,
    month_named,
    spent_lines,
    spent_object,
)
from video_production.cli.place import ON_THIS_MACHINE
from video_production.errors import RequestError
from video_production.nodes.model import Desired, Pipeline
from video_production.takes.entries import Entry
from video_production.takes.ledger import Totals
from video_production.takes.model import LedgerEvent

NOVEMBER = 1_793_491_200.0
SVG = "{http://www.w3.org/2000/svg}"


def entry(node: str, provider: str, usd: float, state: str = "settled", **changes: Any) -> Entry:
    units = {"elevenlabs": "characters", "runway": "credits"}
    about = {
        "pipeline_id": "lesson",
        "node_id": node,
        "provider": provider,
        "mode": "live",
        "take_id": "t",
        "attempt": f"{node}-{state}-{usd}",
        "state": LedgerEvent(state),
        "quantity": 100.0,
        "unit": units.get(provider, "seconds"),
        "usd": usd,
        "at": NOVEMBER,
    }
    return Entry(**{**about, **changes})


ENTRIES = [
    entry("voice", "elevenlabs", 0.01),
    entry("head", "heygen", 2.5),
    entry("head", "heygen", 2.4, "unknown"),
    entry("robot", "runway", 0, "refunded"),
    entry("robot", "runway", 1.2),
    entry("voice", "elevenlabs", 0.02, mode="draft"),
]


def test_a_pipeline_is_listed_by_node_the_dearest_first_and_drafts_apart() -> None:
    assert list(cost_lines(ON_THIS_MACHINE, costs_of_pipeline("lesson", ENTRIES))) == [
        "LOCAL · lesson",
        " Real providers",
        "   node   provider      requests        quantity   paid  may be paid",
        "   head   heygen               2     100 seconds  $2.50        $2.40",
        "   robot  runway      2 (1 free)     100 credits  $1.20",
        "   voice  elevenlabs           1  100 characters  $0.01",
        "   ─────────────────────────────────────────────────────────────────",
        "   all    elevenlabs           1  100 characters  $0.01",
        "   all    heygen               2     100 seconds  $2.50        $2.40",
        "   all    runway      2 (1 free)     100 credits  $1.20",
        "   all                5 (1 free)                  $3.71        $2.40",
        " Drafts, which cost nothing, at the prices of the real ones",
        "   node   provider    requests        quantity  price",
        "   voice  elevenlabs         1  100 characters  $0.02",
        "   ──────────────────────────────────────────────────",
        "   all                       1  100 characters  $0.02",
    ]


def test_nothing_bought_is_said_in_one_line() -> None:
    assert list(cost_lines(ON_THIS_MACHINE, costs_of_month("2026-11", []))) == [
        "LOCAL · 2026-11",
        " Nothing was bought.",
    ]


def test_a_month_is_listed_by_pipeline() -> None:
    entries = [*ENTRIES, entry("voice", "elevenlabs", 5.0, pipeline_id="other")]
    told = cost_object(ON_THIS_MACHINE, costs_of_month("2026-11", entries))
    assert told["month"] == "2026-11"
    assert [(row["pipeline"], row["provider"]) for row in told["rows"][:2]] == [
        ("other", "elevenlabs"),
        ("lesson", "heygen"),
    ]
    assert told["totals"]["live"] == {"requests": 6, "paid_usd": 8.71, "open_usd": 2.4}
    assert told["totals"]["draft"] == {"requests": 1, "paid_usd": 0.02, "open_usd": 0.0}


@pytest.mark.parametrize("text", ["2026-13", "26-01", "2026-1", "November", "2026-11-01"])
def test_a_month_is_written_with_its_year(text: str) -> None:
    assert month_named("2026-11") == "2026-11"
    with pytest.raises(RequestError, match="is no month; write it as"):
        month_named(text)


# The totals that `status` shows


class Found:
    def __init__(self, live: Totals, draft: Totals) -> None:
        self.live, self.draft = live, draft

    def totals(self, pipeline_id: str, mode: str) -> Totals:
        return self.live if mode == "live" else self.draft


def told(live: Totals, draft: Totals, budget: float | None = None) -> list[str]:
    pipeline = Pipeline("lesson", "Lesson", 1, Desired.RUN, (), "film", "bucket", "", budget_usd=budget)
    found: Any = Found(live, draft)
    assert spent_object(found, pipeline)["live"]["paid_usd"] == live.settled
    return list(spent_lines(found, pipeline))


def test_status_says_what_was_paid_and_what_may_have_been() -> None:
    assert told(Totals(), Totals()) == []
    assert told(Totals(0.1, 2.0, 0.3, {"seconds": 30, "characters": 1234}), Totals(settled=0.5), 5.0) == [
        " money: $2.00 paid for 30 seconds, 1,234 characters · $0.10 under way · $0.30 may have been paid"
        " · drafts worth $0.50, which cost nothing · budget $5.00"
    ]


# The chart


def drawn(costs: Any) -> ElementTree.Element:
    return ElementTree.fromstring(chart(costs))


def words(svg: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in svg.iter(f"{SVG}text")]


def marks(svg: ElementTree.Element) -> list[tuple[str, float, float, float, float]]:
    """What each mark says, and where it lies: x, y, width, height."""
    found = []
    for box in svg.iter(f"{SVG}rect"):
        title = box.find(f"{SVG}title")
        if title is not None and ":" in str(title.text):
            x, y, width, height = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
            found.append((str(title.text), x, y, width, height))
    return found


def test_a_pipeline_is_drawn_as_a_bar_for_each_node() -> None:
    svg = drawn(costs_of_pipeline("lesson", ENTRIES))
    assert words(svg)[:2] == [
        "lesson",
        "Spent: $6.11 for 4 requests · hatched: $2.40 is under way, or nobody knows",
    ]
    assert [text for text in words(svg) if text in ("head", "robot", "voice")] == ["head", "robot", "voice"]
    widths = {title: width for title, _, _, width, _ in marks(svg)}
    assert widths["head: $2.50, HeyGen"] / widths["robot: $1.20, Runway"] == pytest.approx(2.5 / 1.2, rel=0.02)
    [certain, open_] = [box for box in marks(svg) if box[0].startswith("head")]
    assert open_[1] == pytest.approx(certain[1] + certain[3] + 2), "what is open stands behind what is certain"


def test_a_month_is_drawn_as_a_column_for_each_day() -> None:
    day = 24 * 3600
    entries = [entry("a", "heygen", 4.0), entry("b", "heygen", 1.0, at=NOVEMBER + 29.5 * day)]
    svg = drawn(costs_of_month("2026-11", entries))
    first, last = marks(svg)
    assert (first[0], last[0]) == ("2026-11-01: $4.00, HeyGen", "2026-11-30: $1.00, HeyGen")
    assert first[1] < last[1]
    assert first[4] / last[4] == pytest.approx(4, rel=0.05)
    assert first[2] + first[4] == pytest.approx(last[2] + last[4]), "columns stand on one line"
    assert {"1", "5", "30", "days of the month, in UTC"} <= set(words(svg))


def test_many_small_nodes_share_a_bar_and_everything_stays_on_the_sheet() -> None:
    svg = drawn(costs_of_pipeline("lesson", [entry(f"node-{n:03}" * 8, "heygen", 1 + n / 9) for n in range(200)]))
    assert "177 other nodes" in words(svg)
    width, height = (float(value) for value in svg.attrib["viewBox"].split()[2:])
    assert all(x >= 0 and x + w <= width and y >= 0 and y + h <= height for _, x, y, w, h in marks(svg))


def test_drafts_are_drawn_where_nothing_real_was_bought() -> None:
    assert "Drafts, at the prices of the real providers: $0.02 for 1 request" in words(
        drawn(costs_of_pipeline("lesson", [ENTRIES[-1]]))
    )


def test_a_chart_of_nothing_is_a_chart() -> None:
    assert words(drawn(costs_of_month("2026-02", [])))[0] == "2026-02"


def test_the_chart_follows_light_and_dark_screens_and_holds_no_markup_of_names() -> None:
    text = chart(costs_of_pipeline("<script>", [entry("a & b", "heygen", 1.0)]))
    assert text.count("prefers-color-scheme: dark") == 2
    assert "<script>" not in text
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
