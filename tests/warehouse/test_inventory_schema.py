"""The inventory's tables are what its families declare; old ledgers and copies are not lost."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from quayledger.warehouse.catalog import FAMILIES, FAMILY, INTERVAL_COLUMNS, SERIES, Type
from quayledger.warehouse.errors import NotPublished
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.inventory.store import held, record_fetches
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events as events
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse import old_ledger
from tests.warehouse.looking import everything, published
from tests.warehouse.sample import DAY, NOW

_SQL: dict[Type, str] = {
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Date: "DATE",
    UTC_MICROSECONDS: "TIMESTAMP WITH TIME ZONE",
}
_NEVER_NULL = {"source_id", "from_at", "first_seen_at", "from_run", "measured_at", "run_id"}


def declared() -> dict[str, list[tuple[str, str, bool]]]:
    """Of each table its columns: name, type, whether they may be null."""
    told: dict[str, dict[str, Type]] = {
        one.table: {"source_id": pl.String, **one.schema, **INTERVAL_COLUMNS} for one in FAMILIES
    } | {
        one.name: {"source_id": pl.String, **one.schema, "measured_at": UTC_MICROSECONDS, "run_id": pl.Int64}
        for one in SERIES
    }
    keys = {one.table: set(one.key) for one in FAMILIES} | {one.name: set(one.key) for one in SERIES}
    return {
        table: [(name, _SQL[kind], name not in _NEVER_NULL | keys[table]) for name, kind in columns.items()]
        for table, columns in told.items()
    }


def made(opened: Ledger) -> dict[str, list[tuple[str, str, bool]]]:
    """The same of the tables that a ledger has, of those that are declared."""
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for table, name, kind, may_be_null in opened.rows(
        "SELECT table_name, column_name, data_type, is_nullable = 'YES' FROM information_schema.columns "
        "WHERE table_catalog = current_catalog() ORDER BY table_name, ordinal_position"
    ):
        found.setdefault(table, []).append((name, kind, may_be_null))
    return {table: columns for table, columns in found.items() if table in declared()}


def test_the_tables_are_what_the_families_declare(ledger: Ledger) -> None:
    assert made(ledger) == declared()


def test_every_family_and_series_goes_in_and_comes_out_as_it_was(ledger: Ledger) -> None:
    told = everything(0, "text")
    record_fetches(ledger, 1, [told])
    with published(ledger) as snapshot:
        for one in told.families:
            assert held(ledger, one.family, told.source_id).rows() == one.rows.rows()
            shown = reader.as_of(snapshot, one.family)
            assert shown.schema.items() >= {"source_id": pl.String(), **FAMILY[one.family].schema}.items()
            assert shown.select(one.rows.columns).rows() == one.rows.rows()
            assert reader.history(snapshot, one.family).height == 1
        for point in told.series:
            assert reader.series(snapshot, point.series).select(point.rows.columns).rows() == point.rows.rows()


def test_a_ledger_from_before_the_inventory_is_brought_up_to_date(
    tmp_path: Path,
) -> None:
    old_ledger.make(tmp_path, [DAY])
    with Ledger.open(tmp_path, command="new") as opened:
        record_fetches(opened, 1, [everything(0, "text")])
        with published(opened) as snapshot:
            assert reader.as_of(snapshot, "teams").height == 1
            assert snapshot.rows("SELECT count(*) FROM events") == [(40,)]


def test_a_copy_from_before_the_inventory_says_so_and_still_shows_its_events(
    tmp_path: Path,
) -> None:
    old_ledger.make(tmp_path, [DAY])
    with Snapshot.open(tmp_path) as snapshot:
        assert events.count_events(snapshot, events.EventFilter()) == 40
        for ask in (reader.coverage, reader.knowledge, reader.unknown, reader.effective_access, reader.pushers):
            with pytest.raises(NotPublished, match="kept no inventory: run `quayledger sync`"):
                ask(snapshot)
        with pytest.raises(NotPublished):
            reader.diff(snapshot, NOW, NOW)
        with pytest.raises(NotPublished):
            reader.last_use(snapshot, now=NOW)
