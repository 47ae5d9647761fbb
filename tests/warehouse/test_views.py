"""The views: each says its grain in its first line, and keeps it over a ledger that has something of everything."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from quayledger.warehouse import migrate
from quayledger.warehouse.catalog_views import grains, inventory_views
from quayledger.warehouse.inventory.store import record_fetches
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.close import close_day
from quayledger.warehouse.log.slices import record_counts
from quayledger.warehouse.runs import Spent, finish_run, start_run
from quayledger.warehouse.schema import EVENT_COLUMNS, REJECT_SCHEMA
from tests.warehouse import old_ledger
from tests.warehouse.looking import everything
from tests.warehouse.sample import NOW, SCOPE, SOURCE, begin, busy_day, event, seal, store

_AUGUST, _SEPTEMBER, _OCTOBER, _OPEN = date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 7)
_GRAINS = {
    "stg_plain_files": "source_id, day, event_no",
    "stg_current_files": "source_id, day, event_no",
    "stg_stale_files": "source_id, day, event_no",
    "stg_rules": "rules",
    "stg_uninterpreted_events": "source_id, day, event_no",
    "stg_interpreted_events": "event_id",
    "stg_events": "source_id, day, event_no",
    "stg_held": "source_id, day, scope, kind",
    "stg_counts": "source_id, day, scope, kind",
    "stg_counted_parts": "source_id, day, scope",
    "stg_rejected": "source_id, day, scope, kind",
    "events": "event_id",
    "mart_kind_coverage": "source_id, day, scope, kind",
    "mart_coverage": "source_id, day",
    "mart_days_by_state": "source_id, state",
    "mart_spent": "run_id, source_id",
    "mart_runs": "run_id",
    "mart_sources": "source_id",
    "mart_inventory_coverage": "source_id, look",
} | {name: ", ".join(columns) for name, columns in grains().items()}
_FOLDER = Path(migrate.__file__).parent


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Two sources, two scopes on one day, files of three ages, a late row, an open day, counts of nothing, runs without requests,
    and looks that brought something of every family and series, changed and gone since."""
    home = tmp_path_factory.mktemp("views")
    old_ledger.make(home, (), (_AUGUST,))
    with Ledger.open(home, command="test") as ledger:
        run_id = start_run(ledger, "sync", "fill", NOW)
        for day in (_SEPTEMBER, _OCTOBER):
            record_counts(ledger, run_id, SOURCE, SCOPE, {day: {"pull_repo": 30, "push_repo": 10}}, NOW)
            store(ledger, busy_day(day), day=day)
            seal(ledger, day)
            assert close_day(ledger, SOURCE, day, _OPEN)
        finish_run(ledger, run_id, NOW, "done", "", [Spent(SOURCE, "listLogs", "read", "ok", 7, 1.5, 900)])
        with ledger.transaction() as cursor:
            cursor.execute("UPDATE event_files SET rules = 'older' WHERE first_day = ?", [_SEPTEMBER])
            migrate.install_views(cursor, home)
        store(ledger, [*busy_day(_SEPTEMBER), event(9, "made_up_kind", day=_SEPTEMBER)], day=_SEPTEMBER)
        store(ledger, busy_day(_OPEN), day=_OPEN)
        unreadable = [("pull_repo", "no datetime", "{1}"), (None, "not JSON", "{2}"), (None, "not JSON", "{3}")]
        store(ledger, [], day=_OPEN, rejects=pl.DataFrame(unreadable, schema=REJECT_SCHEMA, orient="row"))
        begin(ledger, "other")
        store(ledger, busy_day(_OCTOBER), source_id="other", day=_OCTOBER)
        store(ledger, busy_day(_OCTOBER), source_id="other", day=_OCTOBER, scope="user:alice")
        seal(ledger, _OCTOBER, source_id="other")
        run_id = start_run(ledger, "sync", "test", NOW)
        record_counts(ledger, run_id, "other", SCOPE, {_OCTOBER: {"pull_repo": 9}, date(2026, 10, 2): {}}, NOW)
        spent = [Spent("other", operation, "read", "ok", 1, 0.1, 5) for operation in ("listLogs", "getAggregateLogs")]
        finish_run(ledger, run_id, NOW, "done", "", spent)
        start_run(ledger, "sync", "unfinished", NOW)
        begin(ledger, "empty")
        for hours in (0, 1, 30):
            record_fetches(
                ledger, run_id, [everything(hours, str(hours)), everything(hours, "always", source_id="other")]
            )
        yield ledger


def test_every_file_is_a_view_and_every_view_has_a_grain(rich: Ledger) -> None:
    files = {path.stem for path in (_FOLDER / "views").glob("*.sql")}
    assert files == set(migrate.VIEWS)
    made = rich.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal")
    assert {name for (name,) in made} == {*migrate.VIEWS, *migrate.FILE_VIEWS, *inventory_views()} == set(_GRAINS)


@pytest.mark.parametrize("name", migrate.VIEWS)
def test_the_first_line_says_the_grain(name: str) -> None:
    assert migrate.view_sql(name).startswith("-- One row per ")


def test_the_inventorys_views_say_their_grain_and_show_what_holds_now(rich: Ledger) -> None:
    assert all(text.startswith("-- One row per ") for text in inventory_views().values())
    assert rich.rows("SELECT source_id, team FROM teams ORDER BY ALL") == [("main", "30"), ("other", "always")]
    assert rich.rows("SELECT count(*) FROM teams_history") == [(4,)]
    assert rich.rows("SELECT source_id, targets, ok FROM mart_inventory_coverage ORDER BY ALL") == [
        ("main", 1, 1),
        ("other", 1, 1),
    ]
    newest = rich.rows("SELECT source_id, namespace, measured_at FROM sizes_now ORDER BY ALL")
    assert [(source, name, moment.hour) for source, name, moment in newest] == [
        ("main", "30", 15),
        ("other", "always", 15),
    ]


@pytest.mark.parametrize(("name", "grain"), _GRAINS.items(), ids=_GRAINS.keys())
def test_the_grain_holds(rich: Ledger, name: str, grain: str) -> None:
    rows, distinct = rich.rows(f"SELECT count(*), count(DISTINCT ({grain})) FROM {name}")[0]
    assert rows == distinct > 0


def test_no_event_is_lost_on_its_way_to_the_readers(rich: Ledger) -> None:
    stored = sum(
        rich.rows(f"SELECT count(*) FROM {name}")[0][0]
        for name in ("event_rows", "corrections", "stg_plain_files", "stg_stale_files", "stg_current_files")
    )
    assert rich.rows("SELECT count(*) FROM stg_events") == rich.rows("SELECT count(*) FROM events") == [(stored,)]
    assert stored == 40 * 6 + 1
    assert tuple(rich.frame("SELECT * FROM events LIMIT 0").columns) == EVENT_COLUMNS


def test_a_view_of_an_older_version_goes(rich: Ledger) -> None:
    with rich.transaction() as cursor:
        cursor.execute("CREATE VIEW mart_of_yesterday AS SELECT 1")
        migrate.install_views(cursor, rich.home)
    assert rich.rows("SELECT * FROM duckdb_views() WHERE view_name = 'mart_of_yesterday'") == []


def test_the_kinds_that_are_shipped_are_each_described_once() -> None:
    with (_FOLDER / "seeds" / "log_kinds.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["kind"] for row in rows}) == len(rows)
    assert all(row["category"] and row["meaning"].endswith(".") for row in rows)
