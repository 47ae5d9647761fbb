"""The bench of requests: what following a registry costs it and us, against a plain script and against dlt."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from bench.measure import Cost, run_child
from bench.results import Table, record
from bench.stand_in import StandIn, running

EVENTS, DAYS, NEW = 40_000, 10, 1_000
ROUNDS = 3
LATENCY_MS, LANES = 5.0, 2
REQUESTS_PER_SECOND = 200
SETTLE = timedelta(seconds=7)  # ours leaves rows younger than 5 s for its next run, so nobody is shown any
_PYTHON = sys.executable
_KINDS = ("pull_repo", "pull_repo", "pull_repo", "push_repo")


class Run(NamedTuple):
    """One collector, once: its own cost, and what the stand-in saw of it. `p95_ms`: an answer's wait and its making."""

    cost: Cost
    requests: int
    p95_ms: float


class Collector(NamedTuple):
    """A way to follow a registry."""

    kind: str
    title: str
    path: Path
    command: Sequence[str]
    env: dict[str, str]


def main() -> None:
    """Measures child processes. This process stays small, because a child's peak cannot show as less than ours."""
    with tempfile.TemporaryDirectory() as made:
        tables = [_followed(Path(made) / "fine"), _tied(Path(made) / "whole")]
    record("requests", _INTRO, [table for group in tables for table in group])


_INTRO = (
    f"A stand-in Quay of {EVENTS:,} events over {DAYS} days up to now, each answer held back {LATENCY_MS:g} ms with {LANES} at a "
    f"time. Ours is `quayledger sync` in a process of its own with its usual two chains, but {REQUESTS_PER_SECOND} requests a "
    "second allowed (its default is one), so that the bench ends; what it asks for does not depend on that. A real Quay spends "
    "about 0.25 s of CPU on each request, so requests are what the registry pays. p95: how long the stand-in took for an answer, "
    "the wait for one of its two places included."
)


def _followed(folder: Path) -> list[Table]:
    """Microsecond stamps: a first load, rounds of new events, a round without any."""
    folder.mkdir()
    with _stand_in(folder, "microsecond") as quay:
        collectors = _collectors(folder, quay)
        first = {one.kind: _run(quay, one) for one in collectors}
        rounds: dict[str, list[Run]] = {one.kind: [] for one in collectors}
        border = datetime.now(UTC)
        for _ in range(ROUNDS):
            border = _insert(quay, border)
            for one in collectors:
                rounds[one.kind].append(_run(quay, one))
        quiet = {one.kind: _run(quay, one) for one in collectors}
        held = {one.kind: _compare(quay, one) for one in collectors}
        asked = {kind: first[kind].requests + sum(run.requests for run in runs) for kind, runs in rounds.items()}
    usual = {kind: _middle(runs) for kind, runs in rounds.items()}
    return [
        _costs(f"First load of {EVENTS:,} events", collectors, first, EVENTS, quiet),
        _costs(f"{NEW:,} new events (median of {ROUNDS} rounds)", collectors, usual, NEW, quiet),
        _costs("Nothing new", collectors, quiet, 0, quiet),
        _truth(f"Held after {ROUNDS} rounds, microsecond stamps (PostgreSQL)", collectors, held, asked),
    ]


def _tied(folder: Path) -> list[Table]:
    """Whole-second stamps: a first load and one round, for what each loses."""
    folder.mkdir()
    with _stand_in(folder, "second") as quay:
        collectors = _collectors(folder, quay)
        border = datetime.now(UTC)
        asked = {one.kind: _run(quay, one).requests for one in collectors}
        _insert(quay, border)
        for one in collectors:
            asked[one.kind] += _run(quay, one).requests
        held = {one.kind: _compare(quay, one) for one in collectors}
    return [_truth("Held after a first load and one round, whole-second stamps (MySQL)", collectors, held, asked)]


def _stand_in(folder: Path, precision: str) -> contextlib.AbstractContextManager[StandIn]:
    numbers = ("--events", str(EVENTS), "--days", str(DAYS), "--seed", "7", "--precision", precision)
    return running(folder, *numbers, "--latency-ms", str(LATENCY_MS))


