"""What the inventory's readers share: rows of families that several queries bring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.results import FetchResult, Row, Where, family_rows, series_rows, vanished
from quayledger.collector.quay import users
from quayledger.collector.quay.autoprune import AutoPrunePolicy
from quayledger.collector.quay.immutability import ImmutabilityPolicy
from quayledger.collector.quay.notifications import Notification
from quayledger.collector.quay.quotas import Quota, QuotaReport
from quayledger.collector.quay.repositories import Repository
from quayledger.collector.quay.robots import Robot
from quayledger.collector.quay.rows import Rows
from quayledger.collector.quay.superuser import User
from quayledger.warehouse.inventory.store import FamilyRows, SeriesRows

USER, ORGANIZATION = "user", "organization"
_NO_SIZE: dict[str, object] = dict.fromkeys(
    ("size_bytes", "limit_bytes", "popularity", "last_modified_at", "calculated_at")
) | {"namespace": "", "repository": "", "backfill": ""}


def reasons(found: Rows[Any]) -> tuple[str, ...]:
    """Why rows could not be read."""
    return tuple(reject.reason for reject in found.rejected)


def split(target: str) -> tuple[str, str]:
    """Namespace and repository of a target; the repository may hold slashes itself."""
    namespace, _, name = target.partition("/")
    return namespace, name


def in_repository(target: str) -> dict[str, str]:
    """The key of a repository: the authority of a query that reads all of one, and the first columns of its rows."""
    namespace, name = split(target)
    return {"namespace": namespace, "repository": name}


async def own_name(run: InventoryRun) -> str:
    """The token's own user. Raises Unauthenticated where the token may not say."""
    if not run.username:
        run.username = (await users.get_logged_in_user(run.client, purpose="inventory")).username
    return run.username


def user_rows(found: Iterable[User]) -> Iterable[Row]:
    """Rows of `users`."""
    return (
        {
            "username": row.username,
            "email": row.email,
            "enabled": row.enabled,
            "verified": row.verified,
            "superuser": row.super_user,
            "readonly_superuser": row.global_readonly_super_user,
        }
        for row in found
    )


def repository_rows(found: Iterable[Repository]) -> Iterable[Row]:
    """Rows of `repositories`."""
    return (
        {
            "namespace": row.namespace,
            "repository": row.name,
            "repository_kind": row.kind,
            "state": row.state,
            "is_public": row.is_public,
            "description": row.description,
        }
        for row in found
    )


def autoprune_rows(namespace: str, repository: str, found: Iterable[AutoPrunePolicy]) -> Iterable[Row]:
    """Rows of `autoprune_policies`."""
    return (
        {
            "namespace": namespace,
            "repository": repository,
            "uuid": row.uuid,
            "method": row.method,
            "policy_value": None if row.value is None else str(row.value),
            "tag_pattern": row.tag_pattern,
            "tag_pattern_matches": row.tag_pattern_matches,
        }
        for row in found
    )


def immutability_rows(key: Row, found: Iterable[ImmutabilityPolicy]) -> Iterable[Row]:
    """Rows of `immutability_policies`; `key`: namespace and repository."""
    return (
        {
            **key,
            "uuid": row.uuid,
            "tag_pattern": row.tag_pattern,
            "tag_pattern_matches": row.tag_pattern_matches,
        }
        for row in found
    )


def notification_rows(key: Row, found: Iterable[Notification]) -> Iterable[Row]:
    """Rows of `notifications` and `namespace_notifications`; `key`: whose they are."""
    return (
        {
            **key,
            "uuid": row.uuid,
            "title": row.title,
            "event": row.event,
            "method": row.method,
            "target": row.target,
            "event_config": row.event_config,
        }
        for row in found
    )


def quota_parts(
    authority: Where, kind: str, found: Iterable[tuple[str, Sequence[Quota] | None]]
) -> tuple[FamilyRows, ...]:
    """Quotas and their limits, by namespace. None: the answer does not tell of them, as with quota management off."""
    held_by = [(namespace, quota) for namespace, quotas in found for quota in quotas or ()]
    limits = (
        {
            "namespace": namespace,
            "quota_id": quota.id,
            "limit_id": limit.id,
            "namespace_kind": kind,
            "limit_type": limit.type,
            "limit_percent": limit.limit_percent,
        }
        for namespace, quota in held_by
        for limit in quota.limits
    )
    rows = (
        {"namespace": namespace, "quota_id": quota.id, "namespace_kind": kind, "limit_bytes": quota.limit_bytes}
        for namespace, quota in held_by
    )
    return family_rows("quotas", authority, rows), family_rows("quota_limits", authority, limits)


def size_row(level: str, **values: object) -> Row:
    """A row of `sizes`: what is not given is not known."""
    return {"level": level, **_NO_SIZE, **values}


def sizes_of_namespaces(found: Iterable[tuple[str, QuotaReport | None]]) -> SeriesRows:
    """Points of `sizes`, where the answer tells of one."""
    return series_rows(
        "sizes",
        (
            size_row(
                "namespace",
                namespace=namespace,
                size_bytes=report.size_bytes,
                limit_bytes=report.limit_bytes,
                backfill=report.backfill_status or "",
            )
            for namespace, report in found
            if report is not None
        ),
    )


def sizes_of_repositories(found: Iterable[Repository]) -> SeriesRows:
    """Points of `sizes`, with popularity and the newest change."""
    return series_rows(
        "sizes",
        (
            size_row(
                "repository",
                namespace=row.namespace,
                repository=row.name,
                size_bytes=row.quota_report.size_bytes if row.quota_report else None,
                limit_bytes=row.quota_report.limit_bytes if row.quota_report else None,
                popularity=row.popularity,
                last_modified_at=row.last_modified,
            )
            for row in found
        ),
    )


def use_row(kind: str, subject: str, last_used_at: object, uses: int | None = None) -> Row:
    """A row of `last_uses`."""
    return {"subject_kind": kind, "subject": subject, "last_used_at": last_used_at, "uses": uses}


def robot_parts(namespace: str, found: Rows[Robot], before: Iterable[str]) -> FetchResult:
    """Robots of a namespace, their last use, and the repositories that they hold permissions on."""
    parts = [
        family_rows(
            "robots",
            {"namespace": namespace},
            (
                {
                    "robot": row.name,
                    "namespace": namespace,
                    "description": row.description,
                    "created_at": row.created,
                }
                for row in found.rows
            ),
        )
    ]
    # Plain members are told the names alone.
    if all(row.repositories is not None for row in found.rows):
        direct = (
            {"namespace": namespace, "repository": repository, "principal": row.name, "told_by": "robots"}
            for row in found.rows
            for repository in row.repositories or ()
        )
        parts.append(family_rows("direct_access", {"namespace": namespace, "told_by": "robots"}, direct))
    uses = series_rows("last_uses", (use_row("robot", row.name, row.last_accessed) for row in found.rows))
    gone = () if found.rejected else vanished("robot", before, [row.name for row in found.rows])
    return FetchResult(tuple(parts), (uses,), reasons(found), gone)
