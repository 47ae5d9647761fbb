"""Last use of accounts and credentials: from events and from Quay's own times."""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from quayledger.warehouse.catalog import Type
from quayledger.warehouse.inventory.query import ask
from quayledger.warehouse.inventory.renames import RENAMED, join_renamed, new_name, rename_values, renames
from quayledger.warehouse.inventory.where import OF_SOURCES, of_sources
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot

USE_SCHEMA: dict[str, Type] = {
    "source_id": pl.String,
    "subject_kind": pl.String,
    "subject": pl.String,
    "title": pl.String,
    "exists": pl.Boolean,
    "last_event_at": UTC_MICROSECONDS,
    "last_event_kind": pl.String,
    "last_used_at": UTC_MICROSECONDS,
    "last_use_at": UTC_MICROSECONDS,
    "evidence": pl.String,
    "never_used": pl.Boolean,
    "evidence_from": pl.Date,
    "idle_days": pl.Int64,
    "distinct_ips_30d": pl.Int64,
}
_IPS_DAYS = timedelta(days=30)

# What an event says of whom: the account that acts, and the credential where there is one. Making or revoking a credential
# is no use of it, and a failed login none of the account whose name was typed.
_ACTS = f"""acts AS (
    SELECT source_id, actor, actor_type, kind, occurred_at, day, ip FROM events WHERE {OF_SOURCES}
)"""
_RENAMED_ACTS = f"""acts AS (
    SELECT events.source_id, {new_name("renamed", "actor")} AS actor, actor_type, kind, occurred_at, day, ip
    FROM events {join_renamed("renamed", "events", "actor", "occurred_at")}
    WHERE {OF_SOURCES.replace("source_id", "events.source_id")}
)"""
# Few events name a token: only of these the metadata is kept while they are counted.
_TOKEN_ACTS = f"""token_acts AS MATERIALIZED (
    SELECT source_id, kind, occurred_at, day, ip,
        CASE WHEN contains(metadata, '"oauth_token_') THEN metadata END AS oauth,
        CASE WHEN contains(metadata, '"app_specific_token"')
            AND kind NOT IN ('create_app_specific_token', 'revoke_app_specific_token') THEN metadata END AS app
    FROM events
    WHERE {OF_SOURCES} AND (contains(metadata, '"oauth_token_') OR contains(metadata, '"app_specific_token"'))
)"""
_BY_KIND = {
    "account": (
        "actor_type",
        "actor",
        "CAST(NULL AS VARCHAR)",
        "actor IS NOT NULL AND actor_type IN ('user', 'robot') AND kind <> 'login_failure'",
    ),
    "app_token": (
        "'app_token'",
        "json_extract_string(app, '$.app_specific_token')",
        "json_extract_string(app, '$.app_specific_token_title')",
        "app IS NOT NULL",
    ),
    "oauth_token": (
        "'oauth_token'",
        "json_extract_string(oauth, '$.oauth_token_id')",
        "json_extract_string(oauth, '$.oauth_token_application')",
        "oauth IS NOT NULL",
    ),
    "oauth_application": (
        "'oauth_application'",
        "json_extract_string(oauth, '$.oauth_token_application_id')",
        "json_extract_string(oauth, '$.oauth_token_application')",
        "oauth IS NOT NULL",
    ),
}
_USED = ", ".join(
    f"""{name}_uses AS (
    SELECT source_id, {kind} AS subject_kind, {subject} AS subject, arg_max({title}, occurred_at) AS title,
        max(occurred_at) AS last_event_at, arg_max(kind, occurred_at) AS last_event_kind,
        count(DISTINCT ip) FILTER (day >= $ips_day AND occurred_at >= $ips_since AND occurred_at < $now)
            AS distinct_ips_30d
    FROM {"acts" if name == "account" else "token_acts"} WHERE {which} AND {subject} IS NOT NULL GROUP BY ALL
)"""
    for name, (kind, subject, title, which) in _BY_KIND.items()
)
_SUBJECTS = """subjects AS (
    SELECT source_id, 'user' AS subject_kind, username AS subject, CAST(NULL AS VARCHAR) AS title FROM users
    UNION ALL SELECT source_id, 'robot', robot, NULL FROM robots
    UNION ALL SELECT source_id, 'app_token', uuid, title FROM app_tokens
    UNION ALL SELECT source_id, 'oauth_application', client_id, application FROM applications
)"""


