"""The inventory's looks: every way in which it reads a part of a registry, in one tuple. Pure.

A look is one question about one target (`members` of `acme`, `tags` of `acme/web`): it brings all that there is of one or a
few families within that target, so what it does not bring any more is gone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

Level = Literal["registry", "user", "organization", "team", "robot", "repository", "tag", "manifest"]
Access = Literal["any", "superuser", "other"]
# The target of a note about all targets of a look; `acme/*`: about all of a namespace; `acme/web@*`: of a repository.
EVERYWHERE = "*"
ORPHANS = "orphans"
_SCANNED_AFTER = timedelta(minutes=30)  # a scanner needs some time: asked at once, it only says that it has not begun
_KEPT_AFTER = timedelta(days=1)


class LookKind(msgspec.Struct, frozen=True):
    """One kind of look. `says`: what it reads, for people. `operations`: ids of the API reference, in the order of asking.
    `writes`: families and series. `reports`: which reports need it. `tier`: smaller ones are read first. `periods`: how
    many periods pass between two rounds; 0: daily; None: no round, only where an event asks. `access`: for which tokens.
    `once`: never again after it was ok, unless an event asks. `opt_in`: only where the settings name it.
    `settle`: how long a tag must have stood for a manifest before it is read: many are replaced within hours."""

    name: str
    level: Level
    says: str
    operations: tuple[str, ...]
    writes: tuple[str, ...]
    reports: tuple[str, ...]
    tier: int
    periods: float | None = 1.0
    access: Access = "any"
    once: bool = False
    opt_in: bool = False
    only_mirrors: bool = False
    settle: timedelta = timedelta(0)


LOOKS: tuple[LookKind, ...] = (
    LookKind(
        "offered",
        "registry",
        "which operations the registry offers",
        ("discovery",),
        ("offered_operations",),
        ("R13",),
        0,
        0,
    ),
    LookKind(
        "own_user",
        "registry",
        "the token's own user and its organisations",
        ("getLoggedInUser",),
        ("users", "organizations", "quotas", "quota_limits", "sizes"),
        ("R4", "R7"),
        0,
        0,
        "other",
    ),
    LookKind(
        "organizations",
        "registry",
        "all organisations, their quotas and sizes",
        ("listAllOrganizations",),
        ("organizations", "quotas", "quota_limits", "sizes"),
        ("R4", "R9", "R10"),
        0,
        0,
        "superuser",
    ),
    LookKind(
        "users",
        "registry",
        "all users, their quotas and sizes",
        ("listAllUsers",),
        ("users", "quotas", "quota_limits", "sizes"),
        ("R4", "R7", "R9", "R10"),
        0,
        0,
        "superuser",
    ),
    LookKind(
        "repositories",
        "registry",
        "all repositories, with size, popularity and newest change",
        ("listRepos",),
        ("repositories", "sizes"),
        ("R4", "R10", "R11"),
        0,
        0,
        "superuser",
    ),
    LookKind(
        "registry_size",
        "registry",
        "the size of the whole registry, as last summed up",
        ("getRegistrySize",),
        ("sizes",),
        ("R10",),
        0,
        0,
        "superuser",
    ),
    LookKind(
        "service_keys",
        "registry",
        "service keys",
        ("listServiceKeys",),
        ("service_keys",),
        ("R6",),
        1,
        1.0,
        "superuser",
    ),
    LookKind(
        "app_tokens",
        "registry",
        "application tokens: all of them for a superuser, else the own ones",
        ("listAppTokens", "listAllAppTokens"),
        ("app_tokens", "last_uses"),
        ("R6",),
        1,
        0,
    ),
    LookKind(
        "messages", "registry", "messages shown to everybody", ("getGlobalMessages",), ("messages",), ("R12",), 1, 0
    ),
    LookKind(
        "own_robots",
        "registry",
        "robot accounts of the token's own user",
        ("getUserRobots",),
        ("robots", "last_uses", "direct_access"),
        ("R6",),
        1,
        0,
    ),
    LookKind(
        "own_quota",
        "registry",
        "quotas of the token's own user",
        ("listUserQuota",),
        ("quotas", "quota_limits"),
        ("R9",),
        1,
        1.0,
        "other",
    ),
    LookKind(
        "own_autoprune",
        "registry",
        "auto-prune policies of the token's own user",
        ("listUserAutoPrunePolicies",),
        ("autoprune_policies",),
        ("R11", "R13"),
        1,
    ),
    LookKind("stars", "registry", "repositories the own user starred", ("listStarredRepos",), ("stars",), ("R11",), 1),
    LookKind(
        "user",
        "user",
        "one user",
        ("getInstallUser",),
        ("users", "quotas", "quota_limits", "sizes"),
        ("R4", "R7"),
        1,
        None,
        "superuser",
    ),
    LookKind(
        "namespace_repositories",
        "organization",
        "all repositories of a namespace",
        ("listRepos",),
        ("repositories", "sizes"),
        ("R4", "R10", "R11"),
        1,
        0,
        "other",
    ),
    LookKind(
        "organization",
        "organization",
        "an organisation's settings and teams",
        ("getOrganization",),
        ("organization_settings", "teams", "quotas", "quota_limits", "sizes"),
        ("R4", "R13"),
        2,
    ),
    LookKind(
        "robots",
        "organization",
        "robot accounts, their last use and repositories",
        ("getOrgRobots",),
        ("robots", "last_uses", "direct_access"),
        ("R4", "R6"),
        2,
    ),
    LookKind(
        "members",
        "organization",
        "members, and where they hold permissions of their own",
        ("getOrganizationMembers",),
        ("organization_members", "direct_access"),
        ("R4",),
        2,
    ),
    LookKind(
        "collaborators",
        "organization",
        "outsiders with permissions of their own",
        ("getOrganizationCollaborators",),
        ("organization_members", "direct_access"),
        ("R4",),
        2,
    ),
    LookKind(
        "default_permissions",
        "organization",
        "default permissions for repositories to come",
        ("getOrganizationPrototypePermissions",),
        ("default_permissions",),
        ("R4",),
        2,
    ),
    LookKind(
        "applications",
        "organization",
        "OAuth applications",
        ("getOrganizationApplications",),
        ("applications",),
        ("R6",),
        2,
    ),
    LookKind(
        "quota",
        "organization",
        "quotas and their limits",
        ("listOrganizationQuota", "listUserQuotaSuperUser", "listOrganizationQuotaSuperUser"),
        ("quotas", "quota_limits"),
        ("R9",),
        2,
        None,
    ),
    LookKind(
        "namespace_autoprune",
        "organization",
        "auto-prune policies of an organisation",
        ("listOrganizationAutoPrunePolicies",),
        ("autoprune_policies",),
        ("R11", "R13"),
        2,
    ),
    LookKind(
        "proxy_cache",
        "organization",
        "whether it is a pull-through cache, and of what",
        ("getProxyCacheConfig",),
        ("proxy_caches",),
        ("R13",),
        2,
    ),
    LookKind(
        "team_members",
        "team",
        "members and invitations",
        ("getOrganizationTeamMembers",),
        ("team_members",),
        ("R4",),
        3,
    ),
    LookKind(
        "team_permissions",
        "team",
        "the team's roles on repositories",
        ("getOrganizationTeamPermissions",),
        ("repository_permissions",),
        ("R4",),
        3,
    ),
    LookKind(
        "user_permissions",
        "repository",
        "roles of users and robots",
        ("listRepoUserPermissions",),
        ("repository_permissions",),
        ("R4", "R6"),
        4,
    ),
    LookKind(
        "repository_team_permissions",
        "repository",
        "roles of teams",
        ("listRepoTeamPermissions",),
        ("repository_permissions",),
        ("R4",),
        4,
        None,
    ),
    LookKind(
        "tags",
        "repository",
        "all tags with their history",
        ("listRepoTags",),
        ("tags",),
        ("R2", "R11"),
        5,
    ),
    LookKind("tag", "tag", "one tag with its history", ("listRepoTags",), ("tags",), ("R2", "R11"), 5, None),
    LookKind(
        "federation",
        "robot",
        "outside identities that may act as the robot",
        ("getOrgRobotFederation",),
        ("robot_federations",),
        ("R6",),
        6,
        2.0,
    ),
    LookKind(
        "mirror",
        "repository",
        "what it mirrors",
        ("getRepoMirrorConfig",),
        ("mirrors",),
        ("R13",),
        6,
        only_mirrors=True,
    ),
    LookKind(
        "scan",
        "manifest",
        "what the scanner found",
        ("getRepoManifestSecurity",),
        ("scans", "vulnerabilities"),
        ("R15",),
        7,
        settle=_SCANNED_AFTER,
    ),
    LookKind(
        "repository",
        "repository",
        "one repository's settings, and actions a day",
        ("getRepo",),
        ("repositories", "repository_settings", "repository_actions"),
        ("R12", "R13"),
        8,
    ),
    LookKind(
        "notifications",
        "repository",
        "notifications",
        ("listRepoNotifications",),
        ("notifications",),
        ("R13",),
        8,
    ),
    LookKind(
        "repository_autoprune",
        "repository",
        "auto-prune policies",
        ("listRepositoryAutoPrunePolicies",),
        ("autoprune_policies",),
        ("R11", "R13"),
        8,
    ),
    LookKind("triggers", "repository", "build triggers", ("listBuildTriggers",), ("triggers",), ("R12",), 8),
    LookKind("builds", "repository", "the newest builds", ("getRepoBuilds",), ("builds",), ("R12",), 8),
    LookKind(
        "manifest",
        "manifest",
        "layers and media types",
        ("getRepoManifest",),
        ("manifests",),
        ("R2",),
        9,
        once=True,
        settle=_KEPT_AFTER,
    ),
    LookKind(
        "labels",
        "manifest",
        "labels",
        ("listManifestLabels",),
        ("manifest_labels",),
        ("R2",),
        9,
        periods=4.0,
        settle=_KEPT_AFTER,
    ),
    LookKind(
        "referrers",
        "manifest",
        "signatures, SBOMs and attestations",
        ("getReferrers",),
        ("referrers",),
        ("R2",),
        9,
        periods=2.0,
        settle=_KEPT_AFTER,
    ),
    LookKind(
        "tag_pulls",
        "tag",
        "how often and when last pulled, where the registry counts that",
        ("getTagPullStatistics",),
        ("last_uses",),
        ("R11",),
        10,
        opt_in=True,
    ),
    LookKind(
        ORPHANS,
        "registry",
        "manifests that no tag tells of any more: put together from what is held, without a request",
        (),
        ("manifests", "manifest_labels", "referrers", "vulnerabilities"),
        ("R2", "R15"),
        11,
        None,
    ),
)
LOOK = {kind.name: kind for kind in LOOKS}

# Read when a person or a report asks, never in a round: what they answer is a part of a list above, or nobody's record.
ON_DEMAND: dict[str, str] = {
    "getAppToken": "the list holds the same; its answer carries the token's code",
    "getRepoBuild": "the list holds the same",
    "getRepoBuildStatus": "`inventory ask build`",
    "getRepoBuildLogs": "`inventory ask build-logs`",
    "getRepoBuildSuperUser": "`inventory ask build`, where the repository may not be read",
    "getRepoBuildStatusSuperUser": "`inventory ask build`, where the repository may not be read",
    "getRepoBuildLogsSuperUser": "`inventory ask build-logs`, where the repository may not be read",
    "getErrorDescription": "`inventory ask error`",
    "getManifestLabel": "the list holds the same",
    "getOrganizationQuotaLimit": "the quota holds the same",
    "listOrganizationQuotaLimit": "the quota holds the same",
    "getOrganizationQuota": "the list holds the same",
    "getUserQuota": "the list holds the same",
    "getUserQuotaLimit": "the quota holds the same",
    "listUserQuotaLimit": "the quota holds the same",
    "getOrganizationApplication": "the list holds the same; its answer carries the client's secret",
    "getApplicationInformation": "`inventory ask application`: who is behind a client id",
    "getOrganizationMember": "the list holds the same",
    "getUserTransitivePermission": "`inventory ask access`: Quay's own word on a user's role",
    "getUserPermissions": "the list holds the same",
    "getTeamPermissions": "the list holds the same",
    "getOrganizationAutoPrunePolicy": "the list holds the same",
    "getRepositoryAutoPrunePolicy": "the list holds the same",
    "getUserAutoPrunePolicy": "the list holds the same",
    "getRepoNotification": "the list holds the same",
    "getOrgRobotPermissions": "roles come with each repository; needs two scopes at once",
    "getUserRobotPermissions": "roles come with each repository",
    "getOrgRobot": "the list holds the same; its answer carries the robot's secret",
    "getUserRobot": "the list holds the same; its answer carries the robot's secret",
    "conductRepoSearch": "`inventory ask search`",
    "conductSearch": "`inventory ask search`",
    "getMatchingEntities": "`inventory ask entity`: whether a name exists",
    "getServiceKey": "the list holds the same",
    "listTriggerRecentBuilds": "the repository's builds hold the same",
    "getBuildTrigger": "the list holds the same; its answer carries the webhook's token",
    "getUserInformation": "`inventory ask user`: whether a user exists",
    "getManifestPullStatistics": "the tag's statistics hold the same",
}


def namespace_of(target: str) -> str:
    """The namespace that a target lies in; '' for the registry."""
    return target.partition("/")[0].partition("+")[0]


def repository_of(target: str) -> str:
    """`namespace/repository` of a target of a repository, tag or manifest."""
    return target.partition("@")[0].partition(":")[0]


def all_of(namespace: str) -> str:
    """The target of a note about every target of a look within a namespace."""
    return f"{namespace}/{EVERYWHERE}" if namespace else EVERYWHERE


def all_in(repository: str) -> str:
    """The target of a note about every manifest or tag of a repository."""
    return f"{repository}@{EVERYWHERE}"
