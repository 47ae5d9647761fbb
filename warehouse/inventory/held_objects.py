"""Held objects of a source by name: what can be requested, what was requested, and what became stale.

Reads a ledger or a published copy. A repository is `namespace/repository`, a team `organization/team`. Times are aware UTC.
Errors: the family of `warehouse.errors`.
"""

# ruff: noqa: S608 - SQL is put together from declared names; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

import polars as pl

from quayledger.warehouse.catalog import FAMILY

# Families whose rows belong to a manifest of a repository.
_OF_MANIFESTS = ("manifests", "manifest_labels", "referrers")
_DELETED = "org_delete"


class Holder(Protocol):
    """A ledger or a published copy."""

    def frame(self, sql: str, values: Sequence[object] = ()) -> pl.DataFrame:
        """One query's rows, values bound."""


def organizations(holder: Holder, source_id: str) -> tuple[str, ...]:
    """Names, sorted."""
    return _texts(holder, "SELECT organization FROM organizations WHERE source_id = ? ORDER BY 1", source_id)


def usernames(holder: Holder, source_id: str) -> tuple[str, ...]:
    """Names, sorted."""
    return _texts(holder, "SELECT username FROM users WHERE source_id = ? ORDER BY 1", source_id)


def teams(holder: Holder, source_id: str) -> tuple[str, ...]:
    """`organization/team`, sorted."""
    return _texts(holder, "SELECT concat(organization, '/', team) FROM teams WHERE source_id = ? ORDER BY 1", source_id)


def robots(holder: Holder, source_id: str) -> pl.DataFrame:
    """robot (its whole name), namespace; by robot."""
    return holder.frame("SELECT robot, namespace FROM robots WHERE source_id = ? ORDER BY robot", [source_id])


def repositories(holder: Holder, source_id: str) -> pl.DataFrame:
    """name, state; by name."""
    return holder.frame(
        "SELECT concat(namespace, '/', repository) AS name, state FROM repositories WHERE source_id = ? ORDER BY name",
        [source_id],
    )


def tags(holder: Holder, source_id: str, now: datetime) -> pl.DataFrame:
    """One row per tag and digest that it stood for: name (of the repository), tag, digest, started_at, is_current."""
    return holder.frame(
        "SELECT concat(namespace, '/', repository) AS name, tag, digest, started_at, "
        "ended_at IS NULL OR ended_at > ? AS is_current FROM tags WHERE source_id = ?",
        [now, source_id],
    )


def applications(holder: Holder, source_id: str) -> tuple[str, ...]:
    """`organization/client_id` of OAuth applications, sorted."""
    return _texts(
        holder,
        "SELECT concat(organization, '/', client_id) FROM applications WHERE source_id = ? ORDER BY 1",
        source_id,
    )


def mirrored_organizations(holder: Holder, source_id: str) -> tuple[str, ...]:
    """Names of organizations that mirror a namespace of another registry, sorted."""
    return _texts(holder, "SELECT organization FROM organization_mirrors WHERE source_id = ? ORDER BY 1", source_id)


def first_read_at(holder: Holder, source_id: str, query: str) -> pl.DataFrame:
    """When each target of a query was first read: name (the target), first_ok_at."""
    return holder.frame(
        "SELECT target AS name, first_ok_at FROM looks WHERE source_id = ? AND look = ? AND first_ok_at IS NOT NULL",
        [source_id, query],
    )


def orphans(holder: Holder, source_id: str) -> dict[str, list[tuple[str, str, str]]]:
    """What is held of manifests that no tag stands for any more, not even a past one: by family, (namespace, repository,
    digest); of vulnerabilities, which are the manifest's wherever it lies, ('', '', digest)."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for family in _OF_MANIFESTS:
        rows = holder.frame(
            f"SELECT DISTINCT namespace, repository, digest FROM {family} "
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


def current_names(holder: Holder, source_id: str) -> dict[str, str]:
    """The next names of renamed namespaces; deleted ones, which Quay calls by a UUID, keep theirs."""
    rows = holder.frame(
        "SELECT old_name, new_name FROM renames WHERE source_id = ? AND cause <> ? ORDER BY renamed_at",
        [source_id, _DELETED],
    )
    return dict(rows.iter_rows())


def last_fetches(holder: Holder, source_id: str) -> pl.DataFrame:
    """How the newest fetch of each target went: query, target, state, tried_at, ok_at."""
    return holder.frame(
        "SELECT look AS query, target, state, tried_at, ok_at FROM looks WHERE source_id = ?", [source_id]
    )


def first_fetch_at(holder: Holder, source_id: str) -> datetime | None:
    """When anything of the registry was first read; None: never."""
    found = holder.frame("SELECT min(first_ok_at) AS first FROM looks WHERE source_id = ?", [source_id])["first"]
    first: datetime | None = found[0]
    return first


def offered_operations(holder: Holder, source_id: str) -> frozenset[str]:
    """Ids of the operations that Quay's discovery lists; empty where it was not read."""
    return frozenset(_texts(holder, "SELECT operation FROM offered_operations WHERE source_id = ?", source_id))


def queued_scans(holder: Holder, source_id: str) -> frozenset[str]:
    """Digests whose scan had not ended when it was last asked for."""
    return frozenset(
        _texts(holder, "SELECT digest FROM scans_now WHERE source_id = ? AND status = 'queued'", source_id)
    )


def newest_manifests(holder: Holder, source_id: str, namespaces: Sequence[str]) -> pl.DataFrame:
    """The newest that was held of each manifest of these namespaces, gone or not: the columns of the family."""
    family = FAMILY["manifests"]
    return holder.frame(
        f"SELECT {', '.join(family.schema)} FROM {family.table} WHERE source_id = ? "
        "AND namespace IN (SELECT unnest(CAST(? AS VARCHAR[]))) "
        "QUALIFY row_number() OVER (PARTITION BY namespace, repository, digest ORDER BY from_at DESC) = 1",
        [source_id, sorted(namespaces)],
    )


def changed_objects_a_day(
    holder: Holder, source_id: str, kinds: Sequence[str], first: date, last: date
) -> float | None:
    """How many distinct objects events of these kinds name, a day on average from `first` until `last`, which is not
    included; None where there is no such event."""
    found = holder.frame(
        "SELECT day, count(DISTINCT concat_ws('/', namespace, repository, CASE WHEN contains(kind, 'tag') OR kind = "
        "'push_repo' THEN 'tag' ELSE kind END)) AS objects FROM stg_events "
        f"WHERE source_id = ? AND day >= ? AND day < ? AND kind IN ({', '.join('?' for _ in kinds)}) GROUP BY day",
        [source_id, first, last, *kinds],
    )
    return float(found["objects"].sum()) / (last - first).days if found.height else None


def _texts(holder: Holder, sql: str, source_id: str) -> tuple[str, ...]:
    return tuple(holder.frame(sql, [source_id]).to_series(0))
