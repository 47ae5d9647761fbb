"""The pipeline's report: what it says of completeness, repairs and costs is what was done to the ledger; its board is
believed only while its writer holds the ledger."""

from __future__ import annotations

import csv as csv_module
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.reports import states as day_states
from quayledger.reports.log import completeness_report, costs
from quayledger.reports.log.coverage import deficits
from quayledger.reports.log.next_runs import schedule
from quayledger.reports.model import Report
from quayledger.reports.period import Period, parse
from quayledger.reports.render import csv, html, json, terminal
from quayledger.warehouse import service_status
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.schema import SliceState
from quayledger.warehouse.service_status import STATUS_NAME, ServiceStatus
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.building import build
from tests.reports.completeness_sample import (
    EDGE,
    EMPTY,
    FIRST,
    LAST,
    MAIN,
    MISSING,
    OVER,
    REPAIRED,
    SHORT,
    STATES,
    TRUNCATED,
    UNAVAILABLE,
    UNCOUNTABLE,
    VOID,
    WITH_REJECTS,
    build_pipeline_ledger,
)
from tests.reports.sample import HOSTILE_NAMESPACE, NOW

GOLDEN = Path(__file__).parent / "golden"
RENDERERS: dict[str, Callable[[Report], str]] = {
    "txt": lambda report: terminal.render(report, 130),
    "html": html.render,
    "csv": lambda report: csv.render(report, "deficits"),
    "json": json.render,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pipeline")
    build_pipeline_ledger(made)
    return made


@pytest.fixture
def opened(home: Path) -> Iterator[Snapshot]:
    with Snapshot.open(home) as snapshot:
        yield snapshot


def _period() -> Period:
    return parse(f"{FIRST}..{LAST}", "UTC", NOW)


@pytest.fixture
def report(opened: Snapshot) -> Report:
    return build("completeness", opened, period=_period())


@pytest.mark.parametrize("form", RENDERERS)
def test_what_people_read_of_every_state(report: Report, form: str) -> None:
    said = RENDERERS[form](report)
    path = GOLDEN / f"pipeline.{form}"
    if os.environ.get("QUAYLEDGER_UPDATE_GOLDEN") == "1":
        path.write_text(said, encoding="utf-8", newline="")
    with path.open(encoding="utf-8", newline="") as file:
        assert said == file.read(), f"{path.name} differs; set QUAYLEDGER_UPDATE_GOLDEN=1 if it should"


def test_every_state_has_a_meaning_a_colour_and_a_day_here(report: Report) -> None:
    known = {*SliceState, "not collected", "before start", "file damaged"}
    assert known == {state.name for state in day_states.STATES}
    assert {state.group for state in day_states.STATES} == set(day_states.GROUP) == set(day_states.WORST_FIRST)
    assert day_states.state_of("from a newer version").group == "short"
    shown = report.charts[0].frame
    assert known - {day_states.UNREADABLE} == set(shown["state"])
    assert shown.height == 2 * ((LAST - FIRST).days + 1)
    states = dict(shown.filter(pl.col("source_id") == MAIN).select("day", "state").iter_rows())
    assert {day: states[day] for day in STATES} == {day: state.value for day, state in STATES.items()}


def test_completeness_says_each_day_and_tells_nothing_from_not_collected(report: Report) -> None:
    rows = report.table("completeness").frame
    assert rows.select("day", "source_id").unique().height == report.charts[0].frame.height
    main = rows.filter(pl.col("source_id") == MAIN)
    empty = main.filter(pl.col("day") == EMPTY).row(0, named=True)
    assert (empty["scope"], empty["kind"], empty["source_count"], empty["state"]) == ("superuser", None, 0, "verified")
    missing = rows.filter((pl.col("source_id") == EDGE) & (pl.col("day") == FIRST)).row(0, named=True)
    assert (missing["scope"], missing["source_count"], missing["state"]) == (None, None, "before start")
    assert "not collected" in set(rows.filter(pl.col("source_id") == EDGE)["state"])
    repaired = main.filter(pl.col("day") == REPAIRED)
    assert set(repaired["requests"]) == {3}
    assert repaired["difference"].sum() == 0
    assert (
        main.filter(pl.col("day") == UNCOUNTABLE)["source_count"].null_count()
        == main.filter(pl.col("day") == UNCOUNTABLE).height
    )


def test_deficits_are_those_of_days_that_are_over(report: Report) -> None:
    found = {row["day"]: row for row in report.table("deficits").frame.iter_rows(named=True)}
    assert set(found) >= {SHORT, OVER, UNCOUNTABLE, UNAVAILABLE, TRUNCATED}
    assert (found[SHORT]["kind"], found[SHORT]["difference"]) == ("pull_repo", MISSING)
    assert (found[OVER]["kind"], found[OVER]["difference"]) == ("push_repo", -1)
    # What could not be read is listed, and is not missing.
    assert [found[WITH_REJECTS][name] for name in ("kind", "unreadable", "difference")] == ["pull_repo", 1, 0]
    assert found[WITH_REJECTS]["note"] == "complete but for 1 row that could not be read"
    assert found[UNAVAILABLE]["kind"] is None
    assert HOSTILE_NAMESPACE in found[UNAVAILABLE]["note"]
    missing = next(metric for metric in report.metrics if metric.name == "missing")
    named = [one.number for one in report.trust.details if one.meaning == "reported by Quay, missing here"]
    assert missing.value == sum(named) == MISSING
    assert missing.change_text == "7 days not checked, 2 rows unreadable"


def test_a_scope_beside_the_cover_makes_no_deficit() -> None:
    names = (
        "difference",
        "unreadable",
        "state",
        "in_cover",
        "source_id",
        "day",
        "scope",
        "kind",
        "source_count",
        "stored_count",
    )
    rest = ("note", "requests", "counted_at", "tried_at", "sealed_at")
    rows = [(9, 0, "short", covered, MAIN, SHORT, "user:alice", "pull_repo", 9, 0) for covered in (True, False)]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(pl.lit(None).alias(name) for name in rest)
    assert deficits(frame)["in_cover"].to_list() == [True]


def test_repairs_are_readings_beyond_the_first(report: Report) -> None:
    rows = report.table("repairs").frame.select("day", "part", "method", "state", "new_events").rows()
    assert rows == [(VOID, "", "pages", "void", 0), (REPAIRED, "namespace=acme", "export", "merged", 4)]


def test_reading_an_open_day_again_and_again_is_no_repair() -> None:
    midnight = pl.Series([NOW.replace(hour=0) + timedelta(days=1)]).item()
    times = [NOW - timedelta(hours=2), NOW, midnight + timedelta(minutes=31), midnight + timedelta(hours=2)]
    frame = pl.DataFrame(
        {"reading_id": [1, 2, 3, 4, 5], "started_at": [*times, midnight + timedelta(hours=9)]},
        schema_overrides={"started_at": pl.Datetime("us", "UTC")},
    ).with_columns(
        pl.lit(NOW.date()).alias("day"),
        pl.lit(MAIN).alias("source_id"),
        pl.lit("superuser").alias("scope"),
        pl.lit("pages").alias("method"),
        pl.lit("").alias("part"),
        pl.lit("merged").alias("state"),
    )
    assert completeness_report.repairs(frame)["reading_id"].to_list() == [5]


def test_requests_are_set_against_the_floor(report: Report) -> None:
    runs = {row["run_id"]: row for row in report.table("runs").frame.iter_rows(named=True)}
    # The readings of main take 16 pages at least, that of edge 2; and a count each.
    assert (runs[1]["requests"], runs[1]["minimum_requests"], runs[1]["closed_days"]) == (32, 16 + 1 + 2 + 1, 5)
    told = ("outcome", "requests", "minimum_requests", "overhead")
    assert [runs[3][name] for name in told] == ["interrupted", None, None, None]
    assert (runs[5]["outcome"], runs[5]["seconds"]) == ("running", None)
    spent, purposes = report.table("spent").frame, report.table("purposes").frame
    asked = sum(row["requests"] or 0 for row in runs.values())
    assert spent["requests"].sum() == purposes["requests"].sum() == asked
    drawn = report.charts[1].frame
    assert drawn.select(pl.sum_horizontal("minimum", "beyond", "inventory").sum()).item() == asked
    assert drawn.height == (LAST - FIRST).days + 1


@given(
    st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 500), st.integers(0, 10_000), st.integers(0, 40)))
)
def test_days_and_runs_add_up_to_the_same(rows: list[tuple[int, int | None, int, int]]) -> None:
    schema = ("run_id", "requests", "new_events", "least_pages")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(schema, pl.Int64), orient="row").with_columns(
        pl.lit(NOW).cast(pl.Datetime("us", "UTC")).alias("started_at"),
        pl.lit(NOW).cast(pl.Datetime("us", "UTC")).alias("ended_at"),
        pl.lit(MAIN).alias("source_id"),
        *(pl.lit(0, pl.Int64).alias(name) for name in ("received_bytes", "closed_days")),
        pl.when(pl.col("run_id") % 3 == 0).then(pl.lit("inventory")).otherwise(pl.lit("sync")).alias("kind"),
        *(pl.lit("").alias(name) for name in ("command", "outcome", "message")),
    )
    counted = costs.with_minimum(frame)
    days, runs = costs.by_day(counted), costs.by_run(counted)
    asked = sum(row[1] or 0 for row in rows)
    drawn = costs.series(days, NOW.date(), NOW.date())
    assert runs["requests"].sum() == asked
    assert days["minimum_requests"].sum() == runs["minimum_requests"].sum()
    for requests, minimum in counted.select("requests", "minimum_requests").iter_rows():
        assert minimum is None or 0 <= minimum <= requests
    assert drawn.select(pl.sum_horizontal("minimum", "beyond", "inventory").sum()).item() == asked


