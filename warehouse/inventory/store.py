"""Stores the inventory for the collector: fetch results become intervals and points; what is stale; what is held.

I/O: the ledger. Times are aware UTC; errors: ValueError for what no fetch may bring, and the family of
`warehouse.errors`."""

# ruff: noqa: S608 - SQL is put together from declared names; every value is bound

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count

import msgspec
import polars as pl

from quayledger.warehouse.catalog import Type, family_of, series_of
from quayledger.warehouse.inventory.batch import BatchPart, BatchRows
from quayledger.warehouse.inventory.fetch_log import (
    Ended,
    FetchState,
    Standing,
    Target,
    Telling,
    read_standings,
    record_ended,
)
from quayledger.warehouse.inventory.history_merge import FamilyFetch, merge_family
from quayledger.warehouse.inventory.history_rules import Sight, latest
from quayledger.warehouse.inventory.points import add_points
from quayledger.warehouse.inventory.tables import INCOMING, as_table, insert
from quayledger.warehouse.inventory.where import Where, where_of
from quayledger.warehouse.ledger import Cursor, Ledger, utc
from quayledger.warehouse.schema import UTC_MICROSECONDS

__all__ = [
    "FamilyRows",
    "Fetch",
    "FetchState",
    "Recorded",
    "SeriesRows",
    "Stale",
    "cursor",
    "fetch_states",
    "held",
    "mark_stale",
    "note_rename",
    "read_stale",
    "record_fetches",
]
_STATE_COLUMNS = "look, target, state, reason, tried_at, first_ok_at, ok_at, rows, rejected_rows, requests, run_id"
_STALE: dict[str, Type] = {
    "source_id": pl.String,
    "look": pl.String,
    "target": pl.String,
    "cause": pl.String,
    "caused_at": UTC_MICROSECONDS,
    "events": pl.Int64,
}


class FamilyRows(msgspec.Struct, frozen=True):
    """What a fetch brought of one family. `authority`: columns (of key or values) and the values that say of which objects
    it tells all ({}: all of the source): those held there and not brought are gone, where `closes`. `rows`: the family's
    schema, in any order of columns; what cannot be cast becomes null. `known_before`: when a wider fetch last told of these
    objects, so that what it did not tell of was not there then; `rejected`: why rows of the answer are not among `rows`, one entry
    each (whoever records them says that the fetch was partial)."""

    family: str
    authority: Mapping[str, str | int | None]
    rows: pl.DataFrame
    closes: bool = True
    known_before: datetime | None = None
    rejected: tuple[str, ...] = ()


class SeriesRows(msgspec.Struct, frozen=True):
    """What a fetch brought of one series. `rows`: the series' schema; `rejected`: as of a family."""

    series: str
    rows: pl.DataFrame
    rejected: tuple[str, ...] = ()


class Fetch(msgspec.Struct, frozen=True):
    """One fetch and how it ended. `fetched_at`: when its first request was sent; `caused_at`: the newest event that asked for
    it. Where `state` is gone, all that is held within each authority is closed; where it is partial, nothing is; any
    other state than these and ok brings nothing."""

    source_id: str
    query: str
    target: str
    state: FetchState
    reason: str
    fetched_at: datetime
    requests: int
    rejected_rows: int
    caused_at: datetime | None
    families: tuple[FamilyRows, ...] = ()
    series: tuple[SeriesRows, ...] = ()


class Recorded(msgspec.Struct, frozen=True):
    """What a batch changed: objects that appeared, changed, and are gone; points that were added."""

    opened: int
    changed: int
    closed: int
    points: int


class Stale(msgspec.Struct, frozen=True):
    """A target of a query that events made stale. `cause`: the kind of the newest of them, `caused_at`: its time; `events`: how many."""

    query: str
    target: str
    cause: str
    caused_at: datetime
    events: int


class _Batch(msgspec.Struct):
    """Fetches on their way in: what tells of each family and series, and what could not be kept of each fetch's rows."""

    told: dict[str, list[FamilyFetch]] = {}
    parts: dict[str, list[BatchPart]] = {}
    fetched_at: dict[int, datetime] = {}
    left_out: Counter[int] = msgspec.field(default_factory=Counter)
    keyless: Counter[int] = msgspec.field(default_factory=Counter)

    def leave_out(self, rows: BatchRows) -> None:
        """Counts the rows that were left out."""
        self.left_out.update(rows.repeated)
        self.left_out.update(rows.keyless)
        self.keyless.update(rows.keyless)


