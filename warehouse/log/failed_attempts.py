"""Failed attempts: by hour, name and address, and whether one succeeded afterwards. Takes a
`Snapshot`; every value is bound. Times are UTC. Errors: WarehouseError."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from quayledger.warehouse.snapshot import Snapshot

# Each kind of failure and the kind that says that the same was allowed.
SUCCESS_OF = {
    "login_failure": "login_success",
    "pull_repo_failed": "pull_repo",
    "push_repo_failed": "push_repo",
    "delete_tag_failed": "delete_tag",
}


def failed_attempts(
    snap: Snapshot, since: datetime, until: datetime, *, within: timedelta, source_ids: Sequence[str] = ()
) -> pl.DataFrame:
    """One row per source, hour, kind, attempted name, namespace, repository, message and address, newest first: source_id, hour, kind,
    name (as it was typed; null: none), namespace, repository, message, ip, user_agent (of the last), attempts, first_at,
    last_at, success_at (when the same name or address first succeeded `within` the time after the last attempt), success_by
    (name, address, or both), success_actor, event_id (of the last). `since` <= occurred_at < `until`."""
    pairs = ", ".join(f"('{failure}', '{success}')" for failure, success in SUCCESS_OF.items())
    return snap.frame(
        f"""WITH pairs (failure, success) AS (VALUES {pairs}),
        attempts AS (
            SELECT source_id, date_trunc('hour', timezone('UTC', occurred_at)) AS hour, kind,
                coalesce(json_extract_string(metadata, '$.username'), json_extract_string(metadata, '$.robot'), actor) AS name,
                CASE WHEN kind <> 'login_failure' THEN namespace END AS namespace, repository,
                json_extract_string(metadata, '$.message') AS message, ip,
                arg_max(user_agent, occurred_at) AS user_agent, count(*) AS attempts, min(occurred_at) AS first_at,
                max(occurred_at) AS last_at, arg_max(event_id, occurred_at) AS event_id
            FROM events
            WHERE list_contains($kinds, kind) AND occurred_at >= $since AND day >= CAST($since AS DATE)
                AND occurred_at < $until AND day <= CAST($until AS DATE)
                AND (len($source_ids) = 0 OR list_contains($source_ids, source_id))
            GROUP BY ALL
        ),
        successes AS (
            SELECT source_id, pairs.failure AS kind, actor, ip, occurred_at
            FROM events JOIN pairs ON pairs.success = events.kind
            WHERE occurred_at >= $since AND day >= CAST($since AS DATE) AND occurred_at < $until + $within
                AND day <= CAST($until + $within AS DATE)
                AND pairs.failure IN (SELECT DISTINCT kind FROM attempts)
                AND (ip IN (SELECT ip FROM attempts) OR actor IN (SELECT name FROM attempts))
        )
        SELECT attempts.source_id, timezone('UTC', hour) AS hour, attempts.kind, attempts.name, namespace, repository, message,
            attempts.ip, user_agent, attempts, first_at, last_at,
            CASE WHEN by_name.occurred_at <= last_at + $within THEN by_name.occurred_at END AS name_success_at,
            CASE WHEN by_ip.occurred_at <= last_at + $within THEN by_ip.occurred_at END AS ip_success_at,
            least(name_success_at, ip_success_at) AS success_at,
            CASE WHEN name_success_at IS NOT NULL AND ip_success_at IS NOT NULL THEN 'name and address'
                WHEN name_success_at IS NOT NULL THEN 'name' WHEN ip_success_at IS NOT NULL THEN 'address' END AS success_by,
            CASE WHEN name_success_at IS NOT NULL THEN by_name.actor WHEN ip_success_at IS NOT NULL THEN by_ip.actor
                END AS success_actor,
            event_id
        FROM attempts
        ASOF LEFT JOIN successes AS by_name ON by_name.source_id = attempts.source_id AND by_name.kind = attempts.kind
            AND by_name.actor = attempts.name AND by_name.occurred_at >= attempts.last_at
        ASOF LEFT JOIN successes AS by_ip ON by_ip.source_id = attempts.source_id AND by_ip.kind = attempts.kind
            AND by_ip.ip = attempts.ip AND by_ip.occurred_at >= attempts.last_at
        ORDER BY hour DESC, attempts DESC, attempts.name, attempts.ip""",  # noqa: S608 - put together from constants
        {
            "kinds": list(SUCCESS_OF),
            "since": since,
            "until": until,
            "within": within,
            "source_ids": list(source_ids),
        },
    ).drop("name_success_at", "ip_success_at")
