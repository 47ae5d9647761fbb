"""The inventory's targets: the objects that each query is sent for, from what is held. I/O: reads the ledger or a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
import polars as pl

from quayledger.collector.inventory.due import Birth, LastFetch
from quayledger.settings import InventorySettings
from quayledger.warehouse.catalog import QUERIES, Query
from quayledger.warehouse.catalog.queries import TargetSet
from quayledger.warehouse.inventory import held_objects
from quayledger.warehouse.inventory.held_objects import Holder

_MIRRORS = ("MIRROR", "ORG_MIRROR")
_GONE = "MARKED_FOR_DELETION"
_LONGEST_SETTLE = max(query.settle for query in QUERIES)


class Targets(msgspec.Struct, frozen=True):
    """What a source's inventory holds that can be asked about. `sets`: names by set of targets: repositories are
    `namespace/name`, teams `organization/team`, manifests (that a tag stands for now) and digests (of those, one
    repository each) `namespace/repository@digest`, applications `organization/client_id`, tags `namespace/repository:tag`; `born`: since when a tag stands for a
    manifest, of those that came after the repository's tags were first read; `rows_held`: of a paged family, its rows by
    target (of repositories' tags with their history; '' for what is the registry's)."""

    access: str
    sets: dict[TargetSet, tuple[str, ...]] = {}
    born: dict[str, Birth] = {}
    rows_held: dict[str, dict[str, int]] = {}

    def of(self, query: Query) -> tuple[str, ...]:
        """All targets of a query; none where it is not for this access, or only events ask for it."""
        if query.periods is None or query.access not in ("any", self.access):
            return ()
        return ("",) if query.target_set == "registry" else self.sets.get(query.target_set, ())


def chosen(settings: InventorySettings) -> tuple[Query, ...]:
    """The queries that the settings ask for, wide before narrow."""
    queries = [
        query
        for query in QUERIES
        if query.name not in settings.leave_out and (not query.opt_in or query.name in settings.extra)
    ]
    return tuple(sorted(queries, key=lambda query: query.tier))


def read_targets(holder: Holder, source_id: str, access: str, now: datetime) -> Targets:
    """What is held of a source as of now. `access`: superuser | other."""
    repositories = held_objects.repositories(holder, source_id).filter(pl.col("state").fill_null("") != _GONE)
    names = tuple(repositories["name"])
    organizations = held_objects.organizations(holder, source_id)
    usernames = held_objects.usernames(holder, source_id)
    tags = held_objects.tags(holder, source_id, now).filter(pl.col("name").is_in(names))
    current = tags.filter(pl.col("is_current"))
    manifests = current.select("name", "digest").unique().sort("name", "digest")
    digests = manifests.unique("digest", keep="first", maintain_order=True)
    # Robots of users have no federation that could be read.
    robots = held_objects.robots(holder, source_id).filter(pl.col("namespace").is_in(organizations))
    return Targets(
        access=access,
        sets={
            "organization": organizations,
            "namespace": (*organizations, *usernames) if access == "other" else (),
            "user": usernames,
            "mirrored_organization": held_objects.mirrored_organizations(holder, source_id),
            "application": held_objects.applications(holder, source_id),
            "team": held_objects.teams(holder, source_id),
            "robot": tuple(robots["robot"]),
            "repository": names,
            "mirror": tuple(repositories.filter(pl.col("state").is_in(_MIRRORS))["name"]),
            "manifest": tuple(_joined(manifests, "@", "digest")),
            "digest": tuple(_joined(digests, "@", "digest")),
            "tag": tuple(_joined(current.select("name", "tag").unique().sort("name", "tag"), ":", "tag")),
        },
        born=births_of(held_objects.first_read_at(holder, source_id, "tags"), tags, now),
        rows_held={
            "tags": dict(tags.group_by("name").len().iter_rows()),
            "organizations": {"": len(organizations)},
            "users": {"": len(usernames)},
            "repositories": {"": len(names)},
        },
    )


def births_of(first_read: pl.DataFrame, tags: pl.DataFrame, now: datetime) -> dict[str, Birth]:
    """Of manifests that a tag came to stand for after its repository's tags were first read."""
    new = tags.join(first_read, on="name").filter(pl.col("started_at") > pl.col("first_ok_at"))
    line = new.sort("started_at").with_columns(
        pl.col("started_at").shift(-1).over("name", "tag").fill_null(now).alias("until")
    )
    recent = line.filter(pl.col("until") >= now - _LONGEST_SETTLE)
    before: dict[tuple[str, str], list[tuple[str, datetime]]] = {}
    for name, tag, digest, at in recent.select("name", "tag", "digest", "started_at").reverse().iter_rows():
        before.setdefault((name, tag), []).append((f"{name}@{digest}", at))
    births: dict[str, Birth] = {}
    current = line.filter("is_current").select("name", "tag", "digest", "started_at", "first_ok_at")
    for name, tag, digest, at, first_ok_at in current.sort("started_at", descending=True).iter_rows():
        target = f"{name}@{digest}"
        earlier = tuple(one for one in before.get((name, tag), ()) if one[1] < at)
        # Where several tags stand for it, the first of them counts; its other tags wait with it.
        births[target] = Birth(at, first_ok_at, earlier)
    return births


def _joined(frame: pl.DataFrame, sign: str, column: str) -> Iterator[str]:
    return (f"{name}{sign}{other}" for name, other in frame.select("name", column).iter_rows())


def read_last_fetches(holder: Holder, source_id: str) -> dict[tuple[str, str], LastFetch]:
    """How the newest fetch of each query and target went."""
    rows = held_objects.last_fetches(holder, source_id).iter_rows()
    return {(query, target): LastFetch(state, tried, ok) for query, target, state, tried, ok in rows}


def not_offered(offered: Iterable[str], settings: InventorySettings) -> tuple[Query, ...]:
    """Queries of which Quay's discovery lists no operation: features that are off. None where it was not read."""
    known = set(offered)
    if not known:
        return ()
    return tuple(
        query
        for query in chosen(settings)
        if query.operations and query.in_discovery and not known & set(query.operations)
    )
