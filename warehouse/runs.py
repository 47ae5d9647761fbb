"""The register of runs: what was started, what it requested from the sources, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from quayledger.warehouse.ledger import Ledger, utc

UNFINISHED = "running"


class Spent(msgspec.Struct, frozen=True):
    """What one run asked of one source. `purpose`: probe | count | read | recount; `outcome`: ok | throttled | error |
    timeout."""

    source_id: str
    operation: str
    purpose: str
    outcome: str
    requests: int
    seconds: float
    received_bytes: int


def start_run(ledger: Ledger, kind: str, command: str, now: datetime) -> int:
    """Begins a run; returns its id."""
    with ledger.transaction() as cursor:
        row = cursor.execute("SELECT coalesce(max(run_id), 0) + 1 FROM runs").fetchone()
        run_id = int(row[0]) if row else 1
        cursor.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, NULL, ?, '')",
            [run_id, kind, command, ledger.since, now, UNFINISHED],
        )
    return run_id


def finish_run(ledger: Ledger, run_id: int, now: datetime, outcome: str, message: str, spent: Sequence[Spent]) -> None:
    """Ends a run. `outcome`: done | incomplete | failed | interrupted."""
    rows = [
        [
            run_id,
            item.source_id,
            item.operation,
            item.purpose,
            item.outcome,
            item.requests,
            item.seconds,
            item.received_bytes,
        ]
        for item in spent
    ]
    with ledger.transaction() as cursor:
        cursor.execute(
            "UPDATE runs SET ended_at = ?, outcome = ?, message = ? WHERE run_id = ?", [now, outcome, message, run_id]
        )
        if rows:
            cursor.executemany("INSERT INTO run_requests VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def last_start(ledger: Ledger, kind: str) -> datetime | None:
    """When the newest run of a kind was started, by the order in which runs were begun and not by their times, which a clock
    may have got wrong; None where there is none, or where it was broken off and is to go on."""
    found = ledger.rows("SELECT started_at, outcome FROM runs WHERE kind = ? ORDER BY run_id DESC LIMIT 1", [kind])
    return utc(found[0][0]) if found and found[0][1] not in (UNFINISHED, "interrupted") else None


def close_interrupted(ledger: Ledger, now: datetime) -> int:
    """Marks the runs that a process which is gone left without an end; returns how many."""
    left = ledger.rows("SELECT run_id FROM runs WHERE ended_at IS NULL AND ledger_since <> ?", [ledger.since])
    if not left:
        return 0
    with ledger.transaction() as cursor:
        cursor.execute(
            "UPDATE runs SET ended_at = ?, outcome = 'interrupted', message = 'its process ended without a word' "
            "WHERE ended_at IS NULL AND ledger_since <> ?",
            [now, ledger.since],
        )
    return len(left)
