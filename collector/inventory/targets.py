"""The inventory's universe: which targets there are for each look, from what is held. I/O: reads the ledger or a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import polars as pl

from quayledger.collector.inventory.due import Began, Known, Want
from quayledger.collector.inventory.queries import LOOKS, LookKind
from quayledger.settings import InventorySettings

_MIRRORS = ("MIRROR", "ORG_MIRROR")
_GONE = "MARKED_FOR_DELETION"
# The reference lists neither itself nor what the registry part of Quay (`/v2`) answers.
_ELSEWHERE = frozenset({"offered", "referrers"})


class Holder(Protocol):
    """A ledger or a published copy."""

    def frame(self, sql: str, values: Sequence[object] = ()) -> pl.DataFrame:
        """One query's rows, values bound."""


class Universe(msgspec.Struct, frozen=True):
    """What a source's inventory holds that can be looked at. Repositories are `namespace/name`, teams
    `organization/team`; `digests`: `namespace/repository@digest` of the manifests that a tag stands for now; `scans`: of
    those, one repository a digest; `new_digests`: since when a tag stands for
    them, of those that came after the repository's tags were first read; `tag_rows`: tags with their history, by repository."""

    access: str
    organizations: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    robots: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tag_rows: dict[str, int] = {}
    new_digests: dict[str, Began] = {}

    def targets(self, kind: LookKind) -> tuple[str, ...]:
        """All targets of a look; none where it is not for this access, or only events ask for it."""
        if kind.periods is None or kind.access not in ("any", self.access):
            return ()
        if kind.only_mirrors:
            return self.mirrors
        if kind.name in ("namespace_repositories", "scan"):
            return self.scans if kind.name == "scan" else self.namespaces
        return {
            "registry": ("",),
            "organization": self.organizations,
            "team": self.teams,
            "robot": self.robots,
            "repository": self.repositories,
            "manifest": self.digests,
            "tag": self.tags,
        }.get(kind.level, ())


def chosen(settings: InventorySettings) -> tuple[LookKind, ...]:
    """The looks that the settings ask for, wide before narrow."""
    kinds = [
        kind
        for kind in LOOKS
        if kind.name not in settings.leave_out and (not kind.opt_in or kind.name in settings.extra)
    ]
    return tuple(sorted(kinds, key=lambda kind: kind.tier))


def read_universe(holder: Holder, source_id: str, access: str, now: datetime) -> Universe:
    """What is held of a source as of now. `access`: superuser | other."""
    repositories = holder.frame(
        "SELECT concat(namespace, '/', repository) AS name, state FROM repositories WHERE source_id = ? ORDER BY name",
        [source_id],
    ).filter(pl.col("state").fill_null("") != _GONE)
    names = tuple(repositories["name"])
    organizations = _texts(holder, "SELECT organization FROM organizations WHERE source_id = ? ORDER BY 1", source_id)
    own = _texts(holder, "SELECT username FROM users WHERE source_id = ? ORDER BY 1", source_id)
    tags = _tags(holder, source_id, now).filter(pl.col("name").is_in(names))
    current = tags.filter(pl.col("is_current"))
    digests = current.select("name", "digest").unique().sort("name", "digest")
    scans = digests.unique("digest", keep="first", maintain_order=True)
    return Universe(
        access=access,
        organizations=organizations,
        namespaces=(*organizations, *own) if access == "other" else (),
        teams=_texts(
            holder, "SELECT concat(organization, '/', team) FROM teams WHERE source_id = ? ORDER BY 1", source_id
        ),
        robots=_robots(holder, source_id, organizations),
        repositories=names,
        mirrors=tuple(repositories.filter(pl.col("state").is_in(_MIRRORS))["name"]),
        digests=tuple(_joined(digests, "@", "digest")),
        scans=tuple(_joined(scans, "@", "digest")),
        tags=tuple(_joined(current.select("name", "tag").unique().sort("name", "tag"), ":", "tag")),
        tag_rows=dict(tags.group_by("name").len().iter_rows()),
        new_digests=_new_digests(holder, source_id, current),
    )


def _tags(holder: Holder, source_id: str, now: datetime) -> pl.DataFrame:
    return holder.frame(
        "SELECT concat(namespace, '/', repository) AS name, tag, digest, started_at, "
        "ended_at IS NULL OR ended_at > ? AS is_current FROM tags WHERE source_id = ?",
        [now, source_id],
    )


