"""The bench of the detection rules: what judging one new day of 100,000 believable events costs, with a long history before it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from bench import believable, frames
from bench.measure import peak_mb
from bench.results import Table, record
from quayledger.reports.detections import engine
from quayledger.reports.detections.registry import all_rules
from quayledger.warehouse import publish
from quayledger.warehouse.log import close
from quayledger.warehouse.snapshot import Snapshot

DAYS = int(os.environ.get("BENCH_DAYS", "100"))
PATTERN_DAYS, PATTERN_EVENTS, END = 10, 1_000_000, date(2026, 9, 30)


def main() -> None:
    """Builds the ledger, then judges in a process of its own, so that its memory is that of judging."""
    home = Path(sys.argv[1]) / "detections"
    if sys.argv[2:] == ["judge"]:
        _judge(home)
        return
    _build(home)
    subprocess.run([sys.executable, "-m", "bench.detections", sys.argv[1], "judge"], check=True)


def _build(home: Path) -> None:
    made = believable.lines(events=PATTERN_EVENTS, days=PATTERN_DAYS, end=END, seed=7)
    pattern = frames.frame_of([line.encode() for line in made])
    with frames.begin(home) as ledger:
        for back in reversed(range(DAYS // PATTERN_DAYS)):
            shifted = pattern.with_columns(pl.col("occurred_at") - timedelta(days=back * PATTERN_DAYS))
            days = frames.by_day(shifted.sort("occurred_at"))
            frames.load(ledger, days)
            frames.seal(ledger, days)
        close.close_days(ledger, END, 10)
        publish.publish(ledger, keep=1, now=datetime.now(UTC))


def _judge(home: Path) -> None:
    until = datetime(END.year, END.month, END.day, tzinfo=UTC) + timedelta(days=1)
    with Snapshot.open(home) as snapshot:
        rows = snapshot.rows("SELECT count(*), count(*) FILTER (day = $day) FROM events", {"day": END})
        events, of_day = rows[0]
        cpu, wall = time.process_time(), time.perf_counter()
        done = engine.run(snapshot, all_rules(), until - timedelta(days=1), until)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    slowest = sorted(done.outcomes, key=lambda one: -one.seconds)
    figures = [
        ("all rules over the day", f"{wall:.2f}", f"{cpu:.2f}", f"{peak_mb():,.0f}"),
        *((f"{one.rule.id} {one.rule.name}", f"{one.seconds:.2f}", "", "") for one in slowest[:5]),
    ]
    disabled = ", ".join(one.rule.id for one in done.outcomes if one.disabled)
    record(
        "detections",
        f"{len(done.outcomes)} rules over one day of {of_day:,} events, in a ledger of {events:,} events of {DAYS} days. "
        f"Disabled, since the ledger lacks their input: {disabled or 'none'}.",
        [Table("Judging", ("what", "s", "CPU s", "peak MB"), figures)],
    )


if __name__ == "__main__":
    main()
