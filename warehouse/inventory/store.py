"""The inventory's door for who collects: what looks brought becomes intervals and points; which looks are wanted; what is
held. I/O: the ledger. Times are aware UTC; errors: ValueError for what no look may bring, and the family of
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
from quayledger.warehouse.inventory.batch import Part, Rows
from quayledger.warehouse.inventory.fetch_log import (
    Ended,
    LookState,
    Standing,
    Target,
    Telling,
    read_standings,
    record_ended,
)
from quayledger.warehouse.inventory.history_merge import Told, merge_family
from quayledger.warehouse.inventory.history_rules import Sight, latest
from quayledger.warehouse.inventory.points import add_points
from quayledger.warehouse.inventory.tables import INCOMING, as_table, insert
from quayledger.warehouse.inventory.where import Where, where_of
from quayledger.warehouse.ledger import Cursor, Ledger, utc
from quayledger.warehouse.schema import UTC_MICROSECONDS

__all__ = [
    "Brought",
    "Look",
    "LookState",
    "Measured",
    "Recorded",
    "Wanted",
    "cursor",
    "held",
    "look_states",
    "newest_points",
    "note_rename",
    "record_looks",
    "want_looks",
    "wanted_looks",
]
_STATE_COLUMNS = "look, target, state, reason, tried_at, first_ok_at, ok_at, rows, rejected_rows, requests, run_id"
_WANTED: dict[str, Type] = {
    "source_id": pl.String,
    "look": pl.String,
    "target": pl.String,
    "cause": pl.String,
    "caused_at": UTC_MICROSECONDS,
    "events": pl.Int64,
}


class Brought(msgspec.Struct, frozen=True):
    """What a look brought of one family. `authority`: columns (of key or values) and the values that say of which objects
    it tells all ({}: all of the source): those held there and not brought are gone, where `closes`. `rows`: the family's
    schema, in any order of columns; what cannot be cast becomes null. `told_before`: when a wider look last told of these
    objects, so that what it did not tell of was not there then."""

    family: str
    authority: Mapping[str, str | int | None]
    rows: pl.DataFrame
    closes: bool = True
    told_before: datetime | None = None


class Measured(msgspec.Struct, frozen=True):
    """What a look brought of one series. `rows`: the series' schema."""

    series: str
    rows: pl.DataFrame


class Look(msgspec.Struct, frozen=True):
    """One look and how it ended. `looked_at`: when its first request was sent; `caused_at`: the newest event that asked for
    it. Where `state` is gone, all that is held within each authority is closed; where it is partial, nothing is; any
    other state than these and ok brings nothing."""

    source_id: str
    look: str
    target: str
    state: LookState
    reason: str
    looked_at: datetime
    requests: int
    rejected_rows: int
    caused_at: datetime | None
    brought: tuple[Brought, ...] = ()
    measured: tuple[Measured, ...] = ()


class Recorded(msgspec.Struct, frozen=True):
    """What a batch changed: objects that appeared, changed, and are gone; points that were added."""

    opened: int
    changed: int
    closed: int
    points: int


class Wanted(msgspec.Struct, frozen=True):
    """A look that events ask for. `cause`: the kind of the newest of them, `caused_at`: its time; `events`: how many."""

    look: str
    target: str
    cause: str
    caused_at: datetime
    events: int


class _Batch(msgspec.Struct):
    """Looks on their way in: what tells of each family and series, and what could not be kept of each look's rows."""

    told: dict[str, list[Told]] = {}
    parts: dict[str, list[Part]] = {}
    looked_at: dict[int, datetime] = {}
    left_out: Counter[int] = msgspec.field(default_factory=Counter)
    keyless: Counter[int] = msgspec.field(default_factory=Counter)

    def leave_out(self, rows: Rows) -> None:
        """Counts the rows that were left out."""
        self.left_out.update(rows.repeated)
        self.left_out.update(rows.keyless)
        self.keyless.update(rows.keyless)


def record_looks(ledger: Ledger, run_id: int, looks: Sequence[Look]) -> Recorded:
    """Keeps what looks brought, in their order, all of it or, on any error, nothing. Recording twice is recording once: a
    look that is not newer than what told of its target before brings nothing.

    A row that is as it was held writes nothing. Of rows with the same key within a look the last counts; those without a
    whole key are left out, and what brought them closes nothing, as if it were partial. Both count as rejected."""
    if not looks:
        return Recorded(0, 0, 0, 0)
    with ledger.transaction() as inside:
        standings = read_standings(inside, (_target(look) for look in looks))
        batch = _batch(looks, Telling(standings))
        opened = changed = closed = points = 0
        for name, told in batch.told.items():
            merged = merge_family(inside, run_id, family_of(name), told)
            batch.leave_out(merged.rows)
            opened, changed, closed = opened + merged.opened, changed + merged.changed, closed + merged.closed
        for name, parts in batch.parts.items():
            added, rows = add_points(inside, run_id, series_of(name), parts, batch.looked_at)
            batch.leave_out(rows)
            points += added
        _record_ended(inside, run_id, standings, looks, batch)
    return Recorded(opened, changed, closed, points)


def _target(look: Look) -> Target:
    return look.source_id, look.look, look.target


