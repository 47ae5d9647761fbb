"""Pushes: each period in which a tag pointed to a digest, with the event that began it.

A push by tag names no digest, and a tag's history names no pusher: the two are joined by the time at which the stretch began,
and each answer says how sure that is.
"""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from quayledger.warehouse.catalog import Type
from quayledger.warehouse.inventory.query import ask
from quayledger.warehouse.inventory.renames import RENAMED, Rename, join_renamed, new_name, rename_values, renames
from quayledger.warehouse.inventory.where import OF_SOURCES, Values, of_sources
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot

_TAG: dict[str, Type] = {
    "source_id": pl.String,
    "namespace": pl.String,
    "repository": pl.String,
    "tag": pl.String,
    "started_at": UTC_MICROSECONDS,
    "ended_at": UTC_MICROSECONDS,
    "digest": pl.String,
    "previous_digest": pl.String,
    "overwritten": pl.Boolean,
}
_EVENT: dict[str, Type] = {
    "event_id": pl.String,
    "pushed_at": UTC_MICROSECONDS,
    "event_kind": pl.String,
    "actor": pl.String,
    "actor_type": pl.String,
    "credential": pl.String,
    "ip": pl.String,
    "user_agent": pl.String,
}
PUSH_SCHEMA: dict[str, Type] = {**_TAG, **_EVENT, "confidence": pl.String, "candidates": pl.Int64}
_KINDS = ("push_repo", "create_tag", "move_tag", "revert_tag")
_PLACE = ["source_id", "namespace", "repository"]
# Of several pushes, what they all say may be said of the one that it was.
_AGREED = ("event_kind", "actor", "actor_type", "credential", "ip", "user_agent")
_OF_SOURCES = OF_SOURCES.replace("source_id", "held.source_id")
_DAY = timedelta(days=1)


def pushers(
    snap: Snapshot,
    *,
    source_ids: Sequence[str] = (),
    namespace: str | None = None,
    repository: str | None = None,
    tag: str | None = None,
    digest: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    window_s: int = 5,
    limit: int = 1000,
) -> pl.DataFrame:
    """One row per tag and stretch in which it stood for a digest, newest first, at most `limit` (0: all): PUSH_SCHEMA.

    source_id, namespace (its present name), repository, tag, started_at, ended_at, digest; previous_digest (what the tag
    stood for before), overwritten (it still did when this began); event_id, pushed_at, event_kind, actor, actor_type,
    credential, ip, user_agent of the event that began it; confidence: exact (the event names this digest) | by window
    (exactly one push of this tag within `window_s` seconds of started_at) | ambiguous (`candidates` pushes: event_id and
    pushed_at are null, the others are told where all agree) | unknown (no event). `since` <= started_at < `until`."""
    found = renames(snap, source_ids)
    chosen = {"namespace": namespace, "repository": repository, "tag": tag, "digest": digest}
    tags = _tags(snap, source_ids, found, chosen, since, until, limit)
    if tags.is_empty():
        return pl.DataFrame(schema=PUSH_SCHEMA)
    acts = _acts(snap, source_ids, found, tags, window_s)
    matched = _matched(tags, acts, window_s)
    told = pl.concat([_exact(matched), _by_window(matched)]).unique("row_no", keep="first", maintain_order=True)
    joined = (
        tags.join(told, on="row_no", how="left")
        .sort("row_no")
        .with_columns(pl.col("confidence").fill_null("unknown"), pl.col("candidates").fill_null(0))
    )
    return joined.select(PUSH_SCHEMA.keys()).cast(pl.Schema(PUSH_SCHEMA))


