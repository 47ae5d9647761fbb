"""The inventory's answer to what the log tells of a credential's life: when it was made, by whom, renewed, revoked, and when it last pushed."""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from quayledger.warehouse.catalog import Type
from quayledger.warehouse.inventory.query import ask
from quayledger.warehouse.inventory.renames import RENAMED, join_renamed, new_name, rename_values, renames
from quayledger.warehouse.inventory.where import OF_SOURCES, of_sources
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot

CREDENTIAL_SCHEMA: dict[str, Type] = {
    "source_id": pl.String,
    "subject_kind": pl.String,
    "subject": pl.String,
    "made_at": UTC_MICROSECONDS,
    "made_by": pl.String,
    "rotated_at": UTC_MICROSECONDS,
    "revoked_at": UTC_MICROSECONDS,
    "last_push_at": UTC_MICROSECONDS,
}
_MADE = ("create_robot", "create_app_specific_token", "create_application")
_ROTATED = ("regenerate_robot_token", "reset_application_client_secret")
_REVOKED = ("delete_robot", "revoke_app_specific_token", "delete_application")
# An event names a robot without its namespace.
_SUBJECTS = """CASE
        WHEN contains(kind, 'robot') THEN 'robot'
        WHEN contains(kind, 'app_specific') THEN 'app_token'
        ELSE 'oauth_application'
    END AS subject_kind,
    CASE
        WHEN contains(kind, 'robot') AND contains(json_extract_string(metadata, '$.robot'), '+')
            THEN json_extract_string(metadata, '$.robot')
        WHEN contains(kind, 'robot') THEN namespace || '+' || json_extract_string(metadata, '$.robot')
        WHEN contains(kind, 'app_specific') THEN json_extract_string(metadata, '$.app_specific_token')
        ELSE json_extract_string(metadata, '$.client_id')
    END AS subject"""


def credential_events(snap: Snapshot, *, source_ids: Sequence[str] = ()) -> pl.DataFrame:
    """One row per robot, app_token and oauth_application that an event names as made, renewed or revoked, and per robot that
    pushed: CREDENTIAL_SCHEMA, by source, kind and subject.

    subject: the robot's name, the token's UUID, the application's client id; made_at, made_by: of the last event that made
    it (null: none is held); rotated_at: its secret was last replaced; revoked_at: it was last taken away; last_push_at: of
    robots. Robots of renamed accounts have their present name. Errors: WarehouseError."""
    found = renames(snap, source_ids)
    return ask(
        snap,
        f"""WITH {RENAMED}, named AS (
            SELECT source_id, kind, occurred_at, actor, {_SUBJECTS} FROM events
            WHERE list_contains($kinds, kind) AND {OF_SOURCES}
        ),
        life AS (
            SELECT named.source_id, subject_kind,
                CASE WHEN subject_kind = 'robot' THEN {new_name("renamed", "subject")} ELSE subject END AS subject,
                kind, occurred_at, named.actor
            FROM named {join_renamed("renamed", "named", "subject", "occurred_at")}
        ),
        pushes AS (
            SELECT source_id, actor, max(occurred_at) AS pushed_at FROM events
            WHERE kind = 'push_repo' AND actor_type = 'robot' AND {OF_SOURCES} GROUP BY source_id, actor
        ),
        told AS (
            SELECT source_id, subject_kind, subject, kind, occurred_at, actor FROM life
            UNION ALL
            SELECT pushes.source_id, 'robot', {new_name("renamed", "actor")}, 'push_repo', pushed_at, NULL
            FROM pushes {join_renamed("renamed", "pushes", "actor", "pushed_at")}
        )
        SELECT source_id, subject_kind, subject,
            max(occurred_at) FILTER (list_contains($made, kind)) AS made_at,
            arg_max(actor, occurred_at) FILTER (list_contains($made, kind)) AS made_by,
            max(occurred_at) FILTER (list_contains($rotated, kind)) AS rotated_at,
            max(occurred_at) FILTER (list_contains($revoked, kind)) AS revoked_at,
            max(occurred_at) FILTER (kind = 'push_repo') AS last_push_at
        FROM told WHERE subject IS NOT NULL GROUP BY source_id, subject_kind, subject
        ORDER BY source_id, subject_kind, subject""",
        of_sources(source_ids)
        | rename_values(found)
        | {
            "kinds": [*_MADE, *_ROTATED, *_REVOKED],
            "made": list(_MADE),
            "rotated": list(_ROTATED),
            "revoked": list(_REVOKED),
        },
        CREDENTIAL_SCHEMA,
    )
