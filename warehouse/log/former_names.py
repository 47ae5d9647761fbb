"""The former names of accounts, as the log tells them: which were renamed or deleted, and what they were called.

Quay joins names when its log is read. Rename an account and its old events bear the new name; delete it and all of them bear a
UUID. Events that were read before keep the name that they had. So one account may have several names in the record, and one
name may have meant several accounts, one after the other.
"""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from weakref import WeakKeyDictionary

import msgspec

from quayledger.warehouse.ledger import Ledger, utc
from quayledger.warehouse.snapshot import Snapshot

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IS_UUID = re.compile(UUID)
_OF_UUID = re.compile(rf"({UUID})([/+].*)?", re.DOTALL)
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_COLUMNS = "source_id, name, former_name, cause, until_at, is_deleted"
_MOST_NAMES = 32  # of one account; a longer chain of renames is cut
# Of what tells a deleted account's name, the surest first.
_CAUSES = ("org_delete", "user_delete", "metadata", "read again", "")

_NEW_EVENTS = "source_id = $source_id AND reading_id > $after AND reading_id <= $newest AND list_contains($days, day)"
_RENAMES = f"""
    SELECT
        CASE kind WHEN 'org_change_name' THEN json_extract_string(metadata, '$.new_name') ELSE namespace END AS name,
        json_extract_string(metadata, if(kind = 'org_change_name', '$.old_name', '$.old_username')) AS former_name,
        kind AS cause, max(occurred_at) AS until_at
    FROM stg_events WHERE {_NEW_EVENTS} AND kind IN ('org_change_name', 'user_change_name') GROUP BY ALL"""
# A deleted account is a namespace, or somebody who did something, whose name is a UUID.
_DELETED = f"""
    WITH new_events AS (SELECT * FROM stg_events WHERE {_NEW_EVENTS}),
    told AS (
        SELECT namespace AS name, occurred_at, if(kind IN ('org_delete', 'user_delete'), kind, 'metadata') AS cause,
            if(kind = 'user_delete', json_extract_string(metadata, '$.username'), repository_namespace) AS former_name
        FROM new_events WHERE regexp_full_match(namespace, '{UUID}')
        UNION ALL
        SELECT performer, occurred_at, 'metadata', json_extract_string(metadata, '$.username')
        FROM new_events WHERE regexp_full_match(performer, '{UUID}')
    )
    SELECT name, cause, max(occurred_at) AS until_at,
        coalesce(arg_max(former_name, occurred_at) FILTER (NOT regexp_full_match(former_name, '{UUID}')), '') AS former_name
    FROM told GROUP BY name, cause"""
_READ_AGAIN = f"""
    SELECT later_name, arg_max(first_name, events), max(day) FROM aliases
    WHERE source_id = $source_id AND field IN ('namespace', 'performer') AND regexp_full_match(later_name, '{UUID}')
        AND NOT regexp_full_match(first_name, '{UUID}') GROUP BY later_name"""


class FormerName(msgspec.Struct, frozen=True):
    """An account whose events bear `name` and, up to `until_at` (aware), bore `former_name` ('': nothing tells). Where several
    accounts had the former name, it was this one's from `since_at`. `cause`: what tells it, as in the table."""

    source_id: str
    name: str
    former_name: str
    cause: str
    until_at: datetime
    is_deleted: bool
    since_at: datetime = _EVER


class AlsoNamed(msgspec.Struct, frozen=True):
    """Another name under which the events of an account are held, on the UTC days from `first_day` to `last_day`."""

    source_id: str
    name: str
    first_day: date
    last_day: date


def note_former_names(ledger: Ledger) -> None:
    """Looks through the events of new readings for names of accounts that were renamed or deleted, and keeps them. The first
    time looks through all events. Raises WarehouseError."""
    for source_id, newest in ledger.rows("SELECT source_id, max(reading_id) FROM readings GROUP BY source_id"):
        noted = (
            ledger.rows("SELECT max(reading_id) FROM former_names_noted WHERE source_id = ?", [source_id])[0][0] or 0
        )
        if newest > noted:
            _note(ledger, source_id, noted, newest)


