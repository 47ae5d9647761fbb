"""The bench of loading: `merge_reading` against row-by-row inserts and against an insert that merges nothing."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from bench import frames
from bench.measure import Cost, median, timed
from bench.results import Table, record
from bench.stand_in import made_events
from quayledger.collector.log.normalise import event_frame, normalise
from quayledger.warehouse.schema import EVENT_SCHEMA, STORED_COLUMNS

EVENTS, DAYS, END = 300_000, 30, date(2026, 9, 30)
ROW_BY_ROW = 3_000
REPETITIONS = 3
Days = dict[date, pl.DataFrame]


def main() -> None:
    """Measures in this process; one folder for the made events is given on the command line."""
    folder = Path(sys.argv[1])
    lines = made_events(folder, events=EVENTS, days=DAYS, end=END).read_bytes().splitlines()
    read = timed(lambda: [normalise(line, frames.NOWHERE) for line in lines], REPETITIONS)
    events = frames.normalised(lines)
    framed = timed(lambda: event_frame(events), REPETITIONS)
    days = frames.by_day(event_frame(events).reverse())
    loaded = sum(frame.height for frame in days.values())
    merged = median(_once(lambda home: _merge(home, days)) for _ in range(REPETITIONS))
    one_day = {END: _folded(event_frame(events))}
    at_once = median(_once(lambda home: _merge(home, one_day)) for _ in range(REPETITIONS))
    again = median(_once(lambda home: _merge_again(home, days)) for _ in range(REPETITIONS))
    plain = median(_once(lambda home: _plain(home, days)) for _ in range(REPETITIONS))
    rows = event_frame(events[:ROW_BY_ROW])
    single = median(_once(lambda home: _row_by_row(home, rows)) for _ in range(REPETITIONS))
    rates = [
        ("merge_reading, nothing held yet (ours)", merged, loaded),
        ("merge_reading of one day of all events (ours)", at_once, loaded),
        ("merge_reading of days that are held: nothing new (ours)", again, loaded),
        ("polars frame → INSERT … SELECT, nothing merged", plain, loaded),
        (f"executemany, {ROW_BY_ROW:,} rows", single, ROW_BY_ROW),
    ]
    record("load", _INTRO, [_loading(rates), _reading(read, framed, len(lines))])


def _folded(frame: pl.DataFrame) -> pl.DataFrame:
    """All events on the last day, at their time of day."""
    moment = pl.col("occurred_at")
    midnight = pl.lit(END).cast(pl.Datetime("us", "UTC"))
    folded = (midnight + (moment - moment.dt.truncate("1d"))).alias("occurred_at")
    return frame.with_columns(folded).sort("occurred_at")


_INTRO = (
    f"{EVENTS:,} believable events of {DAYS} days, already in memory; each day is one reading and one transaction. Medians of "
    f"{REPETITIONS} repetitions, each into a new file, its closing included. Aim: 300,000 events a second."
)


def _loading(rates: list[tuple[str, Cost, int]]) -> Table:
    ours = rates[0][2] / rates[0][1].wall_s
    rows = [
        (
            name,
            f"{number / cost.wall_s:,.0f}",
            f"{cost.cpu_s / number * 1e6:.2f}",
            f"{ours / (number / cost.wall_s):.2f} ×",
        )
        for name, cost, number in rates
    ]
    return Table("Into the ledger", ("way", "events/s", "CPU µs/event", "ours is … as fast"), rows)


def _reading(read: Cost, framed: Cost, number: int) -> Table:
    rows = [
        (name, f"{number / cost.wall_s:,.0f}", f"{cost.cpu_s / number * 1e6:.2f}")
        for name, cost in (("normalise (bytes → Event)", read), ("event_frame (Events → frame)", framed))
    ]
    return Table("Before it", ("step", "events/s", "CPU µs/event"), rows)


def _once(work: Callable[[Path], Callable[[], object]]) -> Cost:
    """One run in a folder of its own; `work` prepares and gives what is to be timed."""
    with tempfile.TemporaryDirectory() as folder:
        return timed(work(Path(folder)), 1)


def _merge(home: Path, days: Days) -> Callable[[], object]:
    ledger = frames.begin(home)

    def call() -> None:
        frames.load(ledger, days)
        ledger.close()

    return call


def _merge_again(home: Path, days: Days) -> Callable[[], object]:
    ledger = frames.begin(home)
    frames.load(ledger, days)

    def call() -> None:
        new = frames.load(ledger, days)
        ledger.close()
        if new:
            raise RuntimeError(f"{new} events were stored twice")

    return call


def _plain(home: Path, days: Days) -> Callable[[], object]:
    frames.begin(home).close()
    connection = duckdb.connect(str(home / "live.duckdb"))
    columns = ", ".join(EVENT_SCHEMA)

    def call() -> None:
        for day, frame in days.items():
            incoming = frame.with_row_index("event_no")  # noqa: F841 - DuckDB finds it by its name
            connection.execute(
                f"INSERT INTO event_rows (source_id, day, event_no, scope, reading_id, {columns}) "  # noqa: S608
                f"SELECT ?, ?, event_no, ?, 1, {columns} FROM incoming",
                [frames.SOURCE, day, frames.SCOPE],
            )
        connection.close()

    return call


def _row_by_row(home: Path, rows: pl.DataFrame) -> Callable[[], object]:
    frames.begin(home).close()
    connection = duckdb.connect(str(home / "live.duckdb"))
    told = [
        (frames.SOURCE, row[0].date(), number, frames.SCOPE, 1, *row) for number, row in enumerate(rows.iter_rows(), 1)
    ]
    marks = ", ".join("?" * len(STORED_COLUMNS))

    def call() -> None:
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO event_rows ({', '.join(STORED_COLUMNS)}) VALUES ({marks})", told)  # noqa: S608
        connection.execute("COMMIT")
        connection.close()

    return call


if __name__ == "__main__":
    main()
