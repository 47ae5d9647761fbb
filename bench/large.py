"""The bench of large ledgers: what closing days costs, and what pages, look-ups and lists cost when the days are closed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

import polars as pl

from bench import believable, frames
from bench.measure import peak_mb, timed
from bench.results import Table, record
from quayledger.warehouse import publish
from quayledger.warehouse.event_files import SEEN_SUFFIX, USAGE_SUFFIX
from quayledger.warehouse.log import close, events
from quayledger.warehouse.log.events import EventFilter
from quayledger.warehouse.log.find import find
from quayledger.warehouse.snapshot import Snapshot

EVENTS = int(os.environ.get("BENCH_EVENTS", "10_000_000"))
DAYS, PATTERN_DAYS, PATTERN_EVENTS, END = 100, 10, 1_000_000, date(2026, 9, 30)
REPETITIONS = 3
ZONE = "Europe/Berlin"
Ask = Callable[[Snapshot, EventFilter], object]
FIGURES: tuple[tuple[str, Ask], ...] = (
    ("totals", events.totals),
    ("usage_counts by repository", lambda snap, flt: events.usage_counts(snap, flt, by="repository")),
    ("usage_counts by actor", lambda snap, flt: events.usage_counts(snap, flt, by="actor")),
    ("usage_series by day", lambda snap, flt: events.usage_series(snap, flt, time_zone=ZONE, bucket="day")),
    ("heat", lambda snap, flt: events.heat(snap, flt, time_zone=ZONE)),
    ("count_events", events.count_events),
    ("namespaces", lambda snap, _: events.namespaces(snap)),
)


def main() -> None:
    """Measures in this process and, what is asked, in one of its own; a folder for the ledger is given."""
    folder = Path(sys.argv[1])
    if sys.argv[2:] == ["ask"]:
        _ask(folder / "large")
        return
    home = folder / "large"
    costs = {"load": 0.0, "close": 0.0}
    number = 0
    with frames.begin(home) as ledger:
        for days in _days(folder):
            for step, work in (("load", frames.load), ("close", frames.seal)):
                began = time.process_time()
                done = work(ledger, days)
                costs[step] += time.process_time() - began
                number += done or 0
        began = time.process_time()
        close.close_days(ledger, END + timedelta(days=1), 10)
        costs["join the months"] = time.process_time() - began
        began, wall = time.process_time(), time.perf_counter()
        publish.publish(ledger, keep=2, now=datetime.now(UTC))
        costs["publish"] = time.process_time() - began
        published_s = time.perf_counter() - wall
        files = close.event_file_list(ledger)
        sizes = {
            suffix: sum((home / file.beside(suffix)).stat().st_size for file in files)
            for suffix in (USAGE_SUFFIX, SEEN_SUFFIX)
        }
        sizes["events"] = sum(file.size_bytes for file in files)
        sizes["live.duckdb"] = ledger.live.stat().st_size
    kept = [(step, f"{cost:,.1f}", f"{cost / number * 1e6:.2f}") for step, cost in costs.items()]
    stored = [(name, f"{size / 1e6:,.1f}", f"{size / number:.1f}") for name, size in sizes.items()]
    intro = (
        f"{number:,} events of {DAYS} days: {believable.REPOSITORIES:,} repositories, {believable.ACTORS:,} actors, "
        f"{believable.ADDRESSES:,} addresses; the days are closed, the months that are over joined. A pattern of {PATTERN_DAYS} days comes "
        f"again with new digests. Loading and closing peaked at {peak_mb():,.0f} MB; publishing took {published_s:.2f} s."
    )
    tables = [
        Table("Cost", ("step", "CPU s", "µs an event"), kept),
        Table("On disk", ("what", "MB", "bytes an event"), stored),
    ]
    record("large", intro, tables)
    subprocess.run([sys.executable, "-m", "bench.large", str(folder), "ask"], check=True)


def _days(folder: Path) -> list[dict[date, pl.DataFrame]]:
    """Each pattern of days as it is loaded, one after the other."""
    del folder
    pattern = max(1, EVENTS * PATTERN_DAYS // DAYS)
    made = believable.lines(events=min(pattern, PATTERN_EVENTS), days=PATTERN_DAYS, end=END, seed=7)
    frame = frames.frame_of([line.encode() for line in made])
    times = max(1, pattern // PATTERN_EVENTS)
    return _Patterns(frame, times)  # type: ignore[return-value]


class _Patterns:
    def __init__(self, frame: pl.DataFrame, times: int) -> None:
        self.frame, self.times = frame, times

    def __iter__(self):  # type: ignore[no-untyped-def]
        for back in reversed(range(DAYS // PATTERN_DAYS)):
            copies = [self._copy(back, number) for number in range(self.times)]
            yield frames.by_day(pl.concat(copies).sort("occurred_at"))

    def _copy(self, back: int, number: int) -> pl.DataFrame:
        mark = f"{back:02x}{number:04x}"
        return self.frame.with_columns(
            pl.col("occurred_at") - timedelta(days=back * PATTERN_DAYS),
            pl.when(pl.col("digest").is_not_null())
            .then(pl.concat_str(pl.lit(f"sha256:{mark}"), pl.col("digest").str.slice(13)))
            .alias("digest"),
        )


def _ask(home: Path) -> None:
    with Snapshot.open(home) as snap:
        some = events.events(snap, EventFilter(until=datetime(2026, 8, 1, tzinfo=UTC), kinds=("push_repo",)), limit=1)
        seen = some.to_dicts()[0]
        tables = [_figures(snap), _lookups(snap, seen), _lists(snap, seen)]
    intro = f"The same ledger, asked in a process of its own. Medians of {REPETITIONS} calls."
    record("large, asked", intro, tables)


def _figures(snap: Snapshot) -> Table:
    end = datetime(END.year, END.month, END.day, tzinfo=UTC) + timedelta(days=1)
    periods = {
        "30 days": EventFilter(end - timedelta(days=30), end),
        "30 days of Berlin": EventFilter(end - timedelta(days=30, hours=2), end - timedelta(hours=2)),
        "everything": EventFilter(),
    }
    rows = []
    for period, flt in periods.items():
        for name, ask in FIGURES:
            ours = timed(lambda which=ask, of=flt: which(snap, of), REPETITIONS)  # type: ignore[misc]
            with mock.patch.object(events, "find_rollups", lambda *_: None):
                raw = timed(lambda which=ask, of=flt: which(snap, of), 1)  # type: ignore[misc]
            rows.append(
                (
                    name,
                    period,
                    f"{ours.wall_s:.3f}",
                    f"{ours.cpu_s:.3f}",
                    f"{raw.cpu_s:.3f}",
                    f"{raw.cpu_s / ours.cpu_s:.0f} ×",
                )
            )
    return Table("Figures", ("question", "of", "s", "CPU s", "from events, CPU s", "ratio"), rows)


def _lookups(snap: Snapshot, seen: dict[str, object]) -> Table:
    digest, tag = str(seen["digest"] or seen["tag"]), str(seen["tag"])
    asked: tuple[tuple[str, Callable[[], object]], ...] = (
        ("exact, present", lambda: find(snap, digest, exact_only=True)),
        ("exact, absent", lambda: find(snap, "sha256:" + "0" * 64, exact_only=True)),
        ("part of a name", lambda: find(snap, tag[:4])),
        ("part, absent", lambda: find(snap, "no such thing")),
    )
    rows = [(name, *_cost(ask)) for name, ask in asked]
    return Table("Find anything", ("what", "s", "CPU s"), rows)


def _lists(snap: Snapshot, seen: dict[str, object]) -> Table:
    filters = {
        "newest of all": EventFilter(),
        "a digest": EventFilter(digest=str(seen["digest"])),
        "an absent digest": EventFilter(digest="sha256:" + "0" * 64),
        "a tag": EventFilter(tag=str(seen["tag"])),
        "an address": EventFilter(ip=str(seen["ip"])),
        "an actor": EventFilter(actor=str(seen["actor"])),
        "a kind": EventFilter(kinds=("create_repo",)),
        "text that is frequent": EventFilter(text="api"),
        "text that is absent": EventFilter(text="no such thing"),
    }
    rows = [(name, *_cost(lambda of=flt: events.events(snap, of, limit=100))) for name, flt in filters.items()]  # type: ignore[misc]
    return Table("Newest 100 events", ("filter", "s", "CPU s"), rows)


def _cost(ask: Callable[[], object]) -> tuple[str, str]:
    ask()
    cost = timed(ask, REPETITIONS)
    return f"{cost.wall_s:.3f}", f"{cost.cpu_s:.3f}"


if __name__ == "__main__":
    main()
