"""Completeness: how complete each part of a day is, which readings it took, and what was requested from the sources.
Takes a `Snapshot`; every value is bound. Times in frames are UTC, days are UTC days, counts are 64-bit
integers. Errors: WarehouseError."""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from quayledger.warehouse.log.events import BEFORE_START, BEGUN, NOT_COLLECTED
from quayledger.warehouse.snapshot import Snapshot

_SOURCES = "(len($source_ids) = 0 OR list_contains($source_ids, source_id))"
_DAYS = f"day BETWEEN $first AND $last AND {_SOURCES}"
_PAGE_EVENTS = 20.0  # of Quay's list answers
_RUNS = "started_at >= $since AND started_at < $until"


def completeness(snap: Snapshot, first: date, last: date, source_ids: tuple[str, ...] = ()) -> pl.DataFrame:
    """One row per source, UTC day, scope and kind that is stored or counted. A scope that the source counted as empty has
    one row without a kind; a day of which nothing is known has one without a scope: source_id, day, scope, kind,
    source_count (null: never counted), stored_count, unreadable (seen, but not readable as events), difference (source -
    stored - unreadable), state (a SliceState, `not collected`
    or `before start`), note, in_cover (false: read outside the cover, so its count decides nothing), requests (of all pages
    read of that scope's part), counted_at, tried_at (last reading or count of the day), sealed_at."""
    return snap.frame(
        f"""WITH kinds AS (
            SELECT source_id, day, scope, kind, source_count, stored_count, difference, counted_at
            FROM mart_kind_coverage WHERE {_DAYS}
        ),
        empty AS (
            SELECT source_id, day, scope, NULL AS kind, 0 AS source_count, 0 AS stored_count, 0 AS difference, counted_at
            FROM stg_counted_parts ANTI JOIN kinds USING (source_id, day, scope) WHERE {_DAYS}
        ),
        parts AS (SELECT * FROM kinds UNION ALL BY NAME SELECT * FROM empty),
        spent AS (
            SELECT source_id, day, scope, sum(requests) AS requests FROM readings WHERE {_DAYS} GROUP BY ALL
        ),
        begun AS ({BEGUN}),
        days AS (
            SELECT source_id, CAST(spine.day AS DATE) AS day
            FROM sources CROSS JOIN generate_series($first, $last, INTERVAL 1 DAY) AS spine (day) WHERE {_SOURCES}
        )
        SELECT source_id, day, scope, parts.kind, parts.source_count, coalesce(parts.stored_count, 0) AS stored_count,
            if(parts.source_count IS NULL, NULL, greatest(parts.source_count - parts.stored_count - parts.difference, 0))
                AS unreadable,
            parts.difference, coalesce(held.state, if(days.day < begun.first_day, '{BEFORE_START}', '{NOT_COLLECTED}')) AS state, coalesce(held.note, '') AS note,
            coalesce(list_contains(covers.scopes, scope), true) AS in_cover,
            CAST(coalesce(spent.requests, 0) AS BIGINT) AS requests, parts.counted_at,
            greatest(held.read_at, held.counted_at) AS tried_at, held.sealed_at
        FROM days
        LEFT JOIN begun USING (source_id)
        LEFT JOIN parts USING (source_id, day)
        LEFT JOIN mart_coverage AS held USING (source_id, day)
        LEFT JOIN covers ON covers.source_id = days.source_id AND covers.version = held.cover_version
        LEFT JOIN spent USING (source_id, day, scope)
        ORDER BY day DESC, source_id, scope, parts.kind""",
        _of_days(first, last, source_ids),
    )


def kinds_seen(snap: Snapshot, source_ids: tuple[str, ...] = ()) -> pl.DataFrame:
    """One row per source and kind of which any event was held or counted, whatever its day: source_id, kind."""
    return snap.frame(
        f"SELECT DISTINCT source_id, kind FROM mart_kind_coverage "
        f"WHERE (source_count > 0 OR stored_count > 0) AND {_SOURCES} ORDER BY source_id, kind",
        {"source_ids": list(source_ids)},
    )


def readings(snap: Snapshot, first: date, last: date, source_ids: tuple[str, ...] = ()) -> pl.DataFrame:
    """One row per reading of a UTC day, newest day first: reading_id, source_id, day, scope, part ('': the whole scope),
    method (pages, export, file), state (merged, void), reason, run_id, started_at, ended_at, rows, requests, end_reason,
    complete, new_events, known_events, rejected_rows."""
    return snap.frame(
        f"""SELECT reading_id, source_id, day, scope, part, method, state, reason, run_id, started_at, ended_at, rows,
            requests, end_reason, complete, new_events, known_events, rejected_rows
        FROM readings WHERE {_DAYS} ORDER BY day DESC, source_id, scope, reading_id""",
        _of_days(first, last, source_ids),
    )


