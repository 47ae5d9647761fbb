"""The usage rollup of closed days: how often what was done, where and by whom, in a small Parquet file. I/O.

Its rows are of several parts, each with the columns that it needs and null in the others:

- `where`: events by kind, namespace, repository, actor type and client.
- `who`: events by kind, namespace, actor, actor type and client.
- `pair`: which actor did anything in which repository, failed logins aside.
- `address`: from which address anything was done in which namespace.
- `active`: in which quarters of an hour of a day an actor did anything in a namespace, failed logins aside: `am` and `pm` are masks
  (bit n: the nth quarter of the UTC day's first, second half), so that names are told apart in any time zone.
- `quarter`: events by kind and namespace of each quarter of an hour (0 to 95) of a day.

`days` is a mask of days of the month (bit 0: the first). Rows of one day count that day; those of joined days have the number of
each day in a column of its own (d01 to d31), so that any part of a month is a sum of columns and not of many rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from quayledger.warehouse.ledger import Cursor

QUARTERS = 96
# The quarter of an hour of the UTC day, 0 to 95, whatever the session's time zone.
QUARTER = "CAST((epoch_us(occurred_at) - epoch_us(CAST(day AS TIMESTAMP))) // 900000000 AS INTEGER)"
DAY_COLUMNS = tuple(f"d{number:02}" for number in range(1, 32))
WHERE_KEYS = ("kind", "namespace", "repository", "actor_type", "client")
WHO_KEYS = ("kind", "namespace", "actor", "actor_type", "client")
# The parts that count by key, that only say on which days, and that are of single days.
COUNTED, MARKED, DAILY = ("where", "who"), ("pair", "address"), ("active", "quarter")
_NAMES = ("source_id", "kind", "namespace", "repository", "actor", "actor_type", "client", "ip")
# What of an event the rollup is made from.
_COLUMNS = ("day", "occurred_at", *_NAMES)
_ROWS: dict[str, type[pl.DataType]] = {
    "part": pl.Categorical,
    "month": pl.Date,
    "days": pl.Int32,
    "day": pl.Date,
    "quarter": pl.Int16,
    **dict.fromkeys(_NAMES, pl.Categorical),
    "events": pl.Int64,
    "am": pl.Int64,
    "pm": pl.Int64,
}
# The columns of the file. Names are dictionaries in it, and are grouped as numbers.
SCHEMA: dict[str, type[pl.DataType]] = {**_ROWS, **dict.fromkeys(DAY_COLUMNS, pl.Int32)}
_AM = pl.Series([1 << n if n < 48 else 0 for n in range(QUARTERS)], dtype=pl.Int64)
_PM = pl.Series([1 << (n - 48) if n >= 48 else 0 for n in range(QUARTERS)], dtype=pl.Int64)
_ROW_GROUP_ROWS = 61_440
_EVENTS_AT_ONCE = 1_000_000


def write(cursor: Cursor, events: Path, target: Path) -> None:
    """Writes the rollup of a file of events: those of a day, or of the days of a month."""
    del cursor
    frames = [usage_frame(part) for part in event_parts(events, _COLUMNS)]
    rows = frames[0] if len(frames) == 1 else _combined(frames)
    _write(rows if rows["day"].n_unique() <= 1 else _joined([rows]), target)


def write_joined(cursor: Cursor, rollups: Sequence[Path], target: Path) -> None:
    """Writes the rollups of days or stretches of one month, of different days each, as one."""
    del cursor
    _write(_joined([pl.read_parquet(path) for path in rollups]), target)


def event_parts(events: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The events of a file, in its order, in frames of a bounded size."""
    scan, start = pl.scan_parquet(events).select(columns), 0
    while True:
        part = scan.slice(start, _EVENTS_AT_ONCE).collect()
        if part.height or not start:
            yield part
        if part.height < _EVENTS_AT_ONCE:
            return
        start += part.height


