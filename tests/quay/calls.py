"""Every operation of the API reference as the call that asks for it, to be replayed on what was recorded."""

from __future__ import annotations

import csv
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from quayledger.collector.quay import (
    app_tokens,
    autoprune,
    builds,
    discovery,
    error_descriptions,
    exports,
    logs,
    manifests,
    messages,
    mirrors,
    notifications,
    organizations,
    permissions,
    prototypes,
    pull_statistics,
    quotas,
    referrers,
    repositories,
    robots,
    search,
    security,
    superuser,
    tags,
    teams,
    triggers,
    users,
)
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.operations import OPERATIONS
from quayledger.collector.quay.scopes import Scope
from tests.quay.wire import RECORDINGS

Names = Mapping[str, str]
Query = Mapping[str, str]
Call = Callable[[QuayClient, Names, Query], Awaitable[object]]
# The days of a log are its own tests' matter: here any will do where none were recorded.
DAY = date(2026, 11, 18)
DIGEST, REPOSITORY = "manifestref", "repository"


def _day(text: str | None) -> date:
    try:
        return datetime.strptime(text or "", "%m/%d/%Y").replace(tzinfo=UTC).date()
    except ValueError:
        return DAY


def _scope(names: Names, kind: str) -> Scope:
    name = {"organization": "orgname", "repository": REPOSITORY}.get(kind)
    return Scope.parse(f"{kind}:{names[name] if name else 'alice'}" if kind != "superuser" else kind)


def _listed(kind: str) -> Call:
    async def call(quay: QuayClient, names: Names, query: Query) -> object:
        days = _day(query.get("starttime")), _day(query.get("endtime"))
        return await logs.list_logs(quay, _scope(names, kind), *days, next_page=query.get("next_page"))

    return call


def _counted(kind: str) -> Call:
    async def call(quay: QuayClient, names: Names, query: Query) -> object:
        days = _day(query.get("starttime")), _day(query.get("endtime"))
        return await logs.aggregate_logs(quay, _scope(names, kind), *days)

    return call


def _exported(kind: str) -> Call:
    async def call(quay: QuayClient, names: Names, query: Query) -> object:
        return await exports.request_export(quay, _scope(names, kind), DAY, DAY, callback_email="a@example.com")

    return call


async def _repositories(quay: QuayClient, names: Names, query: Query) -> object:
    activity = "last_modified" in query
    if "namespace" in query:
        kind = query.get("repo_kind")
        return await repositories.list_repositories(quay, query["namespace"], activity=activity, repo_kind=kind)
    if "starred" in query:
        return await repositories.list_starred_repositories(quay, activity=activity)
    return await repositories.list_visible_repositories(quay, activity=activity)


async def _tags(quay: QuayClient, names: Names, query: Query) -> object:
    return await tags.list_tags(
        quay,
        names[REPOSITORY],
        only_active="onlyActiveTags" in query,
        specific_tag=query.get("specificTag"),
        filter_tag_name=query.get("filter_tag_name"),
    )


async def _builds(quay: QuayClient, names: Names, query: Query) -> object:
    since = datetime.fromtimestamp(int(query["since"]), UTC) if "since" in query else None
    return await builds.list_builds(quay, names[REPOSITORY], since=since)


async def _repository(quay: QuayClient, names: Names, query: Query) -> object:
    has_tags, has_stats = query.get("includeTags") == "true", query.get("includeStats") == "true"
    return await repositories.get_repository(quay, names[REPOSITORY], tags=has_tags, stats=has_stats)


async def _referrers(quay: QuayClient, names: Names, query: Query) -> object:
    repository = f"{names.get('organization_name', 'acme')}/{names.get('repository_name', 'web')}"
    digest = names.get("digest", "sha256:0")
    return await referrers.list_referrers(quay, repository, digest, artifact_type=query.get("artifactType"))


async def _entities(quay: QuayClient, names: Names, query: Query) -> object:
    return await search.list_entities(
        quay,
        names["prefix"],
        namespace=query.get("namespace"),
        include_teams="includeTeams" in query,
        include_orgs="includeOrgs" in query,
    )