def test_one_source_narrows_every_table(opened: Snapshot) -> None:
    found = build("completeness", opened, period=_period(), sources=(EDGE,))
    for table in found.tables:
        if "source_id" in table.frame.columns:
            assert set(table.frame["source_id"]) <= {EDGE}, table.name
    assert found.table("runs").frame["run_id"].to_list() == [4, 2, 1]


def test_rows_are_cut_only_when_asked(opened: Snapshot, report: Report) -> None:
    short = build("completeness", opened, period=_period(), top=7).table("completeness")
    assert (short.frame.height, short.total_rows) == (7, report.table("completeness").frame.height)
    lines = list(csv_module.reader(io.StringIO(csv.render(report))))
    assert lines[0][:8] == ["day", "source_id", "scope", "kind", "source_count", "stored_count", "difference", "state"]
    assert len(lines) == short.total_rows + 1


def test_a_period_without_anything_is_still_a_report(opened: Snapshot) -> None:
    for asked in ("2020-01-01..2020-01-02", "2027-01-01..2027-01-02"):
        found = build("completeness", opened, period=parse(asked, "Asia/Kolkata", NOW))
        assert found.table("runs").frame.is_empty()
        for render in RENDERERS.values():
            assert "Traceback" not in render(found)


def _status(pid: int | None = None) -> ServiceStatus:
    jobs = {"close": NOW + timedelta(hours=9), "sync": NOW - timedelta(minutes=1)}
    return ServiceStatus(os.getpid() if pid is None else pid, NOW, busy=False, next_runs=jobs)


