"""The inventory's queries: every way in which it reads a part of a registry, in one tuple. Pure.

A query is one question about one target (`members` of `acme`, `tags` of `acme/web`): it brings all that there is of one or a
few families within that target, so what it does not bring any more is gone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

Level = Literal["registry", "user", "organization", "team", "robot", "repository", "tag", "manifest", "application"]
TargetSet = Literal[Level, "namespace", "mirror", "digest", "mirrored_organization"]
Access = Literal["any", "superuser", "other"]
# The target of a note about all targets of a query; `acme/*`: about all of a namespace; `acme/web@*`: of a repository.
EVERYWHERE = "*"
ORPHANS = "orphans"
DAILY = 0.0
ON_EVENT = None
SUPERUSER = "super:user"
_SCANNED_AFTER = timedelta(minutes=30)  # a scanner needs some time: asked at once, it only says that it has not begun
_SCANNED_AGAIN_AFTER = timedelta(hours=6)
_KEPT_AFTER = timedelta(days=1)


class Wider(msgspec.Struct, frozen=True, kw_only=True):
    """A query whose answer says the same of more objects at once. `part`: its target, as a part of the narrow query's one
    ('': the registry; repository; namespace; owners: the team of that name). `families`: of which families it says the
    same, () for all that both write. `whole`: it says all that the narrow query does, so the narrow one need not be asked."""

    query: str
    part: Literal["", "repository", "namespace", "owners"] = ""
    families: tuple[str, ...] = ()
    whole: bool = True


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of query.

    What it reads: `level`: what one target of it is; `title`: for people; `operations`: ids of Quay's API reference, in the
    order of asking; `writes`: families and series; `reports`: which reports need it.
    When: `tier`: smaller ones are read first; `periods`: how many periods pass between two rounds (DAILY; ON_EVENT: only
    where an event asks); `once`: never again after it succeeded, unless an event asks; `settle`: how long a tag must have
    stood for a manifest before it is read, as many are replaced within hours; `again_after`: asked again so soon while
    the answer is not final; `opt_in`: only where the settings name it.
    For whom: `access`: for which tokens; `scope`: the OAuth scope it needs ('': none; a superuser's `super:user` serves for
    most); `needs_user`: answered 401, not 403, where the token lacks a scope; `anyone_on_event`: where an event asks, it is
    for every token; `in_discovery`: Quay's discovery lists its operations where their feature is on.
    Its targets: `targets`: which set of objects it is asked for, where that is not all of its level: namespace (users'
    too), mirror (repositories that mirror), mirrored_organization (organizations that do), digest (each manifest once, in whichever repository);
    `paged_by`: the family whose held rows say how many pages an answer has; `narrowed_by`: the query that reads one object
    of its answer, for when an event names just a few; `wider`: queries that say the same of more; `principal`: it is about
    permissions of these alone; `decides_existence`: not found means that the object of its level is gone, with its parts;
    `carried`: what it says is the digest's, so that it stays known when a namespace is renamed: as_read (rows are held by
    digest), copied (rows are written anew under the new name)."""

    name: str
    level: Level
    title: str
    operations: tuple[str, ...]
    writes: tuple[str, ...]
    reports: tuple[str, ...]
    tier: int
    periods: float | None = 1.0
    once: bool = False
    settle: timedelta = timedelta(0)
    again_after: timedelta | None = None
    opt_in: bool = False
    access: Access = "any"
    scope: str = ""
    needs_user: bool = False
    anyone_on_event: bool = False
    in_discovery: bool = True
    targets: TargetSet | None = None
    paged_by: str = ""
    narrowed_by: str = ""
    wider: tuple[Wider, ...] = ()
    principal: Literal["", "user", "team"] = ""
    decides_existence: bool = False
    carried: Literal["", "as_read", "copied"] = ""

    @property
    def target_set(self) -> TargetSet:
        """Which objects it is asked for in the rounds."""
        return self.targets or self.level


