"""Held parts: what is held of a day by namespace, repository and performer, for splitting the day."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import msgspec

from quayledger.warehouse.ledger import Ledger

_AROUND = timedelta(days=60)
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class HeldPart(msgspec.Struct, frozen=True):
    """Stored events of one (day, scope) that share their names, by kind. A name None: the events carry none."""

    namespace: str | None
    repository: str | None
    performer: str | None
    by_kind: dict[str, int]


def held_parts(ledger: Ledger, source_id: str, day: date, scope: str) -> list[HeldPart]:
    """What is held of one scope's part of a day, by namespace, repository and performer, the most events first.

    Names are those first seen; `namespace` is the repository's own where the event carries none."""
    found = ledger.rows(
        "SELECT coalesce(namespace, repository_namespace) AS owner, repository, performer, kind, count(*) AS events "
        "FROM stg_events WHERE source_id = ? AND day = ? AND scope = ? GROUP BY ALL",
        [source_id, day, scope],
    )
    parts: dict[tuple[str | None, str | None, str | None], dict[str, int]] = {}
    for namespace, repository, performer, kind, events in found:
        parts.setdefault((namespace, repository, performer), {})[kind] = events
    held = [HeldPart(*names, by_kind) for names, by_kind in parts.items()]
    return sorted(held, key=lambda part: -sum(part.by_kind.values()))


def user_namespaces(ledger: Ledger, source_id: str, day: date) -> frozenset[str]:
    """Namespaces that the day's events call users' own, not organisations."""
    found = ledger.rows(
        "SELECT DISTINCT namespace FROM stg_events WHERE source_id = ? AND day = ? AND namespace_kind = 'user'",
        [source_id, day],
    )
    return frozenset(row[0] for row in found if row[0] is not None)


def was_repaired(ledger: Ledger, source_id: str, day: date) -> bool:
    """Whether a part or an export brought events of the day that the whole chain did not."""
    found = ledger.rows(
        "SELECT count(*) FROM readings WHERE source_id = ? AND day = ? AND state = 'merged' AND new_events > 0 "
        "AND (part <> '' OR method <> 'pages')",
        [source_id, day],
    )
    return bool(found[0][0])


def deleted_namespaces(ledger: Ledger, source_id: str, day: date) -> list[str]:
    """Namespaces of a UUID for a name, as Quay renames what is deleted, in the events around a day; those of the nearest days
    first."""
    found = ledger.rows(
        f"""SELECT namespace FROM stg_events
        WHERE source_id = $source_id AND day BETWEEN $first AND $last AND regexp_full_match(namespace, '{_UUID}')
        GROUP BY namespace ORDER BY min(abs(date_diff('day', day, $day))), namespace""",  # noqa: S608
        {"source_id": source_id, "day": day, "first": day - _AROUND, "last": day + _AROUND},
    )
    return [row[0] for row in found]


def was_read_through(ledger: Ledger, source_id: str, day: date, scope: str, since: datetime) -> bool:
    """Whether the whole list of one (day, scope) was read to its end by a chain that began at `since` (aware) or later."""
    found = ledger.rows(
        "SELECT count(*) FROM readings WHERE source_id = ? AND day = ? AND scope = ? AND part = '' AND complete "
        "AND started_at >= ?",
        [source_id, day, scope, since],
    )
    return bool(found[0][0])


def lost_rows_since(ledger: Ledger, source_id: str, first: date) -> bool:
    """Whether any day from `first` on could not be brought whole by its first chain of pages."""
    found = ledger.rows(
        "SELECT count(*) FROM slices WHERE source_id = ? AND day >= ? AND state IN ('repaired', 'short')",
        [source_id, first],
    )
    return bool(found[0][0])
