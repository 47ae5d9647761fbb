"""The inventory's readers of organisations and their teams and robots: who belongs to them, and what they may do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers.common import (
    ORGANIZATION,
    autoprune_rows,
    quota_parts,
    repository_rows,
    robot_parts,
    sizes_of_namespaces,
    sizes_of_repositories,
    told,
)
from quayledger.collector.inventory.results import Found, brought, vanished
from quayledger.collector.quay import autoprune, organizations, prototypes, quotas, repositories, robots, teams
from quayledger.collector.quay.errors import Forbidden
from quayledger.warehouse.inventory.store import held

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def _organization(run: InventoryRun, name: str) -> Found:
    """What an outsider is told (name alone) is not kept: it would seem that there are no teams."""
    found = await organizations.get_organization(run.client, name, purpose="inventory")
    if found.teams is None:
        raise Forbidden(
            run.source_id, "organizations.get_organization", "its teams are told to members alone", status=403
        )
    before = [f"{name}/{team}" for team in held(run.ledger, "teams", run.source_id, {"organization": name})["team"]]
    parts = [
        brought("organizations", {"organization": name}, ((name, found.email or None),)),
        brought(
            "teams",
            {"organization": name},
            ((name, team.name, team.role, team.description, team.is_synced) for team in found.teams),
        ),
    ]
    if found.is_admin:
        settings = (name, found.tag_expiration_s, found.invoice_email, found.invoice_email_address)
        parts.append(brought("organization_settings", {"organization": name}, (settings,)))
    if found.quotas is not None:
        parts.extend(quota_parts({"namespace": name}, ORGANIZATION, ((name, found.quotas),)))
    rejected = told(found.teams)
    gone = () if rejected else vanished("team", before, [f"{name}/{team.name}" for team in found.teams])
    return Found(tuple(parts), (sizes_of_namespaces(((name, found.quota_report),)),), rejected, gone)


async def _members(run: InventoryRun, name: str) -> Found:
    found = await organizations.list_members(run.client, name, purpose="inventory")
    people = ((row.name, _there(run, name, row.repositories)) for row in found.rows)
    return _people(name, "member", "members", people, told(found))


async def _collaborators(run: InventoryRun, name: str) -> Found:
    found = await organizations.list_collaborators(run.client, name, purpose="inventory")
    people = ((row.name, _there(run, name, row.repositories)) for row in found.rows)
    return _people(name, "collaborator", "collaborators", people, told(found))


def _there(run: InventoryRun, organization: str, names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Without the repositories that are marked for deletion: Quay calls those by a UUID, and lists them here alone."""
    named = names or ()
    if not any(_UUID.fullmatch(name) for name in named):
        return named
    there = set(held(run.ledger, "repositories", run.source_id, {"namespace": organization})["repository"])
    return tuple(name for name in named if name in there or not _UUID.fullmatch(name))


def _people(
    organization: str,
    relation: str,
    told_by: str,
    people: Iterable[tuple[str, Iterable[str]]],
    rejected: tuple[str, ...],
) -> Found:
    held_by = [(name, tuple(repositories)) for name, repositories in people]
    parts = (
        brought(
            "organization_members",
            {"organization": organization, "relation": relation},
            ((organization, name, relation) for name, _ in held_by),
        ),
        brought(
            "direct_access",
            {"namespace": organization, "told_by": told_by},
            (
                (organization, repository, name, told_by)
                for name, repositories in held_by
                for repository in repositories
            ),
        ),
    )
    return Found(parts, rejected=rejected)


async def _robots(run: InventoryRun, name: str) -> Found:
    found = await robots.list_robots(run.client, name, purpose="inventory")
    before = held(run.ledger, "robots", run.source_id, {"namespace": name})["robot"]
    return robot_parts(name, found, before)