# fmt: off
CALLS: dict[str, Call] = {
    "listAppTokens": lambda quay, names, query: app_tokens.list_app_tokens(quay, expiring="expiring" in query),
    "getAppToken": lambda quay, names, query: app_tokens.get_app_token(quay, names["token_uuid"]),
    "getRepoBuildStatus": lambda quay, names, query: builds.get_build_status(quay, names[REPOSITORY], names["build_uuid"]),
    "getRepoBuildLogs": lambda quay, names, query: builds.get_build_logs(quay, names[REPOSITORY], names["build_uuid"], start=int(query.get("start", 0))),
    "getRepoBuild": lambda quay, names, query: builds.get_build(quay, names[REPOSITORY], names["build_uuid"]),
    "getRepoBuilds": _builds,
    "discovery": lambda quay, names, query: discovery.get_discovery(quay, internal="internal" in query),
    "getErrorDescription": lambda quay, names, query: error_descriptions.get_error_description(quay, names["error_type"]),
    "getGlobalMessages": lambda quay, names, query: messages.list_messages(quay),
    "getAggregateUserLogs": _counted("user"),
    "exportUserLogs": _exported("user"),
    "listUserLogs": _listed("user"),
    "getAggregateOrgLogs": _counted("organization"),
    "exportOrgLogs": _exported("organization"),
    "listOrgLogs": _listed("organization"),
    "getAggregateRepoLogs": _counted("repository"),
    "exportRepoLogs": _exported("repository"),
    "listRepoLogs": _listed("repository"),
    "getManifestLabel": lambda quay, names, query: manifests.get_label(quay, names[REPOSITORY], names[DIGEST], names["labelid"]),
    "listManifestLabels": lambda quay, names, query: manifests.list_labels(quay, names[REPOSITORY], names[DIGEST], prefix=query.get("filter")),
    "getRepoManifest": lambda quay, names, query: manifests.get_manifest(quay, names[REPOSITORY], names[DIGEST]),
    "getRepoMirrorConfig": lambda quay, names, query: mirrors.get_mirror(quay, names[REPOSITORY]),
    "listUserQuota": lambda quay, names, query: quotas.list_user_quotas(quay),
    "getOrganizationQuotaLimit": lambda quay, names, query: quotas.get_organization_quota_limit(quay, names["orgname"], int(names["quota_id"]), int(names["limit_id"])),
    "listOrganizationQuotaLimit": lambda quay, names, query: quotas.list_organization_quota_limits(quay, names["orgname"], int(names["quota_id"])),
    "getUserQuotaLimit": lambda quay, names, query: quotas.get_user_quota_limit(quay, int(names["quota_id"]), int(names["limit_id"])),
    "listUserQuotaLimit": lambda quay, names, query: quotas.list_user_quota_limits(quay, int(names["quota_id"])),
    "getOrganizationQuota": lambda quay, names, query: quotas.get_organization_quota(quay, names["orgname"], int(names["quota_id"])),
    "listOrganizationQuota": lambda quay, names, query: quotas.list_organization_quotas(quay, names["orgname"]),
    "getUserQuota": lambda quay, names, query: quotas.get_user_quota(quay, int(names["quota_id"])),
    "getOrganizationCollaborators": lambda quay, names, query: organizations.list_collaborators(quay, names["orgname"]),
    "getOrganizationApplication": lambda quay, names, query: organizations.get_application(quay, names["orgname"], names["client_id"]),
    "getOrganizationApplications": lambda quay, names, query: organizations.list_applications(quay, names["orgname"]),
    "getProxyCacheConfig": lambda quay, names, query: organizations.get_proxy_cache(quay, names["orgname"]),
    "getOrganizationMember": lambda quay, names, query: organizations.get_member(quay, names["orgname"], names["membername"]),
    "getOrganizationMembers": lambda quay, names, query: organizations.list_members(quay, names["orgname"]),
    "getOrganization": lambda quay, names, query: organizations.get_organization(quay, names["orgname"]),
    "getApplicationInformation": lambda quay, names, query: organizations.get_application_information(quay, names["client_id"]),
    "getUserTransitivePermission": lambda quay, names, query: permissions.list_transitive_roles(quay, names[REPOSITORY], names["username"]),
    "getUserPermissions": lambda quay, names, query: permissions.get_user_permission(quay, names[REPOSITORY], names["username"]),
    "getTeamPermissions": lambda quay, names, query: permissions.get_team_permission(quay, names[REPOSITORY], names["teamname"]),
    "listRepoTeamPermissions": lambda quay, names, query: permissions.list_team_permissions(quay, names[REPOSITORY]),
    "listRepoUserPermissions": lambda quay, names, query: permissions.list_user_permissions(quay, names[REPOSITORY]),
    "listOrganizationAutoPrunePolicies": lambda quay, names, query: autoprune.list_organization_policies(quay, names["orgname"]),
    "getOrganizationAutoPrunePolicy": lambda quay, names, query: autoprune.get_organization_policy(quay, names["orgname"], names["policy_uuid"]),
    "listRepositoryAutoPrunePolicies": lambda quay, names, query: autoprune.list_repository_policies(quay, names[REPOSITORY]),
    "getRepositoryAutoPrunePolicy": lambda quay, names, query: autoprune.get_repository_policy(quay, names[REPOSITORY], names["policy_uuid"]),
    "listUserAutoPrunePolicies": lambda quay, names, query: autoprune.list_user_policies(quay),
    "getUserAutoPrunePolicy": lambda quay, names, query: autoprune.get_user_policy(quay, names["policy_uuid"]),
    "getOrganizationPrototypePermissions": lambda quay, names, query: prototypes.list_prototypes(quay, names["orgname"]),
    "getReferrers": _referrers,
    "listRepos": _repositories,
    "getRepo": _repository,
    "getRepoNotification": lambda quay, names, query: notifications.get_notification(quay, names[REPOSITORY], names["uuid"]),
    "listRepoNotifications": lambda quay, names, query: notifications.list_notifications(quay, names[REPOSITORY]),
    "getUserRobots": lambda quay, names, query: robots.list_user_robots(quay),
    "getOrgRobotPermissions": lambda quay, names, query: robots.list_robot_permissions(quay, names["orgname"], names["robot_shortname"]),
    "getUserRobotPermissions": lambda quay, names, query: robots.list_user_robot_permissions(quay, names["robot_shortname"]),
    "getOrgRobot": lambda quay, names, query: robots.get_robot(quay, names["orgname"], names["robot_shortname"]),
    "getOrgRobots": lambda quay, names, query: robots.list_robots(quay, names["orgname"]),
    "getUserRobot": lambda quay, names, query: robots.get_user_robot(quay, names["robot_shortname"]),
    "conductRepoSearch": lambda quay, names, query: search.find_repositories(quay, query.get("query", ""), include_usage="includeUsage" in query),
    "conductSearch": lambda quay, names, query: search.find_all(quay, query["query"]),
    "getMatchingEntities": _entities,
    "getRepoManifestSecurity": lambda quay, names, query: security.get_manifest_security(quay, names[REPOSITORY], names[DIGEST]),
    "listAllUsers": lambda quay, names, query: superuser.list_users(quay, disabled=query.get("disabled") != "false"),
    "listAllLogs": _listed("superuser"),
    "listAllOrganizations": lambda quay, names, query: superuser.list_organizations(quay),
    "listServiceKeys": lambda quay, names, query: superuser.list_service_keys(quay),
    "listUserQuotaSuperUser": lambda quay, names, query: quotas.list_superuser_organization_quotas(quay, names["namespace"]),
    "listOrganizationQuotaSuperUser": lambda quay, names, query: quotas.list_superuser_user_quotas(quay, names["namespace"]),
    "getServiceKey": lambda quay, names, query: superuser.get_service_key(quay, names["kid"]),
    "getRepoBuildStatusSuperUser": lambda quay, names, query: builds.get_superuser_build_status(quay, names["build_uuid"]),
    "getRepoBuildSuperUser": lambda quay, names, query: builds.get_superuser_build(quay, names["build_uuid"]),
    "getRepoBuildLogsSuperUser": lambda quay, names, query: builds.get_superuser_build_logs(quay, names["build_uuid"]),
    "getRegistrySize": lambda quay, names, query: superuser.get_registry_size(quay),
    "postRegistrySize": lambda quay, names, query: superuser.queue_registry_size_calculation(quay),
    "listRepoTags": _tags,
    "getOrganizationTeamPermissions": lambda quay, names, query: teams.list_team_permissions(quay, names["orgname"], names["teamname"]),
    "getOrganizationTeamMembers": lambda quay, names, query: teams.list_team_members(quay, names["orgname"], names["teamname"], pending="includePending" in query),
    "listTriggerRecentBuilds": lambda quay, names, query: triggers.list_trigger_builds(quay, names[REPOSITORY], names["trigger_uuid"]),
    "getBuildTrigger": lambda quay, names, query: triggers.get_trigger(quay, names[REPOSITORY], names["trigger_uuid"]),
    "listBuildTriggers": lambda quay, names, query: triggers.list_triggers(quay, names[REPOSITORY]),
    "listStarredRepos": lambda quay, names, query: users.list_starred(quay),
    "getLoggedInUser": lambda quay, names, query: users.get_logged_in_user(quay),
    "listAllAppTokens": lambda quay, names, query: app_tokens.list_all_app_tokens(quay),
    "getInstallUser": lambda quay, names, query: superuser.get_user(quay, names["username"]),
    "getOrgRobotFederation": lambda quay, names, query: robots.list_robot_federation(quay, names["orgname"], names["robot_shortname"]),
    "getTagPullStatistics": lambda quay, names, query: pull_statistics.get_tag_pulls(quay, names[REPOSITORY], names["tag"]),
    "getManifestPullStatistics": lambda quay, names, query: pull_statistics.get_manifest_pulls(quay, names[REPOSITORY], names[DIGEST]),
    "getUserInformation": lambda quay, names, query: users.get_user_information(quay, names["username"]),
}
# fmt: on

