"""The diff of the inventory: what differs between two moments, in all families, sizes and scans.

An object that was found when its place was read for the first time did not appear then; unless its place is new
itself, or an event told of it. An account that was renamed is the same account, and so is all that goes by its name.
"""

# ruff: noqa: S608 - SQL is put together from declared names; every value is bound

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import msgspec
import polars as pl

from quayledger.warehouse.catalog import FAMILIES, FAMILY, INTERVAL_COLUMNS, SERIES, Family, Series, Type
from quayledger.warehouse.inventory.diff_steps import DIFF_SCHEMA, lines, measured, net_of, steps_of
from quayledger.warehouse.inventory.query import ask
from quayledger.warehouse.inventory.renames import Rename, renames, with_new_names
from quayledger.warehouse.inventory.where import OF_SOURCES, Values, of_sources
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot

# Columns that name an account, or a robot of it.
_NAMES = (
    "namespace",
    "organization",
    "username",
    "member",
    "principal",
    "delegate",
    "robot",
    "owner",
    "activating_user",
    "approver",
    "created_by",
    "manual_user",
)
# A team is no account, though it may be called like one.
_MAYBE_TEAM = {"principal": "principal_kind", "delegate": "delegate_kind"}
# Of each measurement, what is worth telling: popularity and the like change with every fetch.
_MEASURED = {
    "sizes": ("size_bytes", "limit_bytes", "backfill"),
    "scans": ("status", "critical", "high", "medium", "low", "other", "fixable", "packages"),
}
# The families whose objects are places in which others are, outer ones first, with the kind of place and what names it.
_PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "organizations": ("space", ("organization",)),
    "users": ("space", ("username",)),
    "teams": ("team", ("organization", "team")),
    "repositories": ("repository", ("namespace", "repository")),
}
# The places in which an object is, by the columns that say so.
_WITHIN = (
    ("space", ("organization",)),
    ("space", ("namespace",)),
    ("team", ("organization", "team")),
    ("repository", ("namespace", "repository")),
)
# `is_renamed_place`: it is new by its name only.
_NEW: dict[str, Type] = {"place": pl.String, "new_after_at": UTC_MICROSECONDS, "is_renamed_place": pl.Boolean}
_ORDER = sorted(FAMILIES, key=lambda one: (*_PLACES, one.name).index(one.name))


class _Span(msgspec.Struct, frozen=True):
    snap: Snapshot
    since: datetime
    until: datetime
    source_ids: tuple[str, ...]
    renames: tuple[Rename, ...]

    @property
    def values(self) -> Values:
        """What every query binds."""
        return of_sources(self.source_ids) | {"since": self.since, "until": self.until}


def diff(
    snap: Snapshot,
    since: datetime,
    until: datetime,
    *,
    source_ids: Sequence[str] = (),
    families: Sequence[str] = (),
    every_step: bool = False,
) -> pl.DataFrame:
    """What is otherwise at `until` than at `since`, by time: DIFF_SCHEMA, one row per object that appeared or vanished and
    per column that changed. What came and went in between is left out, unless `every_step`: then each step is a row.

    source_id; family; object (the key for people); key (JSON); change: appeared | vanished | changed | renamed |
    measured (sizes and scans: the newest point by each moment); column (null where the object appeared or vanished: then
    `after` or `before` tells what is known of it, such as `role write`); before, after (text); at (when, as near as is
    known); after_at (not earlier than that; null: not known); first_seen_at (the fetch that told it); certain (false: it
    may be older, since its place had not been read before, or not by its new name; or, of what vanished with a
    renamed account, it may merely not have been read by the new name yet); run_id. `families`: names of families, `sizes`,
    `scans`; none are all. Raises ValueError for another name."""
    chosen = _chosen(families)
    found = tuple(renames(snap, source_ids, since, until))
    span = _Span(snap, since, until, tuple(source_ids), found)
    new = _renamed_places(found)
    parts = [pl.DataFrame(schema=DIFF_SCHEMA)]
    for family in _ORDER:
        if family.name not in chosen and family.name not in _PLACES:
            continue
        found_here = _intervals(span, family, new)
        if found_here.is_empty():
            continue
        line = lines(family, found_here, since, until)
        if family.name in _PLACES:
            new = pl.concat([new, _new_places(family, line)])
        if family.name in chosen:
            parts.append(steps_of(family, line) if every_step else net_of(family, line))
    parts += [_measurements(span, one) for one in SERIES if one.name in chosen]
    parts.append(_renamed(found, chosen, every_step=every_step))
    return pl.concat(parts).sort("at", "source_id", "family", "object", "column", nulls_last=True)