def last_use(snap: Snapshot, *, now: datetime, source_ids: Sequence[str] = ()) -> pl.DataFrame:
    """One row per user, robot, app_token, oauth_token and oauth_application that exists or that an event names: USE_SCHEMA,
    by source, kind and subject.

    subject: the name, the token's UUID, the OAuth token's number, the application's client id; title: of a token or
    application; exists: whether the inventory holds it now (null: of OAuth tokens Quay tells no list); last_event_at,
    last_event_kind: the newest event in which it acts or is the credential; last_used_at: Quay's own word on it (robots
    and app tokens); last_use_at: the later of the two; evidence: events | quay | both | none; never_used: Quay says that it
    was never used, and no event says otherwise; evidence_from: the first UTC
    day of which anything is collected (no evidence before it is not "never"); idle_days: whole days to `now` from
    last_use_at, or from the creation of what was never used; null without evidence; distinct_ips_30d: addresses in events of the 30 days before `now`. Accounts that were
    renamed are told by their present name."""
    found = renames(snap, source_ids)
    since = now.astimezone(UTC) - _IPS_DAYS
    told = " UNION ALL ".join(f"SELECT * FROM {name}_uses" for name in _BY_KIND)
    return ask(
        snap,
        f"""WITH {RENAMED}, {_RENAMED_ACTS if found else _ACTS}, {_TOKEN_ACTS}, {_USED}, used AS ({told}), {_SUBJECTS},
        quay AS (
            SELECT source_id, subject_kind, subject, max(last_used_at) AS last_used_at, true AS is_measured
            FROM last_uses GROUP BY ALL
        ),
        created AS (
            SELECT source_id, 'robot' AS subject_kind, robot AS subject, created_at FROM robots
            UNION ALL SELECT source_id, 'app_token', uuid, created_at FROM app_tokens
        ),
        days AS (SELECT source_id, min(day) AS evidence_from FROM slices GROUP BY source_id),
        both_sides AS (
            SELECT source_id, subject_kind, subject, coalesce(subjects.title, used.title) AS title,
                CASE WHEN subject_kind <> 'oauth_token' THEN subjects.subject IS NOT NULL END AS "exists",
                last_event_at, last_event_kind, last_used_at, greatest(last_event_at, last_used_at) AS last_use_at,
                coalesce(is_measured, false) AND last_event_at IS NULL AND last_used_at IS NULL AS never_used,
                created_at, coalesce(distinct_ips_30d, 0) AS distinct_ips_30d
            FROM subjects FULL JOIN used USING (source_id, subject_kind, subject)
            LEFT JOIN quay USING (source_id, subject_kind, subject)
            LEFT JOIN created USING (source_id, subject_kind, subject)
        ),
        idle AS (
            SELECT *, CASE WHEN never_used THEN created_at ELSE last_use_at END AS idle_since FROM both_sides
        )
        SELECT *,
            CASE WHEN last_event_at IS NULL AND last_used_at IS NULL THEN 'none' WHEN last_event_at IS NULL THEN 'quay'
                WHEN last_used_at IS NULL THEN 'events' ELSE 'both' END AS evidence,
            datesub('day', idle_since, greatest(idle_since, $now)) AS idle_days
        FROM idle LEFT JOIN days USING (source_id)
        WHERE {OF_SOURCES}
        ORDER BY source_id, subject_kind, subject""",
        of_sources(source_ids) | rename_values(found) | {"now": now, "ips_since": since, "ips_day": since.date()},
        USE_SCHEMA,
    )