def _batch(looks: Sequence[Look], telling: Telling) -> _Batch:
    batch, numbers = _Batch(), count()
    for number, look in enumerate(looks):
        sight = telling.sight(_target(look), look.state, look.looked_at, look.caused_at)
        if sight is None:
            continue
        batch.looked_at[number] = look.looked_at
        for told in _told(look, number, sight, numbers):
            batch.told.setdefault(told[0], []).append(told[1])
        if look.state != "gone":
            for measured in look.measured:
                part = Part(next(numbers), number, look.source_id, measured.rows)
                batch.parts.setdefault(measured.series, []).append(part)
    return batch


def _told(look: Look, number: int, sight: Sight, numbers: Iterator[int]) -> Iterator[tuple[str, Told]]:
    is_gone, is_whole = look.state == "gone", look.state != "partial"
    for brought in look.brought:
        rows = brought.rows.clear() if is_gone else brought.rows
        part = Part(next(numbers), number, look.source_id, rows)
        seen = msgspec.structs.replace(sight, ok_before=latest(sight.ok_before, brought.told_before))
        yield brought.family, Told(part, brought.authority, is_whole and (brought.closes or is_gone), seen)


def _record_ended(
    inside: Cursor, run_id: int, standings: dict[Target, Standing], looks: Sequence[Look], batch: _Batch
) -> None:
    ended = []
    for number, look in enumerate(looks):
        keyless, left_out = batch.keyless[number], batch.left_out[number]
        is_less = look.state == "ok" and keyless > 0
        ended.append(
            Ended(
                _target(look),
                "partial" if is_less else look.state,
                f"{keyless} row(s) had no whole key" if is_less else look.reason,
                look.looked_at,
                _height(look) - left_out,
                look.rejected_rows + left_out,
                look.requests,
            )
        )
    record_ended(inside, run_id, standings, ended)


def _height(look: Look) -> int:
    """How many rows a look brought."""
    return sum(one.rows.height for one in look.brought) + sum(one.rows.height for one in look.measured)


def cursor(ledger: Ledger, source_id: str) -> int | None:
    """Up to which reading the source's events were looked through; None where they never were."""
    found = ledger.rows("SELECT max(reading_id) FROM inventory_cursors WHERE source_id = ?", [source_id])
    return None if found[0][0] is None else int(found[0][0])


def want_looks(ledger: Ledger, source_id: str, wanted: Sequence[Wanted], cursor_reading_id: int, now: datetime) -> None:
    """Notes which looks events ask for, beside those that are wanted already, and up to which reading events were looked
    through: both or neither. The cursor never goes back."""
    before = cursor(ledger, source_id)
    if not wanted and before is not None and before >= cursor_reading_id:
        return
    with ledger.transaction() as inside:
        _merge_wanted(inside, source_id, wanted)
        inside.execute("DELETE FROM inventory_cursors WHERE source_id = ?", [source_id])
        inside.execute(
            "INSERT INTO inventory_cursors (source_id, reading_id, noted_at) VALUES (?, ?, ?)",
            [source_id, max(cursor_reading_id, before or 0), now],
        )


def _merge_wanted(inside: Cursor, source_id: str, wanted: Sequence[Wanted]) -> None:
    if not wanted:
        return
    names = list(Wanted.__struct_fields__)
    held = inside.execute(
        f"SELECT {', '.join(names)} FROM looks_wanted WHERE source_id = ? ORDER BY ALL", [source_id]
    ).fetchall()
    merged: dict[tuple[str, str], Wanted] = {}
    asked = {(one.look, one.target) for one in wanted}
    for one in (*(Wanted(*row) for row in held if row[:2] in asked), *wanted):
        before = merged.get((one.look, one.target))
        newest = one if before is None or one.caused_at >= before.caused_at else before
        merged[one.look, one.target] = msgspec.structs.replace(
            newest, events=one.events + (before.events if before else 0)
        )
    frame = pl.DataFrame([(source_id, *msgspec.structs.astuple(one)) for one in merged.values()], _WANTED, orient="row")
    with as_table(inside, frame):
        inside.execute(
            f"DELETE FROM looks_wanted AS held WHERE EXISTS (SELECT 1 FROM {INCOMING} "
            f"WHERE held.source_id = {INCOMING}.source_id AND held.look = {INCOMING}.look AND held.target = {INCOMING}.target)"
        )
    insert(inside, "looks_wanted", frame)


def wanted_looks(ledger: Ledger, source_id: str) -> list[Wanted]:
    """The looks that events ask for and that were not done since, by look and target."""
    found = ledger.rows(
        "SELECT look, target, cause, caused_at, events FROM looks_wanted WHERE source_id = ? ORDER BY look, target",
        [source_id],
    )
    return [Wanted(look, target, cause, utc(at) or at, events) for look, target, cause, at, events in found]


def look_states(ledger: Ledger, source_id: str) -> pl.DataFrame:
    """How the newest look at each target went, one row each: look, target, state, reason, tried_at, first_ok_at, ok_at
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


def newest_points(ledger: Ledger, series: str, source_id: str, where: Where | None = None) -> pl.DataFrame:
    """The newest point of each key of a series: its key and values, measured_at (UTC), run_id; by key."""
    chosen = series_of(series)
    condition, values = where_of(chosen.schema, where)
    found = ledger.frame(
        f"SELECT {', '.join(chosen.schema)}, measured_at, run_id FROM {chosen.name}_now "
        f"WHERE source_id = $source_id AND {condition} ORDER BY {', '.join(chosen.key)}",
        values | {"source_id": source_id},
    )
    return found.cast(pl.Schema({**chosen.schema, "measured_at": UTC_MICROSECONDS, "run_id": pl.Int64}))


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
