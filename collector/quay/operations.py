"""Operations: everything that this client can request from Quay, by the API reference. Nothing calls this module at run time: the
tests check the client against it, and it shows what a token is used for.
"""

from __future__ import annotations

import msgspec


class Operation(msgspec.Struct, frozen=True):
    """One operation. `chapter`: of the API reference, empty if it is missing there; `operation_id` and `path`: as in the
    reference; `module` and `function`: what calls it, within `collector.quay`."""

    chapter: str
    operation_id: str
    method: str
    path: str
    function: str
    module: str


# The only operations that are not reads: three request an export file, one queues the calculation of the registry's size.
SENT = frozenset({"exportUserLogs", "exportOrgLogs", "exportRepoLogs", "postRegistrySize"})

_TABLE = """
2.2   listAppTokens                       GET  /api/v1/user/apptoken                                                              app_tokens.list_app_tokens
2.3   getAppToken                         GET  /api/v1/user/apptoken/{token_uuid}                                                 app_tokens.get_app_token
3.1   getRepoBuildStatus                  GET  /api/v1/repository/{repository}/build/{build_uuid}/status                          builds.get_build_status
3.2   getRepoBuildLogs                    GET  /api/v1/repository/{repository}/build/{build_uuid}/logs                            builds.get_build_logs
3.3   getRepoBuild                        GET  /api/v1/repository/{repository}/build/{build_uuid}                                 builds.get_build
3.6   getRepoBuilds                       GET  /api/v1/repository/{repository}/build/                                             builds.list_builds
4.1   discovery                           GET  /api/v1/discovery                                                                  discovery.get_discovery
5.1   getErrorDescription                 GET  /api/v1/error/{error_type}                                                         error_descriptions.get_error_description
6.2   getGlobalMessages                   GET  /api/v1/messages                                                                   messages.list_messages
7.1   getAggregateUserLogs                GET  /api/v1/user/aggregatelogs                                                         logs.aggregate_logs
7.2   exportUserLogs                      POST /api/v1/user/exportlogs                                                            exports.request_export
7.3   listUserLogs                        GET  /api/v1/user/logs                                                                  logs.list_logs
7.4   getAggregateOrgLogs                 GET  /api/v1/organization/{orgname}/aggregatelogs                                       logs.aggregate_logs
7.5   exportOrgLogs                       POST /api/v1/organization/{orgname}/exportlogs                                          exports.request_export
7.6   listOrgLogs                         GET  /api/v1/organization/{orgname}/logs                                                logs.list_logs
7.7   getAggregateRepoLogs                GET  /api/v1/repository/{repository}/aggregatelogs                                      logs.aggregate_logs
7.8   exportRepoLogs                      POST /api/v1/repository/{repository}/exportlogs                                         exports.request_export
7.9   listRepoLogs                        GET  /api/v1/repository/{repository}/logs                                               logs.list_logs
8.1   getManifestLabel                    GET  /api/v1/repository/{repository}/manifest/{manifestref}/labels/{labelid}            manifests.get_label
8.4   listManifestLabels                  GET  /api/v1/repository/{repository}/manifest/{manifestref}/labels                      manifests.list_labels
8.5   getRepoManifest                     GET  /api/v1/repository/{repository}/manifest/{manifestref}                             manifests.get_manifest
9.3   getRepoMirrorConfig                 GET  /api/v1/repository/{repository}/mirror                                             mirrors.get_mirror
10.1  listUserQuota                       GET  /api/v1/user/quota                                                                 quotas.list_user_quotas
10.2  getOrganizationQuotaLimit           GET  /api/v1/organization/{orgname}/quota/{quota_id}/limit/{limit_id}                   quotas.get_organization_quota_limit
10.6  listOrganizationQuotaLimit          GET  /api/v1/organization/{orgname}/quota/{quota_id}/limit                              quotas.list_organization_quota_limits
10.7  getUserQuotaLimit                   GET  /api/v1/user/quota/{quota_id}/limit/{limit_id}                                     quotas.get_user_quota_limit
10.8  listUserQuotaLimit                  GET  /api/v1/user/quota/{quota_id}/limit                                                quotas.list_user_quota_limits
10.9  getOrganizationQuota                GET  /api/v1/organization/{orgname}/quota/{quota_id}                                    quotas.get_organization_quota
10.13 listOrganizationQuota               GET  /api/v1/organization/{orgname}/quota                                               quotas.list_organization_quotas
10.14 getUserQuota                        GET  /api/v1/user/quota/{quota_id}                                                      quotas.get_user_quota
11.3  getOrganizationCollaborators        GET  /api/v1/organization/{orgname}/collaborators                                       organizations.list_collaborators
11.4  getOrganizationApplication          GET  /api/v1/organization/{orgname}/applications/{client_id}                            organizations.get_application
11.8  getOrganizationApplications         GET  /api/v1/organization/{orgname}/applications                                        organizations.list_applications
11.9  getProxyCacheConfig                 GET  /api/v1/organization/{orgname}/proxycache                                          organizations.get_proxy_cache
11.12 getOrganizationMember               GET  /api/v1/organization/{orgname}/members/{membername}                                organizations.get_member
11.14 getOrganizationMembers              GET  /api/v1/organization/{orgname}/members                                             organizations.list_members
11.15 getOrganization                     GET  /api/v1/organization/{orgname}                                                     organizations.get_organization
11.18 getApplicationInformation           GET  /api/v1/app/{client_id}                                                            organizations.get_application_information
12.1  getUserTransitivePermission         GET  /api/v1/repository/{repository}/permissions/user/{username}/transitive             permissions.list_transitive_roles
12.2  getUserPermissions                  GET  /api/v1/repository/{repository}/permissions/user/{username}                        permissions.get_user_permission
12.5  getTeamPermissions                  GET  /api/v1/repository/{repository}/permissions/team/{teamname}                        permissions.get_team_permission
12.8  listRepoTeamPermissions             GET  /api/v1/repository/{repository}/permissions/team/                                  permissions.list_team_permissions
12.9  listRepoUserPermissions             GET  /api/v1/repository/{repository}/permissions/user/                                  permissions.list_user_permissions
13.2  listOrganizationAutoPrunePolicies   GET  /api/v1/organization/{orgname}/autoprunepolicy/                                    autoprune.list_organization_policies
13.3  getOrganizationAutoPrunePolicy      GET  /api/v1/organization/{orgname}/autoprunepolicy/{policy_uuid}                       autoprune.get_organization_policy
13.7  listRepositoryAutoPrunePolicies     GET  /api/v1/repository/{repository}/autoprunepolicy/                                   autoprune.list_repository_policies
13.8  getRepositoryAutoPrunePolicy        GET  /api/v1/repository/{repository}/autoprunepolicy/{policy_uuid}                      autoprune.get_repository_policy
13.12 listUserAutoPrunePolicies           GET  /api/v1/user/autoprunepolicy/                                                      autoprune.list_user_policies
13.13 getUserAutoPrunePolicy              GET  /api/v1/user/autoprunepolicy/{policy_uuid}                                         autoprune.get_user_policy
14.4  getOrganizationPrototypePermissions GET  /api/v1/organization/{orgname}/prototypes                                          prototypes.list_prototypes
15.1  getReferrers                        GET  /v2/{organization_name}/{repository_name}/referrers/{digest}                       referrers.list_referrers
16.2  listRepos                           GET  /api/v1/repository                                                                 repositories.list_repositories
16.5  getRepo                             GET  /api/v1/repository/{repository}                                                    repositories.get_repository
17.2  getRepoNotification                 GET  /api/v1/repository/{repository}/notification/{uuid}                                notifications.get_notification
17.6  listRepoNotifications               GET  /api/v1/repository/{repository}/notification/                                      notifications.list_notifications
18.1  getUserRobots                       GET  /api/v1/user/robots                                                                robots.list_user_robots
18.2  getOrgRobotPermissions              GET  /api/v1/organization/{orgname}/robots/{robot_shortname}/permissions                robots.list_robot_permissions
18.4  getUserRobotPermissions             GET  /api/v1/user/robots/{robot_shortname}/permissions                                  robots.list_user_robot_permissions
18.6  getOrgRobot                         GET  /api/v1/organization/{orgname}/robots/{robot_shortname}                            robots.get_robot
18.9  getOrgRobots                        GET  /api/v1/organization/{orgname}/robots                                              robots.list_robots
18.10 getUserRobot                        GET  /api/v1/user/robots/{robot_shortname}                                              robots.get_user_robot
19.1  conductRepoSearch                   GET  /api/v1/find/repositories                                                          search.find_repositories
19.2  conductSearch                       GET  /api/v1/find/all                                                                   search.find_all
19.3  getMatchingEntities                 GET  /api/v1/entities/{prefix}                                                          search.list_entities
20.1  getRepoManifestSecurity             GET  /api/v1/repository/{repository}/manifest/{manifestref}/security                    security.get_manifest_security
21.3  listAllUsers                        GET  /api/v1/superuser/users/                                                           superuser.list_users
21.4  listAllLogs                         GET  /api/v1/superuser/logs                                                             logs.list_logs
21.5  listAllOrganizations                GET  /api/v1/superuser/organizations                                                    superuser.list_organizations
21.7  listServiceKeys                     GET  /api/v1/superuser/keys                                                             superuser.list_service_keys
21.11 listUserQuotaSuperUser              GET  /api/v1/superuser/organization/{namespace}/quota                                   quotas.list_superuser_organization_quotas
21.15 listOrganizationQuotaSuperUser      GET  /api/v1/superuser/users/{namespace}/quota                                          quotas.list_superuser_user_quotas
21.21 getServiceKey                       GET  /api/v1/superuser/keys/{kid}                                                       superuser.get_service_key
21.22 getRepoBuildStatusSuperUser         GET  /api/v1/superuser/{build_uuid}/status                                              builds.get_superuser_build_status
21.23 getRepoBuildSuperUser               GET  /api/v1/superuser/{build_uuid}/build                                               builds.get_superuser_build
21.24 getRepoBuildLogsSuperUser           GET  /api/v1/superuser/{build_uuid}/logs                                                builds.get_superuser_build_logs
21.25 getRegistrySize                     GET  /api/v1/superuser/registrysize/                                                    superuser.get_registry_size
21.26 postRegistrySize                    POST /api/v1/superuser/registrysize/                                                    superuser.queue_registry_size_calculation
22.4  listRepoTags                        GET  /api/v1/repository/{repository}/tag/                                               tags.list_tags
23.1  getOrganizationTeamPermissions      GET  /api/v1/organization/{orgname}/team/{teamname}/permissions                         teams.list_team_permissions
23.4  getOrganizationTeamMembers          GET  /api/v1/organization/{orgname}/team/{teamname}/members                             teams.list_team_members
24.2  listTriggerRecentBuilds             GET  /api/v1/repository/{repository}/trigger/{trigger_uuid}/builds                      triggers.list_trigger_builds
24.4  getBuildTrigger                     GET  /api/v1/repository/{repository}/trigger/{trigger_uuid}                             triggers.get_trigger
24.7  listBuildTriggers                   GET  /api/v1/repository/{repository}/trigger/                                           triggers.list_triggers
25.2  listStarredRepos                    GET  /api/v1/user/starred                                                               users.list_starred
25.3  getLoggedInUser                     GET  /api/v1/user/                                                                      users.get_logged_in_user
25.5  getUserInformation                  GET  /api/v1/users/{username}                                                           users.get_user_information
-     listAllAppTokens                    GET  /api/v1/superuser/apptokens                                                        app_tokens.list_all_app_tokens
-     listAllAggregateLogs                GET  /api/v1/superuser/aggregatelogs                                                    logs.aggregate_logs
-     getInstallUser                      GET  /api/v1/superuser/users/{username}                                                 superuser.get_user
-     getOrgRobotFederation               GET  /api/v1/organization/{orgname}/robots/{robot_shortname}/federation                 robots.list_robot_federation
-     getUserRobotFederation              GET  /api/v1/user/robots/{robot_shortname}/federation                                   robots.list_user_robot_federation
-     getTagPullStatistics                GET  /api/v1/repository/{repository}/tag/{tag}/pull_statistics                          pull_statistics.get_tag_pulls
-     getManifestPullStatistics           GET  /api/v1/repository/{repository}/manifest/{manifestref}/pull_statistics             pull_statistics.get_manifest_pulls
-     listOrgImmutabilityPolicies         GET  /api/v1/organization/{orgname}/immutabilitypolicy/                                     immutability.list_organization_immutability
-     listRepositoryImmutabilityPolicies  GET  /api/v1/repository/{repository}/immutabilitypolicy/                                immutability.list_repository_immutability
-     getOrgMirrorConfig                  GET  /api/v1/organization/{orgname}/mirror                                              organization_mirrors.get_organization_mirror
-     listOrgMirrorRepositories           GET  /api/v1/organization/{orgname}/mirror/repositories                                 organization_mirrors.list_mirrored_repositories
-     listOrganizationApplicationTokens   GET  /api/v1/organization/{orgname}/applications/{client_id}/tokens                     oauth_tokens.list_oauth_tokens
-     listOrgNotifications                GET  /api/v1/organization/{orgname}/notifications                                       notifications.list_organization_notifications
-     getSuperUserRepositoryMirrorHealth  GET  /api/v1/superuser/mirror/health                                                    mirrors.get_mirror_health
-     getRegistryCapabilities             GET  /api/v1/registry/capabilities                                                      installation.get_capabilities
-     getSuperUserConfig                  GET  /api/v1/superuser/config                                                           installation.get_log_config
-     generate_registry_jwt               GET  /v2/auth                                                                           client.QuayClient.get_v2
"""


def _operation(line: str) -> Operation:
    chapter, operation_id, method, path, where = line.split()
    module, _, function = where.partition(".")
    return Operation(chapter.strip("-"), operation_id, method, path, function, module)


OPERATIONS: tuple[Operation, ...] = tuple(_operation(line) for line in _TABLE.strip().splitlines())