def _chosen(families: Sequence[str]) -> frozenset[str]:
    known = {*FAMILY, *_MEASURED}
    if strange := set(families) - known:
        raise ValueError(
            f"no differences are told of {', '.join(sorted(strange))}: they are of {', '.join(sorted(known))}"
        )
    return frozenset(families) or frozenset(known)


def _intervals(span: _Span, family: Family, new: pl.DataFrame) -> pl.DataFrame:
    """The intervals that begin or end within the span, those aside that a first fetch found: key, values, FETCHED."""
    schema: dict[str, Type] = {"source_id": pl.String, **family.schema, **INTERVAL_COLUMNS}
    values = span.values
    counts, lasts = ["after_at IS NOT NULL", "from_at < first_seen_at", "to_at <= $until"], ["false"]
    if new.height and (places := _within(family)):
        counts += [f"concat(source_id, '/{kind}:', {_joined(names)}) IN {_list('new')}" for kind, names in places]
        values["new"] = new["place"].to_list()
    if span.renames and (names := _names(family)):
        # Under both names, even where nothing begins or ends: else one of the two would seem to stand alone.
        counts += [f"split_part({name}, '+', 1) IN {_list('new_names')}" for name in names]
        lasts += [f"split_part({name}, '+', 1) IN {_list('old_names')}" for name in names]
        values |= {
            "new_names": [one.now_called for one in span.renames],
            "old_names": [one.old_name for one in span.renames],
        }
    frame = ask(
        span.snap,
        f"""SELECT {", ".join(schema)} FROM {family.table} WHERE {OF_SOURCES} AND (
            ((from_at > $since AND from_at <= $until) OR (to_at > $since AND to_at <= $until))
            AND ({" OR ".join(counts)})
            OR from_at <= $since AND (to_at IS NULL OR to_at > $until) AND ({" OR ".join(lasts)})
        )""",
        values,
        schema,
    )
    return frame if frame.is_empty() else _with_places(_with_new_names(family, frame, span.renames), family, new)


def _list(name: str) -> str:
    return f"(SELECT unnest(CAST(${name} AS VARCHAR[])))"


def _joined(names: Sequence[str]) -> str:
    return ", '/', ".join(names)


def _names(family: Family) -> list[str]:
    return [name for name in _NAMES if name in family.schema]


def _within(family: Family) -> list[tuple[str, tuple[str, ...]]]:
    return [(kind, names) for kind, names in _WITHIN if set(names) <= set(family.schema)]


def _with_new_names(family: Family, frame: pl.DataFrame, found: Sequence[Rename]) -> pl.DataFrame:
    names = _names(family)
    kinds = {name: kind for name, kind in _MAYBE_TEAM.items() if kind in family.schema}
    if not kinds:
        return with_new_names(frame, names, "from_at", found)
    is_team = pl.any_horizontal(pl.col(kind).eq_missing("team") for kind in kinds.values())
    return pl.concat(
        [
            with_new_names(frame.filter(~is_team), names, "from_at", found),
            with_new_names(frame.filter(is_team), [name for name in names if name not in kinds], "from_at", found),
        ]
    )


def _with_places(frame: pl.DataFrame, family: Family, new: pl.DataFrame) -> pl.DataFrame:
    """Whether each row's place is new itself, and since when at the earliest: null where that is not certain."""
    frame = frame.with_columns(
        pl.lit(False).alias("is_of_new"), pl.lit(None, dtype=UTC_MICROSECONDS).alias("new_after_at")
    )
    for kind, names in _within(family) if new.height else ():
        found = new.group_by("place").agg(
            pl.col("new_after_at").max().alias("_after_at"),
            pl.col("is_renamed_place").any().alias("_is_renamed"),
            (~pl.col("is_renamed_place")).any().alias("_is_new"),
        )
        frame = (
            frame.with_columns(_place(kind, names).alias("place"))
            .join(found, on="place", how="left")
            .with_columns(
                pl.col("is_of_new")
                | pl.col("_is_new").fill_null(value=False)
                # What is told by an old name was there before its place was called so.
                | (pl.col("_is_renamed").fill_null(value=False) & ~pl.col("is_renamed")),
                pl.coalesce("new_after_at", "_after_at"),
            )
            .drop("place", "_after_at", "_is_new", "_is_renamed")
        )
    return frame


