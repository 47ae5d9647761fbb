"""The bench of storage: bytes an event in the live file and in a month's Parquet file, against the whole JSON as text."""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl

from bench import frames
from bench.results import Table, record
from bench.stand_in import made_events
from quayledger.warehouse.ledger import LIVE_NAME
from quayledger.warehouse.log import close

EVENTS, DAYS, END = 300_000, 30, date(2026, 9, 30)


def main() -> None:
    """Measures files that it writes; one folder for the made events is given on the command line."""
    folder = Path(sys.argv[1])
    lines = made_events(folder, events=EVENTS, days=DAYS, end=END).read_bytes().splitlines()
    days = frames.by_day(frames.frame_of(lines))
    number = sum(frame.height for frame in days.values())
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        live = _live_bytes(home / "ledger", days)
        emptied, parquet = _month_bytes(home / "ledger", days)
        text = _json_table_bytes(home / "text.duckdb", days, lines)
        empty = _live_bytes(home / "empty", {})
    raw = sum(len(line) + 1 for line in lines)
    packed = len(gzip.compress(b"\n".join(lines), 6))
    sizes = [
        ("live.duckdb (ours)", live - empty, "≤ 50"),
        ("month as Parquet (ours)", parquet, "≤ 45"),
        ("DuckDB table of (source, day, time, kind, JSON text)", text, ""),
        ("JSON lines", raw, ""),
        ("JSON lines, gzip", packed, ""),
    ]
    rows = [(name, f"{size / number:.1f}", aim, f"{size / parquet:.2f} ×") for name, size, aim in sizes]
    notes = (
        f"An empty ledger takes {empty / 1e6:.1f} MB, which is left out above.",
        f"After the month left the live file, that file was {emptied / 1e6:.1f} MB, of {live / 1e6:.1f} MB before.",
    )
    intro = f"{number:,} believable events of {DAYS} days; files after CHECKPOINT and closing."
    record("storage", intro, [Table("Bytes an event", ("form", "bytes/event", "aim", "to Parquet"), rows, notes)])
    _show_columns(days)


def _live_bytes(home: Path, days: dict[date, pl.DataFrame]) -> int:
    with frames.begin(home) as ledger:
        frames.load(ledger, days)
    return (home / LIVE_NAME).stat().st_size


def _month_bytes(home: Path, days: dict[date, pl.DataFrame]) -> tuple[int, int]:
    """What the live file and the months' files take after the months became final."""
    with frames.begin_again(home) as ledger:
        frames.seal(ledger, days)
        files = close.close_days(ledger, datetime.now(UTC).date(), 1)
    return (home / LIVE_NAME).stat().st_size, sum(file.size_bytes for file in files)


def _json_table_bytes(file: Path, days: dict[date, pl.DataFrame], lines: Iterable[bytes]) -> int:
    whole = pl.DataFrame({"event": [line.decode() for line in lines]})
    stamps = pl.concat(days.values()).select("occurred_at", "kind").sort("occurred_at")
    incoming = pl.concat([stamps, whole.head(stamps.height)], how="horizontal")  # noqa: F841 - DuckDB finds it by its name
    with duckdb.connect(str(file)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE log AS SELECT 'main' AS source_id, CAST(occurred_at AS DATE) AS day, occurred_at, kind, event FROM incoming"
        )
        connection.execute("CHECKPOINT")
    return file.stat().st_size


def _show_columns(days: dict[date, pl.DataFrame]) -> None:
    """Which columns take the bytes: each one alone as zstd Parquet."""
    frame = pl.concat(days.values()).sort("occurred_at")
    rows = []
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "column.parquet"
        for name in frame.columns:
            frame.select(name).write_parquet(file, compression="zstd")
            rows.append((name, f"{file.stat().st_size / frame.height:.2f}"))
    rows.sort(key=lambda row: -float(row[1]))
    print("\n".join(f"  {name:<22}{size}" for name, size in rows[:8]))


if __name__ == "__main__":
    main()
