"""Inputs of detection rules from the log: events of some kinds, the usual behaviour before, and who last moved each tag.

Every value is bound. Times are aware UTC and half-open, `since` <= occurred_at < `until`. Errors: WarehouseError."""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from quayledger.warehouse.event_files import EventFile
from quayledger.warehouse.snapshot import Snapshot

_COLUMNS = (
    "event_id, source_id, occurred_at, kind, actor, actor_type, credential, ip, user_agent, client, namespace, "
    "repository, tag, digest, CAST(metadata AS VARCHAR) AS metadata"
)
_SINCE = (
    "occurred_at >= $since AND day >= CAST($since AS DATE) AND occurred_at < $until AND day <= CAST($until AS DATE)"
)
_OF_SOURCES = "(len($source_ids) = 0 OR list_contains($source_ids, source_id))"
_SET_TAG = "kind IN ('push_repo', 'create_tag', 'move_tag', 'revert_tag')"


def events_of_kinds(
    snap: Snapshot, kinds: Sequence[str], since: datetime, until: datetime, source_ids: Sequence[str] = ()
) -> pl.DataFrame:
    """The events of these kinds, oldest first: event_id, source_id, occurred_at, kind, actor, actor_type, credential, ip,
    user_agent, client, namespace, repository, tag, digest, metadata (JSON text)."""
    return snap.frame(
        f"SELECT {_COLUMNS} FROM events WHERE {_SINCE} AND {_OF_SOURCES} AND list_contains($kinds, kind) "
        "ORDER BY occurred_at, source_id, event_no",
        {"since": since, "until": until, "source_ids": list(source_ids), "kinds": list(kinds)},
        _files(snap, since, until),
    )


def usual_transfers(snap: Snapshot, since: datetime, until: datetime, source_ids: Sequence[str] = ()) -> pl.DataFrame:
    """What accounts pulled and pushed: source_id, kind (pull_repo, push_repo), actor, actor_type, namespace, repository, client, ip,
    country, first_at, last_at (to the day), events. Two sorts of rows, each of all events: one per source, kind, account, repository
    and client (ip and country are null), and one per source, account and address (kind, repository and client are null). Without an
    account: left out."""
    transfers = f"{_OF_SOURCES} AND kind IN ('pull_repo', 'push_repo') AND actor IS NOT NULL"
    values: dict[str, object] = {"since": since, "until": until, "source_ids": list(source_ids)}
    times = "CAST(min(day) AS TIMESTAMPTZ) AS first_at, CAST(max(day) AS TIMESTAMPTZ) AS last_at"
    return snap.frame(
        f"""SELECT source_id, kind, actor, any_value(actor_type) AS actor_type, namespace, repository, client,
            CAST(NULL AS VARCHAR) AS ip, CAST(NULL AS VARCHAR) AS country, {times}, count(*) AS events
        FROM events
        WHERE {_SINCE} AND {transfers}
        GROUP BY source_id, kind, actor, namespace, repository, client
        UNION ALL BY NAME
        -- An address is in one country: read once an address, and not of each event.
        SELECT * EXCLUDE (sample), json_extract_string(sample, '$.resolved_ip.country_iso_code') AS country
        FROM (
            SELECT source_id, actor, any_value(actor_type) AS actor_type, ip, {times}, count(*) AS events,
                any_value(metadata) AS sample
            FROM events
            WHERE {_SINCE} AND {transfers}
            GROUP BY source_id, actor, ip
        )""",
        values,
        _files(snap, since, until),
    ).select(_USUAL)


_USUAL = (
    "source_id",
    "kind",
    "actor",
    "actor_type",
    "namespace",
    "repository",
    "client",
    "ip",
    "country",
    "first_at",
    "last_at",
    "events",
)


def tags_before(
    snap: Snapshot, tags: pl.DataFrame, since: datetime, until: datetime, source_ids: Sequence[str] = ()
) -> pl.DataFrame:
    """Of `tags` (namespace, repository, tag), who set each last: source_id, namespace, repository, tag, last_at, last_actor,
    last_digest. A tag that nobody set in the time has no row."""
    return snap.frame(
        f"""WITH wanted AS (
            SELECT unnest($namespaces) AS namespace, unnest($repositories) AS repository, unnest($tags) AS tag
        )
        SELECT source_id, namespace, repository, tag, max(occurred_at) AS last_at,
            arg_max(actor, occurred_at) AS last_actor, arg_max(digest, occurred_at) AS last_digest
        FROM events SEMI JOIN wanted USING (namespace, repository, tag)
        WHERE {_SINCE} AND {_OF_SOURCES} AND {_SET_TAG}
        GROUP BY source_id, namespace, repository, tag""",
        {
            "since": since,
            "until": until,
            "source_ids": list(source_ids),
            "namespaces": tags["namespace"].to_list(),
            "repositories": tags["repository"].to_list(),
            "tags": tags["tag"].to_list(),
        },
        _files(snap, since, until),
    )


def _files(snap: Snapshot, since: datetime, until: datetime) -> list[EventFile]:
    return snap.files_between(since.astimezone(UTC).date(), until.astimezone(UTC).date())


def kinds_held(snap: Snapshot, source_ids: Sequence[str] = ()) -> set[str]:
    """The kinds of which any event is held; from what is known of each day, without reading events."""
    rows = snap.rows(
        f"SELECT DISTINCT kind FROM stg_held WHERE stored_events > 0 AND {_OF_SOURCES}",
        {"source_ids": list(source_ids)},
    )
    return {kind for (kind,) in rows}


def first_event_at(snap: Snapshot, source_ids: Sequence[str] = ()) -> datetime | None:
    """When the first event happened that is held; None: there is none. Reads the first day alone."""
    rows = snap.rows(
        f"""SELECT min(occurred_at) FROM events WHERE {_OF_SOURCES} AND day = (
            SELECT min(day) FROM stg_held WHERE stored_events > 0 AND {_OF_SOURCES}
        )""",
        {"source_ids": list(source_ids)},
    )
    first: datetime | None = rows[0][0]
    return first