def test_a_board_is_believed_while_its_writer_holds_the_ledger(tmp_path: Path) -> None:
    assert service_status.read(tmp_path) is None
    with Ledger.open(tmp_path, command="serve") as ledger:
        put = ServiceStatus(os.getpid(), ledger.since, busy=True, next_runs=_status().next_runs)
        service_status.write(tmp_path, put)
        assert service_status.read(tmp_path) == put
        assert [path.name for path in tmp_path.glob("*service*")] == [STATUS_NAME]
        for other in (
            _status(1),
            ServiceStatus(os.getpid(), ledger.since - timedelta(seconds=1), busy=True, next_runs={}),
        ):
            service_status.write(tmp_path, other)
            assert service_status.read(tmp_path) is None
        (tmp_path / STATUS_NAME).write_text('{"pid": 1')
        assert service_status.read(tmp_path) is None
        service_status.write(tmp_path, put)
    assert service_status.read(tmp_path) is None


def test_a_board_is_read_from_another_process(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from quayledger.warehouse import service_status; print(service_status.read(Path(sys.argv[1])))"
    with Ledger.open(tmp_path, command="serve") as ledger:
        service_status.write(tmp_path, ServiceStatus(os.getpid(), ledger.since, busy=False, next_runs={}))
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path], cwd=root, capture_output=True, text=True, check=True
        )
    assert f"pid={os.getpid()}" in done.stdout


def test_what_runs_next_is_said_in_order() -> None:
    assert schedule(None, NOW).table is None
    assert "serve" in schedule(None, NOW).said
    table = schedule(_status(), NOW).table
    assert table is not None
    assert table.frame.select("job", "minutes").rows() == [("sync", 0), ("close", 540)]
    assert date(2026, 11, 22) == table.frame["next_at"].dt.date().max()
