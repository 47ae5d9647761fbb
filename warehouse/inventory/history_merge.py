"""Merges a batch of fetches into the history of one family (its table of intervals), in few statements. I/O: the ledger.

The rows of the table that the batch concerns are read at once. Rows that are unchanged are dropped in frames, since most are;
the rest goes, object by object and fetch by fetch, through `history_rules`.
"""

# ruff: noqa: S608 - SQL is put together from declared names; every value is in a registered frame

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from quayledger.warehouse.catalog import INTERVAL_COLUMNS, Family
from quayledger.warehouse.inventory.batch import IS_KEPT, PART, SOURCE, BatchPart, BatchRows, together
from quayledger.warehouse.inventory.history_rules import Interval, Sight, Track
from quayledger.warehouse.inventory.tables import INCOMING, as_table, insert
from quayledger.warehouse.ledger import Cursor
from quayledger.warehouse.schema import UTC_MICROSECONDS

_ENDS = ("to_at", "to_after_at", "to_seen_at", "ended")
Key = tuple[Any, ...]


class FamilyFetch(msgspec.Struct, frozen=True):
    """What one fetch brought of a family. `closes`: what it did not bring within its authority is gone; false where a row could
    not be read, since the unread row might be any of them."""

    part: BatchPart
    authority: Mapping[str, str | int | None]
    closes: bool
    sight: Sight


class _Authority(msgspec.Struct, frozen=True):
    """Fetches that bring everything with certain values in the same columns (their authority): `columns` with the values that
    `frame` has of each (by PART and SOURCE), `nulls` without one."""

    columns: tuple[str, ...]
    nulls: tuple[str, ...]
    frame: pl.DataFrame


class MergedHistory(msgspec.Struct, frozen=True):
    """The result of a merge: intervals opened, changed, closed as gone; and the rows of each fetch that could not be kept."""

    opened: int
    changed: int
    closed: int
    rows: BatchRows


def merge_family(cursor: Cursor, run_id: int, family: Family, fetches: Sequence[FamilyFetch]) -> MergedHistory:
    """Merges what fetches brought of one family, in their order. Raises ValueError for columns that the family does not have."""
    rows = together(family.key, family.schema, [one.part for one in fetches])
    # A row without a key might be any object that is missing: such a fetch closes nothing.
    closing = [one for one in fetches if one.closes and one.part.number not in rows.keyless_parts]
    authorities = _authorities(family, closing)
    within = _held_within(cursor, family, authorities)
    if rows.frame.is_empty() and within.is_empty():
        return MergedHistory(0, 0, 0, rows)
    absent = _absent(family, rows.frame, within, authorities)
    held, gone_at = _held(cursor, family, rows.frame, within)
    present = _unsettled(family, rows.frame.filter(IS_KEPT), held, absent)
    tracks = _tracks(family, present, absent, held, gone_at)
    _follow(family, tracks, present, absent, {one.part.number: one for one in fetches})
    return _write(cursor, run_id, family, tracks, rows)


def _key(family: Family) -> list[str]:
    return [SOURCE, *family.key]


def _authorities(family: Family, closing: Iterable[FamilyFetch]) -> list[_Authority]:
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[FamilyFetch]] = defaultdict(list)
    for one in closing:
        if strange := set(one.authority) - set(family.schema):
            raise ValueError(f"{family.name} has no column {', '.join(sorted(strange))} to tell all of")
        names = sorted(one.authority)
        nulls = tuple(name for name in names if one.authority[name] is None)
        alike[tuple(name for name in names if name not in nulls), nulls].append(one)
    return [
        _Authority((SOURCE, *columns), nulls, _authority_frame(family, columns, group))
        for (columns, nulls), group in alike.items()
    ]


def _authority_frame(family: Family, columns: Iterable[str], group: Sequence[FamilyFetch]) -> pl.DataFrame:
    places = {PART: [one.part.number for one in group], SOURCE: [one.part.source_id for one in group]}
    return pl.DataFrame(
        places
        | {name: pl.Series([one.authority[name] for one in group], dtype=family.schema[name]) for name in columns}
    )