def _place(kind: str, names: Sequence[str]) -> pl.Expr:
    return pl.concat_str(pl.col("source_id"), pl.lit(f"/{kind}:"), pl.concat_str(list(names), separator="/"))


def _renamed_places(found: Sequence[Rename]) -> pl.DataFrame:
    """The namespaces of renamed accounts by their new names: what was not there under the old one is new, it seems."""
    return pl.DataFrame(
        [(f"{one.source_id}/space:{one.now_called}", None, True) for one in found], schema=_NEW, orient="row"
    )


def _new_places(family: Family, line: pl.DataFrame) -> pl.DataFrame:
    """The objects that appeared in the span, as places."""
    kind, names = _PLACES[family.name]
    return line.filter("is_appeared").select(
        _place(kind, names).alias("place"),
        pl.coalesce("after_at", "new_after_at").alias("new_after_at"),
        pl.lit(False).alias("is_renamed_place"),
    )


def _measurements(span: _Span, series: Series) -> pl.DataFrame:
    """What the newest points by the end of the span say otherwise than those by its beginning."""
    key = ["source_id", *series.key]
    schema: dict[str, Type] = {
        "source_id": pl.String,
        **series.schema,
        "measured_at": UTC_MICROSECONDS,
        "run_id": pl.Int64,
    }
    columns = ", ".join(f"points.{name}" for name in schema)
    named = ", ".join(key)
    newest = "SELECT {key}, max(measured_at) AS measured_at FROM {table} WHERE {where} GROUP BY ALL"
    within = newest.format(
        key=named, table=series.name, where=f"{OF_SOURCES} AND measured_at > $since AND measured_at <= $until"
    )
    before = newest.format(key=named, table=series.name, where=f"{OF_SOURCES} AND measured_at <= $since")
    asked = f"SELECT {columns} FROM {series.name} AS points JOIN ({{}}) AS newest USING ({named}, measured_at)"
    now = ask(span.snap, asked.format(within), span.values, schema)
    if now.is_empty():
        return pl.DataFrame(schema=DIFF_SCHEMA)
    then = ask(span.snap, asked.format(before), of_sources(span.source_ids) | {"since": span.since}, schema)
    names = [name for name in _NAMES if name in series.key]
    then = with_new_names(then, names, "measured_at", span.renames).drop("is_renamed", "run_id")
    then = then.sort("measured_at").unique(key, keep="last")
    both = now.join(then.rename({name: f"before_{name}" for name in then.columns if name not in key}), on=key)
    return measured(series, _MEASURED[series.name], both)


def _renamed(found: Sequence[Rename], chosen: frozenset[str], *, every_step: bool) -> pl.DataFrame:
    rows = []
    for one in found:
        family, name = ("users", "username") if one.account_kind == "user" else ("organizations", "organization")
        is_later = any((other.source_id, other.new_name) == (one.source_id, one.old_name) for other in found)
        now = one.new_name if every_step else one.now_called
        if family not in chosen or now == one.old_name or (is_later and not every_step):
            continue
        last = one if every_step else _last_of(one, found)
        key = json.dumps({name: now}, separators=(",", ":"), ensure_ascii=False)
        told = (one.source_id, family, now, key, "renamed", name, one.old_name, now)
        rows.append((*told, last.renamed_at, None, None, True, last.run_id))
    return pl.DataFrame(rows, schema=DIFF_SCHEMA, orient="row")


def _last_of(one: Rename, found: Sequence[Rename]) -> Rename:
    """The rename that gave it its present name."""
    same = [other for other in found if (other.source_id, other.new_name) == (one.source_id, one.now_called)]
    return same[-1] if same else one
