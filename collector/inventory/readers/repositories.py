"""The inventory's readers of a repository: itself, its permissions, and what is set up around it."""

from __future__ import annotations

import json

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers.common import autoprune_rows, in_repository, named, told
from quayledger.collector.inventory.results import Found, brought, measured
from quayledger.collector.quay import autoprune, builds, mirrors, notifications, permissions, repositories, triggers
from quayledger.collector.quay.builds import BuildTrigger
from quayledger.collector.quay.errors import NotFound

_NEWEST_BUILDS = 100


async def _repository(run: InventoryRun, target: str) -> Found:
    namespace, name = named(target)
    found = await repositories.get_repository(run.client, target, stats=True, purpose="inventory")
    authority = in_repository(target)
    parts = (
        brought(
            "repositories",
            authority,
            ((namespace, name, found.kind, found.state, found.is_public, found.description),),
        ),
        brought("repository_settings", authority, ((namespace, name, found.tag_expiration_s, found.trust_enabled),)),
    )
    # The day that is not over yet goes on growing.
    today = run.now().date()
    counts = ((namespace, name, stat.day, stat.count) for stat in (found.stats or ()) if stat.day < today)
    return Found(parts, (measured("repository_actions", counts),), () if found.stats is None else told(found.stats))


async def _user_permissions(run: InventoryRun, target: str) -> Found:
    namespace, name = named(target)
    found = await permissions.list_user_permissions(run.client, target, purpose="inventory")
    parts = tuple(
        brought(
            "repository_permissions",
            {**in_repository(target), "principal_kind": kind},
            (
                (namespace, name, kind, row.name, row.role)
                for row in found.rows
                if bool(row.is_robot) == (kind == "robot")
            ),
        )
        for kind in ("user", "robot")
    )
    return Found(parts, rejected=told(found))


async def _team_permissions(run: InventoryRun, target: str) -> Found:
    namespace, name = named(target)
    found = await permissions.list_team_permissions(run.client, target, purpose="inventory")
    rows = ((namespace, name, "team", row.name, row.role) for row in found.rows)
    authority = {**in_repository(target), "principal_kind": "team"}
    return Found((brought("repository_permissions", authority, rows),), rejected=told(found))


async def _notifications(run: InventoryRun, target: str) -> Found:
    namespace, name = named(target)
    found = await notifications.list_notifications(run.client, target, purpose="inventory")
    rows = (
        (namespace, name, row.uuid, row.title, row.event, row.method, row.target, row.event_config)
        for row in found.rows
    )
    return Found((brought("notifications", in_repository(target), rows),), rejected=told(found))


async def _triggers(run: InventoryRun, target: str) -> Found:
    namespace, name = named(target)
    found = await triggers.list_triggers(run.client, target, purpose="inventory")
    rows = (
        (
            namespace,
            name,
            row.id,
            row.service,
            row.is_active,
            row.enabled,
            row.disabled_reason,
            row.build_source,
            row.dockerfile_path,
            row.context,
        )
        for row in found.rows
    )
    return Found((brought("triggers", in_repository(target), rows),), rejected=told(found))


async def _builds(run: InventoryRun, target: str) -> Found:
    """The newest ones; older ones are not told any more, which does not mean that they never were."""
    namespace, name = named(target)
    found = await builds.list_builds(run.client, target, limit=_NEWEST_BUILDS, purpose="inventory")
    rows = (
        (namespace, name, row.id, row.phase, row.started, *_trigger(row.trigger), row.manual_user) for row in found.rows
    )
    return Found((brought("builds", in_repository(target), rows, closes=False),), rejected=told(found))


def _trigger(trigger: BuildTrigger | None) -> tuple[str | None, str | None]:
    return (None, None) if trigger is None else (trigger.id, trigger.service)


async def _autoprune(run: InventoryRun, target: str) -> Found:
    namespace, name = named(target)
    found = await autoprune.list_repository_policies(run.client, target, purpose="inventory")
    rows = autoprune_rows(namespace, name, found.rows)
    return Found((brought("autoprune_policies", in_repository(target), rows),), rejected=told(found))


async def _mirror(run: InventoryRun, target: str) -> Found:
    """A repository that is no mirror any more answers as one that is not there."""
    namespace, name = named(target)
    try:
        found = await mirrors.get_mirror(run.client, target, purpose="inventory")
    except NotFound:
        return Found((brought("mirrors", in_repository(target), ()),))
    row = (
        namespace,
        name,
        found.is_enabled,
        found.mirror_type,
        found.external_reference,
        found.external_registry_username,
        found.verify_tls,
        found.sync_interval_s,
        found.sync_status,
        json.dumps(list(found.tag_rules)),
        found.robot_username,
    )
    return Found((brought("mirrors", in_repository(target), (row,)),))


READERS = {
    "repository": _repository,
    "user_permissions": _user_permissions,
    "repository_team_permissions": _team_permissions,
    "notifications": _notifications,
    "triggers": _triggers,
    "builds": _builds,
    "repository_autoprune": _autoprune,
    "mirror": _mirror,
}