def _held_within(cursor: Cursor, family: Family, authorities: Sequence[_Authority]) -> pl.DataFrame:
    """The open intervals that lie within each part's authority: PART, key, values, first_seen_at."""
    schema = _held_schema(family) | {PART: pl.Int64}
    columns = ", ".join(f"{INCOMING if name == PART else 'held'}.{name}" for name in schema)
    found = [pl.DataFrame(schema=schema)]
    for one in authorities:
        on = " AND ".join(f"held.{name} = {INCOMING}.{name}" for name in one.columns)
        nulls = "".join(f" AND held.{name} IS NULL" for name in one.nulls)
        with as_table(cursor, one.frame):
            sql = (
                f"SELECT {columns} FROM {family.table} AS held JOIN {INCOMING} ON {on} WHERE held.to_at IS NULL{nulls}"
            )
            found.append(_fetched(cursor, sql, schema))
    return pl.concat(found)


def _held_schema(family: Family) -> dict[str, Any]:
    return {SOURCE: pl.String, **family.schema, "first_seen_at": UTC_MICROSECONDS}


def _fetched(cursor: Cursor, sql: str, schema: Mapping[str, Any]) -> pl.DataFrame:
    return cursor.execute(sql).pl().cast(pl.Schema(schema))


def _absent(
    family: Family, rows: pl.DataFrame, within: pl.DataFrame, authorities: Sequence[_Authority]
) -> pl.DataFrame:
    """Absent objects: PART and key of what is held, or was brought by another fetch of the batch, within a fetch's authority,
    and was not brought by it."""
    key = _key(family)
    pairs = [within.select(PART, *key)]
    for one in authorities:
        brought = rows.filter(*(pl.col(name).is_null() for name in one.nulls))
        others = brought.join(one.frame, on=one.columns, suffix="_of").filter(pl.col(PART) != pl.col(f"{PART}_of"))
        pairs.append(others.select(pl.col(f"{PART}_of").alias(PART), *key))
    return pl.concat(pairs).unique().join(rows, on=[PART, *key], how="anti")


def _held(
    cursor: Cursor, family: Family, rows: pl.DataFrame, within: pl.DataFrame
) -> tuple[pl.DataFrame, dict[Key, Any]]:
    """The open intervals of all objects concerned: key, values, first_seen_at; and when others were last seen gone."""
    key = _key(family)
    open_ones = within.drop(PART).unique(key)
    others = rows.select(key).unique().join(open_ones, on=key, how="anti")
    if others.is_empty():
        return open_ones, {}
    schema = {**open_ones.schema, "to_seen_at": UTC_MICROSECONDS}
    with as_table(cursor, others):
        sql = f"SELECT {', '.join(schema)} FROM {family.table} SEMI JOIN {INCOMING} USING ({', '.join(key)})"
        found = _fetched(cursor, sql, schema)
    is_open = pl.col("to_seen_at").is_null()
    gone = found.filter(~is_open).group_by(key).agg(pl.col("to_seen_at").max())
    return (
        pl.concat([open_ones, found.filter(is_open).drop("to_seen_at")]),
        {row[:-1]: row[-1] for row in gone.iter_rows()},
    )


def _unsettled(family: Family, rows: pl.DataFrame, held: pl.DataFrame, absent: pl.DataFrame) -> pl.DataFrame:
    """The rows that may change something: all but unchanged ones that only one fetch of the batch is about."""
    key, kept = _key(family), rows.select(PART, *_key(family), *family.values)
    contested = pl.concat([rows.select(key), absent.select(key)]).filter(pl.struct(key).is_duplicated()).unique()
    alone = kept.join(contested, on=key, how="anti")
    same = alone.select(key + list(family.values)).join(held, on=key, suffix="_held")
    same = same.filter(*(pl.col(name).eq_missing(pl.col(f"{name}_held")) for name in family.values))
    return kept.join(same.select(key), on=key, how="anti", maintain_order="left")


