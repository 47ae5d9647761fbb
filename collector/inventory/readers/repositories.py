"""The inventory's readers of a repository: itself, its permissions, and what is set up around it."""

from __future__ import annotations

import json

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers.common import (
    autoprune_rows,
    immutability_rows,
    in_repository,
    notification_rows,
    reasons,
    split,
)
from quayledger.collector.inventory.results import FetchResult, family_rows, series_rows
from quayledger.collector.quay import (
    autoprune,
    builds,
    immutability,
    mirrors,
    notifications,
    permissions,
    repositories,
    triggers,
)
from quayledger.collector.quay.errors import NotFound

_NEWEST_BUILDS = 100


async def _repository(run: InventoryRun, target: str) -> FetchResult:
    key = in_repository(target)
    found = await repositories.get_repository(run.client, target, stats=True, purpose="inventory")
    row = {
        **key,
        "repository_kind": found.kind,
        "state": found.state,
        "is_public": found.is_public,
        "description": found.description,
    }
    settings = {**key, "tag_expiration_s": found.tag_expiration_s, "trust_enabled": found.trust_enabled}
    parts = (family_rows("repositories", key, (row,)), family_rows("repository_settings", key, (settings,)))
    # The day that is not over yet goes on growing.
    today = run.now().date()
    counts = ({**key, "day": stat.day, "actions": stat.count} for stat in (found.stats or ()) if stat.day < today)
    rejected = () if found.stats is None else reasons(found.stats)
    return FetchResult(parts, (series_rows("repository_actions", counts),), rejected)


async def _user_permissions(run: InventoryRun, target: str) -> FetchResult:
    key = in_repository(target)
    found = await permissions.list_user_permissions(run.client, target, purpose="inventory")
    parts = tuple(
        family_rows(
            "repository_permissions",
            {**key, "principal_kind": kind},
            (
                {**key, "principal_kind": kind, "principal": row.name, "role": row.role}
                for row in found.rows
                if bool(row.is_robot) == (kind == "robot")
            ),
        )
        for kind in ("user", "robot")
    )
    return FetchResult(parts, rejected=reasons(found))


async def _team_permissions(run: InventoryRun, target: str) -> FetchResult:
    of_teams = {**in_repository(target), "principal_kind": "team"}
    found = await permissions.list_team_permissions(run.client, target, purpose="inventory")
    rows = ({**of_teams, "principal": row.name, "role": row.role} for row in found.rows)
    return FetchResult((family_rows("repository_permissions", of_teams, rows),), rejected=reasons(found))


async def _notifications(run: InventoryRun, target: str) -> FetchResult:
    key = in_repository(target)
    found = await notifications.list_notifications(run.client, target, purpose="inventory")
    rows = notification_rows(key, found.rows)
    return FetchResult((family_rows("notifications", key, rows),), rejected=reasons(found))


async def _immutability(run: InventoryRun, target: str) -> FetchResult:
    key = in_repository(target)
    found = await immutability.list_repository_immutability(run.client, target, purpose="inventory")
    rows = immutability_rows(key, found.rows)
    return FetchResult((family_rows("immutability_policies", key, rows),), rejected=reasons(found))


async def _triggers(run: InventoryRun, target: str) -> FetchResult:
    key = in_repository(target)
    found = await triggers.list_triggers(run.client, target, purpose="inventory")
    rows = (
        {
            **key,
            "trigger_id": row.id,
            "service": row.service,
            "is_active": row.is_active,
            "enabled": row.enabled,
            "disabled_reason": row.disabled_reason,
            "build_source": row.build_source,
            "dockerfile_path": row.dockerfile_path,
            "context": row.context,
        }
        for row in found.rows
    )
    return FetchResult((family_rows("triggers", key, rows),), rejected=reasons(found))


async def _builds(run: InventoryRun, target: str) -> FetchResult:
    """The newest ones; older ones are listed no more, which does not mean that they never were."""
    key = in_repository(target)
    found = await builds.list_builds(run.client, target, limit=_NEWEST_BUILDS, purpose="inventory")
    rows = (
        {
            **key,
            "build_id": row.id,
            "phase": row.phase,
            "started_at": row.started,
            "trigger_id": row.trigger.id if row.trigger else None,
            "trigger_kind": row.trigger.service if row.trigger else None,
            "manual_user": row.manual_user,
        }
        for row in found.rows
    )
    return FetchResult((family_rows("builds", key, rows, closes=False),), rejected=reasons(found))


async def _autoprune(run: InventoryRun, target: str) -> FetchResult:
    namespace, name = split(target)
    found = await autoprune.list_repository_policies(run.client, target, purpose="inventory")
    rows = autoprune_rows(namespace, name, found.rows)
    return FetchResult((family_rows("autoprune_policies", in_repository(target), rows),), rejected=reasons(found))


async def _mirror(run: InventoryRun, target: str) -> FetchResult:
    """A repository that is no mirror any more answers as one that is not there."""
    key = in_repository(target)
    try:
        found = await mirrors.get_mirror(run.client, target, purpose="inventory")
    except NotFound:
        return FetchResult((family_rows("mirrors", key, ()),))
    row = {
        **key,
        "is_enabled": found.is_enabled,
        "mirror_type": found.mirror_type,
        "external_reference": found.external_reference,
        "external_username": found.external_registry_username,
        "verify_tls": found.verify_tls,
        "sync_interval_s": found.sync_interval_s,
        "sync_status": found.sync_status,
        "tag_rules": json.dumps(list(found.tag_rules)),
        "robot": found.robot_username,
    }
    return FetchResult((family_rows("mirrors", key, (row,)),))


READERS = {
    "repository": _repository,
    "user_permissions": _user_permissions,
    "repository_team_permissions": _team_permissions,
    "notifications": _notifications,
    "triggers": _triggers,
    "builds": _builds,
    "repository_autoprune": _autoprune,
    "repository_immutability": _immutability,
    "mirror": _mirror,
}