QUERIES: tuple[Query, ...] = (
    Query(
        name="offered",
        level="registry",
        title="which operations the registry offers",
        operations=("discovery",),
        writes=("offered_operations",),
        reports=("R13",),
        tier=0,
        periods=DAILY,
        in_discovery=False,
    ),
    Query(
        name="own_user",
        level="registry",
        title="the token's own user and its organizations",
        operations=("getLoggedInUser",),
        writes=("users", "organizations", "quotas", "quota_limits", "sizes"),
        reports=("R4", "R7"),
        tier=0,
        periods=DAILY,
        access="other",
        scope="user:read",
        needs_user=True,
    ),
    Query(
        name="organizations",
        level="registry",
        title="all organizations, their quotas and sizes",
        operations=("listAllOrganizations",),
        writes=("organizations", "quotas", "quota_limits", "sizes"),
        reports=("R4", "R9", "R10"),
        tier=0,
        periods=DAILY,
        access="superuser",
        scope=SUPERUSER,
        paged_by="organizations",
    ),
    Query(
        name="users",
        level="registry",
        title="all users, their quotas and sizes",
        operations=("listAllUsers",),
        writes=("users", "quotas", "quota_limits", "sizes"),
        reports=("R4", "R7", "R9", "R10"),
        tier=0,
        periods=DAILY,
        access="superuser",
        scope=SUPERUSER,
        paged_by="users",
    ),
    Query(
        name="repositories",
        level="registry",
        title="all repositories, with size, popularity and newest change",
        operations=("listRepos",),
        writes=("repositories", "sizes"),
        reports=("R4", "R10", "R11"),
        tier=0,
        periods=DAILY,
        access="superuser",
        scope=SUPERUSER,
        paged_by="repositories",
    ),
    Query(
        name="registry_size",
        level="registry",
        title="the size of the whole registry, as last summed up",
        operations=("getRegistrySize",),
        writes=("sizes",),
        reports=("R10",),
        tier=0,
        periods=DAILY,
        access="superuser",
        scope=SUPERUSER,
    ),
    Query(
        name="service_keys",
        level="registry",
        title="service keys",
        operations=("listServiceKeys",),
        writes=("service_keys",),
        reports=("R6",),
        tier=1,
        access="superuser",
        scope=SUPERUSER,
    ),
    Query(
        name="app_tokens",
        level="registry",
        title="application tokens: all of them for a superuser, else the own ones",
        operations=("listAppTokens", "listAllAppTokens"),
        writes=("app_tokens", "last_uses"),
        reports=("R6",),
        tier=1,
        periods=DAILY,
        scope="user:admin",
        needs_user=True,
    ),
    Query(
        name="messages",
        level="registry",
        title="messages shown to everybody",
        operations=("getGlobalMessages",),
        writes=("messages",),
        reports=("R12",),
        tier=1,
        periods=DAILY,
    ),
    Query(
        name="own_robots",
        level="registry",
        title="robot accounts of the token's own user",
        operations=("getUserRobots",),
        writes=("robots", "last_uses", "direct_access"),
        reports=("R6",),
        tier=1,
        periods=DAILY,
        scope="user:admin",
        needs_user=True,
    ),
    Query(
        name="own_quota",
        level="registry",
        title="quotas of the token's own user",
        operations=("listUserQuota",),
        writes=("quotas", "quota_limits"),
        reports=("R9",),
        tier=1,
        access="other",
        scope="user:admin",
        needs_user=True,
    ),
    Query(
        name="own_autoprune",
        level="registry",
        title="auto-prune policies of the token's own user",
        operations=("listUserAutoPrunePolicies",),
        writes=("autoprune_policies",),
        reports=("R11", "R13"),
        tier=1,
        scope="user:admin",
        needs_user=True,
    ),
    Query(
        name="stars",
        level="registry",
        title="repositories the own user starred",
        operations=("listStarredRepos",),
        writes=("stars",),
        reports=("R11",),
        tier=1,
        scope="user:admin",
        needs_user=True,
    ),
    Query(
        name="user",
        level="user",
        title="one user",
        operations=("getInstallUser",),
        writes=("users", "quotas", "quota_limits", "sizes"),
        reports=("R4", "R7"),
        tier=1,
        periods=ON_EVENT,
        access="superuser",
        scope=SUPERUSER,
        decides_existence=True,
        wider=(Wider(query="users"),),
    ),
    Query(
        name="namespace_repositories",
        level="organization",
        title="all repositories of a namespace",
        operations=("listRepos",),
        writes=("repositories", "sizes"),
        reports=("R4", "R10", "R11"),
        tier=1,
        periods=DAILY,
        access="other",
        scope="repo:read",
        targets="namespace",
        anyone_on_event=True,
        wider=(Wider(query="repositories"),),
    ),
    Query(
        name="organization",
        level="organization",
        title="an organization's settings and teams",
        operations=("getOrganization",),
        writes=("organizations", "organization_settings", "teams", "quotas", "quota_limits", "sizes"),
        reports=("R4", "R13"),
        tier=2,
        scope="org:admin",
        decides_existence=True,
        wider=(
            Wider(query="organizations", whole=False),
            Wider(query="own_user", families=("organizations",), whole=False),
        ),
    ),
    Query(
        name="robots",
        level="organization",
        title="robot accounts, their last use and repositories",
        operations=("getOrgRobots",),
        writes=("robots", "last_uses", "direct_access"),
        reports=("R4", "R6"),
        tier=2,
        scope="org:admin",
    ),
    Query(
        name="members",
        level="organization",
        title="members, and where they hold permissions of their own",
        operations=("getOrganizationMembers",),
        writes=("organization_members", "direct_access"),
        reports=("R4",),
        tier=2,
        scope="org:admin",
    ),
    Query(
        name="collaborators",
        level="organization",
        title="outsiders with permissions of their own",
        operations=("getOrganizationCollaborators",),
        writes=("organization_members", "direct_access"),
        reports=("R4",),
        tier=2,
        scope="org:admin",
    ),
    Query(
        name="default_permissions",
        level="organization",
        title="default permissions for repositories to come",
        operations=("getOrganizationPrototypePermissions",),
        writes=("default_permissions",),
        reports=("R4",),
        tier=2,
        scope="org:admin",
    ),
    Query(
        name="applications",
        level="organization",
        title="OAuth applications",
        operations=("getOrganizationApplications",),
        writes=("applications",),
        reports=("R6",),
        tier=2,
        scope="org:admin",
    ),
    Query(
        name="quota",
        level="organization",
        title="quotas and their limits",
        operations=("listOrganizationQuota", "listUserQuotaSuperUser", "listOrganizationQuotaSuperUser"),
        writes=("quotas", "quota_limits"),
        reports=("R9",),
        tier=2,
        periods=ON_EVENT,
        scope="org:admin",
        wider=(Wider(query="organizations"), Wider(query="users")),
    ),
    Query(
        name="namespace_autoprune",
        level="organization",
        title="auto-prune policies of an organization",
        operations=("listOrganizationAutoPrunePolicies",),
        writes=("autoprune_policies",),
        reports=("R11", "R13"),
        tier=2,
        scope="org:admin",
    ),
    Query(
        name="proxy_cache",
        level="organization",
        title="whether it is a pull-through cache, and of what",
        operations=("getProxyCacheConfig",),
        writes=("proxy_caches",),
        reports=("R13",),
        tier=2,
        scope="org:admin",
    ),
    Query(
        name="user_robots",
        level="user",
        title="robot accounts of users, their last use and repositories",
        operations=("getOrgRobots",),
        writes=("robots", "last_uses", "direct_access"),
        reports=("R4", "R6"),
        tier=6,
        access="superuser",
        scope=SUPERUSER,
    ),
    Query(
        name="user_autoprune",
        level="user",
        title="auto-prune policies of users",
        operations=("listOrganizationAutoPrunePolicies",),
        writes=("autoprune_policies",),
        reports=("R11", "R13"),
        tier=6,
        access="superuser",
        scope=SUPERUSER,
    ),
    Query(
        name="organization_immutability",
        level="organization",
        title="immutability policies of an organization",
        operations=("listOrgImmutabilityPolicies",),
        writes=("immutability_policies",),
        reports=("R13",),
        tier=2,
        scope="org:admin",
    ),
    Query(
        name="repository_immutability",
        level="repository",
        title="immutability policies",
        operations=("listRepositoryImmutabilityPolicies",),
        writes=("immutability_policies",),
        reports=("R13",),
        tier=8,
        scope="repo:admin",
    ),
    Query(
        name="organization_mirror",
        level="organization",
        title="which namespace of another registry it mirrors",
        operations=("getOrgMirrorConfig",),
        writes=("organization_mirrors",),
        reports=("R13",),
        tier=2,
        scope="org:admin",
    ),
    Query(
        name="mirrored_repositories",
        level="organization",
        title="repositories that its mirror found at the source",
        operations=("listOrgMirrorRepositories",),
        writes=("mirrored_repositories",),
        reports=("R13",),
        tier=6,
        scope="org:admin",
        targets="mirrored_organization",
    ),
    Query(
        name="oauth_tokens",
        level="application",
        title="access tokens of OAuth applications and their last use",
        operations=("listOrganizationApplicationTokens",),
        writes=("oauth_tokens", "last_uses"),
        reports=("R6",),
        tier=6,
        scope="org:admin",
        decides_existence=True,
    ),
    Query(
        name="namespace_notifications",
        level="organization",
        title="notifications of an organization, such as quota alerts",
        operations=("listOrgNotifications",),
        writes=("namespace_notifications",),
        reports=("R9", "R13"),
        tier=6,
        scope="org:admin",
    ),
    Query(
        name="capabilities",
        level="registry",
        title="what the registry can do",
        operations=("getRegistryCapabilities",),
        writes=("registry_settings",),
        reports=("R13",),
        tier=1,
    ),
    Query(
        name="mirror_health",
        level="registry",
        title="how mirroring goes, by Quay's own judgement",
        operations=("getSuperUserRepositoryMirrorHealth",),
        writes=("mirror_health",),
        reports=("R13",),
        tier=1,
        access="superuser",
        scope=SUPERUSER,
    ),
    Query(
        name="log_config",
        level="registry",
        title="settings that decide what the log records (an allow-list of the configuration)",
        operations=("getSuperUserConfig",),
        writes=("registry_settings",),
        reports=("R1", "R13"),
        tier=1,
        access="superuser",
        scope=SUPERUSER,
        opt_in=True,
        in_discovery=False,
    ),
    Query(
        name="team_members",
        level="team",
        title="members and invitations",
        operations=("getOrganizationTeamMembers",),
        writes=("team_members",),
        reports=("R4",),
        tier=3,
        scope="org:admin",
        decides_existence=True,
    ),
    Query(
        name="team_permissions",
        level="team",
        title="the team's roles on repositories",
        operations=("getOrganizationTeamPermissions",),
        writes=("repository_permissions",),
        reports=("R4",),
        tier=3,
        scope="org:admin",
    ),
    Query(
        name="user_permissions",
        level="repository",
        title="roles of users and robots",
        operations=("listRepoUserPermissions",),
        writes=("repository_permissions",),
        reports=("R4", "R6"),
        tier=4,
        scope="repo:admin",
        principal="user",
    ),
    Query(
        name="repository_team_permissions",
        level="repository",
        title="roles of teams",
        operations=("listRepoTeamPermissions",),
        writes=("repository_permissions",),
        reports=("R4",),
        tier=4,
        periods=ON_EVENT,
        scope="repo:admin",
        principal="team",
        wider=(Wider(query="team_permissions", part="owners", whole=False),),
    ),
    Query(
        name="tags",
        level="repository",
        title="all tags with their history",
        operations=("listRepoTags",),
        writes=("tags",),
        reports=("R2", "R11"),
        tier=5,
        scope="repo:read",
        paged_by="tags",
        narrowed_by="tag",
    ),
    Query(
        name="tag",
        level="tag",
        title="one tag with its history",
        operations=("listRepoTags",),
        writes=("tags",),
        reports=("R2", "R11"),
        tier=5,
        periods=ON_EVENT,
        scope="repo:read",
        wider=(Wider(query="tags", part="repository"),),
    ),
    Query(
        name="federation",
        level="robot",
        title="outside identities that may act as the robot",
        operations=("getOrgRobotFederation",),
        writes=("robot_federations",),
        reports=("R6",),
        tier=6,
        periods=2.0,
        scope="org:admin",
        decides_existence=True,
    ),
    Query(
        name="mirror",
        level="repository",
        title="what it mirrors",
        operations=("getRepoMirrorConfig",),
        writes=("mirrors",),
        reports=("R13",),
        tier=6,
        scope="repo:admin",
        targets="mirror",
    ),
    Query(
        name="scan",
        level="manifest",
        title="what the scanner found",
        operations=("getRepoManifestSecurity",),
        writes=("scans", "vulnerabilities"),
        reports=("R15",),
        tier=7,
        scope="repo:read",
        settle=_SCANNED_AFTER,
        targets="digest",
        again_after=_SCANNED_AGAIN_AFTER,
        carried="as_read",
    ),
    Query(
        name="repository",
        level="repository",
        title="one repository's settings, and actions a day",
        operations=("getRepo",),
        writes=("repositories", "repository_settings", "repository_actions"),
        reports=("R12", "R13"),
        tier=8,
        scope="repo:read",
        decides_existence=True,
        wider=(
            Wider(query="repositories", whole=False),
            Wider(query="namespace_repositories", part="namespace", whole=False),
        ),
    ),
    Query(
        name="notifications",
        level="repository",
        title="notifications",
        operations=("listRepoNotifications",),
        writes=("notifications",),
        reports=("R13",),
        tier=8,
        scope="repo:admin",
    ),
    Query(
        name="repository_autoprune",
        level="repository",
        title="auto-prune policies",
        operations=("listRepositoryAutoPrunePolicies",),
        writes=("autoprune_policies",),
        reports=("R11", "R13"),
        tier=8,
        scope="repo:admin",
    ),
    Query(
        name="triggers",
        level="repository",
        title="build triggers",
        operations=("listBuildTriggers",),
        writes=("triggers",),
        reports=("R12",),
        tier=8,
        scope="repo:admin",
    ),
    Query(
        name="builds",
        level="repository",
        title="the newest builds",
        operations=("getRepoBuilds",),
        writes=("builds",),
        reports=("R12",),
        tier=8,
        scope="repo:read",
    ),
    Query(
        name="manifest",
        level="manifest",
        title="layers and media types",
        operations=("getRepoManifest",),
        writes=("manifests",),
        reports=("R2",),
        tier=9,
        scope="repo:read",
        once=True,
        settle=_KEPT_AFTER,
        carried="copied",
    ),
    Query(
        name="labels",
        level="manifest",
        title="labels",
        operations=("listManifestLabels",),
        writes=("manifest_labels",),
        reports=("R2",),
        tier=9,
        periods=4.0,
        scope="repo:read",
        settle=_KEPT_AFTER,
    ),
    Query(
        name="referrers",
        level="manifest",
        title="signatures, SBOMs and attestations",
        operations=("getReferrers",),
        writes=("referrers",),
        reports=("R2",),
        tier=9,
        periods=2.0,
        scope="repo:read",
        settle=_KEPT_AFTER,
        needs_user=True,
        in_discovery=False,
    ),
    Query(
        name="tag_pulls",
        level="tag",
        title="how often and when last pulled, where the registry counts that",
        operations=("getTagPullStatistics",),
        writes=("last_uses",),
        reports=("R11",),
        tier=10,
        scope="repo:read",
        opt_in=True,
    ),
    Query(
        name=ORPHANS,
        level="registry",
        title="manifests that no tag tells of any more: put together from what is held, without a request",
        operations=(),
        writes=("manifests", "manifest_labels", "referrers", "vulnerabilities"),
        reports=("R2", "R15"),
        tier=11,
        periods=ON_EVENT,
    ),
)
QUERY = {query.name: query for query in QUERIES}
# The query that tells whether an object of a level is still there.
EXISTENCE: dict[str, Query] = {query.level: query for query in QUERIES if query.decides_existence}


def query_of(name: str) -> Query:
    """The query of that name. Raises ValueError where there is none."""
    if (found := QUERY.get(name)) is None:
        raise ValueError(f"there is no query {name!r}: the queries are {', '.join(QUERY)}")
    return found


def title_of(name: str) -> str:
    """What a query reads, for people; its name where a newer version wrote it."""
    found = QUERY.get(name)
    return found.title if found else name.replace("_", " ")


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
    """The target of a note about every target of a query within a namespace."""
    return f"{namespace}/{EVERYWHERE}" if namespace else EVERYWHERE


def all_in(repository: str) -> str:
    """The target of a note about every manifest or tag of a repository."""
    return f"{repository}@{EVERYWHERE}"
