"""The inventory's readers of organizations and their teams and robots: who belongs to them, and what they may do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers.common import (
    ORGANIZATION,
    autoprune_rows,
    immutability_rows,
    notification_rows,
    quota_parts,
    reasons,
    repository_rows,
    robot_parts,
    sizes_of_namespaces,
    sizes_of_repositories,
    use_row,
)
from quayledger.collector.inventory.results import FetchResult, family_rows, series_rows, vanished
from quayledger.collector.quay import (
    autoprune,
    immutability,
    notifications,
    oauth_tokens,
    organization_mirrors,
    organizations,
    prototypes,
    quotas,
    repositories,
    robots,
    teams,
)
from quayledger.collector.quay.errors import Forbidden, NotFound
from quayledger.warehouse.inventory.store import held

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def _organization(run: InventoryRun, name: str) -> FetchResult:
    """What an outsider is told (name alone) is not kept: it would seem that there are no teams."""
    found = await organizations.get_organization(run.client, name, purpose="inventory")
    if found.teams is None:
        raise Forbidden(
            run.source_id, "organizations.get_organization", "its teams are told to members alone", status=403
        )
    before = [f"{name}/{team}" for team in held(run.ledger, "teams", run.source_id, {"organization": name})["team"]]
    parts = [
        family_rows("organizations", {"organization": name}, ({"organization": name, "email": found.email or None},)),
        family_rows(
            "teams",
            {"organization": name},
            (
                {
                    "organization": name,
                    "team": team.name,
                    "role": team.role,
                    "description": team.description,
                    "is_synced": team.is_synced,
                }
                for team in found.teams
            ),
        ),
    ]
    if found.is_admin:
        settings = {
            "organization": name,
            "tag_expiration_s": found.tag_expiration_s,
            "invoice_email": found.invoice_email,
            "invoice_email_address": found.invoice_email_address,
        }
        parts.append(family_rows("organization_settings", {"organization": name}, (settings,)))
    if found.quotas is not None:
        parts.extend(quota_parts({"namespace": name}, ORGANIZATION, ((name, found.quotas),)))
    rejected = reasons(found.teams)
    gone = () if rejected else vanished("team", before, [f"{name}/{team.name}" for team in found.teams])
    return FetchResult(tuple(parts), (sizes_of_namespaces(((name, found.quota_report),)),), rejected, gone)


async def _members(run: InventoryRun, name: str) -> FetchResult:
    found = await organizations.list_members(run.client, name, purpose="inventory")
    people = ((row.name, _there(run, name, row.repositories)) for row in found.rows)
    return _people(name, "member", "members", people, reasons(found))


async def _collaborators(run: InventoryRun, name: str) -> FetchResult:
    found = await organizations.list_collaborators(run.client, name, purpose="inventory")
    people = ((row.name, _there(run, name, row.repositories)) for row in found.rows)
    return _people(name, "collaborator", "collaborators", people, reasons(found))


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
) -> FetchResult:
    held_by = [(name, tuple(repositories)) for name, repositories in people]
    parts = (
        family_rows(
            "organization_members",
            {"organization": organization, "relation": relation},
            ({"organization": organization, "member": name, "relation": relation} for name, _ in held_by),
        ),
        family_rows(
            "direct_access",
            {"namespace": organization, "told_by": told_by},
            (
                {"namespace": organization, "repository": repository, "principal": name, "told_by": told_by}
                for name, repositories in held_by
                for repository in repositories
            ),
        ),
    )
    return FetchResult(parts, rejected=rejected)


async def _robots(run: InventoryRun, name: str) -> FetchResult:
    found = await robots.list_robots(run.client, name, purpose="inventory")
    before = held(run.ledger, "robots", run.source_id, {"namespace": name})["robot"]
    return robot_parts(name, found, before)


async def _applications(run: InventoryRun, name: str) -> FetchResult:
    found = await organizations.list_applications(run.client, name, purpose="inventory")
    before = held(run.ledger, "applications", run.source_id, {"organization": name})["client_id"]
    names = [f"{name}/{row.client_id}" for row in found.rows]
    gone = () if found.rejected else vanished("application", (f"{name}/{one}" for one in before), names)
    rows = (
        {
            "organization": name,
            "client_id": row.client_id,
            "application": row.name,
            "description": row.description,
            "application_uri": row.application_uri,
            "redirect_uri": row.redirect_uri,
        }
        for row in found.rows
    )
    return FetchResult((family_rows("applications", {"organization": name}, rows),), rejected=reasons(found), gone=gone)


async def _default_permissions(run: InventoryRun, name: str) -> FetchResult:
    found = await prototypes.list_prototypes(run.client, name, purpose="inventory")
    rows = (
        {
            "organization": name,
            "prototype_id": row.id,
            "activating_user": row.activating_user,
            "delegate": row.delegate,
            "delegate_kind": row.delegate_kind,
            "role": row.role,
        }
        for row in found.rows
    )
    return FetchResult((family_rows("default_permissions", {"organization": name}, rows),), rejected=reasons(found))


async def _quota(run: InventoryRun, name: str) -> FetchResult:
    """The superuser's view takes users and organizations alike."""
    if run.access == "superuser":
        found = await quotas.list_superuser_organization_quotas(run.client, name, purpose="inventory")
    else:
        found = await quotas.list_organization_quotas(run.client, name, purpose="inventory")
    is_user = held(run.ledger, "users", run.source_id, {"username": name}).height > 0
    kind = "user" if is_user else ORGANIZATION
    return FetchResult(quota_parts({"namespace": name}, kind, ((name, found.rows),)), rejected=reasons(found))


