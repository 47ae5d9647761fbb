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
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import close, events, sidecars, slices
from quayledger.warehouse.log.event_filter import EventFilter
from quayledger.warehouse.log.find import find
from quayledger.warehouse.schema import EVENT_SCHEMA, REJECT_SCHEMA
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
    """Measures in this process and, what is asked, in one of its own; a folder for the ledgers is given."""
    folder = Path(sys.argv[1])
    if sys.argv[2:] == ["ask"]:
        _ask(folder / "large")
        return
    pattern = folder / "pattern"
    real, loaded = _loaded(pattern)
    costs, number, sizes, published_s = _copied(pattern, folder / "large")
    kept = [(step, f"{cost:,.1f}", f"{cost / loaded * 1e6:.2f}") for step, cost in real.items()]
    kept += [(step, f"{cost:,.1f}", f"{cost / number * 1e6:.2f}") for step, cost in costs.items()]
    stored = [(name, f"{size / 1e6:,.1f}", f"{size / number:.1f}") for name, size in sizes.items()]
    intro = (
        f"{number:,} events of {DAYS} days: {believable.REPOSITORIES:,} repositories, {believable.ACTORS:,} actors, "
        f"{believable.ADDRESSES:,} addresses; the days are closed, the months that are over joined. {PATTERN_DAYS} days of {loaded:,} events "
        "are loaded and closed as the collector does; the files of all days are copies of theirs with other days and new digests, of "
        f"which rollups are made and joined as ever. This process peaked at {peak_mb():,.0f} MB; publishing took {published_s:.2f} s."
    )
    tables = [
        Table("Cost", ("step", "CPU s", "µs an event"), kept),
        Table("On disk", ("what", "MB", "bytes an event"), stored),
    ]
    record("large", intro, tables)
    subprocess.run([sys.executable, "-m", "bench.large", str(folder), "ask"], check=True)


def _loaded(home: Path) -> tuple[dict[str, float], int]:
    """A ledger of the days of the pattern, and what it cost to load and to close them."""
    made = believable.lines(
        events=min(EVENTS * PATTERN_DAYS // DAYS, PATTERN_EVENTS), days=PATTERN_DAYS, end=END, seed=7
    )
    days = frames.by_day(frames.frame_of([line.encode() for line in made]))
    with frames.begin(home) as ledger:
        began = time.process_time()
        number = frames.load(ledger, days)
        loaded = time.process_time()
        frames.seal(ledger, days)
        close.close_days(ledger, END + timedelta(days=1), 10)  # small days are not closed as soon as they are judged
        return {"load": loaded - began, "close": time.process_time() - loaded}, number


def _copied(pattern: Path, home: Path) -> tuple[dict[str, float], int, dict[str, int], float]:
    """The large ledger; what it cost by step, its events, the bytes of its files by kind, how long publishing took."""
    costs = {"rollups and index": 0.0}
    number, rejects = 0, pl.DataFrame(schema=REJECT_SCHEMA)
    times = max(1, EVENTS * PATTERN_DAYS // DAYS // PATTERN_EVENTS)
    with frames.begin_again(pattern) as of_pattern:
        files = close.event_file_list(of_pattern)
    with frames.begin(home) as ledger:
        for back in reversed(range(DAYS // PATTERN_DAYS)):
            for file in files:
                day = file.first_day - timedelta(days=back * PATTERN_DAYS)
                slices.merge_reading(ledger, frames.reading_of(day, 0), pl.DataFrame(schema=EVENT_SCHEMA), rejects)
                number += file.rows * times
                _copy(ledger, pattern / file.file, day, back, times, file.rows, costs)
        began = time.process_time()
        close.close_days(ledger, END + timedelta(days=1), 10)
        costs["join ten days, and months"] = time.process_time() - began
        began, wall = time.process_time(), time.perf_counter()
        publish.publish(ledger, keep=2, now=datetime.now(UTC))
        costs["publish"] = time.process_time() - began
        published_s = time.perf_counter() - wall
        kept = close.event_file_list(ledger)
        sizes = {
            suffix: sum((home / file.beside(suffix)).stat().st_size for file in kept)
            for suffix in (USAGE_SUFFIX, SEEN_SUFFIX)
        }
        sizes["events"] = sum(file.size_bytes for file in kept)
        sizes["live.duckdb"] = ledger.live.stat().st_size
    return costs, number, sizes, published_s


def _copy(ledger: Ledger, pattern: Path, day: date, back: int, times: int, rows: int, costs: dict[str, float]) -> None:
    """One day's file, of some times the events of the pattern's, recorded as a closed one."""
    stretch = close._Stretch(frames.SOURCE, day, day)
    unfinished = close._unfinished(ledger.home, stretch)
    copies = " UNION ALL ".join(
        f"SELECT * REPLACE (DATE '{day}' AS day, event_no + {number * rows} AS event_no, "  # noqa: S608 - our own values
        f"occurred_at - INTERVAL {back * PATTERN_DAYS} DAY AS occurred_at, "
        f"'sha256:{back:02x}{number:04x}' || substr(digest, 14) AS digest) FROM read_parquet('{pattern}')"
        for number in range(times)
    )
    with ledger.transaction() as cursor:
        cursor.execute(
            f"COPY (SELECT * FROM ({copies}) AS copied ORDER BY occurred_at, event_no) TO '{unfinished}' "  # noqa: S608
            f"({close._options(ledger.ledger_id)})"
        )
        made = close._seal(ledger.home, stretch, unfinished, rows * times)
        began = time.process_time()
        close._roll_up(cursor, ledger.home, made)
        costs["rollups and index"] += time.process_time() - began
        close._swap(cursor, ledger, made, [], END)
        sidecars.write_counts(cursor, made, f"read_parquet('{ledger.home / made.file}')")
        cursor.execute(
            "UPDATE slices SET stored_events = ?, expected_events = ?, state = 'verified' WHERE day = ?",
            [rows * times, rows * times, day],
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