def _new_digests(holder: Holder, source_id: str, current: pl.DataFrame) -> dict[str, Began]:
    first = holder.frame(
        "SELECT target AS name, first_ok_at FROM looks WHERE source_id = ? AND look = 'tags' AND first_ok_at IS NOT NULL",
        [source_id],
    )
    began = current.group_by("name", "digest").agg(pl.col("started_at").min())
    new = began.join(first, on="name").filter(pl.col("started_at") > pl.col("first_ok_at"))
    return {
        f"{name}@{digest}": Began(at, first_ok_at)
        for name, digest, at, first_ok_at in new.select("name", "digest", "started_at", "first_ok_at").iter_rows()
    }


def orphans(holder: Holder, source_id: str) -> dict[str, list[tuple[str, str, str]]]:
    """What is held of manifests that no tag tells of any more, not even a past one: by family, (namespace, repository,
    digest); of vulnerabilities, which are the manifest's wherever it lies, ('', '', digest)."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for family in ("manifests", "manifest_labels", "referrers"):
        rows = holder.frame(
            f"SELECT DISTINCT namespace, repository, digest FROM {family} "  # noqa: S608 - one of three names
            "ANTI JOIN tags USING (source_id, namespace, repository, digest) WHERE source_id = ? ORDER BY ALL",
            [source_id],
        )
        found[family] = rows.rows()
    rows = holder.frame(
        "SELECT DISTINCT '', '', digest FROM vulnerabilities ANTI JOIN tags USING (source_id, digest) "
        "WHERE source_id = ? ORDER BY ALL",
        [source_id],
    )
    found["vulnerabilities"] = rows.rows()
    return found


def _robots(holder: Holder, source_id: str, organizations: Iterable[str]) -> tuple[str, ...]:
    """Robots of organisations; those of the own user have no federation to read."""
    held = holder.frame("SELECT robot, namespace FROM robots WHERE source_id = ? ORDER BY robot", [source_id])
    return tuple(held.filter(pl.col("namespace").is_in(list(organizations)))["robot"])


def _texts(holder: Holder, sql: str, source_id: str) -> tuple[str, ...]:
    return tuple(holder.frame(sql, [source_id]).to_series(0))


def _joined(frame: pl.DataFrame, sign: str, column: str) -> Iterator[str]:
    return (f"{name}{sign}{other}" for name, other in frame.select("name", column).iter_rows())


def current_names(holder: Holder, source_id: str) -> dict[str, str]:
    """The next names of renamed namespaces; deleted ones, which Quay calls by a UUID, keep theirs."""
    rows = holder.frame(
        "SELECT old_name, new_name FROM renames WHERE source_id = ? AND cause <> 'org_delete' ORDER BY renamed_at",
        [source_id],
    )
    return dict(rows.iter_rows())


def read_known(holder: Holder, source_id: str) -> dict[tuple[str, str], Known]:
    """How the newest look at each target went."""
    rows = holder.frame("SELECT look, target, state, tried_at, ok_at FROM looks WHERE source_id = ?", [source_id])
    return {(look, target): Known(state, tried, ok) for look, target, state, tried, ok in rows.iter_rows()}


def read_wanted(holder: Holder, source_id: str) -> list[Want]:
    """The looks that events ask for."""
    rows = holder.frame("SELECT look, target, cause, caused_at FROM looks_wanted WHERE source_id = ?", [source_id])
    return [Want(*row) for row in rows.iter_rows()]


def not_offered(holder: Holder, source_id: str, settings: InventorySettings) -> tuple[LookKind, ...]:
    """Looks of which the registry's own reference lists no operation: features that are off. None where it was not read."""
    offered = set(_texts(holder, "SELECT operation FROM offered_operations WHERE source_id = ?", source_id))
    if not offered:
        return ()
    return tuple(
        kind
        for kind in chosen(settings)
        if kind.operations and kind.name not in _ELSEWHERE and not offered & set(kind.operations)
    )


def unsettled_scans(holder: Holder, source_id: str) -> frozenset[str]:
    """Digests whose scan had not ended when it was last asked for."""
    found = _texts(holder, "SELECT digest FROM scans_now WHERE source_id = ? AND status = 'queued'", source_id)
    return frozenset(found)
