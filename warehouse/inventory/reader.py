"""Reads the inventory: what was true when, what was measured, and what is known at all. Takes a `Snapshot`.

Every value is bound. Times are aware UTC, sizes bytes; a time that is asked for must be aware. `source_ids`: none are all.
`where`: values of columns of the family or series, null where None. Errors: WarehouseError, NotPublished for a copy from
before there was an inventory; ValueError for a family, series or column that there is not.
"""

# ruff: noqa: S608 - SQL is put together from declared names; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from quayledger.warehouse.catalog import INTERVAL_COLUMNS, Type, family_of, series_of
from quayledger.warehouse.inventory.access import effective_access
from quayledger.warehouse.inventory.changed_objects import logged_changes
from quayledger.warehouse.inventory.credential_events import credential_events
from quayledger.warehouse.inventory.diff import diff
from quayledger.warehouse.inventory.last_use import last_use
from quayledger.warehouse.inventory.pushes import pushers
from quayledger.warehouse.inventory.query import ask
from quayledger.warehouse.inventory.where import OF_SOURCES, Where, of_sources, where_of
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot

__all__ = [
    "as_of",
    "coverage",
    "credential_events",
    "diff",
    "effective_access",
    "first_read_at",
    "history",
    "knowledge",
    "last_use",
    "logged_changes",
    "pushers",
    "series",
    "tag_counts_now",
    "tag_totals_now",
    "tags_now",
    "unknown",
]
_OF_TIME = ("from_at", "after_at", "first_seen_at", "to_at")
_TAG_NAME = "concat(namespace, '/', repository, ':', tag)"
_TAG_COLUMNS: dict[str, Type] = {**family_of("tags").schema, "name": pl.String}
_NOT_UNKNOWN = ("ok", "partial", "gone")


def as_of(
    snap: Snapshot,
    family: str,
    at: datetime | None = None,
    *,
    source_ids: Sequence[str] = (),
    where: Where | None = None,
) -> pl.DataFrame:
    """What held at a moment (None: now), from_at <= at < to_at: source_id, the family's key and values, from_at, after_at,
    first_seen_at, to_at (null: it holds still); by source and key."""
    chosen = family_of(family)
    condition, values = where_of(chosen.schema, where)
    moment = "to_at IS NULL" if at is None else "from_at <= $at AND (to_at IS NULL OR to_at > $at)"
    schema: dict[str, Type] = {"source_id": pl.String, **chosen.schema, **dict.fromkeys(_OF_TIME, UTC_MICROSECONDS)}
    return ask(
        snap,
        f"SELECT {', '.join(schema)} FROM {chosen.table} WHERE {moment} AND {OF_SOURCES} AND {condition} "
        f"ORDER BY source_id, {', '.join(chosen.key)}",
        values | of_sources(source_ids) | ({} if at is None else {"at": at}),
        schema,
    )


def history(snap: Snapshot, family: str, *, source_ids: Sequence[str] = (), where: Where | None = None) -> pl.DataFrame:
    """All intervals of a family, by source, key and time: source_id, key, values, and INTERVAL_COLUMNS."""
    chosen = family_of(family)
    condition, values = where_of(chosen.schema, where)
    schema: dict[str, Type] = {"source_id": pl.String, **chosen.schema, **INTERVAL_COLUMNS}
    return ask(
        snap,
        f"SELECT {', '.join(schema)} FROM {chosen.table} WHERE {OF_SOURCES} AND {condition} "
        f"ORDER BY source_id, {', '.join(chosen.key)}, from_at",
        values | of_sources(source_ids),
        schema,
    )


