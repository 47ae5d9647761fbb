"""The bench of queries: what the pages ask of a snapshot, from the live table and from months' Parquet files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from bench import frames
from bench.measure import Cost, peak_mb, timed
from bench.results import Table, record
from bench.stand_in import made_events
from quayledger.warehouse import publish
from quayledger.warehouse.log import close, events
from quayledger.warehouse.log.event_filter import EventFilter
from quayledger.warehouse.snapshot import Snapshot

EVENTS, DAYS, COPIES, END = 250_000, 30, 4, date(2026, 9, 30)
REPETITIONS = 5
ZONE = "Europe/Berlin"
Question = Callable[[Snapshot, EventFilter], object]
QUESTIONS: tuple[tuple[str, Question], ...] = (
    ("totals", events.totals),
    ("usage_counts by repository", lambda snap, flt: events.usage_counts(snap, flt, by="repository")),
    ("usage_series by day", lambda snap, flt: events.usage_series(snap, flt, time_zone=ZONE, bucket="day")),
    ("heat", lambda snap, flt: events.heat(snap, flt, time_zone=ZONE)),
    ("count_events", events.count_events),
    ("events, newest 100", lambda snap, flt: events.events(snap, flt, limit=100)),
    ("events, page 50 of 100", lambda snap, flt: events.events(snap, flt, limit=100, offset=5000)),
    ("namespaces", lambda snap, _: events.namespaces(snap)),
)


def main() -> None:
    """Measures in this process; one folder for the made events is given on the command line."""
    folder = Path(sys.argv[1])
    home = folder / "queried"
    days = _days(folder)
    since = datetime(END.year, END.month, END.day, tzinfo=UTC) - timedelta(days=DAYS - 1)
    periods = {f"last {DAYS} days": EventFilter(since=since), "everything": EventFilter()}
    with frames.begin(home) as ledger:
        number = frames.load(ledger, days)
        frames.seal(ledger, days)
        publish.publish(ledger, keep=2, now=datetime.now(UTC))
        live = _ask(home, periods)
        close.close_days(ledger, datetime.now(UTC).date(), 1)
        publish.publish(ledger, keep=2, now=datetime.now(UTC))
        final = _ask(home, periods)
    intro = (
        f"{number:,} events: {COPIES} months, each the same {EVENTS:,} believable ones. Medians of {REPETITIONS} calls on an open "
        f"snapshot, after one that warms up. This process peaked at {peak_mb():,.0f} MB, the loading included."
    )
    record("queries", intro, [_table(period, live, final) for period in periods])


def _days(folder: Path) -> dict[date, pl.DataFrame]:
    """The made events, and again some months earlier."""
    frame = frames.frame_of(made_events(folder, events=EVENTS, days=DAYS, end=END).read_bytes().splitlines())
    days: dict[date, pl.DataFrame] = {}
    for copy in reversed(range(COPIES)):
        days |= frames.by_day(frame.with_columns(pl.col("occurred_at") - timedelta(days=copy * DAYS)))
    return days


def _ask(home: Path, periods: dict[str, EventFilter]) -> dict[tuple[str, str], Cost]:
    costs = {}
    with Snapshot.open(home) as snapshot:
        for period, flt in periods.items():
            for name, question in QUESTIONS:
                question(snapshot, flt)
                costs[period, name] = timed(lambda ask=question, which=flt: ask(snapshot, which), REPETITIONS)  # type: ignore[misc]
    return costs


def _table(period: str, live: dict[tuple[str, str], Cost], final: dict[tuple[str, str], Cost]) -> Table:
    rows = []
    for name, _ in QUESTIONS:
        one, other = live[period, name], final[period, name]
        rows.append(
            (
                name,
                f"{one.wall_s:.3f}",
                f"{one.cpu_s:.3f}",
                f"{other.wall_s:.3f}",
                f"{other.cpu_s:.3f}",
                f"{other.cpu_s / one.cpu_s:.2f} ×",
            )
        )
    heads = ("question", "live s", "live CPU s", "Parquet s", "Parquet CPU s", "Parquet to live, CPU")
    return Table(f"Pages' questions: {period}", heads, rows)


if __name__ == "__main__":
    main()
