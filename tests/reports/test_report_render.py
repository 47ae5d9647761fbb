"""Renderers: golden files for what people read, and names from a registry that do no harm in any of the four forms."""

from __future__ import annotations

import csv as csv_module
import io
import json as json_module
import os
import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.reports import charts, formatting
from quayledger.reports.errors import UnknownTable
from quayledger.reports.model import Report
from quayledger.reports.period import Period, parse
from quayledger.reports.render import csv, html, json, terminal
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.building import build
from tests.reports.sample import HOSTILE_ACTOR, HOSTILE_NAMESPACE, NOW

GOLDEN = Path(__file__).parent / "golden"
RENDERERS: dict[str, Callable[[Report], str]] = {
    "txt": lambda report: terminal.render(report, 100),
    "html": html.render,
    "csv": csv.render,
    "json": json.render,
}


@pytest.mark.parametrize("form", RENDERERS)
@pytest.mark.parametrize("report_id", ["overview", "usage", "completeness"])
def test_what_people_read(report_id: str, form: str, snapshot: Snapshot, period: Period) -> None:
    said = RENDERERS[form](build(report_id, snapshot, period=period))
    path = GOLDEN / f"{report_id}.{form}"
    if os.environ.get("QUAYLEDGER_UPDATE_GOLDEN") == "1":
        path.write_text(said, encoding="utf-8", newline="")
    with path.open(encoding="utf-8", newline="") as file:
        assert said == file.read(), f"{path.name} differs; set QUAYLEDGER_UPDATE_GOLDEN=1 if it should"


_DRAWN = {"svg", "g", "path", "text", "title", "line", "rect", "defs", "linearGradient", "stop", "clipPath"}


class _Elements(HTMLParser):
    """Collects the elements and addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src") or name.startswith("on")]


@pytest.mark.parametrize("report_id", ["usage", "overview"])
def test_html_runs_nothing_and_fetches_nothing(report_id: str, snapshot: Snapshot, period: Period) -> None:
    page = html.render(build(report_id, snapshot, period=period))
    seen = _Elements()
    seen.feed(page)
    assert not seen.tags & {"script", "img", "iframe", "object", "link"}
    assert seen.addresses == []
    assert not re.search(r"@import|url\((?!#)", page)
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "default-src 'none'" in page


def test_a_terminal_obeys_nothing_from_a_registry(snapshot: Snapshot, period: Period) -> None:
    said = terminal.render(build("usage", snapshot, period=period), 120)
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert r"[red]eve[/red]\x1b[31m\u202e" in said
    assert all(len(line) <= 120 for line in said.splitlines())
    coloured = terminal.render(build("usage", snapshot, period=period), 120, colour=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).count("\x1b") == 0
    assert "[red]eve[/red]" in coloured


def test_csv_holds_no_formula_and_is_read_back(snapshot: Snapshot, period: Period) -> None:
    report = build("usage", snapshot, period=period)
    for table in report.tables:
        rows = list(csv_module.reader(io.StringIO(csv.render(report, table.name))))
        assert rows[0] == [column.name for column in table.columns]
        assert len(rows) == table.frame.height + 1
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "@", "\t", "\r"))]
    names = [row[0] for row in csv_module.reader(io.StringIO(csv.render(report, "by_namespace")))]
    assert HOSTILE_NAMESPACE in names
    with pytest.raises(UnknownTable, match="by_namespace"):
        csv.render(report, "nosuch")


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_is_never_guarded_and_a_formula_always(value: str | float) -> None:
    cell = csv.guarded(value)
    if isinstance(value, str):
        assert not str(cell).startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
        assert str(cell).removeprefix("'") == value or cell == value
    else:
        assert not isinstance(cell, str)


def test_json_is_whole_and_says_times_in_utc(snapshot: Snapshot, period: Period) -> None:
    body = json_module.loads(json.render(build("usage", snapshot, period=period)))["report"]
    assert list(body) == list(Report.__struct_fields__)
    assert body["period"]["since"].endswith("Z")
    by_actor = next(table for table in body["tables"] if table["name"] == "by_actor")
    assert HOSTILE_ACTOR in [row["key"] for row in by_actor["frame"]]


def test_a_report_of_nothing_renders_in_every_form(snapshot: Snapshot) -> None:
    report = build("usage", snapshot, period=parse("2020-01-01..2020-01-02", "UTC", NOW))
    assert [metric.value for metric in report.metrics] == [None] * len(report.metrics)
    for render in RENDERERS.values():
        assert "Traceback" not in render(report)


def test_a_drawing_is_the_same_each_time_and_runs_nothing(snapshot: Snapshot, period: Period) -> None:
    for report_id in ("overview", "usage", "completeness"):
        for chart in build(report_id, snapshot, period=period).charts:
            drawn = charts.to_svg(chart)
            assert drawn == charts.to_svg(chart)
            elements = list(ElementTree.fromstring(drawn).iter())  # noqa: S314 - made here
            assert {element.tag.rpartition("}")[2] for element in elements} <= _DRAWN
            assert not [
                name for element in elements for name in element.attrib if name.startswith("on") or "href" in name
            ]
    top = next(chart for chart in build("usage", snapshot, period=period).charts if chart.name == "top")
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in charts.to_svg(top)


def test_a_map_of_nothing_is_pale(snapshot: Snapshot) -> None:
    quiet = build("overview", snapshot, period=parse("last-9-days", "UTC", NOW), namespace="nobody").chart("heat")
    assert quiet is not None
    assert charts.build(quiet).to_dict()["encoding"]["color"]["scale"]["domain"] == [0, 1]
    assert "rgba(59, 125, 196, 0.07)" in charts.to_svg(quiet).replace(
        "rgba(59,125,196,0.07)", "rgba(59, 125, 196, 0.07)"
    )
    ahead = build("overview", snapshot, period=parse("2027-03-01..2027-03-09", "UTC", NOW))
    assert all(chart.frame.is_empty() or chart.name == "coverage" for chart in ahead.charts)
    assert "NaN" not in html.render(ahead)


@given(st.text())
def test_visible_text_is_all_seen(value: str) -> None:
    said = formatting.visible(value)
    assert said.isprintable() or not said.isascii()
    assert formatting.visible(said) == said
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", said)


def test_changes_are_said_as_people_say_them() -> None:
    assert formatting.change(0.123) == "+12.3\u202f%"
    assert formatting.change(-0.5) == "−50.0\u202f%"
    assert formatting.change(0.0) == "±0\u202f%"
    assert formatting.change(13.0) == "×\u202f14"
    assert formatting.moment(NOW + timedelta(seconds=9)) == "2026-11-21 15:00:09 UTC"
