"""The events that tell of changes to what the inventory keeps, with all names that they give, and how far the log was read."""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from quayledger.warehouse.snapshot import Snapshot

_OF_SOURCES = "(len($source_ids) = 0 OR list_contains($source_ids, source_id))"


def of_kinds(
    snap: Snapshot, kinds: Sequence[str], since: datetime, until: datetime, source_ids: Sequence[str] = ()
) -> pl.DataFrame:
    """The events of these kinds, since <= occurred_at < until (aware), oldest first: source_id, event_id, occurred_at, kind,
    namespace (whose log it is in), repository_namespace (the one that its metadata names), repository, metadata (JSON text)."""
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    return snap.frame(
        f"""SELECT source_id, event_id, occurred_at, kind, namespace, repository_namespace, repository,
            CAST(metadata AS VARCHAR) AS metadata
        FROM events
        WHERE occurred_at >= $since AND occurred_at < $until AND day >= $first AND day <= $last AND {_OF_SOURCES}
            AND list_contains($kinds, kind)
        ORDER BY occurred_at, source_id, event_no""",
        {
            "kinds": list(kinds),
            "since": since,
            "until": until,
            "first": first,
            "last": last,
            "source_ids": list(source_ids),
        },
        snap.files_between(first, last),
    )


def read_until(snap: Snapshot, source_ids: Sequence[str] = ()) -> pl.DataFrame:
    """How far the log of each source was read: source_id, read_until (aware: the beginning of the newest run that read it without
    a fault; what happened after it may not be held yet)."""
    return snap.frame(
        f"""SELECT source_id, max(started_at) AS read_until FROM runs JOIN run_requests USING (run_id)
        WHERE kind = 'sync' AND runs.outcome = 'done' AND {_OF_SOURCES} GROUP BY source_id""",
        {"source_ids": list(source_ids)},
    )


def inventory_runs(snap: Snapshot) -> pl.DataFrame:
    """One row per source and UTC day on which the inventory was read: source_id, day, run_id (the newest that ended then),
    is_log_read (whether the log was read through since)."""
    return snap.frame(
        """WITH read AS (
            SELECT source_id, max(started_at) AS read_until FROM runs JOIN run_requests USING (run_id)
            WHERE kind = 'sync' AND runs.outcome = 'done' GROUP BY source_id
        )
        SELECT source_id, CAST(timezone('UTC', ended_at) AS DATE) AS day, max(run_id) AS run_id,
            coalesce(max(read_until) >= max(ended_at), false) AS is_log_read
        FROM runs JOIN run_requests USING (run_id) LEFT JOIN read USING (source_id)
        WHERE kind = 'inventory' AND ended_at IS NOT NULL
        GROUP BY source_id, day"""
    )