def series(
    snap: Snapshot,
    name: str,
    *,
    source_ids: Sequence[str] = (),
    where: Where | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    """The points of a series that were measured in the half-open stretch, by source, key and time: source_id, key, values,
    measured_at, run_id. Sizes whose `backfill` is neither complete nor '' are not whole."""
    chosen = series_of(name)
    condition, values = where_of(chosen.schema, where)
    schema: dict[str, Type] = {
        "source_id": pl.String,
        **chosen.schema,
        "measured_at": UTC_MICROSECONDS,
        "run_id": pl.Int64,
    }
    return ask(
        snap,
        f"SELECT {', '.join(schema)} FROM {chosen.name} WHERE ($since IS NULL OR measured_at >= $since) "
        f"AND ($until IS NULL OR measured_at < $until) AND {OF_SOURCES} AND {condition} "
        f"ORDER BY source_id, {', '.join(chosen.key)}, measured_at",
        values | of_sources(source_ids) | {"since": since, "until": until},
        schema,
    )


_KNOWN: dict[str, Type] = {
    "source_id": pl.String,
    "query": pl.String,
    "target": pl.String,
    "state": pl.String,
    "reason": pl.String,
    "state_since": UTC_MICROSECONDS,
    "ok_at": UTC_MICROSECONDS,
}


def knowledge(
    snap: Snapshot, at: datetime | None = None, source_ids: Sequence[str] = (), *, query: str = ""
) -> pl.DataFrame:
    """How the newest fetch of each target by a moment (None: now) had gone: source_id, query, target, state, reason,
    state_since, ok_at. What was not read by then has no row. `query`: of this one only ('': of all, which may be millions
    of rows).

    `ok_at` is the last fetch that was ok or partial; for a moment in the past it is one by then that is known for sure,
    and may be older than the last; `reason` may then be that of the first fetch with this state."""
    only = "true" if not query else "look = $query"
    values = of_sources(source_ids) | ({"query": query} if query else {})
    if at is None:
        return ask(
            snap,
            f"""SELECT looks.source_id, look AS query, target, looks.state, looks.reason, stretch.from_at AS state_since, looks.ok_at
            FROM (SELECT * FROM looks WHERE {OF_SOURCES} AND {only}) AS looks
            JOIN (SELECT * FROM looks_history WHERE to_at IS NULL AND {OF_SOURCES} AND {only}) AS stretch
                USING (source_id, look, target)""",
            values,
            _KNOWN,
        ).sort("source_id", "query", "target")
    return ask(
        snap,
        f"""WITH stretches AS (
            SELECT source_id, look, target, state, reason, from_at, to_at FROM looks_history
            WHERE {OF_SOURCES} AND {only} AND from_at <= $at
        ),
        read AS (
            SELECT source_id, look, target, max(from_at) AS ok_at FROM stretches WHERE state IN ('ok', 'partial')
            GROUP BY ALL
        )
        SELECT source_id, look AS query, target, stretches.state, stretches.from_at AS state_since,
            CASE WHEN looks.tried_at <= $at THEN looks.reason ELSE stretches.reason END AS reason,
            CASE WHEN looks.ok_at <= $at THEN looks.ok_at ELSE read.ok_at END AS ok_at
        FROM stretches
        JOIN (SELECT * FROM looks WHERE {OF_SOURCES} AND {only}) AS looks USING (source_id, look, target)
        LEFT JOIN read USING (source_id, look, target)
        WHERE stretches.to_at IS NULL OR stretches.to_at > $at
        ORDER BY source_id, look, target""",
        values | {"at": at},
        _KNOWN,
    )


def tags_now(
    snap: Snapshot,
    moment: datetime,
    columns: Sequence[str],
    *,
    source_ids: Sequence[str] = (),
    where: Where | None = None,
    within: str | None = None,
    by: str = "",
    limit: int = 0,
) -> pl.DataFrame:
    """The tags that stand at a moment that is not before the newest fetch: source_id and these columns of the family `tags`,
    or `name` (`namespace/repository:tag`); there may be millions of rows. `within`: of this namespace or repository only;
    `by`: the column to sort by, the largest first, as far as `limit` (0: all, in no order) asks for an order."""
    schema: dict[str, Type] = {"source_id": pl.String, **{name: _TAG_COLUMNS[name] for name in columns}}
    if by and by not in _TAG_COLUMNS:
        raise ValueError(f"there is no column {by!r} to sort by: the columns are {', '.join(_TAG_COLUMNS)}")
    values, condition = _standing_tags(source_ids, moment, where, within)
    first = f"{by} {'ASC' if _TAG_COLUMNS[by] == pl.String else 'DESC'} NULLS LAST, " if by else ""
    order = f" ORDER BY {first}source_id, {_TAG_NAME} LIMIT {int(limit)}" if limit else ""
    return ask(
        snap,
        f"SELECT {', '.join(schema)} FROM (SELECT *, {_TAG_NAME} AS name FROM tags_history WHERE {condition}){order}",
        values,
        schema,
    )


def tag_totals_now(
    snap: Snapshot, moment: datetime, *, source_ids: Sequence[str] = (), within: str | None = None
) -> pl.DataFrame:
    """One row on the tags of `tags_now`: tags, digests (distinct), expiring (with an end that is known)."""
    values, condition = _standing_tags(source_ids, moment, None, within)
    return ask(
        snap,
        # Distinct digests are counted by their hashes, which take a tenth of the memory.
        "SELECT count(*) AS tags, count(DISTINCT hash(digest)) AS digests, count(ended_at) AS expiring "
        f"FROM tags_history WHERE {condition}",
        values,
        {"tags": pl.Int64, "digests": pl.Int64, "expiring": pl.Int64},
    )


def _standing_tags(
    source_ids: Sequence[str], moment: datetime, where: Where | None, within: str | None
) -> tuple[dict[str, object], str]:
    condition, values = where_of(family_of("tags").schema, where)
    values = values | of_sources(source_ids) | {"moment": moment}
    parts = [
        "to_at IS NULL",
        "started_at <= $moment",
        "(ended_at IS NULL OR ended_at > $moment)",
        OF_SOURCES,
        condition,
    ]
    if within is not None:
        signs = " OR ".join(f"starts_with({_TAG_NAME}, $within || '{sign}')" for sign in "/:")
        parts.append(f"({_TAG_NAME} = $within OR {signs})")
        values["within"] = within
    return values, " AND ".join(parts)


def tag_counts_now(snap: Snapshot, moment: datetime, *, source_ids: Sequence[str] = ()) -> pl.DataFrame:
    """How many tags each repository has, as of `tags_now`: source_id, namespace, repository, tags."""
    return ask(
        snap,
        f"SELECT source_id, namespace, repository, count(*) AS tags FROM tags_history WHERE to_at IS NULL "
        f"AND started_at <= $moment AND (ended_at IS NULL OR ended_at > $moment) AND {OF_SOURCES} GROUP BY ALL",
        of_sources(source_ids) | {"moment": moment},
        {"source_id": pl.String, "namespace": pl.String, "repository": pl.String, "tags": pl.Int64},
    )


def first_read_at(snap: Snapshot, source_ids: Sequence[str] = ()) -> datetime | None:
    """When anything of these registries was first read, of the one that was first read last (UTC); None: never."""
    found = ask(
        snap,
        "SELECT max(first) AS first FROM (SELECT source_id, min(first_ok_at) AS first FROM looks "
        f"WHERE {OF_SOURCES} GROUP BY source_id)",
        of_sources(source_ids),
        {"first": UTC_MICROSECONDS},
    )
    first: datetime | None = found["first"][0]
    return first


def unknown(
    snap: Snapshot, queries: Sequence[str] = (), at: datetime | None = None, *, source_ids: Sequence[str] = ()
) -> pl.DataFrame:
    """What is held of other targets only, or is old: the rows of `knowledge` whose fetch was refused, not offered, not asked
    (others of its kind were refused), or failed. `queries`: names of queries, none are all; a target that ends in `*` speaks
    for all of its namespace, or of the registry."""
    known = knowledge(snap, at, source_ids)
    wanted = pl.lit(True) if not queries else pl.col("query").is_in(list(queries))
    return known.filter(wanted & ~pl.col("state").is_in(_NOT_UNKNOWN))


def coverage(snap: Snapshot, source_ids: Sequence[str] = ()) -> pl.DataFrame:
    """One row per source and query: source_id, query, targets (those that are gone aside), ok, partial, refused,
    not_offered, failed, not_asked, gone (how many targets each), oldest_ok_at, newest_ok_at, oldest_age_s, newest_age_s
    (seconds from those to when the copy was published; null: never read)."""
    return ask(
        snap,
        f"""SELECT source_id, look AS query, targets - gone AS targets, ok, partial, refused, not_offered, failed, not_asked, gone,
            oldest_ok_at, newest_ok_at,
            date_diff('second', oldest_ok_at, greatest(oldest_ok_at, $now)) AS oldest_age_s,
            date_diff('second', newest_ok_at, greatest(newest_ok_at, $now)) AS newest_age_s
        FROM mart_inventory_coverage WHERE {OF_SOURCES} ORDER BY source_id, look""",
        of_sources(source_ids) | {"now": snap.published.published_at},
    )