async def _autoprune(run: InventoryRun, name: str) -> FetchResult:
    found = await autoprune.list_organization_policies(run.client, name, purpose="inventory")
    rows = autoprune_rows(name, "", found.rows)
    return FetchResult(
        (family_rows("autoprune_policies", {"namespace": name, "repository": ""}, rows),), rejected=reasons(found)
    )


async def _proxy_cache(run: InventoryRun, name: str) -> FetchResult:
    found = await organizations.get_proxy_cache(run.client, name, purpose="inventory")
    row = found and {
        "organization": name,
        "upstream_registry": found.upstream_registry,
        "expiration_s": found.expiration_s,
        "insecure": found.insecure,
    }
    return FetchResult((family_rows("proxy_caches", {"organization": name}, (row,) if row else ()),))


async def _immutability(run: InventoryRun, name: str) -> FetchResult:
    found = await immutability.list_organization_immutability(run.client, name, purpose="inventory")
    key = {"namespace": name, "repository": ""}
    return FetchResult(
        (family_rows("immutability_policies", key, immutability_rows(key, found.rows)),), rejected=reasons(found)
    )


async def _mirror(run: InventoryRun, name: str) -> FetchResult:
    """An organization that is no mirror answers as one that is not there."""
    of_organization = {"organization": name}
    try:
        found = await organization_mirrors.get_organization_mirror(run.client, name, purpose="inventory")
    except NotFound:
        return FetchResult((family_rows("organization_mirrors", of_organization, ()),))
    row = {
        "organization": name,
        "is_enabled": found.is_enabled,
        "external_registry_type": found.external_registry_type,
        "external_registry": found.external_registry_url,
        "external_namespace": found.external_namespace,
        "external_username": found.external_registry_username,
        "verify_tls": found.verify_tls,
        "repository_filters": json.dumps(list(found.repository_filters)),
        "robot": found.robot_username,
        "visibility": found.visibility,
        "sync_interval_s": found.sync_interval_s,
        "sync_status": found.sync_status,
        "created_at": found.created,
    }
    return FetchResult((family_rows("organization_mirrors", of_organization, (row,)),))


async def _mirrored_repositories(run: InventoryRun, name: str) -> FetchResult:
    of_organization = {"organization": name}
    try:
        found = await organization_mirrors.list_mirrored_repositories(run.client, name, purpose="inventory")
    except NotFound:
        return FetchResult((family_rows("mirrored_repositories", of_organization, ()),))
    rows = (
        {
            "organization": name,
            "external_repository": row.name,
            "sync_status": row.sync_status,
            "created_as": row.quay_repository,
            "discovered_at": row.discovery_date,
        }
        for row in found.rows
    )
    return FetchResult((family_rows("mirrored_repositories", of_organization, rows),), rejected=reasons(found))


