"""The schema stays in what DuckLake takes: the same statements run on a file-based DuckLake. Skipped without its extension."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from quayledger.warehouse import migrate
from quayledger.warehouse.catalog import FAMILIES, FAMILY, SERIES
from quayledger.warehouse.errors import LockHolder
from quayledger.warehouse.inventory import store as inventory
from quayledger.warehouse.inventory.store import Recorded, Stale, record_fetches
from quayledger.warehouse.ledger import Cursor, Ledger
from quayledger.warehouse.limits import connection_config
from quayledger.warehouse.log.slices import latest_counts, record_counts, slices
from quayledger.warehouse.runs import Spent, finish_run, start_run
from quayledger.warehouse.schema import EVENT_COLUMNS
from tests.warehouse.looking import at, brought, everything, fetch
from tests.warehouse.sample import DAY, NOW, SCOPE, SOURCE, begin, busy_day, event, seal, store
from tests.warehouse.test_inventory_schema import declared, made


def extension() -> Path:
    """The extension's file in the wheel that brings it; loading by path keeps DuckDB's check of its signature."""
    found = importlib.util.find_spec("duckdb_extension_ducklake")
    for folder in (found.submodule_search_locations or ()) if found else ():
        for path in Path(folder).glob(f"extensions/v{duckdb.__version__}/ducklake.duckdb_extension"):
            return path
    pytest.fail(f"needs the package duckdb-extension-ducklake=={duckdb.__version__}")


class Lake(Ledger):
    """A ledger whose tables are in a lake."""

    def cursor(self) -> Cursor:
        cursor = super().cursor()
        cursor.execute("USE lake")
        return cursor


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    tmp_path = tmp_path_factory.mktemp("lake")
    with contextlib.closing(duckdb.connect(config=connection_config(tmp_path))) as connection:
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        connection.execute(f"LOAD '{extension()}'")
        connection.execute(f"ATTACH 'ducklake:{tmp_path}/lake.duckdb' AS lake (DATA_PATH '{tmp_path}/data')")
        connection.execute("USE lake")
        migrate.migrate(connection, tmp_path)
        connection.execute("BEGIN")
        migrate.install_seeds(connection)
        migrate.install_views(connection, tmp_path)
        connection.execute("COMMIT")
        lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
        opened = Lake(tmp_path, lock, LockHolder(os.getpid(), "here", "test", NOW), connection)
        yield opened
        os.close(lock)


def test_a_whole_cycle_runs_on_a_lake(lake: Ledger) -> None:
    begin(lake)
    run_id = start_run(lake, "sync", "test", NOW)
    record_counts(
        lake, run_id, SOURCE, SCOPE, {DAY: {"pull_repo": 30, "push_repo": 10}, DAY + timedelta(days=1): {}}, NOW
    )
    assert store(lake, busy_day(DAY)).new_events == 40
    again = store(lake, [*busy_day(DAY), event(5, performer="zed")])
    assert (again.new_events, again.known_events) == (1, 40)
    seal(lake, DAY)
    finish_run(lake, run_id, NOW, "done", "", [Spent(SOURCE, "listLogs", "read", "ok", 3, 1.0, 10)])
    assert slices(lake, SOURCE, DAY, DAY)[DAY].stored_events == 41
    assert latest_counts(lake, SOURCE, DAY, DAY)[DAY, SCOPE].by_kind == {"pull_repo": 30, "push_repo": 10}
    shown = lake.frame("SELECT * FROM events")
    assert set(shown.columns) == set(EVENT_COLUMNS)
    assert shown["event_id"].n_unique() == 41
    assert lake.rows("SELECT events, requests FROM mart_sources") == [(41, 3)]


def test_the_inventorys_tables_are_what_the_families_declare(lake: Ledger) -> None:
    assert made(lake) == declared()


def test_looks_are_kept_on_a_lake_as_in_a_file(lake: Ledger) -> None:
    inventory.mark_stale(lake, SOURCE, [Stale("list", "", "org_create", at(0), 1)], 1, NOW)
    inventory.mark_stale(lake, SOURCE, [Stale("list", "", "org_create", at(0.5), 1)], 2, NOW)
    first, second = everything(0, "a"), everything(1, "b")
    assert record_fetches(lake, 1, [first]) == Recorded(len(FAMILIES), 0, 0, len(SERIES))
    assert len(inventory.read_stale(lake, SOURCE)) == 1
    assert record_fetches(lake, 2, [second, first, second]) == Recorded(len(FAMILIES), 0, len(FAMILIES), len(SERIES))
    assert inventory.read_stale(lake, SOURCE) == []
    changed = brought("teams", {}, [("b", "b", "admin")])
    assert record_fetches(lake, 3, [fetch(2, changed, state="partial")]) == Recorded(0, 1, 0, 0)
    assert inventory.held(lake, "teams", SOURCE).select("team", "role").rows() == [("b", "admin")]
    assert lake.rows("SELECT namespace FROM sizes_now") == [("b",)]
    assert lake.rows("SELECT state, from_at FROM looks_history ORDER BY from_at") == [("ok", at(0)), ("partial", at(2))]
    for name in FAMILY:
        assert lake.rows(f"SELECT count(*), count(to_at) FROM {name}_history") == [
            (3 if name == "teams" else 2, 1 + (name == "teams"))
        ]