def record_fetches(ledger: Ledger, run_id: int, fetches: Sequence[Fetch]) -> Recorded:
    """Keeps what fetches brought, in their order, all of it or, on any error, nothing. Recording twice is recording once: a
    fetch that is not newer than what told of its target before brings nothing.

    A row that is as it was held writes nothing. Of rows with the same key within a fetch the last counts; those without a
    whole key are left out, and what brought them closes nothing, as if it were partial. Both count as rejected."""
    if not fetches:
        return Recorded(0, 0, 0, 0)
    with ledger.transaction() as inside:
        standings = read_standings(inside, (_target(fetch) for fetch in fetches))
        batch = _batch(fetches, Telling(standings))
        opened = changed = closed = points = 0
        for name, told in batch.told.items():
            merged = merge_family(inside, run_id, family_of(name), told)
            batch.leave_out(merged.rows)
            opened, changed, closed = opened + merged.opened, changed + merged.changed, closed + merged.closed
        for name, parts in batch.parts.items():
            added, rows = add_points(inside, run_id, series_of(name), parts, batch.fetched_at)
            batch.leave_out(rows)
            points += added
        _record_ended(inside, run_id, standings, fetches, batch)
    return Recorded(opened, changed, closed, points)


def _target(fetch: Fetch) -> Target:
    return fetch.source_id, fetch.query, fetch.target


def _batch(fetches: Sequence[Fetch], telling: Telling) -> _Batch:
    batch, numbers = _Batch(), count()
    for number, fetch in enumerate(fetches):
        sight = telling.sight(_target(fetch), fetch.state, fetch.fetched_at, fetch.caused_at)
        if sight is None:
            continue
        batch.fetched_at[number] = fetch.fetched_at
        for told in _family_fetches(fetch, number, sight, numbers):
            batch.told.setdefault(told[0], []).append(told[1])
        if fetch.state != "gone":
            for measured in fetch.series:
                part = BatchPart(next(numbers), number, fetch.source_id, measured.rows)
                batch.parts.setdefault(measured.series, []).append(part)
    return batch


def _family_fetches(
    fetch: Fetch, number: int, sight: Sight, numbers: Iterator[int]
) -> Iterator[tuple[str, FamilyFetch]]:
    is_gone, is_whole = fetch.state == "gone", fetch.state != "partial"
    for brought in fetch.families:
        rows = brought.rows.clear() if is_gone else brought.rows
        part = BatchPart(next(numbers), number, fetch.source_id, rows)
        seen = msgspec.structs.replace(sight, ok_before=latest(sight.ok_before, brought.known_before))
        yield brought.family, FamilyFetch(part, brought.authority, is_whole and (brought.closes or is_gone), seen)


def _record_ended(
    inside: Cursor, run_id: int, standings: dict[Target, Standing], fetches: Sequence[Fetch], batch: _Batch
) -> None:
    ended = []
    for number, fetch in enumerate(fetches):
        keyless, left_out = batch.keyless[number], batch.left_out[number]
        is_less = fetch.state == "ok" and keyless > 0
        ended.append(
            Ended(
                _target(fetch),
                "partial" if is_less else fetch.state,
                f"{keyless} row(s) had no whole key" if is_less else fetch.reason,
                fetch.fetched_at,
                _height(fetch) - left_out,
                fetch.rejected_rows + left_out,
                fetch.requests,
            )
        )
    record_ended(inside, run_id, standings, ended)


def _height(fetch: Fetch) -> int:
    """How many rows a fetch brought."""
    return sum(one.rows.height for one in fetch.families) + sum(one.rows.height for one in fetch.series)


def cursor(ledger: Ledger, source_id: str) -> int | None:
    """Up to which reading the source's events were searched; None where they never were."""
    found = ledger.rows("SELECT max(reading_id) FROM inventory_cursors WHERE source_id = ?", [source_id])
    return None if found[0][0] is None else int(found[0][0])