def _tracks(
    family: Family, present: pl.DataFrame, absent: pl.DataFrame, held: pl.DataFrame, gone_at: Mapping[Key, Any]
) -> dict[Key, Track]:
    """The present state of each object that may change."""
    key = _key(family)
    concerned = pl.concat([present.select(key), absent.select(key)]).unique()
    tracks = {row: Track(gone_seen_at=gone_at.get(row)) for row in concerned.iter_rows()}
    for row in held.join(concerned, on=key, how="semi").select(*key, *family.values, "first_seen_at").iter_rows():
        seen = row[-1]
        tracks[row[: len(key)]].held = Interval(row[len(key) : -1], seen, None, seen, is_stored=True)
    return tracks


def _follow(
    family: Family,
    tracks: Mapping[Key, Track],
    present: pl.DataFrame,
    absent: pl.DataFrame,
    fetches: Mapping[int, FamilyFetch],
) -> None:
    """Takes each object through the fetches, in their order."""
    width = 1 + len(family.key)
    seen = [(row[0], row[1 : width + 1], row[width + 1 :]) for row in present.iter_rows()]
    gone = [(row[0], row[1:], None) for row in absent.select(PART, *_key(family)).iter_rows()]
    for number, key, values in sorted([*seen, *gone], key=lambda one: one[0]):
        part, track = fetches[number], tracks[key]
        if values is not None:
            track.present(part.sight, values)
        elif track.held is not None and _is_within(family, part.authority, track.held.values):
            track.absent(part.sight)


def _is_within(family: Family, authority: Mapping[str, object], values: Key) -> bool:
    """Whether the values are still those of the authority: a fetch before may have changed them."""
    return all(
        name not in authority or authority[name] == value for name, value in zip(family.values, values, strict=True)
    )


def _write(cursor: Cursor, run_id: int, family: Family, tracks: Mapping[Key, Track], rows: BatchRows) -> MergedHistory:
    touched = [(key, one) for key, track in tracks.items() for one in track.touched]
    _end(cursor, run_id, family, [(key, one) for key, one in touched if one.is_stored])
    _begin(cursor, run_id, family, [(key, one) for key, one in touched if not one.is_stored])
    ends = [one.end.ended for _, one in touched if one.end is not None]
    begun = sum(not one.is_stored for _, one in touched)
    changed = ends.count("changed")
    return MergedHistory(begun - changed, changed, ends.count("gone"), rows)


def _end(cursor: Cursor, run_id: int, family: Family, ended: Sequence[tuple[Key, Interval]]) -> None:
    if not ended:
        return
    key = _key(family)
    schema = {SOURCE: pl.String, **family.key, **INTERVAL_COLUMNS}
    frame = pl.DataFrame(
        [(*of, *msgspec.structs.astuple(one.end)) for of, one in ended if one.end is not None],
        schema={name: schema[name] for name in (*key, *_ENDS)},
        orient="row",
    )
    on = " AND ".join(f"held.{name} = {INCOMING}.{name}" for name in key)
    new = ", ".join(f"{name} = {INCOMING}.{name}" for name in _ENDS)
    with as_table(cursor, frame):
        cursor.execute(
            f"UPDATE {family.table} AS held SET {new}, to_run = ? FROM {INCOMING} WHERE {on} AND held.to_at IS NULL",
            [run_id],
        )


def _begin(cursor: Cursor, run_id: int, family: Family, begun: Sequence[tuple[Key, Interval]]) -> None:
    schema = {SOURCE: pl.String, **family.schema, **INTERVAL_COLUMNS}
    frame = pl.DataFrame([_row(of, one, run_id) for of, one in begun], schema=schema, orient="row")
    insert(cursor, family.table, frame)


def _row(key: Key, one: Interval, run_id: int) -> tuple[object, ...]:
    end = one.end
    ended = (None,) * 5 if end is None else (end.to_at, end.to_after_at, end.to_seen_at, run_id, end.ended)
    return (*key, *one.values, one.from_at, one.after_at, one.first_seen_at, run_id, *ended)
