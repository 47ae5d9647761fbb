"""Reports as values: the figures agree with the events, a false change is never shown, "0" and "not collected" stay
apart."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest

from quayledger.reports import registry
from quayledger.reports.errors import BadParameter, UnknownReport
from quayledger.reports.log import events_page
from quayledger.reports.log.coverage import measure, summarise
from quayledger.reports.model import Report
from quayledger.reports.period import Period, hours_of_week, parse
from quayledger.reports.render import terminal
from quayledger.reports.spec import inputs, parse_params, with_labels
from quayledger.warehouse.errors import NotPublished
from quayledger.warehouse.log.event_filter import EventFilter
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.building import build
from tests.reports.sample import FIRST, LAST, MISSING_PUSHES, NOW, SOURCE, build_ledger, events_of


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    """Every event of the sample, without the ledger."""
    return pl.concat(events_of(FIRST + timedelta(days=step), 15 if step == 19 else 24) for step in range(20))


def _within(frame: pl.DataFrame, period: Period) -> pl.DataFrame:
    return frame.filter(pl.col("occurred_at").is_between(period.since, period.until, closed="left"))


def _metric(report: Report, name: str) -> tuple[float | None, float | None]:
    metric = next(metric for metric in report.metrics if metric.name == name)
    return metric.value, metric.previous


def test_figures_are_those_of_the_events(snapshot: Snapshot, period: Period, truth: pl.DataFrame) -> None:
    report = build("usage", snapshot, period=period)
    assert report.compared_with is not None
    now, before = _within(truth, period), _within(truth, report.compared_with)
    for name, kind in (("pulls", "pull_repo"), ("pushes", "push_repo"), ("builds", "build_dockerfile")):
        assert _metric(report, name) == ((now["kind"] == kind).sum(), (before["kind"] == kind).sum())
    pulls = now.filter(pl.col("kind") == "pull_repo")
    assert _metric(report, "anonymous_share")[0] == pytest.approx(pulls["performer"].null_count() / pulls.height)
    by_namespace = report.table("by_namespace").frame
    for namespace, found in pulls.group_by("namespace"):
        assert by_namespace.filter(pl.col("key") == namespace[0])["pulls"].item() == found.height
    assert by_namespace["pulls"].sum() == pulls.height


def test_a_series_and_a_heat_map_hold_every_event(snapshot: Snapshot, period: Period, truth: pl.DataFrame) -> None:
    report = build("overview", snapshot, period=period)
    now = _within(truth, period).with_columns(
        pl.col("occurred_at").dt.convert_time_zone("Europe/Berlin").alias("local")
    )
    series, heat = report.charts[0].frame, report.charts[1].frame
    assert series["events"].sum() == heat["events"].sum() == now.height
    by_day = dict(now.group_by(pl.col("local").dt.date()).len().iter_rows())
    assert {row["bucket"].date(): row["events"] for row in series.iter_rows(named=True)} == by_day
    noon = now.filter((pl.col("local").dt.weekday() == 1) & (pl.col("local").dt.hour() == 12)).height
    assert heat.filter((pl.col("weekday") == 1) & (pl.col("hour") == 12))["events"].item() == noon


def test_one_namespace_narrows_every_figure(snapshot: Snapshot, period: Period, truth: pl.DataFrame) -> None:
    report = build("usage", snapshot, period=period, namespace="globex")
    own = _within(truth, period).filter(pl.col("namespace") == "globex")
    assert _metric(report, "pulls")[0] == (own["kind"] == "pull_repo").sum()
    assert "by_namespace" not in [table.name for table in report.tables]


def test_no_change_is_shown_against_days_that_were_not_collected(snapshot: Snapshot) -> None:
    report = build("usage", snapshot, period=parse("last-15-days", "UTC", NOW))
    assert report.compared_with is None
    assert {metric.change_text for metric in report.metrics} == {"n/a"}
    assert all(metric.change is None for metric in report.metrics)
    assert "not covered" in report.comparison
    assert "change" not in report.table("by_namespace").frame.columns


def test_nothing_collected_is_not_nothing_happened(snapshot: Snapshot) -> None:
    report = build("overview", snapshot, period=parse("2026-10-28..2026-11-03", "UTC", NOW))
    found = dict(report.charts[0].frame.select(pl.col("bucket").dt.date(), "events").iter_rows())
    assert found[date(2026, 10, 30)] is None
    assert found[date(2026, 11, 2)] > 0
    quiet = build("overview", snapshot, period=parse("last-9-days", "UTC", NOW), namespace="nobody")
    assert set(quiet.charts[0].frame["events"]) == {0}
    assert quiet.metrics[0].value == 0


def test_coverage_counts_days_and_names_what_is_missing(snapshot: Snapshot) -> None:
    found = measure(snapshot, parse("2026-11-01..2026-11-30", "UTC", NOW), NOW)
    assert (found.days_total, found.days_verified, found.days_short, found.days_open, found.days_missing) == (
        20,
        18,
        1,
        1,
        0,
    )
    # The first of November is before the first day of the record: that is no failure, and no ground for a comparison.
    assert (found.days_before, found.gap_free) == (1, False)
    assert found.text == "18 of 20 days verified since collection began on 2 Nov 2026"
    assert found.level == "warning"
    assert [(gap.kind, gap.events) for gap in found.missing_events] == [("push_repo", MISSING_PUSHES)]


def test_a_day_is_as_good_as_its_worst_source() -> None:
    rows = [
        ("a", LAST, "verified", 3, 3, 0, None),
        ("b", LAST, "not collected", None, 0, 0, None),
        ("a", FIRST, "repaired", 3, 3, 1, None),
        ("b", FIRST, "verified", 0, 0, 1, None),
    ]
    names = ("source_id", "day", "state", "expected_events", "stored_events", "rejected_rows", "note")
    found = summarise(pl.DataFrame(rows, schema=names, orient="row"), pl.DataFrame(), ())
    assert (found.days_total, found.days_verified, found.days_missing, found.rejected_rows) == (2, 1, 1, 2)


def test_a_hole_in_the_period_forbids_comparison(tmp_path: Path) -> None:
    hole = LAST - timedelta(days=3)
    build_ledger(tmp_path, first=LAST - timedelta(days=9), skip=(hole,))
    with Snapshot.open(tmp_path) as snapshot:
        report = build("usage", snapshot, period=parse("last-5-days", "UTC", NOW))
    assert report.comparison == "No comparison: this period has gaps."
    assert [(one.number, one.label) for one in report.trust.details][-1] == (1, "not collected")


def test_the_top_is_cut_and_says_so(snapshot: Snapshot, period: Period) -> None:
    report = build("usage", snapshot, period=period, top=1)
    assert report.table("by_repository").frame.height == 1
    assert report.table("by_repository").total_rows > 1
    assert f"1 of {report.table('by_repository').total_rows} rows." in terminal.render(report)


def test_pages_of_events_hold_each_event_once(snapshot: Snapshot, period: Period, truth: pl.DataFrame) -> None:
    whole = (EventFilter(since=period.since, until=period.until),)
    first = events_page.page(snapshot, whole)
    found = pl.concat(events_page.page(snapshot, whole, number).frame for number in range(1, first.pages + 1))
    assert found.height == first.total == _within(truth, period).height
    assert found["event_id"].n_unique() == first.total
    assert found["occurred_at"].is_sorted(descending=True)
    assert events_page.page(snapshot, whole, 10**6).number == first.pages


def test_an_hour_of_the_week_is_paged_like_one_stretch(snapshot: Snapshot, period: Period, truth: pl.DataFrame) -> None:
    whole = EventFilter(since=period.since, until=period.until)
    page = events_page.page(snapshot, events_page.stretches(whole, period.time_zone, 4, 10))
    wanted = sum(_within(truth, part).height for part in hours_of_week(period, 4, 10))
    assert page.total == page.frame.height == wanted > 0
    assert page.frame["occurred_at"].is_sorted(descending=True)


@pytest.mark.parametrize("form", ["csv", "jsonl", "quay"])
def test_a_file_of_events_has_each_of_them(snapshot: Snapshot, period: Period, form: events_page.ExportForm) -> None:
    whole = (EventFilter(since=period.since, until=period.until),)
    total = events_page.page(snapshot, whole).total
    lines = b"".join(events_page.export(snapshot, whole, form)).decode().splitlines()
    assert len(lines) - (form == "csv") == total
    capped = b"".join(events_page.export(snapshot, whole, form, limit=7)).decode().splitlines()
    assert capped == lines[: 7 + (form == "csv")]


def test_no_event_is_still_a_page_and_a_file(snapshot: Snapshot, period: Period) -> None:
    nobody = (EventFilter(since=period.since, until=period.until, actor="nobody"),)
    page = events_page.page(snapshot, nobody)
    assert (page.total, page.pages, page.first, page.last) == (0, 1, 0, 0)
    assert {name for name, _ in events_page.SHOWN} <= set(page.frame.columns)
    assert b"".join(events_page.export(snapshot, nobody, "csv")).startswith(b"event_id")
    assert b"".join(events_page.export(snapshot, nobody, "jsonl")) == b""


def test_every_report_declares_itself() -> None:
    ids = [spec.id for spec in registry.reports()]
    assert {"overview", "usage", "completeness", "inventory", "inventory-list"} < set(ids)
    assert len(ids) == len(set(ids))
    for spec in registry.reports():
        assert registry.find(spec.id) is spec
        for item in inputs(spec):
            assert item.help.endswith((".", ")")), (spec.id, item.name)
        needed = {item.name: item.choices[0] if item.choices else "x" for item in inputs(spec) if item.required}
        parse_params(spec, needed, NOW)
    with pytest.raises(UnknownReport, match="usage"):
        registry.find("nosuch")


def test_parameters_are_read_from_text() -> None:
    usage = registry.find("usage")
    given = {"period": "last-7-days", "time_zone": "Europe/Berlin", "by": ["robot"], "top": "3", "namespace": None}
    asked = parse_params(usage, given, NOW)
    assert asked == usage.params(period=parse("last-7-days", "Europe/Berlin", NOW), by=("robot",), top=3)
    assert parse_params(usage, {}, NOW) == usage.params(period=parse("last-30-days", "UTC", NOW))
    named = {item.name: item for item in inputs(usage)}
    assert named["by"].choices[0] == "namespace"
    assert named["by"].many
    assert (named["sources"].option, named["time_zone"].default, named["period"].default) == (
        "source",
        "UTC",
        "last-30-days",
    )
    assert "time_zone" not in {item.name for item in inputs(registry.find("inventory-changes"))}
    listed = registry.find("inventory-list")
    assert [item.name for item in inputs(listed) if item.required] == ["kind"]
    assert parse_params(listed, {"kind": "tag", "as_of": "2026-11-03"}, NOW).as_of == date(2026, 11, 3)
    for spec, bad in (
        (usage, {"top": "many"}),
        (usage, {"top": "-1"}),
        (usage, {"by": ["planet"]}),
        (usage, {"nosuch": "1"}),
        (listed, {"kind": "tag", "as_of": "yesterday"}),
        (listed, {}),
    ):
        with pytest.raises(BadParameter):
            parse_params(spec, bad, NOW)


def test_the_source_filter_reaches_every_part(snapshot: Snapshot, period: Period) -> None:
    own = build("usage", snapshot, period=period, sources=(SOURCE,))
    other = build("usage", snapshot, period=period, sources=("nosuch",))
    assert own.metrics == build("usage", snapshot, period=period).metrics
    assert all(metric.value is None for metric in other.metrics)
    assert other.trust.level == "bad"


_GONE = "0c0ffee0-1111-4222-8333-444455556666"
_NEEDED: dict[str, dict[str, str]] = {
    "investigate": {"kind": "user", "name": "alice"},
    "backtest": {"rule": "D14"},
}


def test_deleted_accounts_are_named_in_any_report(snapshot: Snapshot) -> None:
    """Whatever a report calls its columns: none of them is in the way of the labels, and each is read for names."""
    built = 0
    for spec in registry.reports():
        given = _NEEDED.get(spec.id, {})
        if any(item.required and item.name not in given for item in inputs(spec)):
            continue
        try:
            report = spec.build(snapshot, parse_params(spec, given, NOW), now=NOW)
        except NotPublished:  # the sample has no inventory
            continue
        built += 1
        for table in report.tables:
            for column in (one.name for one in table.columns if table.frame.schema[one.name] == pl.String):
                row = table.frame.clear(1).with_columns(pl.lit(f"{_GONE}+ci").alias(column))
                held = msgspec.structs.replace(report, tables=(msgspec.structs.replace(table, frame=row),))
                (labelled,) = with_labels(held, {_GONE: "deleted, was initech"}).tables
                assert labelled.labels == {_GONE: "deleted, was initech"}, (spec.id, table.name, column)
    assert built > 8