def _collectors(folder: Path, quay: StandIn) -> list[Collector]:
    quay.control("faults", latency_ms=LATENCY_MS, lanes=LANES)
    token = quay.tokens["superuser"]
    today = datetime.now(UTC).date()
    days = (str(today - timedelta(days=DAYS - 1)), str(today))
    home, out, files = folder / "ledger", folder / "plain.jsonl", folder / "dlt"
    ours = {
        "QUAYLEDGER_SOURCES__MAIN__URL": quay.url,
        "QUAYLEDGER_SOURCES__MAIN__TOKEN": token,
        "QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND": str(REQUESTS_PER_SECOND),
        "QUAYLEDGER_COLLECT__BACKFILL_DAYS": str(DAYS - 1),
    }
    other = {"QUAY_TOKEN": token}
    sync = (_PYTHON, "-m", "cli", "sync", "--home", str(home))
    plain = (_PYTHON, "-m", "bench.plain_client", quay.url, str(out), *days)
    dlt = (_PYTHON, "-m", "bench.dlt_client", quay.url, str(files), *days)
    return [
        Collector("ours", "quayledger sync", home, sync, ours),
        Collector("plain", "plain script, whole window", out, plain, other),
        Collector("dlt", "dlt incremental to Parquet", files, dlt, other),
    ]


def _run(quay: StandIn, one: Collector) -> Run:
    quay.control("reset")
    child = run_child(one.command, env=one.env)
    seen = quay.control("stats")
    return Run(child.cost, seen["total"], seen["imposed_latency_ms"]["p95"] + seen["service_ms"]["p95"])


def _insert(quay: StandIn, border: datetime) -> datetime:
    """New events between `border` and some seconds ago: all collectors have run before the first of them."""
    until = datetime.now(UTC) - SETTLE
    while (until - border).total_seconds() < 1:
        time.sleep(0.5)
        until = datetime.now(UTC) - SETTLE
    step = (until - border) / (NEW + 1)
    namespace = quay.organization()
    rows = [
        {
            "kind": _KINDS[number % len(_KINDS)],
            "namespace": namespace,
            "ip": f"10.9.{number // 250}.{number % 250}",
            "datetime": (border + step * number).isoformat(),
            "metadata": {"repo": "web", "namespace": namespace, "tag": f"v{number}", "user-agent": "skopeo/1.14.0"},
        }
        for number in range(1, NEW + 1)
    ]
    quay.control("insert", rows=rows)
    return until


def _compare(quay: StandIn, one: Collector) -> dict[str, int]:
    command = (_PYTHON, "-m", "bench.compare", quay.url, one.kind, str(one.path))
    found: dict[str, int] = json.loads(run_child(command).out)
    return found


def _middle(runs: Sequence[Run]) -> Run:
    costs = [run.cost for run in runs]
    cost = Cost(
        statistics.median(cost.wall_s for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        max(cost.peak_mb for cost in costs),
    )
    return Run(cost, round(statistics.median(run.requests for run in runs)), statistics.median(r.p95_ms for r in runs))


def _costs(
    title: str, collectors: Sequence[Collector], runs: dict[str, Run], events: int, quiet: dict[str, Run]
) -> Table:
    """`quiet`: what a run costs that finds nothing, most of it the start of the process."""
    rows = []
    for one in collectors:
        run = runs[one.kind]
        beyond_s = run.cost.cpu_s - quiet[one.kind].cost.cpu_s
        rows.append(
            (
                one.title,
                f"{run.requests:,}",
                _per(run.requests * 1000, events, ".1f"),
                f"{run.requests / runs['ours'].requests:.1f} ×",
                f"{run.p95_ms:.1f}",
                f"{run.cost.cpu_s:.1f}",
                _per(run.cost.cpu_s * 1e6, events, ",.0f"),
                _per(beyond_s * 1e6, events, ",.0f"),
                f"{run.cost.peak_mb:.0f}",
                f"{run.cost.wall_s:.1f}",
            )
        )
    heads = (
        "collector",
        "requests",
        "per 1,000 events",
        "to ours",
        "p95 ms",
        "CPU s",
        "CPU µs/event",
        "beyond a quiet run",
    )
    return Table(title, (*heads, "peak MB", "wall s"), rows)


def _per(number: float, events: int, form: str) -> str:
    return format(number / events, form) if events else "–"


def _truth(
    title: str, collectors: Sequence[Collector], held: dict[str, dict[str, int]], asked: dict[str, int]
) -> Table:
    rows = []
    for one in collectors:
        found = held[one.kind]
        numbers = (found[name] for name in ("true", "held", "lost", "named", "silent", "twice"))
        rows.append((one.title, f"{asked[one.kind]:,}", *(f"{number:,}" for number in numbers)))
    heads = ("collector", "requests", "true", "held", "missing", "named by it", "lost without a word", "held twice")
    return Table(title, heads, rows)


if __name__ == "__main__":
    main()