# Recorded, though the reference does not have them.
MORE = (
    ("listAllAppTokens", "095_su_apptokens"),
    ("getInstallUser", "060_superuser_user"),
    ("getInstallUser", "318_superuser_user_unknown"),
    ("getInstallUser", "319_superuser_user_robot_org"),
    ("getOrgRobotFederation", "233_robot_org_federation"),
    ("getTagPullStatistics", "125_tag_pull_statistics"),
    ("getManifestPullStatistics", "126_manifest_pull_statistics"),
)
PATHS = {one.operation_id: one.path for one in OPERATIONS}


def reference() -> list[dict[str, str]]:
    """The rows of the list of operations: chapter, operation, method, path, recording_files, …"""
    with (RECORDINGS / "endpoints.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def recorded_calls(*, logs_too: bool = False) -> list[tuple[str, str]]:
    """(operation, recording) of every recorded call of an operation."""
    of_the_reference = [
        (row["operation"], name.removesuffix(".json"))
        for row in reference()
        for name in row["recording_files"].split(";")
        if name[:3].isdigit() and (logs_too or not row["operation"].endswith("Logs") or "Build" in row["operation"])
    ]
    return [*of_the_reference, *MORE]


def ask(quay: QuayClient, operation: str, request: Mapping[str, Any]) -> Awaitable[object]:
    """The call that would send a recorded request."""
    pattern = re.sub(r"\\{(\w+)\\}", _named, re.escape(PATHS[operation].rstrip("/")))
    found = re.fullmatch(pattern, request["path"].rstrip("/"))
    query = {key: str(value) for key, value in (request.get("query") or {}).items()}
    return CALLS[operation](quay, found.groupdict() if found else {}, query)


def _named(match: re.Match[str]) -> str:
    whole = match[1] in ("repository", "repository_name")
    return f"(?P<{match[1]}>{'.+' if whole else '[^/]+'})"
