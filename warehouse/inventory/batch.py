"""A batch of fetch results: checks frames against their declared columns, and rejects rows that cannot be kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import polars as pl

from quayledger.warehouse.catalog import Type

# Where a row comes from: the number of its fetch and of its part (a FamilyRows or SeriesRows) within the batch.
SOURCE, FETCH, PART = "source_id", "fetch_no", "part_no"
IS_KEPT = "is_kept"


class BatchPart(msgspec.Struct, frozen=True):
    """One frame of one fetch. `number` is its place in the batch."""

    number: int
    fetch: int
    source_id: str
    rows: pl.DataFrame


class BatchRows(msgspec.Struct, frozen=True):
    """The rows of several parts, with SOURCE, FETCH, PART, and IS_KEPT (false: the same fetch brought the key once more, later
    on); `repeated`, `keyless`: how many rows of each fetch were left out as repeated, or because a part of their key is
    null; `keyless_parts`: parts with such rows."""

    frame: pl.DataFrame
    repeated: dict[int, int]
    keyless: dict[int, int]
    keyless_parts: frozenset[int]


def together(key: Iterable[str], schema: Mapping[str, Type], parts: Sequence[BatchPart]) -> BatchRows:
    """All parts as one frame, in their order. Raises ValueError where a declared column is missing."""
    key = list(key)
    filled = [part for part in parts if part.rows.height]
    frame = pl.concat([_fitted(part.rows, schema) for part in filled]) if filled else pl.DataFrame(schema=dict(schema))
    frame = frame.with_columns(
        pl.Series(SOURCE, [part.source_id for part in filled for _ in range(part.rows.height)], pl.String),
        pl.Series(FETCH, [part.fetch for part in filled for _ in range(part.rows.height)], pl.Int64),
        pl.Series(PART, [part.number for part in filled for _ in range(part.rows.height)], pl.Int64),
    )
    is_keyless = pl.any_horizontal(pl.col(key).is_null())
    keyless, frame = frame.filter(is_keyless), frame.filter(~is_keyless)
    frame = frame.with_columns(pl.struct(SOURCE, FETCH, *key).is_last_distinct().alias(IS_KEPT))
    return BatchRows(
        frame, _by_look(frame.filter(~pl.col(IS_KEPT))), _by_look(keyless), frozenset(keyless[PART].unique().to_list())
    )


def _fitted(rows: pl.DataFrame, schema: Mapping[str, Type]) -> pl.DataFrame:
    if rows.schema == schema:
        return rows
    if missing := [name for name in schema if name not in rows.columns]:
        raise ValueError(
            f"what a look brought lacks the column(s) {', '.join(missing)}: it has {', '.join(rows.columns)}"
        )
    return rows.select(pl.col(name).cast(kind, strict=False) for name, kind in schema.items())


def _by_look(frame: pl.DataFrame) -> dict[int, int]:
    return dict(frame.group_by(FETCH).len().iter_rows())