def usage_frame(events: pl.DataFrame) -> pl.DataFrame:
    """The rollup of events of the view `events`, each day for itself: one row per part and its keys."""
    since_midnight = pl.col("occurred_at").dt.epoch("us") - pl.col("day").cast(pl.Datetime("us")).dt.epoch("us")
    base = events.select(
        "day",
        *(pl.col(name).cast(pl.Categorical) for name in _NAMES),
        quarter=(since_midnight // 900_000_000).cast(pl.Int16),
    )
    named = base.filter(pl.col("actor").is_not_null() & pl.col("kind").ne_missing("login_failure"))
    halves = named.with_columns(
        am=pl.lit(_AM).gather(pl.col("quarter")), pm=pl.lit(_PM).gather(pl.col("quarter"))
    ).group_by("source_id", "day", "namespace", "actor")
    parts = {
        "active": halves.agg(pl.col("am").bitwise_or(), pl.col("pm").bitwise_or()),
        "address": _distinct(base.filter(pl.col("ip").is_not_null()), "namespace", "ip"),
        "pair": _distinct(named.filter(pl.col("repository").is_not_null()), "namespace", "repository", "actor"),
        "quarter": _counted(base, "kind", "namespace", "quarter"),
        "where": _counted(base, *WHERE_KEYS),
        "who": _counted(base, *WHO_KEYS),
    }
    return pl.concat([_as_part(name, frame) for name, frame in parts.items()])


def _distinct(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return frame.group_by("source_id", "day", *keys).agg()


def _counted(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return frame.group_by("source_id", "day", *keys).agg(pl.len().cast(pl.Int64).alias("events"))


def _as_part(part: str, frame: pl.DataFrame) -> pl.DataFrame:
    made = frame.with_columns(
        part=pl.lit(part, pl.Categorical),
        month=pl.col("day").dt.truncate("1mo"),
        days=pl.lit(2, pl.Int32).pow(pl.col("day").dt.day().cast(pl.Int32) - 1),
    )
    absent = [pl.lit(None, kind).alias(name) for name, kind in _ROWS.items() if name not in made.columns]
    return made.with_columns(absent).select(pl.col(name).cast(kind) for name, kind in _ROWS.items())


def _combined(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """One rollup of several that may be of the same days."""
    keys = [name for name in _ROWS if name not in ("events", "am", "pm")]
    sums = (pl.col("events").sum(), pl.col("am").bitwise_or(), pl.col("pm").bitwise_or())
    return pl.concat(frames).group_by(keys).agg(*sums).select(*_ROWS)


def _joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    parts = {
        names: [frame.filter(pl.col("part").cast(pl.String).is_in(names)) for frame in frames]
        for names in (MARKED, COUNTED, DAILY)
    }
    found = (
        _joined_marks(parts[MARKED]),
        _joined_counts(parts[COUNTED]),
        pl.concat([frame.select(*_ROWS) for frame in parts[DAILY]]),
    )
    return pl.concat([frame.select(_complete(frame)) for frame in found])


def _complete(frame: pl.DataFrame) -> list[pl.Expr]:
    return [
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in SCHEMA.items()
    ]


def _joined_marks(frames: list[pl.DataFrame]) -> pl.DataFrame:
    keys = ("part", "source_id", "month", "namespace", "repository", "actor", "ip")
    return pl.concat([frame.select(*keys, "days") for frame in frames]).group_by(keys).agg(pl.col("days").bitwise_or())


def _joined_counts(frames: list[pl.DataFrame]) -> pl.DataFrame:
    keys = ("part", "source_id", "month", *dict.fromkeys((*WHERE_KEYS, *WHO_KEYS)))
    joined = [frame.select(*keys, "days", "events", *DAY_COLUMNS) for frame in frames if "d01" in frame.columns]
    if single := [frame.select(*keys, "days", "events") for frame in frames if "d01" not in frame.columns]:
        joined.append(_by_day(pl.concat(single), keys))
    if len(joined) == 1:
        return joined[0]
    sums = (pl.col("days").bitwise_or(), pl.col("events").sum(), pl.col(DAY_COLUMNS).sum())
    return pl.concat(joined).group_by(keys).agg(*sums)


def _by_day(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Rows of single days as rows with a column for each day."""
    wide = rows.pivot(on="days", index=keys, values="events", aggregate_function="sum")
    wide = wide.rename({str(1 << number): name for number, name in enumerate(DAY_COLUMNS)}, strict=False)
    wide = wide.with_columns(pl.lit(0).alias(name) for name in DAY_COLUMNS if name not in wide.columns)
    wide = wide.with_columns(pl.col(DAY_COLUMNS).fill_null(0).cast(pl.Int32))
    marks = [(pl.col(name) > 0).cast(pl.Int32) * (1 << number) for number, name in enumerate(DAY_COLUMNS)]
    sums = {"days": pl.sum_horizontal(marks), "events": pl.sum_horizontal(pl.col(DAY_COLUMNS).cast(pl.Int64))}
    return wide.with_columns(**sums).select(*keys, pl.col("days").cast(pl.Int32), "events", *DAY_COLUMNS)


def _write(rows: pl.DataFrame, target: Path) -> None:
    # Whoever asks for a namespace's hours reads few pages, and neighbours that are alike take less space.
    order = ("part", "namespace", "repository", "actor", "day", "quarter")
    rows.sort(pl.col(order).to_physical() if rows.height else order).write_parquet(
        target, compression="zstd", compression_level=1, row_group_size=_ROW_GROUP_ROWS
    )
