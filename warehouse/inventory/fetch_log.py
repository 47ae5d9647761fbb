"""The fetch log: how the newest fetch of each target went, what was unknown and when, and what is still stale. I/O: the
ledger. On disk a query is called a look: `looks` holds the newest fetch of each target, `looks_history` how it went
before, `looks_wanted` what events made stale."""

# ruff: noqa: S608 - SQL is put together from the names below; every value is bound or in a registered frame

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import polars as pl

from quayledger.warehouse.inventory.history_rules import Sight
from quayledger.warehouse.inventory.tables import INCOMING, as_table, insert
from quayledger.warehouse.ledger import Cursor
from quayledger.warehouse.schema import UTC_MICROSECONDS

FetchState = Literal["ok", "partial", "refused", "not_offered", "gone", "failed", "not_asked"]
READ: frozenset[str] = frozenset({"ok", "partial"})
# Fetches after which nothing is left of what events asked for; one that failed is still owed.
_ANSWERED = READ | {"gone", "refused", "not_offered"}
_TELLING = READ | {"gone"}
_TARGET = {"source_id": pl.String, "look": pl.String, "target": pl.String}
_STANDING: dict[str, Any] = {
    **_TARGET,
    "state": pl.String,
    "reason": pl.String,
    "tried_at": UTC_MICROSECONDS,
    "first_ok_at": UTC_MICROSECONDS,
    "ok_at": UTC_MICROSECONDS,
    "rows": pl.Int64,
    "rejected_rows": pl.Int64,
    "requests": pl.Int64,
    "run_id": pl.Int64,
    "told_at": UTC_MICROSECONDS,
}
_STRETCH: dict[str, Any] = {
    **_TARGET,
    "state": pl.String,
    "reason": pl.String,
    "from_at": UTC_MICROSECONDS,
    "to_at": UTC_MICROSECONDS,
    "run_id": pl.Int64,
}
Target = tuple[str, str, str]


class Ended(msgspec.Struct, frozen=True):
    """How one fetch ended; `target`: source, fetch, target. The other fields are those of the table `looks`."""

    target: Target
    state: str
    reason: str
    fetched_at: datetime
    rows: int
    rejected_rows: int
    requests: int


class Standing(msgspec.Struct):
    """The row of a target in `looks`: its fields after the target, in their order. `is_stored`: it is there already."""

    state: str
    reason: str
    tried_at: datetime
    first_ok_at: datetime | None
    ok_at: datetime | None
    rows: int
    rejected_rows: int
    requests: int
    run_id: int
    told_at: datetime | None
    is_stored: bool = False


class Telling:
    """Which fetches of a batch, taken in order, tell anything: those newer than all that told of their target before."""

    def __init__(self, standings: Mapping[Target, Standing]) -> None:
        self._ok_at = {target: one.ok_at for target, one in standings.items()}
        self._told_at = {target: one.told_at for target, one in standings.items()}

    def sight(self, target: Target, state: str, fetched_at: datetime, caused_at: datetime | None) -> Sight | None:
        """What a fetch may say of times; None where nothing that it brought counts."""
        told_at, ok_before = self._told_at.get(target), self._ok_at.get(target)
        if state in READ:
            self._ok_at[target] = fetched_at if ok_before is None else max(fetched_at, ok_before)
        if state not in _TELLING or (told_at is not None and fetched_at <= told_at):
            return None
        self._told_at[target] = fetched_at
        return Sight(fetched_at, ok_before, caused_at)


def read_standings(cursor: Cursor, targets: Iterable[Target]) -> dict[Target, Standing]:
    """The rows of these targets in `looks`, by target."""
    frame = pl.DataFrame(sorted(set(targets)), schema=_TARGET, orient="row")
    with as_table(cursor, frame):
        found = cursor.execute(
            f"SELECT {', '.join(_STANDING)} FROM looks SEMI JOIN {INCOMING} USING (source_id, look, target)"
        ).pl()
    rows = found.cast(pl.Schema(_STANDING)).iter_rows()
    standings = {(row[0], row[1], row[2]): Standing(*row[3:]) for row in rows}
    for one in standings.values():
        one.is_stored = True
    return standings


