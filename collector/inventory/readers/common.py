"""What the inventory's readers share: rows of families that several looks bring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.results import Found, Row, brought, measured, vanished
from quayledger.collector.quay import users
from quayledger.collector.quay.autoprune import AutoPrunePolicy
from quayledger.collector.quay.quotas import Quota, QuotaReport
from quayledger.collector.quay.repositories import Repository
from quayledger.collector.quay.robots import Robot
from quayledger.collector.quay.rows import Rows
from quayledger.collector.quay.superuser import User
from quayledger.warehouse.inventory.store import Brought, Measured

USER, ORGANIZATION = "user", "organization"


def told(found: Rows[Any]) -> tuple[str, ...]:
    """Why rows could not be read."""
    return tuple(reject.reason for reject in found.rejected)


def named(target: str) -> tuple[str, str]:
    """Namespace and repository of a target; the repository may hold slashes itself."""
    namespace, _, name = target.partition("/")
    return namespace, name


def in_repository(target: str) -> dict[str, str]:
    """The authority of a look that tells all of a repository."""
    namespace, name = named(target)
    return {"namespace": namespace, "repository": name}


async def own_name(run: InventoryRun) -> str:
    """The token's own user. Raises Unauthenticated where the token may not say."""
    if not run.username:
        run.username = (await users.get_logged_in_user(run.client, purpose="inventory")).username
    return run.username


def user_rows(found: Iterable[User]) -> Iterable[Row]:
    """Rows of `users`."""
    return (
        (row.username, row.email, row.enabled, row.verified, row.super_user, row.global_readonly_super_user)
        for row in found
    )


def repository_rows(found: Iterable[Repository]) -> Iterable[Row]:
    """Rows of `repositories`."""
    return ((row.namespace, row.name, row.kind, row.state, row.is_public, row.description) for row in found)


def autoprune_rows(namespace: str, repository: str, found: Iterable[AutoPrunePolicy]) -> Iterable[Row]:
    """Rows of `autoprune_policies`."""
    return (
        (namespace, repository, row.uuid, row.method, _text(row.value), row.tag_pattern, row.tag_pattern_matches)
        for row in found
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def quota_parts(
    authority: Mapping[str, str], kind: str, found: Iterable[tuple[str, Sequence[Quota] | None]]
) -> tuple[Brought, ...]:
    """Quotas and their limits, by namespace. None: the answer does not tell of them, as with quota management off."""
    held_by = [(namespace, quota) for namespace, quotas in found for quota in quotas or ()]
    limits = (
        (namespace, quota.id, limit.id, kind, limit.type, limit.limit_percent)
        for namespace, quota in held_by
        for limit in quota.limits
    )
    rows = ((namespace, quota.id, kind, quota.limit_bytes) for namespace, quota in held_by)
    return brought("quotas", authority, rows), brought("quota_limits", authority, limits)


def sizes_of_namespaces(found: Iterable[tuple[str, QuotaReport | None]]) -> Measured:
    """Points of `sizes`, where the answer tells of one."""
    return measured(
        "sizes",
        (
            (
                "namespace",
                namespace,
                "",
                report.size_bytes,
                report.limit_bytes,
                report.backfill_status or "",
                None,
                None,
                None,
            )
            for namespace, report in found
            if report is not None
        ),
    )


def sizes_of_repositories(found: Iterable[Repository]) -> Measured:
    """Points of `sizes`, with popularity and the newest change."""
    return measured(
        "sizes",
        (
            (
                "repository",
                row.namespace,
                row.name,
                row.quota_report.size_bytes if row.quota_report else None,
                row.quota_report.limit_bytes if row.quota_report else None,
                "",
                row.popularity,
                row.last_modified,
                None,
            )
            for row in found
        ),
    )


def robot_parts(namespace: str, found: Rows[Robot], before: Iterable[str]) -> Found:
    """Robots of a namespace, their last use, and the repositories that they hold permissions on."""
    parts = [
        brought(
            "robots",
            {"namespace": namespace},
            ((row.name, namespace, row.description, row.created) for row in found.rows),
        )
    ]
    # Plain members are told the names alone.
    if all(row.repositories is not None for row in found.rows):
        parts.append(
            brought(
                "direct_access",
                {"namespace": namespace, "told_by": "robots"},
                (
                    (namespace, repository, row.name, "robots")
                    for row in found.rows
                    for repository in row.repositories or ()
                ),
            )
        )
    uses = measured("last_uses", (("robot", row.name, row.last_accessed, None) for row in found.rows))
    gone = () if found.rejected else vanished("robot", before, [row.name for row in found.rows])
    return Found(tuple(parts), (uses,), told(found), gone)
