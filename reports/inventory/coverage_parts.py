"""The parts of the inventory's coverage: for each query, how it went for all of its targets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from quayledger.reports.inventory.common import DELETED, REPOSITORY, TEAM
from quayledger.reports.inventory.inventory_query import fetch_states_by
from quayledger.reports.inventory.knowledge import FetchStates, Part, each
from quayledger.warehouse.catalog import QUERIES, QUERY
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.snapshot import Snapshot

_MANIFEST = pl.concat_str(REPOSITORY, pl.lit("@"), "digest")


def standing(snapshot: Snapshot, at: datetime | None, source_ids: Sequence[str]) -> tuple[Part, ...]:
    """One part per source and query that was ever read there by a moment (None: now), with `table` empty: its targets are
    all those that there were, those never read too."""
    fetches = fetch_states_by(snapshot, at, source_ids)
    ever = set(reader.coverage(snapshot, source_ids)["query"])
    targets = _targets(snapshot, at, source_ids)
    found: list[Part] = []
    for name in (*(query.name for query in QUERIES if query.name in ever), *sorted(ever - set(QUERY))):
        sources = fetches.by_then(name).select("source_id").unique()
        if sources.height:
            need = _need(name, targets, fetches).join(sources, on="source_id", how="semi")
            found += fetches.parts("", [need])
    return tuple(sorted(found, key=lambda part: part.source_id))


def _need(name: str, targets: dict[str, pl.DataFrame], fetches: FetchStates) -> pl.DataFrame:
    """All targets of a query; of one that only events ask for, those that it was read for and that are not gone."""
    query = QUERY.get(name)
    wanted = targets.get(query.target_set) if query and query.periods is not None and not query.opt_in else None
    if wanted is not None:
        return each(name, wanted, pl.col("target"))
    done = fetches.by_then(name).filter(pl.col("state") != "gone")
    if query and query.target_set == "registry":
        return each(name, done, pl.lit(""))
    return each(name, done, pl.col("target"))


def _targets(snapshot: Snapshot, at: datetime | None, source_ids: Sequence[str]) -> dict[str, pl.DataFrame]:
    """source_id and target of all objects, by level."""

    def held(family: str) -> pl.DataFrame:
        return reader.as_of(snapshot, family, at, source_ids=source_ids)

    organizations = held("organizations")
    repositories = held("repositories").filter(pl.col("state").fill_null("") != DELETED)
    moment = at or snapshot.published.published_at
    tags = held("tags").filter(pl.col("ended_at").is_null() | (pl.col("ended_at") > moment))
    tags = tags.join(repositories, on=["source_id", "namespace", "repository"], how="semi")
    robots = held("robots").join(
        organizations, left_on=["source_id", "namespace"], right_on=["source_id", "organization"], how="semi"
    )
    return {
        "user": held("users").select("source_id", target="username"),
        "organization": organizations.select("source_id", target="organization"),
        "team": held("teams").select("source_id", TEAM.alias("target")),
        "robot": robots.select("source_id", target="robot"),
        "repository": repositories.select("source_id", REPOSITORY.alias("target")),
        "manifest": tags.select("source_id", _MANIFEST.alias("target")),
        "digest": tags.unique(["source_id", "digest"], maintain_order=True).select(
            "source_id", _MANIFEST.alias("target")
        ),
    }