def mark_stale(ledger: Ledger, source_id: str, stale: Sequence[Stale], cursor_reading_id: int, now: datetime) -> None:
    """Notes what events made stale, beside what is stale already, and up to which reading events were searched: both or
    neither. The cursor never goes back."""
    before = cursor(ledger, source_id)
    if not stale and before is not None and before >= cursor_reading_id:
        return
    with ledger.transaction() as inside:
        _merge_stale(inside, source_id, stale)
        inside.execute("DELETE FROM inventory_cursors WHERE source_id = ?", [source_id])
        inside.execute(
            "INSERT INTO inventory_cursors (source_id, reading_id, noted_at) VALUES (?, ?, ?)",
            [source_id, max(cursor_reading_id, before or 0), now],
        )


def _merge_stale(inside: Cursor, source_id: str, stale: Sequence[Stale]) -> None:
    if not stale:
        return
    held = inside.execute(
        "SELECT look, target, cause, caused_at, events FROM looks_wanted WHERE source_id = ? ORDER BY ALL", [source_id]
    ).fetchall()
    merged: dict[tuple[str, str], Stale] = {}
    asked = {(one.query, one.target) for one in stale}
    for one in (*(Stale(*row) for row in held if row[:2] in asked), *stale):
        before = merged.get((one.query, one.target))
        newest = one if before is None or one.caused_at >= before.caused_at else before
        merged[one.query, one.target] = msgspec.structs.replace(
            newest, events=one.events + (before.events if before else 0)
        )
    frame = pl.DataFrame([(source_id, *msgspec.structs.astuple(one)) for one in merged.values()], _STALE, orient="row")
    with as_table(inside, frame):
        inside.execute(
            f"DELETE FROM looks_wanted AS held WHERE EXISTS (SELECT 1 FROM {INCOMING} "
            f"WHERE held.source_id = {INCOMING}.source_id AND held.look = {INCOMING}.look AND held.target = {INCOMING}.target)"
        )
    insert(inside, "looks_wanted", frame)


def read_stale(ledger: Ledger, source_id: str) -> list[Stale]:
    """What events made stale and was not read since, by query and target."""
    found = ledger.rows(
        "SELECT look, target, cause, caused_at, events FROM looks_wanted WHERE source_id = ? ORDER BY look, target",
        [source_id],
    )
    return [Stale(query, target, cause, utc(at) or at, events) for query, target, cause, at, events in found]


def fetch_states(ledger: Ledger, source_id: str) -> pl.DataFrame:
    """How the newest fetch at each target went, one row each: fetch, target, state, reason, tried_at, first_ok_at, ok_at
    (times UTC), rows, rejected_rows, requests, run_id."""
    return ledger.frame(f"SELECT {_STATE_COLUMNS} FROM looks WHERE source_id = ? ORDER BY look, target", [source_id])


def held(ledger: Ledger, family: str, source_id: str, where: Where | None = None) -> pl.DataFrame:
    """What is held of a family now: its key and values, by key. `where`: values of its columns."""
    chosen = family_of(family)
    condition, values = where_of(chosen.schema, where)
    found = ledger.frame(
        f"SELECT {', '.join(chosen.schema)} FROM {chosen.name} WHERE source_id = $source_id AND {condition} "
        f"ORDER BY {', '.join(chosen.key)}",
        values | {"source_id": source_id},
    )
    return found.cast(pl.Schema(chosen.schema))


def note_rename(
    ledger: Ledger,
    source_id: str,
    account_kind: str,
    old_name: str,
    new_name: str,
    renamed_at: datetime,
    cause: str,
    run_id: int,
) -> None:
    """Notes that an account is called otherwise since; noting it again adds nothing. `account_kind`: user | organization;
    `cause`: the kind of the event that told so (org_delete: Quay calls what it deletes by a UUID)."""
    told = [source_id, account_kind, old_name, new_name, renamed_at]
    with ledger.transaction() as inside:
        found = inside.execute(
            "SELECT count(*) FROM renames WHERE source_id = ? AND account_kind = ? AND old_name = ? AND new_name = ? "
            "AND renamed_at = ?",
            told,
        ).fetchone()
        if found and not found[0]:
            inside.execute(
                "INSERT INTO renames (source_id, account_kind, old_name, new_name, renamed_at, cause, run_id) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [*told, cause, run_id],
            )
