"""Answers from rollups: closed days from the small files beside their events, everything else from the events. Pure, except that
it asks which files a snapshot has.

What a reader gets is one relation in which both are alike, so every figure is the same number as the events give.
"""

# ruff: noqa: S608 - SQL is put together from our own names; every value is bound

from __future__ import annotations

from datetime import date, datetime, timedelta

import msgspec

from quayledger.warehouse.event_files import SEEN_SUFFIX, USAGE_SUFFIX, EventFile, path_for_duckdb
from quayledger.warehouse.log.seen import FIELDS
from quayledger.warehouse.log.usage import KEYS
from quayledger.warehouse.snapshot import Snapshot

_KEYS = ", ".join(KEYS)


class Rollups(msgspec.Struct, frozen=True):
    """The rollups that answer for the whole UTC days `first` to `last`. `files`: those whose events have to be read all the
    same, for a part of a day at either end of the period."""

    first: date
    last: date
    usage: list[str]
    seen: list[str]
    files: list[EventFile]

    @property
    def values(self) -> dict[str, object]:
        """What the relations bind beside the filter's own values."""
        return {"rolled_first": self.first, "rolled_last": self.last, "usage_files": self.usage}

    @property
    def seen_values(self) -> dict[str, object]:
        """What `seen_sql` binds."""
        return seen_values(self.first, self.last) | {"seen_files": self.seen}


def find_rollups(snap: Snapshot, since: datetime | None, until: datetime | None) -> Rollups | None:
    """The rollups for a period (aware, half-open); None where there are none, or any file of the period is broken or not
    rolled up yet, so that the events have to be read."""
    first, last = whole_days(since, until)
    inside = [file for file in snap.files if file.last_day >= first and file.first_day <= last]
    if not inside or any(file not in snap.rolled_files for file in inside):
        return None
    partial = {moment.date() for moment in _utc(since, until) if not _is_midnight(moment)}
    edges = [file for file in snap.files if any(file.first_day <= day <= file.last_day for day in partial)]
    return Rollups(
        first,
        last,
        [_beside(snap, file, USAGE_SUFFIX) for file in inside],
        [_beside(snap, file, SEEN_SUFFIX) for file in inside],
        edges,
    )


def seen_files(snap: Snapshot, first: date | None, last: date | None) -> list[str] | None:
    """The indexes of the files that may hold events of the UTC days from `first` to `last`; None where one is missing."""
    files = snap.files_between(first, last)
    if any(file not in snap.rolled_files for file in files):
        return None
    return [_beside(snap, file, SEEN_SUFFIX) for file in files]


def _beside(snap: Snapshot, file: EventFile, suffix: str) -> str:
    return path_for_duckdb(snap.home, msgspec.structs.replace(file, file=file.beside(suffix)))


def whole_days(since: datetime | None, until: datetime | None) -> tuple[date, date]:
    """The first and the last UTC day that lie wholly within a half-open period."""
    first, last = date.min, date.max
    if since is not None:
        (moment,) = _utc(since)
        first = moment.date() if _is_midnight(moment) else moment.date() + timedelta(days=1)
    if until is not None:
        (moment,) = _utc(until)
        last = moment.date() - timedelta(days=1)
    return first, last


def _utc(*moments: datetime | None) -> list[datetime]:
    return [moment - (moment.utcoffset() or timedelta()) for moment in moments if moment is not None]


def _is_midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)


def usage_sql(names: str, where: str, *, edges: bool) -> str:
    """A relation with the columns KEYS and `events`: how many events are alike in them. `names`: the filter without its
    period, `where`: the whole of it."""
    parts = [
        f"SELECT {_KEYS}, events FROM read_parquet($usage_files) WHERE day BETWEEN $rolled_first AND $rolled_last AND {names}",
        *(
            f"SELECT {_KEYS}, count(*) FROM {relation} GROUP BY {_KEYS}"
            for relation in raw_relations(_KEYS, where, edges=edges)
        ),
    ]
    return f"({' UNION ALL '.join(parts)})"


def raw_relations(columns: str, where: str, *, edges: bool) -> list[str]:
    """The events of the filter that no rollup counts: of the live file, late ones, and of parts of days."""
    found = [f"(SELECT {columns} FROM stg_interpreted_events WHERE {where})"]
    if edges:
        found.append(
            f"(SELECT {columns} FROM stg_current_files WHERE {where} AND day NOT BETWEEN $rolled_first AND $rolled_last)"
        )
    return found


def seen_sql(field: str, where: str, *, edges: bool) -> str:
    """A relation with the column `value`: each value of a field that an event of the filter has, often several times. The
    filter may name sources and a period, and nothing else."""
    rolled = f"SELECT value FROM read_parquet($seen_files) WHERE field = '{field}' AND {IN_MONTHS} AND {{sources}}"
    raw = [f"SELECT {FIELDS[field]} AS value FROM {relation}" for relation in raw_relations("*", where, edges=edges)]
    return f"({' UNION ALL '.join([rolled, *raw])})"


# Whether a value occurred on a day from the first to the last, by the mask of the days of its month.
IN_MONTHS = (
    "month BETWEEN $first_month AND $last_month AND (days & CASE WHEN month = $first_month THEN $first_days ELSE -1 END "
    "& CASE WHEN month = $last_month THEN $last_days ELSE -1 END) <> 0"
)


def seen_values(first: date, last: date) -> dict[str, object]:
    """What IN_MONTHS binds."""
    return {
        "first_month": first.replace(day=1),
        "last_month": last.replace(day=1),
        "first_days": -(1 << (first.day - 1)),
        "last_days": (1 << last.day) - 1,
    }


def quarters_sql(moment: str) -> str:
    """CTEs `quarters` (day, quarter, what `moment` makes of its local beginning `local`) of all closed days."""
    return (
        "days AS (SELECT DISTINCT day FROM filed_quarters WHERE day BETWEEN $rolled_first AND $rolled_last), "
        f"quarters AS (SELECT day, quarter, {moment} FROM (SELECT day, quarter, timezone($time_zone, "
        "timezone('UTC', CAST(day AS TIMESTAMP)) + to_minutes(15 * quarter)) AS local "
        "FROM days CROSS JOIN (SELECT unnest(generate_series(0, 95)) AS quarter)))"
    )