def record_ended(cursor: Cursor, run_id: int, standings: dict[Target, Standing], ended: Sequence[Ended]) -> None:
    """Brings `looks`, `looks_history` and `looks_wanted` up to date; a fetch that is not newer than the one noted adds at
    most that it was ok."""
    begun: dict[Target, list[list[Any]]] = {}
    left: dict[Target, datetime] = {}
    for one in ended:
        before = standings.get(one.target)
        if before is None or (one.fetched_at > before.tried_at and one.state != before.state):
            _turn(begun, left, one, before, run_id)
        standings[one.target] = _standing(one, before, run_id)
    _write_standings(cursor, standings)
    _write_stretches(cursor, begun, left)
    _forget_stale(cursor, ended)


def _turn(
    begun: dict[Target, list[list[Any]]], left: dict[Target, datetime], one: Ended, before: Standing | None, run_id: int
) -> None:
    """A target's state is another from this fetch on."""
    stretches = begun.setdefault(one.target, [])
    if stretches:
        stretches[-1][3] = one.fetched_at
    elif before is not None:
        left[one.target] = one.fetched_at
    stretches.append([one.state, one.reason, one.fetched_at, None, run_id])


def _standing(one: Ended, before: Standing | None, run_id: int) -> Standing:
    ok_at = one.fetched_at if one.state in READ else None
    told_at = one.fetched_at if one.state in _TELLING else None
    if before is None:
        numbers = (one.rows, one.rejected_rows, one.requests)
        return Standing(one.state, one.reason, one.fetched_at, ok_at, ok_at, *numbers, run_id, told_at)
    before.told_at = max(filter(None, (before.told_at, told_at)), default=None)
    ok_times = [moment for moment in (before.first_ok_at, before.ok_at, ok_at) if moment is not None]
    before.first_ok_at, before.ok_at = min(ok_times, default=None), max(ok_times, default=None)
    if one.fetched_at > before.tried_at:
        before.state, before.reason, before.tried_at, before.run_id = one.state, one.reason, one.fetched_at, run_id
        before.rows, before.rejected_rows, before.requests = one.rows, one.rejected_rows, one.requests
    return before


def _write_standings(cursor: Cursor, standings: Mapping[Target, Standing]) -> None:
    new = ", ".join(f"{name} = {INCOMING}.{name}" for name in _STANDING if name not in _TARGET)
    for is_stored in (True, False):
        rows = [
            (*target, *msgspec.structs.astuple(one)[:-1])
            for target, one in standings.items()
            if one.is_stored == is_stored
        ]
        frame = pl.DataFrame(rows, schema=_STANDING, orient="row")
        if not is_stored:
            insert(cursor, "looks", frame)
        elif rows:
            with as_table(cursor, frame):
                cursor.execute(f"UPDATE looks SET {new} FROM {INCOMING} WHERE {_same('looks')}")


def _write_stretches(cursor: Cursor, begun: Mapping[Target, list[list[Any]]], left: Mapping[Target, datetime]) -> None:
    if left:
        ends = [(*target, moment) for target, moment in left.items()]
        with as_table(cursor, pl.DataFrame(ends, schema=_TARGET | {"to_at": UTC_MICROSECONDS}, orient="row")):
            cursor.execute(
                f"UPDATE looks_history AS held SET to_at = {INCOMING}.to_at FROM {INCOMING} "
                f"WHERE {_same('held')} AND held.to_at IS NULL"
            )
    rows = [(*target, *stretch) for target, stretches in begun.items() for stretch in stretches]
    insert(cursor, "looks_history", pl.DataFrame(rows, schema=_STRETCH, orient="row"))


def _forget_stale(cursor: Cursor, ended: Sequence[Ended]) -> None:
    answered: dict[Target, datetime] = {}
    for one in ended:
        if one.state in _ANSWERED:
            answered[one.target] = max(one.fetched_at, answered.get(one.target, one.fetched_at))
    if not answered:
        return
    rows = [(*target, moment) for target, moment in answered.items()]
    frame = pl.DataFrame(rows, schema=_TARGET | {"fetched_at": UTC_MICROSECONDS}, orient="row")
    with as_table(cursor, frame):
        cursor.execute(
            f"DELETE FROM looks_wanted AS stale WHERE EXISTS (SELECT 1 FROM {INCOMING} "
            f"WHERE {_same('stale')} AND stale.caused_at <= {INCOMING}.fetched_at)"
        )


def _same(table: str) -> str:
    return " AND ".join(f"{table}.{name} = {INCOMING}.{name}" for name in _TARGET)
