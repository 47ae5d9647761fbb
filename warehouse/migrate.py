"""Brings a ledger's tables up to date, and its views and seeds to what this version ships. I/O.

Tables change only by the files in `migrations/`, forward, each in one transaction with its record. Views hold no data and
are made anew where this version's differ, from the files in `views/` and, for the inventory, from its declared schemas.
"""

from __future__ import annotations

import csv
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec

from quayledger.warehouse.catalog_views import inventory_views
from quayledger.warehouse.errors import LedgerTooNew
from quayledger.warehouse.event_files import install_file_views
from quayledger.warehouse.schema import EVENT_COLUMNS, FILE_COLUMNS

_HERE = Path(__file__).parent
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

# In the order in which they are made: a view may use those before it.
VIEWS = (
    "stg_uninterpreted_events",
    "stg_interpreted_events",
    "stg_events",
    "stg_held",
    "stg_counts",
    "stg_counted_parts",
    "stg_rejected",
    "events",
    "mart_kind_coverage",
    "mart_coverage",
    "mart_days_by_state",
    "mart_spent",
    "mart_runs",
    "mart_sources",
    "mart_inventory_coverage",
)
_MARKED_VIEW = "events"
FILE_VIEWS = ("stg_plain_files", "stg_current_files", "stg_stale_files", "stg_rules")


class Migration(msgspec.Struct, frozen=True):
    """One step of the tables' history."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """What tells whether the step that was applied is the one that is shipped."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """All steps, oldest first."""
    found = []
    for path in sorted((_HERE / "migrations").glob("*.sql")):
        if match := _NAME.fullmatch(path.name):
            found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    return tuple(found)


def migrate(cursor: duckdb.DuckDBPyConnection, place: Path) -> None:
    """Applies what is missing. Raises LedgerTooNew where `place` has a version that is not known here."""
    known = migrations()
    at = applied_version(cursor)
    refuse_newer(at, place)
    for step in known:
        if step.version > at:
            _apply(cursor, step)


def applied_version(cursor: duckdb.DuckDBPyConnection) -> int:
    """The version of the tables; 0 where there is none yet."""
    there = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'schema_migrations'"
    if not _number(cursor, there):
        return 0
    return _number(cursor, "SELECT coalesce(max(version), 0) FROM schema_migrations")


def refuse_newer(version: int, place: Path) -> None:
    """Raises LedgerTooNew where `version` is not known here."""
    newest = migrations()[-1].version
    if version > newest:
        raise LedgerTooNew(
            f"{place} has tables of version {version}, this quayledger knows {newest} and older: install the version of "
            "quayledger that wrote it, or a newer one"
        )


def _number(cursor: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = cursor.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _apply(cursor: duckdb.DuckDBPyConnection, step: Migration) -> None:
    cursor.execute("BEGIN")
    try:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL, name VARCHAR NOT NULL, "
            "applied_at TIMESTAMPTZ NOT NULL, sha256 VARCHAR NOT NULL)"
        )
        cursor.execute(step.sql)
        cursor.execute(
            "INSERT INTO schema_migrations VALUES (?, ?, ?, ?)",
            [step.version, step.name, datetime.now(UTC), step.sha256],
        )
    except duckdb.Error:
        cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")


def install_seeds(cursor: duckdb.DuckDBPyConnection) -> None:
    """Fills `log_kinds` with the kinds that this version knows."""
    with (_HERE / "seeds" / "log_kinds.csv").open(encoding="utf-8", newline="") as file:
        rows = [[row["kind"], row["category"], row["meaning"]] for row in csv.DictReader(file)]
    held = cursor.execute("SELECT kind, category, meaning FROM log_kinds ORDER BY kind").fetchall()
    if [list(row) for row in held] == sorted(rows):
        return
    cursor.execute("DELETE FROM log_kinds")
    cursor.executemany("INSERT INTO log_kinds VALUES (?, ?, ?)", rows)


def view_sql(name: str) -> str:
    """The text of one view: a comment that says its grain, then one SELECT."""
    return (_HERE / "views" / f"{name}.sql").read_text(encoding="utf-8")


def rules_version() -> str:
    """The version of the interpretation: a digest of its text, of the kinds' categories and of the columns that readers
    see. Files of another version are read through the view, until they are written anew."""
    told = re.sub(r"\s+", " ", re.sub(r"--[^\n]*", "", view_sql("stg_interpreted_events")))
    seeds = (_HERE / "seeds" / "log_kinds.csv").read_text(encoding="utf-8")
    return hashlib.sha256("\n".join((told, seeds, *EVENT_COLUMNS, *FILE_COLUMNS)).encode()).hexdigest()[:12]


def install_closed_files(cursor: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Makes the views over the event files that there are now. To be called in a transaction."""
    install_file_views(cursor, home, rules_version())


def install_views(cursor: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Makes all views, those over the event files that there are now included. To be called in a transaction."""
    install_closed_files(cursor, home)
    texts = inventory_views() | {name: view_sql(name) for name in VIEWS}
    # The tables' version belongs to it: a view with `*` has the columns that its tables had when it was made.
    digest = hashlib.sha256("\n".join((str(migrations()[-1].version), *texts, *texts.values())).encode()).hexdigest()
    listed = dict(cursor.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall())
    wanted = {*FILE_VIEWS, *texts}
    # Making them takes longer than the rest of opening a ledger, so a mark on one of them says which ones these are.
    old = {name for name in listed.keys() - wanted if name.startswith(("stg_", "mart_"))}
    if not old and wanted <= listed.keys() and listed[_MARKED_VIEW] == digest:
        return
    for name, text in texts.items():
        cursor.execute(f"CREATE OR REPLACE VIEW {name} AS {text}")
    for name in sorted(old):
        cursor.execute(f'DROP VIEW "{name}"')
    cursor.execute(f"COMMENT ON VIEW {_MARKED_VIEW} IS '{digest}'")