async def _oauth_tokens(run: InventoryRun, target: str) -> FetchResult:
    organization, _, client_id = target.partition("/")
    found = await oauth_tokens.list_oauth_tokens(run.client, organization, client_id, purpose="inventory")
    key = {"organization": organization, "client_id": client_id}
    rows = (
        {
            **key,
            "uuid": row.uuid,
            "token_name": row.name,
            "scope": row.scope,
            "created_at": row.created,
            "created_by": row.created_by,
            "expires_at": row.expires_at,
        }
        for row in found.rows
    )
    uses = (use_row("oauth_token", row.uuid, row.last_accessed) for row in found.rows)
    return FetchResult((family_rows("oauth_tokens", key, rows),), (series_rows("last_uses", uses),), reasons(found))


async def _notifications(run: InventoryRun, name: str) -> FetchResult:
    found = await notifications.list_organization_notifications(run.client, name, purpose="inventory")
    of_organization = {"organization": name}
    rows = notification_rows(of_organization, found.rows)
    return FetchResult((family_rows("namespace_notifications", of_organization, rows),), rejected=reasons(found))


async def _user_robots(run: InventoryRun, name: str) -> FetchResult:
    """Through the organization's path, which a superuser with full access may use for a user as well."""
    with _refused_where_absent(run, "robots.list_robots"):
        return await _robots(run, name)


async def _user_autoprune(run: InventoryRun, name: str) -> FetchResult:
    """As the robots."""
    with _refused_where_absent(run, "autoprune.list_organization_policies"):
        return await _autoprune(run, name)


@contextmanager
def _refused_where_absent(run: InventoryRun, operation: str) -> Iterator[None]:
    """A user who is there is not found by the organization's path where Quay keeps it to organizations."""
    try:
        yield
    except NotFound as error:
        raise Forbidden(run.source_id, operation, "Quay does not show this of users", status=error.status) from None


async def _namespace_repositories(run: InventoryRun, name: str) -> FetchResult:
    found = await repositories.list_repositories(run.client, name, activity=True, purpose="inventory")
    before = held(run.ledger, "repositories", run.source_id, {"namespace": name})["repository"]
    names = [f"{name}/{row.name}" for row in found.rows]
    gone = () if found.rejected else vanished("repository", (f"{name}/{one}" for one in before), names)
    parts = (family_rows("repositories", {"namespace": name}, repository_rows(found.rows)),)
    return FetchResult(parts, (sizes_of_repositories(found.rows),), reasons(found), gone)


async def _team_members(run: InventoryRun, target: str) -> FetchResult:
    organization, _, team = target.partition("/")
    found = await teams.list_team_members(run.client, organization, team, purpose="inventory")
    of_team = {"organization": organization, "team": team}
    rows = ({**of_team, "member": row.name, "member_kind": row.kind, "invited": row.invited} for row in found.rows)
    return FetchResult((family_rows("team_members", of_team, rows),), rejected=reasons(found))


async def _team_permissions(run: InventoryRun, target: str) -> FetchResult:
    organization, _, team = target.partition("/")
    found = await teams.list_team_permissions(run.client, organization, team, purpose="inventory")
    authority = {"namespace": organization, "principal_kind": "team", "principal": team}
    rows = ({**authority, "repository": row.repository, "role": row.role} for row in found.rows)
    return FetchResult((family_rows("repository_permissions", authority, rows),), rejected=reasons(found))


async def _federation(run: InventoryRun, robot: str) -> FetchResult:
    namespace, _, short = robot.partition("+")
    found = await robots.list_robot_federation(run.client, namespace, short, purpose="inventory")
    rows = ({"robot": robot, "issuer": row.issuer, "subject": row.subject} for row in found.rows)
    return FetchResult((family_rows("robot_federations", {"robot": robot}, rows),), rejected=reasons(found))


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
    "user_robots": _user_robots,
    "user_autoprune": _user_autoprune,
    "organization_immutability": _immutability,
    "organization_mirror": _mirror,
    "mirrored_repositories": _mirrored_repositories,
    "oauth_tokens": _oauth_tokens,
    "namespace_notifications": _notifications,
    "team_members": _team_members,
    "team_permissions": _team_permissions,
    "federation": _federation,
}