def _note(ledger: Ledger, source_id: str, after: int, newest: int) -> None:
    days = ledger.rows(
        "SELECT DISTINCT day FROM readings WHERE source_id = ? AND reading_id > ? AND new_events > 0",
        [source_id, after],
    )
    values: dict[str, object] = {
        "source_id": source_id,
        "after": after,
        "newest": newest,
        "days": [day for (day,) in days],
    }
    found = [_row(source_id, *row[:4], is_deleted=row[4]) for row in ledger.rows(_COLUMNS_OF_HELD, [source_id])]
    before = set(found)
    if days:
        for name, former, cause, until in ledger.rows(_RENAMES, values):
            if name and former and name != former:
                found.append(_row(source_id, name, former, cause, until, is_deleted=False))
        for name, cause, until, former in ledger.rows(_DELETED, values):
            found.append(_row(source_id, name, former, cause if former else "", until, is_deleted=True))
    for name, former, day in ledger.rows(_READ_AGAIN, {"source_id": source_id}):
        until = datetime(day.year, day.month, day.day, tzinfo=UTC)
        found.append(_row(source_id, name, former, "read again", until, is_deleted=True))
    kept = _surest(found)
    with ledger.transaction() as cursor:
        if set(kept) != before:
            cursor.execute("DELETE FROM former_names WHERE source_id = ?", [source_id])
            rows = [list(msgspec.structs.astuple(row)[:6]) for row in kept]
            cursor.executemany(f"INSERT INTO former_names ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", rows)
        cursor.execute("DELETE FROM former_names_noted WHERE source_id = ?", [source_id])
        cursor.execute("INSERT INTO former_names_noted VALUES (?, ?)", [source_id, newest])


_COLUMNS_OF_HELD = "SELECT name, former_name, cause, until_at, is_deleted FROM former_names WHERE source_id = ?"


def _row(source_id: str, name: str, former: str, cause: str, until: datetime, *, is_deleted: bool) -> FormerName:
    return FormerName(source_id, name, former, cause, utc(until) or until, is_deleted)


def _surest(found: Iterable[FormerName]) -> list[FormerName]:
    """Every rename once; of each deleted account its name as told by the surest cause, and its end: by the event of its
    deletion, else the newest event that bears the UUID."""
    kept = {row for row in found if not row.is_deleted}
    deleted: dict[str, list[FormerName]] = {}
    for row in found:
        if row.is_deleted:
            deleted.setdefault(row.name, []).append(row)
    for rows in deleted.values():
        best = min(rows, key=lambda row: (_CAUSES.index(row.cause), -row.until_at.timestamp()))
        ends = [row.until_at for row in rows if row.cause in ("org_delete", "user_delete")]
        kept.add(msgspec.structs.replace(best, until_at=max(ends or [row.until_at for row in rows])))
    return sorted(kept, key=lambda row: (row.until_at, row.name, row.former_name))


_read: WeakKeyDictionary[Snapshot, tuple[FormerName, ...]] = WeakKeyDictionary()


def former_names(snap: Snapshot) -> tuple[FormerName, ...]:
    """The accounts that were renamed or deleted, the oldest change first. A copy of an earlier version knows none. Raises
    WarehouseError."""
    if (known := _read.get(snap)) is None:
        known = _read[snap] = _read_names(snap)
    return known


def _read_names(snap: Snapshot) -> tuple[FormerName, ...]:
    if not snap.rows("SELECT 1 FROM information_schema.tables WHERE table_name = 'former_names'", (), []):
        return ()
    rows = snap.rows(f"SELECT {_COLUMNS} FROM former_names ORDER BY until_at, source_id, name, former_name", (), [])
    found = [_row(*row[:5], is_deleted=row[5]) for row in rows]
    return tuple(
        msgspec.structs.replace(
            row,
            since_at=max(
                (
                    other.until_at
                    for other in found[:place]
                    if row.former_name and (other.source_id, other.former_name) == (row.source_id, row.former_name)
                ),
                default=_EVER,
            ),
        )
        for place, row in enumerate(found)
    )


