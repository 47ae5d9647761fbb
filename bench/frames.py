"""The bench's events in memory: made lines, normalised as the collector does, cut into days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from quayledger.collector.log.normalise import DefaultNamespace, Event, event_frame, normalise
from quayledger.warehouse import sources
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import slices
from quayledger.warehouse.log.load import Reading
from quayledger.warehouse.schema import REJECT_SCHEMA, SliceState

SOURCE = "main"
SCOPE = "superuser"
NOWHERE = DefaultNamespace(None, None)


def normalised(lines: list[bytes]) -> list[Event]:
    """The events among the lines; the few that cannot be read are left out."""
    return [event for line in lines if isinstance(event := normalise(line, NOWHERE), Event)]


def frame_of(lines: list[bytes]) -> pl.DataFrame:
    """All events of the lines, EVENT_SCHEMA, newest first as a registry gives them."""
    return event_frame(normalised(lines)).reverse()


def by_day(frame: pl.DataFrame) -> dict[date, pl.DataFrame]:
    """The same events by UTC day, oldest day first."""
    parts = frame.with_columns(pl.col("occurred_at").dt.date().alias("__day")).partition_by(
        "__day", as_dict=True, include_key=False
    )
    return {key[0]: parts[key] for key in sorted(parts)}


def reading_of(day: date, rows: int) -> Reading:
    """The whole of a day, read after its end."""
    after = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=2)
    return Reading(SOURCE, day, SCOPE, "", "pages", 1, after, after, rows, rows // 20, "filled", True)


def begin(home: Path) -> Ledger:
    """An empty ledger that knows its source."""
    ledger = Ledger.open(home, command="bench")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    sources.register_source(ledger, SOURCE, "Main", "https://quay.example.com", now)
    sources.add_cover(ledger, SOURCE, sources.CoverRow(1, date(2025, 1, 1), (SCOPE,), (), "bench"))
    return ledger


def begin_again(home: Path) -> Ledger:
    """A ledger that is there already."""
    return Ledger.open(home, command="bench")


def load(ledger: Ledger, days: dict[date, pl.DataFrame]) -> int:
    """Merges each day as one reading; how many events became new."""
    rejects = pl.DataFrame(schema=REJECT_SCHEMA)
    return sum(
        slices.merge_reading(ledger, reading_of(day, frame.height), frame, rejects).new_events
        for day, frame in days.items()
    )


def seal(ledger: Ledger, days: dict[date, pl.DataFrame]) -> None:
    """Declares every day verified."""
    now = datetime.now(UTC)
    for day, frame in days.items():
        slices.set_state(
            ledger,
            SOURCE,
            day,
            1,
            SliceState.VERIFIED,
            expected_events=frame.height,
            note="",
            now=now,
            counted_at=now,
        )
