"""The index of distinct values of closed days, in a small Parquet file. I/O.

One row per source, field, value and month: `days` is a mask of the days of the month (bit 0: the first), `events` how many
events have the value, `first_at` the first of them and `lasted_us` the microseconds from it to the last. Names come first, then
digests, then texts (`section`), each sorted by value: an exact look-up opens one page, and a part of a name is not looked for
among digests, which are the most, where it cannot be part of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from quayledger.warehouse.ledger import Cursor
from quayledger.warehouse.log.usage import event_parts
from quayledger.warehouse.schema import FULL_NAME

# Each field that can be looked up, and its expression over the view `events`.
FIELDS: dict[str, str] = {
    "actor": "actor",
    "kind": "kind",
    "namespace": "namespace",
    "repository": FULL_NAME,
    "tag": "tag",
    "digest": "digest",
    "ip": "ip",
    "user_agent": "user_agent",
}
# Fields that are searched for a part of them only. Where a day has many different values of one, it is not indexed for that
# day: a row without a value says so.
TEXTS = ("metadata", "extra")
NAMES_SECTION, DIGESTS_SECTION, TEXTS_SECTION = 0, 1, 2
# Digests of the form that Quay writes, over a column; others are among the names.
PLAIN_DIGEST = "(({0} LIKE 'sha256:%' OR {0} LIKE 'sha512:%') AND {0} = lower({0}))"
_SECTIONS = {"digest": DIGESTS_SECTION} | dict.fromkeys(TEXTS, TEXTS_SECTION)
# What of an event the index is made from, besides TEXTS.
NAMES = (
    "source_id",
    "day",
    "occurred_at",
    "kind",
    "namespace",
    "repository",
    "actor",
    "tag",
    "digest",
    "ip",
    "user_agent",
)
_COLUMNS = (*NAMES, *TEXTS)
# So many different texts are indexed whatever the number of events, and more where each has four events or more.
_FEW_TEXTS = 5_000
_SCHEMA: dict[str, type[pl.DataType]] = {
    "section": pl.Int8,
    "field": pl.String,
    "value": pl.String,
    "source_id": pl.String,
    "month": pl.Date,
    "days": pl.Int32,
    "events": pl.Int64,
    "first_us": pl.Int64,
    "lasted_us": pl.Int64,
}
_KEYS = "section, field, value, source_id, month"
_ROW_GROUP_ROWS = 20_480


def write(cursor: Cursor, events: Path, target: Path) -> None:
    """Writes the index of a file of events: those of a day, or of the days of a month."""
    del cursor
    frames = [seen_frame(part) for part in event_parts(events, _COLUMNS)]
    rows = frames[0] if len(frames) == 1 and frames[0]["days"].n_unique() <= 1 else _combined(frames)
    rows.write_parquet(target, compression="zstd", compression_level=1, row_group_size=_ROW_GROUP_ROWS)


def write_joined(cursor: Cursor, indexes: Sequence[Path], target: Path) -> None:
    """Writes the indexes of days or stretches of one month as one."""
    cursor.execute(
        f"COPY (SELECT {_KEYS}, bit_or(days) AS days, CAST(sum(events) AS BIGINT) AS events, min(first_us) AS first_us, "  # noqa: S608
        f"max(first_us + lasted_us) - min(first_us) AS lasted_us FROM read_parquet({_listed(indexes)}) GROUP BY {_KEYS} "
        f"ORDER BY section, value, field) TO {_quoted(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP_ROWS})"
    )


def seen_frame(events: pl.DataFrame) -> pl.DataFrame:
    """The index of events of the view `events`, each day for itself: one row per source, field and value."""
    base = events.with_columns(
        # `namespace/name`, or the name alone.
        __repository=pl.concat_str(pl.col("namespace") + "/", pl.col("repository"), ignore_nulls=True),
        __us=pl.col("occurred_at").dt.epoch("us"),
    ).with_columns(__repository=pl.when(pl.col("repository").is_not_null()).then(pl.col("__repository")))
    found = pl.concat([*(_values(base, field) for field in FIELDS), *(_texts(base, field) for field in TEXTS)])
    return found.sort("section", "value", "field")


def _is_plain_digest() -> pl.Expr:
    value = pl.col("value")
    return (value.str.starts_with("sha256:") | value.str.starts_with("sha512:")) & (value == value.str.to_lowercase())


def _values(base: pl.DataFrame, field: str) -> pl.DataFrame:
    value = pl.col("__repository" if field == "repository" else field)
    found = (
        base.filter(value.is_not_null())
        .group_by(value.alias("value"), "source_id", "day")
        .agg(
            pl.len().alias("events"),
            pl.col("__us").min().alias("first_us"),
            (pl.col("__us").max() - pl.col("__us").min()).alias("lasted_us"),
        )
    )
    section = pl.lit(_SECTIONS.get(field, NAMES_SECTION))
    if field == "digest":
        section = pl.when(_is_plain_digest()).then(DIGESTS_SECTION).otherwise(NAMES_SECTION)
    made = found.with_columns(
        section=section,
        field=pl.lit(field),
        month=pl.col("day").dt.truncate("1mo"),
        days=pl.lit(2, pl.Int32).pow(pl.col("day").dt.day().cast(pl.Int32) - 1),
    )
    return made.select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())


def _texts(base: pl.DataFrame, field: str) -> pl.DataFrame:
    found = _values(base, field)
    if found.height <= max(_FEW_TEXTS, base.height // 4):
        return found
    return _combined([found.with_columns(value=pl.lit(None, pl.String))])


def _combined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One index of several."""
    last = (pl.col("first_us") + pl.col("lasted_us")).max()
    sums = (
        pl.col("days").bitwise_or(),
        pl.col("events").sum(),
        pl.col("first_us").min(),
        (last - pl.col("first_us").min()).alias("lasted_us"),
    )
    keys = ("section", "field", "value", "source_id", "month")
    return pl.concat(frames).group_by(keys).agg(*sums).select(*_SCHEMA).sort("section", "value", "field")


def _listed(paths: Sequence[Path]) -> str:
    return "[" + ", ".join(map(_quoted, paths)) + "]"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