def also_named(found: Sequence[FormerName], name: str) -> list[AlsoNamed]:
    """Under which other names, and on which days, the events of the accounts are held that bear or bore this one. A robot goes
    by its account's name. Pure."""
    account, plus, robot = name.partition("+")
    others: dict[tuple[str, str], AlsoNamed] = {}
    seen, waiting = {account}, [account]
    while waiting and len(others) < _MOST_NAMES:
        known = waiting.pop()
        for row in found:
            if not row.former_name or known not in (row.name, row.former_name):
                continue
            forward = known == row.former_name
            other = row.name if forward else row.former_name
            if other in seen:
                continue
            first, last = _ever_called(found, row) if forward else (row.since_at, row.until_at)
            others[row.source_id, other] = AlsoNamed(
                row.source_id,
                f"{other}{plus}{robot}",
                # On the day on which another account of that name ended, the name is the other's.
                first.date() if first == _EVER else (first + timedelta(days=1)).date(),
                last.date(),
            )
            seen.add(other)
            waiting.append(other)
    return list(others.values())


def _ever_called(found: Sequence[FormerName], row: FormerName) -> tuple[datetime, datetime]:
    """When events bear a later name: from the first on, as old ones were read under it, unless it had been another account's;
    up to the next rename."""
    ends = [other.until_at for other in found if (other.source_id, other.former_name) == (row.source_id, row.name)]
    earlier, later = [end for end in ends if end < row.until_at], [end for end in ends if end >= row.until_at]
    return max(earlier, default=_EVER), min(later, default=datetime.max.replace(tzinfo=UTC))


def now_called(found: Sequence[FormerName], row: FormerName) -> str:
    """The account's name after all changes since. Pure."""
    name, since, seen = row.name, row.until_at, {row.former_name, row.name}
    for other in found:
        is_next = (other.source_id, other.former_name) == (row.source_id, name) and other.until_at >= since
        if is_next and other.name not in seen:
            name, since = other.name, other.until_at
            seen.add(name)
    return name


def account_labels(snap: Snapshot) -> dict[str, str]:
    """`deleted_labels` of the copy's accounts. Raises WarehouseError."""
    found = former_names(snap)
    unknown = [row.name for row in found if row.is_deleted and not row.former_name]
    return deleted_labels(found, _listed(snap, unknown) if unknown else ())


def _listed(snap: Snapshot, names: list[str]) -> list[str]:
    """Of these names, those that the registry's own lists held when they were last read."""
    sql = " UNION ".join(
        f"SELECT {column} FROM {family} WHERE list_contains($names, {column})"
        for family, column in (("organizations", "organization"), ("users", "username"))
    )
    return [name for (name,) in snap.rows(sql, {"names": names}, [])]


def deleted_labels(found: Sequence[FormerName], present: Iterable[str] = ()) -> dict[str, str]:
    """What people read for the UUID of each deleted account: `deleted, was acme`; `deleted (UUID)` where nothing tells. Two of
    one name are told apart by the beginning of their UUIDs. `present`: accounts that the registry lists, which are not
    deleted whatever they are called. Pure."""
    deleted = {row.name: row.former_name for row in found if row.is_deleted}
    listed = set(present)
    names = list(deleted.values())
    return {
        uuid: f"deleted ({uuid})"
        if not was
        else f"deleted, was {was}" + (f" ({uuid[:8]})" if names.count(was) > 1 else "")
        for uuid, was in deleted.items()
        if uuid not in listed or was
    }


def label_of(labels: Mapping[str, str], text: str) -> str:
    """The text as people read it: the name of a deleted account, or of what belongs to it (`UUID/repository`, `UUID+robot`), by
    its label; its UUID elsewhere in a text with the label behind it. Pure."""
    if not labels or not (match := _IS_UUID.search(text)):
        return text
    if whole := _OF_UUID.fullmatch(text):
        label = labels.get(whole[1])
        if label is None:
            return text
        rest = whole[2] or ""
        return f"{label[:-1]}{rest})" if label == f"deleted ({whole[1]})" else f"{label}{rest}"
    if match[0] not in labels:
        return text
    return _IS_UUID.sub(lambda one: f"{one[0]} ({_aside(labels[one[0]])})" if one[0] in labels else one[0], text)


def _aside(label: str) -> str:
    return label if ", was " in label else "deleted"