def run_costs(snap: Snapshot, since: datetime, until: datetime, source_ids: tuple[str, ...] = ()) -> pl.DataFrame:
    """One row per run started in the half-open period and source that it requested or read from, newest first: run_id, kind, command,
    started_at, ended_at, outcome, message, source_id (null: none yet), requests, seconds (total time waited for answers),
    received_bytes, readings, new_events, least_pages (the minimum of pages that could have brought the new events of each
    reading; a file or an export brings many with one request), closed_days (days that the run found complete). Requests are
    known once the run has ended: null before."""
    return snap.frame(
        f"""WITH asked AS (
            SELECT run_id, source_id, sum(requests) AS requests, sum(seconds) AS seconds,
                sum(received_bytes) AS received_bytes
            FROM run_requests WHERE {_SOURCES} GROUP BY ALL
        ),
        brought AS (
            SELECT run_id, source_id, count(*) AS readings, sum(new_events) AS new_events,
                sum(least(CAST(ceil(new_events / {_PAGE_EVENTS}) AS BIGINT), requests)) AS least_pages
            FROM readings WHERE {_SOURCES} GROUP BY ALL
        ),
        closed AS (
            SELECT runs.run_id, slices.source_id, count(*) AS closed_days
            FROM runs JOIN slices ON slices.sealed_at BETWEEN runs.started_at AND runs.ended_at
            WHERE {_RUNS} GROUP BY ALL
        ),
        worked AS (SELECT * FROM asked FULL JOIN brought USING (run_id, source_id))
        SELECT runs.run_id, runs.kind, runs.command, runs.started_at, runs.ended_at, runs.outcome, runs.message,
            worked.source_id, CAST(worked.requests AS BIGINT) AS requests, worked.seconds,
            CAST(worked.received_bytes AS BIGINT) AS received_bytes,
            CAST(coalesce(worked.readings, 0) AS BIGINT) AS readings,
            CAST(coalesce(worked.new_events, 0) AS BIGINT) AS new_events,
            CAST(coalesce(worked.least_pages, 0) AS BIGINT) AS least_pages,
            CAST(coalesce(closed.closed_days, 0) AS BIGINT) AS closed_days
        FROM runs
        LEFT JOIN worked ON worked.run_id = runs.run_id
        LEFT JOIN closed ON closed.run_id = runs.run_id AND closed.source_id = worked.source_id
        WHERE {_RUNS} AND (len($source_ids) = 0 OR worked.source_id IS NOT NULL)
        ORDER BY runs.run_id DESC, worked.source_id""",
        {"since": since, "until": until, "source_ids": list(source_ids)},
    )


def request_costs(snap: Snapshot, since: datetime, until: datetime, source_ids: tuple[str, ...] = ()) -> pl.DataFrame:
    """One row per operation, purpose (probe, count, read, recount) and outcome (ok, throttled, error, timeout) of runs
    started in the half-open period, most requests first: operation, purpose, outcome, requests, seconds,
    received_bytes."""
    return snap.frame(
        f"""SELECT operation, purpose, run_requests.outcome, CAST(sum(requests) AS BIGINT) AS requests,
            sum(seconds) AS seconds, CAST(sum(received_bytes) AS BIGINT) AS received_bytes
        FROM run_requests JOIN runs USING (run_id) WHERE {_RUNS} AND {_SOURCES}
        GROUP BY ALL ORDER BY requests DESC, operation, purpose, run_requests.outcome""",
        {"since": since, "until": until, "source_ids": list(source_ids)},
    )


def freshness(snap: Snapshot, source_ids: tuple[str, ...] = ()) -> pl.DataFrame:
    """One row per source, independent of any period: source_id, last_event_at (newest event held), last_counted_at (when the
    source last counted), last_done_at (end of the last run over its log without an error),
    last_run_at, last_run_outcome, events, rejected_rows."""
    return snap.frame(
        f"""WITH counted AS (
            SELECT source_id, max(counted_at) AS last_counted_at FROM stg_counted_parts GROUP BY source_id
        ),
        done AS (
            SELECT spent.source_id, max(runs.ended_at) AS last_done_at
            FROM mart_spent AS spent JOIN runs USING (run_id) WHERE runs.outcome = 'done' AND runs.kind <> 'inventory' GROUP BY spent.source_id
        )
        SELECT source_id, last_event_at, last_counted_at, last_done_at, last_run_at, last_run_outcome, events,
            rejected_rows
        FROM mart_sources LEFT JOIN counted USING (source_id) LEFT JOIN done USING (source_id)
        WHERE {_SOURCES} ORDER BY source_id""",
        {"source_ids": list(source_ids)},
    )


def _of_days(first: date, last: date, source_ids: tuple[str, ...]) -> dict[str, object]:
    return {"first": first, "last": last, "source_ids": list(source_ids)}
