"""Changed objects: what the events of newer readings name, for deciding what to read again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from quayledger.warehouse.catalog.event_effects import EFFECTS
from quayledger.warehouse.inventory.query import ask
from quayledger.warehouse.inventory.where import OF_SOURCES, of_sources
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot

# Texts of the metadata by the name of the column; a renamed user's event says it in another word than an organization's.
_NAMED = {
    "team": "$.team",
    "member": "$.member",
    "robot": "$.robot",
    "username": "$.username",
    "build_uuid": "$.build_uuid",
    "new_name": "$.new_name",
    "client_id": "$.client_id",
    "kid": "$.kid",
    "app_specific_token": "$.app_specific_token",
}
CHANGED_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "kind": pl.String,
    "namespace": pl.String,
    "named": pl.String,
    "repository": pl.String,
    "tag": pl.String,
    "digest": pl.String,
    "performer": pl.String,
    **dict.fromkeys(_NAMED, pl.String),
    "old_name": pl.String,
    "occurred_at": UTC_MICROSECONDS,
    "events": pl.Int64,
}
_TEXTS = ", ".join(f"json_extract_string(metadata, '{path}') AS {name}" for name, path in _NAMED.items())


def logged_changes(snap: Snapshot, since: datetime, until: datetime, source_ids: Sequence[str] = ()) -> int:
    """How many events in the half-open stretch changed something that the inventory keeps, pushes and mirror runs aside."""
    kinds = [kind for kind, effect in EFFECTS.items() if not effect.is_routine]
    found = ask(
        snap,
        f"SELECT count(*) AS events FROM events WHERE {OF_SOURCES} AND list_contains($kinds, kind) "  # noqa: S608
        "AND occurred_at >= $since AND occurred_at < $until AND day >= $first AND day <= $last",
        of_sources(source_ids)
        | {
            "kinds": kinds,
            "since": since,
            "until": until,
            "first": since.astimezone(UTC).date(),
            "last": until.astimezone(UTC).date(),
        },
    )
    return int(found["events"][0])


def changed_objects_since(
    ledger: Ledger, source_id: str, after_reading_id: int, kinds: Sequence[str], since: datetime | None
) -> tuple[pl.DataFrame, int]:
    """The events of these kinds that readings after the given one brought, one row for all that name the same; and the
    newest reading of the source (0: none), up to which they were looked for.

    Columns: kind; namespace (whose log they are in) and named (what their metadata says of it); repository, tag, digest,
    performer; team, member, robot, username, build_uuid, new_name, client_id, kid, app_specific_token of the metadata;
    old_name (a user's or an organization's); occurred_at (of the newest of them, UTC); events (how many). What an event
    does not name is null. `since`: days before it, in UTC, are not searched."""
    # The newest reading first: what comes while the events are read is for the next time.
    newest = int(
        ledger.rows("SELECT coalesce(max(reading_id), 0) FROM readings WHERE source_id = ?", [source_id])[0][0]
    )
    if not kinds or newest <= after_reading_id:
        return pl.DataFrame(schema=CHANGED_SCHEMA), newest
    found = ledger.frame(
        f"""WITH told AS (
            SELECT kind, namespace, repository_namespace AS named, repository, tag, digest, performer, {_TEXTS},
                coalesce(json_extract_string(metadata, '$.old_name'), json_extract_string(metadata, '$.old_username'))
                    AS old_name,
                occurred_at
            FROM stg_events
            WHERE source_id = $source_id AND reading_id > $after AND reading_id <= $newest
                AND list_contains($kinds, kind) AND ($since IS NULL OR day >= $since)
        )
        SELECT * EXCLUDE (occurred_at), max(occurred_at) AS occurred_at, count(*) AS events
        FROM told GROUP BY ALL ORDER BY ALL""",  # noqa: S608 - put together from the constants above
        {
            "source_id": source_id,
            "after": after_reading_id,
            "newest": newest,
            "kinds": list(kinds),
            "since": None if since is None else since.astimezone(UTC).date(),
        },
    )
    return found.cast(pl.Schema(CHANGED_SCHEMA)), newest
