"""Finds anything that events name: who, what, repository, tag, digest, address, client; exactly or as a part. Takes a
`Snapshot`.

Closed days answer from the index of their distinct values (`seen`), the rest from the events.
"""

# ruff: noqa: S608 - SQL is put together from our own names; every value is bound

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from quayledger.warehouse.event_files import EventFile
from quayledger.warehouse.log.rollups import seen_files
from quayledger.warehouse.log.seen import FIELDS, seen_sql
from quayledger.warehouse.snapshot import Snapshot

_TEXTS = ", ".join(FIELDS.values())


def find(snap: Snapshot, text: str, *, exact_only: bool = False, limit: int = 50) -> pl.DataFrame:
    """One row per source, field and value that is or contains `text`, whatever the case; exact ones first, then the latest:
    field (actor, kind, namespace, repository, tag, digest, ip, user_agent), value, source_id, is_exact, events, days (UTC
    days on which it occurred), first_at, last_at (UTC). `limit` 0: all."""
    files = seen_files(snap, None, None)
    # Where not all is indexed, everything is read.
    relation = "events" if files is None else "stg_interpreted_events"
    matches = "value = $text" if exact_only else "contains(lower(value), lower($text))"
    live_match = (
        " OR ".join(f"{field} = $text" for field in FIELDS.values())
        if exact_only
        else f"contains(lower(concat_ws(chr(10), {_TEXTS})), lower($text))"
    )
    values: dict[str, object] = {"text": text}
    parts = [f"SELECT * FROM ({seen_sql('live')}) AS held WHERE {matches}"]
    if files:
        parts.append(f"SELECT * FROM read_parquet($seen_files) WHERE {matches}")
        values["seen_files"] = files
    unread: list[EventFile] | None = None if files is None else []
    return snap.frame(
        f"""WITH live AS MATERIALIZED (SELECT * FROM {relation} WHERE {live_match}),
        by_month AS (
            SELECT source_id, field, value, month, bit_or(days) AS days, sum(events) AS events, min(first_at) AS first_at,
                max(last_at) AS last_at
            FROM ({" UNION ALL BY NAME ".join(parts)}) AS held GROUP BY ALL
        )
        SELECT field, value, source_id, value = $text AS is_exact, CAST(sum(events) AS BIGINT) AS events,
            CAST(sum(bit_count(days)) AS BIGINT) AS days, min(first_at) AS first_at, max(last_at) AS last_at
        FROM by_month GROUP BY source_id, field, value
        ORDER BY is_exact DESC, last_at DESC, field, value, source_id {"LIMIT $limit" if limit else ""}""",
        values | ({"limit": limit} if limit else {}),
        unread,
    )


def days_with(
    snap: Snapshot, conditions: Mapping[str, tuple[str, object]], first: date | None, last: date | None
) -> set[date] | None:
    """The UTC days of closed files on which, for each field, a value meets its condition (SQL over `value` and `$wanted`, and
    what is wanted). None where not all files from `first` to `last` are indexed."""
    files = seen_files(snap, first, last)
    if files is None:
        return None
    found: set[date] | None = None
    for field, (condition, wanted) in conditions.items():
        days = set()
        if files:
            rows = snap.rows(
                f"SELECT month, bit_or(days) FROM read_parquet($seen_files) WHERE field = $field AND {condition} "
                "GROUP BY month",
                {"seen_files": files, "field": field, "wanted": wanted},
                [],
            )
            days = {month.replace(day=n + 1) for month, mask in rows for n in range(31) if mask >> n & 1}
        found = days if found is None else found & days
    return found or set()
