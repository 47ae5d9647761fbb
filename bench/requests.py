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
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from bench.measure import Cost, run_child
from bench.results import Table, record
from bench.stand_in import StandIn, running

EVENTS, DAYS, NEW = 40_000, 10, 1_000
ROUNDS = 3
TIED_EVENTS = 15_000
LATENCY_MS, LANES = 5.0, 2
REQUESTS_PER_SECOND = 200
SETTLE = timedelta(seconds=7)  # ours leaves rows younger than 5 s for its next run, so nobody is shown any
_PYTHON = sys.executable
_RATE = "QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND"
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
    "second allowed (its default is one), so that the bench ends; how much it asks for does not depend on that. A real Quay "
    "spends about 0.25 s of CPU on each request, so requests are what the registry pays. p95: how long the stand-in took for an "
    "answer, the wait for one of its places included. The costs are of events at random microseconds, no two alike, which is the "
    "alternatives' best case: where stamps tie, Quay's pages leave rows out, and who does not count pays for fewer pages and "
    "holds fewer events, as the last table shows."
)


def _followed(folder: Path) -> list[Table]:
    """Stamps that differ: a first load, rounds of new events, a round without any, one at the default budget."""
    folder.mkdir()
    with _stand_in(folder, EVENTS, "microsecond", _scattered()) as quay:
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
        _insert(quay, border)
        ours = collectors[0]
        usual_pace = _run(quay, ours._replace(env={**ours.env, _RATE: "1"}))
    usual = {kind: _middle(runs) for kind, runs in rounds.items()}
    return [
        _costs(f"First load of {EVENTS:,} events", collectors, first, EVENTS, quiet),
        _costs(f"{NEW:,} new events (median of {ROUNDS} rounds)", collectors, usual, NEW, quiet),
        _costs("Nothing new", collectors, quiet, 0, quiet),
        _costs(f"{NEW:,} new events at the default budget", [ours], {"ours": usual_pace}, NEW, quiet),
        _truth(f"Held after {ROUNDS} rounds, no two stamps alike", collectors, held, asked),
    ]


def _tied(folder: Path) -> list[Table]:
    """Whole-second stamps, as MySQL keeps them, of a believable registry: what a first load loses."""
    folder.mkdir()
    with _stand_in(folder, TIED_EVENTS, "second", "believable") as quay:
        collectors = _collectors(folder, quay)
        asked = {one.kind: _run(quay, one).requests for one in collectors}
        held = {one.kind: _compare(quay, one) for one in collectors}
    return [_truth(f"Held after a first load of {TIED_EVENTS:,}, whole-second stamps (MySQL)", collectors, held, asked)]


def _scattered() -> str:
    """The scenario of random moments at a rate that fills the days up to now."""
    now = datetime.now(UTC)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    return f"steady:{EVENTS / ((now - start).total_seconds() - 60)}"


def _stand_in(folder: Path, events: int, precision: str, scenario: str) -> contextlib.AbstractContextManager[StandIn]:
    numbers = ("--events", str(events), "--days", str(DAYS), "--seed", "7", "--scenario", scenario)
    return running(folder, *numbers, "--precision", precision, "--latency-ms", str(LATENCY_MS))


def _collectors(folder: Path, quay: StandIn) -> list[Collector]:
    quay.control("faults", latency_ms=LATENCY_MS, lanes=LANES)
    token = quay.tokens["superuser"]
    today = datetime.now(UTC).date()
    days = (str(today - timedelta(days=DAYS - 1)), str(today))
    home, out, files = folder / "ledger", folder / "plain.jsonl", folder / "dlt"
    ours = {
        "QUAYLEDGER_SOURCES__MAIN__URL": quay.url,
        "QUAYLEDGER_SOURCES__MAIN__TOKEN": token,
        _RATE: str(REQUESTS_PER_SECOND),
        "QUAYLEDGER_COLLECT__BACKFILL_DAYS": str(DAYS - 1),
    }
    other = {"QUAY_TOKEN": token}
    sync = (_PYTHON, "-m", "quayledger", "sync", "--home", str(home))
    plain = (_PYTHON, "-m", "bench.plain_client", quay.url, str(out), *days)
    dlt = (_PYTHON, "-m", "bench.dlt_client", quay.url, str(files), *days)
    return [
        Collector("ours", "quayledger sync", home, sync, ours),
        Collector("plain", "plain script, whole window", out, plain, other),
        # The machine's line in the results says so where it is absent; `make bench` installs it.
        *([Collector("dlt", "dlt incremental to Parquet", files, dlt, other)] if find_spec("dlt") else []),
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
        idle = quiet[one.kind]
        # Who reads all again each time has no quiet run.
        beyond = _per((run.cost.cpu_s - idle.cost.cpu_s) * 1e6, events, ",.0f") if idle.requests < NEW / 20 else "–"
        rows.append(
            (
                one.title,
                f"{run.requests:,}",
                _per(run.requests * 1000, events, ".1f"),
                f"{run.requests / runs['ours'].requests:.1f} ×",
                f"{run.p95_ms:.1f}",
                f"{run.cost.cpu_s:.1f}",
                _per(run.cost.cpu_s * 1e6, events, ",.0f"),
                beyond,
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