async def _applications(run: InventoryRun, name: str) -> Found:
    found = await organizations.list_applications(run.client, name, purpose="inventory")
    rows = (
        (name, row.client_id, row.name, row.description, row.application_uri, row.redirect_uri) for row in found.rows
    )
    return Found((brought("applications", {"organization": name}, rows),), rejected=told(found))


async def _default_permissions(run: InventoryRun, name: str) -> Found:
    found = await prototypes.list_prototypes(run.client, name, purpose="inventory")
    rows = ((name, row.id, row.activating_user, row.delegate, row.delegate_kind, row.role) for row in found.rows)
    return Found((brought("default_permissions", {"organization": name}, rows),), rejected=told(found))


async def _quota(run: InventoryRun, name: str) -> Found:
    """The superuser's view takes users and organisations alike."""
    if run.access == "superuser":
        found = await quotas.list_superuser_organization_quotas(run.client, name, purpose="inventory")
    else:
        found = await quotas.list_organization_quotas(run.client, name, purpose="inventory")
    is_user = held(run.ledger, "users", run.source_id, {"username": name}).height > 0
    kind = "user" if is_user else ORGANIZATION
    return Found(quota_parts({"namespace": name}, kind, ((name, found.rows),)), rejected=told(found))


async def _autoprune(run: InventoryRun, name: str) -> Found:
    found = await autoprune.list_organization_policies(run.client, name, purpose="inventory")
    rows = autoprune_rows(name, "", found.rows)
    return Found((brought("autoprune_policies", {"namespace": name, "repository": ""}, rows),), rejected=told(found))


async def _proxy_cache(run: InventoryRun, name: str) -> Found:
    found = await organizations.get_proxy_cache(run.client, name, purpose="inventory")
    rows = () if found is None else ((name, found.upstream_registry, found.expiration_s, found.insecure),)
    return Found((brought("proxy_caches", {"organization": name}, rows),))


async def _namespace_repositories(run: InventoryRun, name: str) -> Found:
    found = await repositories.list_repositories(run.client, name, activity=True, purpose="inventory")
    before = held(run.ledger, "repositories", run.source_id, {"namespace": name})["repository"]
    names = [f"{name}/{row.name}" for row in found.rows]
    gone = () if found.rejected else vanished("repository", (f"{name}/{one}" for one in before), names)
    parts = (brought("repositories", {"namespace": name}, repository_rows(found.rows)),)
    return Found(parts, (sizes_of_repositories(found.rows),), told(found), gone)


async def _team_members(run: InventoryRun, target: str) -> Found:
    organization, _, team = target.partition("/")
    found = await teams.list_team_members(run.client, organization, team, purpose="inventory")
    rows = ((organization, team, row.name, row.kind, row.invited) for row in found.rows)
    return Found((brought("team_members", {"organization": organization, "team": team}, rows),), rejected=told(found))


async def _team_permissions(run: InventoryRun, target: str) -> Found:
    organization, _, team = target.partition("/")
    found = await teams.list_team_permissions(run.client, organization, team, purpose="inventory")
    rows = ((organization, row.repository, "team", team, row.role) for row in found.rows)
    authority = {"namespace": organization, "principal_kind": "team", "principal": team}
    return Found((brought("repository_permissions", authority, rows),), rejected=told(found))


async def _federation(run: InventoryRun, robot: str) -> Found:
    namespace, _, short = robot.partition("+")
    found = await robots.list_robot_federation(run.client, namespace, short, purpose="inventory")
    rows = ((robot, row.issuer, row.subject) for row in found.rows)
    return Found((brought("robot_federations", {"robot": robot}, rows),), rejected=told(found))


READERS = {
    "organization": _organization,
    "members": _members,
    "collaborators": _collaborators,
    "robots": _robots,
    "applications": _applications,
    "default_permissions": _default_permissions,
    "quota": _quota,
    "namespace_autoprune": _autoprune,
    "proxy_cache": _proxy_cache,
    "namespace_repositories": _namespace_repositories,
    "team_members": _team_members,
    "team_permissions": _team_permissions,
    "federation": _federation,
}
