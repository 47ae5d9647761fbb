"""A ledger as an earlier version made it: its tables, an open day, and a final month in a file; with a published copy."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb
import msgspec
import polars as pl

from quayledger.warehouse import migrate
from quayledger.warehouse.schema import EVENT_SCHEMA, STORED_COLUMNS
from tests.warehouse.sample import NOW, SCOPE, SOURCE, busy_day, frame

_COLUMNS = ", ".join(STORED_COLUMNS)
# What the view was, short of its interpretations.
_EVENTS = (
    "SELECT concat(source_id, '-', strftime(day, '%Y%m%d'), '-', event_no) AS event_id, performer AS actor, "
    "'user' AS actor_type, 'success' AS outcome, 'other' AS category, NULL AS client, NULL AS credential, * FROM event_rows"
)


def make(home: Path, days: Iterable[date], month_days: Iterable[date] = (), *, version: int = 1) -> None:
    """Each day holds `busy_day`. `month_days`, of one month, are in `months/`. `version`: that of its tables; the rows came
    with the first."""
    home.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(home / "live.duckdb")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        first, *later = migrate.migrations()[:version]
        connection.execute(first.sql)
        connection.execute(
            "CREATE TABLE schema_migrations (version INTEGER NOT NULL, name VARCHAR NOT NULL, "
            "applied_at TIMESTAMPTZ NOT NULL, sha256 VARCHAR NOT NULL)"
        )
        connection.execute("INSERT INTO schema_migrations VALUES (1, ?, ?, ?)", [first.name, NOW, first.sha256])
        connection.execute(
            "INSERT INTO sources VALUES (?, 'Main', 'https://main.example.com', 'database', NULL, ?)", [SOURCE, NOW]
        )
        connection.execute(
            "INSERT INTO covers VALUES (?, 1, DATE '2026-01-01', [?], CAST([] AS VARCHAR[]), 'found')", [SOURCE, SCOPE]
        )
        for day in (*days, *month_days):
            _add_day(connection, day)
        if tuple(month_days):
            _move_month(connection, home, min(month_days).replace(day=1))
        for step in later:
            connection.execute(step.sql)
            connection.execute(
                "INSERT INTO schema_migrations VALUES (?, ?, ?, ?)", [step.version, step.name, NOW, step.sha256]
            )
        connection.execute(f"CREATE VIEW events AS {_EVENTS}")
    (home / "published").mkdir()
    shutil.copy(home / "live.duckdb", home / "published" / "000001.duckdb")
    pointer = {"file": "000001.duckdb", "published_at": NOW, "sequence": 1}
    (home / "published" / "CURRENT").write_bytes(msgspec.json.encode(pointer))


def _add_day(connection: duckdb.DuckDBPyConnection, day: date) -> None:
    events = frame(busy_day(day)).sort("occurred_at", maintain_order=True).with_row_index("event_no", offset=1)
    stored = events.select(
        pl.lit(SOURCE).alias("source_id"),
        pl.lit(day).alias("day"),
        pl.col("event_no").cast(pl.Int64),
        pl.lit(SCOPE).alias("scope"),
        pl.lit(1, pl.Int64).alias("reading_id"),
        *EVENT_SCHEMA,
    )
    connection.register("incoming", stored.to_arrow())
    connection.execute(f"INSERT INTO event_rows ({_COLUMNS}) SELECT {_COLUMNS} FROM incoming")
    connection.execute(
        "INSERT INTO slices VALUES (?, ?, 1, 'verified', ?, ?, 0, ?, ?, ?, '')",
        [SOURCE, day, stored.height, stored.height, NOW, NOW, NOW],
    )


def _move_month(connection: duckdb.DuckDBPyConnection, home: Path, month: date) -> None:
    file = Path("months", SOURCE, f"{month:%Y-%m}.parquet")
    (home / file).parent.mkdir(parents=True)
    inside = f"date_trunc('month', day) = DATE '{month}'"
    connection.execute(
        f"COPY (SELECT {_COLUMNS} FROM event_rows WHERE {inside} ORDER BY occurred_at, event_no) TO '{home / file}' "
        "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
    )
    rows = connection.execute(f"DELETE FROM event_rows WHERE {inside}").fetchall()[0][0]
    content = (home / file).read_bytes()
    connection.execute(
        "INSERT INTO months VALUES (?, ?, ?, ?, ?, ?, DATE '2026-11-20')",
        [SOURCE, month, str(file), rows, hashlib.sha256(content).hexdigest(), len(content)],
    )