def _tags(
    snap: Snapshot,
    source_ids: Sequence[str],
    found: Sequence[Rename],
    chosen: dict[str, str | None],
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> pl.DataFrame:
    """The stretches, newest first: _TAG and row_no. Those that Quay tells no more count too."""
    name = new_name("renamed", "held.namespace")
    columns = {"namespace": name, "repository": "held.repository", "tag": "held.tag"}
    where = " AND ".join(
        ["true", *(f"{sql} = ${column}" for column, sql in columns.items() if chosen[column] is not None)]
    )
    values: Values = {column: value for column, value in chosen.items() if value is not None}
    frame = ask(
        snap,
        f"""WITH {RENAMED}, told AS (
            SELECT held.source_id, {name} AS namespace, held.repository, tag, started_at, digest, ordinal,
                arg_max(ended_at, from_at) AS ended_at
            FROM tags_history AS held {join_renamed("renamed", "held", "held.namespace", "held.from_at")}
            WHERE {_OF_SOURCES} AND {where}
            GROUP BY ALL
        ),
        in_line AS (
            SELECT *, lag(digest) OVER line AS previous_digest, lag(ended_at) OVER line AS previous_ended_at
            FROM told
            WINDOW line AS (PARTITION BY source_id, namespace, repository, tag ORDER BY started_at, ended_at, ordinal)
        )
        SELECT *, previous_digest IS NOT NULL AND previous_digest <> digest
                AND coalesce(previous_ended_at >= started_at - INTERVAL 1 SECOND, true) AS overwritten
        FROM in_line
        WHERE ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
            AND {"digest = $digest" if chosen["digest"] is not None else "true"}
        ORDER BY started_at DESC, source_id, namespace, repository, tag, ordinal
        {"LIMIT $limit" if limit else ""}""",
        of_sources(source_ids)
        | rename_values(found)
        | values
        | {"since": since, "until": until}
        | ({"limit": limit} if limit else {}),
        _TAG,
    )
    return frame.with_row_index("row_no")


def _acts(
    snap: Snapshot, source_ids: Sequence[str], found: Sequence[Rename], tags: pl.DataFrame, window_s: int
) -> pl.DataFrame:
    """The events that can have begun these stretches: _PLACE, tag, digest, and _EVENT."""
    place = "coalesce(held.repository_namespace, held.namespace)"
    first, last = tags["started_at"].min(), tags["started_at"].max()
    window = timedelta(seconds=window_s)
    bounds = (
        {"first": (first - window).astimezone(UTC).date(), "last": (last + window).astimezone(UTC).date()}
        if isinstance(first, datetime) and isinstance(last, datetime)
        else {}
    )
    schema = {**dict.fromkeys((*_PLACE, "tag", "digest"), pl.String), **_EVENT}
    return ask(
        snap,
        f"""WITH {RENAMED}
        SELECT held.source_id, {new_name("renamed", place)} AS namespace, repository, tag, digest, event_id,
            occurred_at AS pushed_at, kind AS event_kind, actor, actor_type, credential, ip, user_agent
        FROM events AS held {join_renamed("renamed", "held", place, "held.occurred_at")}
        WHERE list_contains($kinds, kind) AND {_OF_SOURCES} AND day BETWEEN $first AND $last
            AND ($repository IS NULL OR repository = $repository)""",
        of_sources(source_ids)
        | rename_values(found)
        | bounds
        | {"kinds": list(_KINDS), "repository": _only(tags["repository"])},
        schema,
    )


def _only(names: pl.Series) -> str | None:
    """The one name that there is; None where there are several."""
    return str(names[0]) if names.n_unique() == 1 else None


def _matched(tags: pl.DataFrame, acts: pl.DataFrame, window_s: int) -> pl.DataFrame:
    """Stretches with the events around their beginning: row_no, _EVENT, is_exact, distance. Joined by slots of time, so that
    a tag that is pushed all day is not joined with all of that."""
    width = max(window_s, 1)
    slot = pl.col("started_at").dt.epoch("s") // width
    wanted = tags.select(
        "row_no", *_PLACE, "tag", "digest", "started_at", pl.concat_list(slot - 1, slot, slot + 1).alias("slot")
    )
    wanted = wanted.explode("slot")
    acts = acts.with_columns((pl.col("pushed_at").dt.epoch("s") // width).alias("slot"))
    pairs = pl.concat(
        [
            wanted.join(acts.drop_nulls("tag"), on=[*_PLACE, "tag", "slot"], suffix="_told", coalesce=True).select(
                "row_no", "started_at", "digest", "digest_told", *_EVENT
            ),
            wanted.join(acts.filter(pl.col("tag").is_null()), on=[*_PLACE, "digest", "slot"], suffix="_told").select(
                "row_no", "started_at", "digest", pl.col("digest").alias("digest_told"), *_EVENT
            ),
        ]
    )
    distance = (pl.col("pushed_at") - pl.col("started_at")).abs()
    return pairs.with_columns(
        distance.alias("distance"), (pl.col("digest") == pl.col("digest_told")).alias("is_exact")
    ).filter(pl.col("distance") <= timedelta(seconds=window_s))


def _exact(matched: pl.DataFrame) -> pl.DataFrame:
    nearest = (
        matched.filter("is_exact").sort("distance", "event_id").unique("row_no", keep="first", maintain_order=True)
    )
    return nearest.select(
        "row_no", *_EVENT, pl.lit("exact").alias("confidence"), pl.lit(1, pl.UInt32).alias("candidates")
    )


def _by_window(matched: pl.DataFrame) -> pl.DataFrame:
    pushes = matched.filter(pl.col("digest_told").is_null() & (pl.col("event_kind") == "push_repo"))
    is_one = pl.len() == 1
    return pushes.group_by("row_no").agg(
        *(
            pl.when(pl.col(name).n_unique() == 1 if name in _AGREED else is_one).then(pl.col(name).first()).alias(name)
            for name in _EVENT
        ),
        pl.when(is_one).then(pl.lit("by window")).otherwise(pl.lit("ambiguous")).alias("confidence"),
        pl.len().alias("candidates"),
    )
