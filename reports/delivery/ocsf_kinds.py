"""Kinds of Quay's log in the classes and activities of OCSF 1.8, one line each. Data only.

Whoever reads a SIEM finds: log-ins in Authentication (3002), users and robots in Account Change (3001), teams in Group Management
(3006), permissions on repositories in User Access Management (3005), everything else that is set up in Entity Management
(3004), and what is done with images in API Activity (6003)."""

from __future__ import annotations

import msgspec

ACCOUNT, LOGIN, ENTITY, ACCESS, TEAM, API, FINDING = 3001, 3002, 3004, 3005, 3006, 6003, 2004
OTHER = 99
CLASS_NAMES = {
    ACCOUNT: "Account Change",
    LOGIN: "Authentication",
    ENTITY: "Entity Management",
    ACCESS: "User Access Management",
    TEAM: "Group Management",
    API: "API Activity",
    FINDING: "Detection Finding",
}
_CREATE, _READ, _UPDATE, _DELETE, _ENABLE, _DISABLE, _ACTIVATE = 1, 2, 3, 4, 8, 9, 10


class OcsfKind(msgspec.Struct, frozen=True):
    """`activity_id`: 99 where the class has no word for it; `entity`: in Entity Management, the type of what is managed."""

    class_uid: int
    activity_id: int
    entity: str = ""


UNKNOWN_KIND = OcsfKind(API, OTHER)
_ENTITIES: dict[str, tuple[tuple[int, tuple[str, ...]], ...]] = {
    "Repository": (
        (_CREATE, ("create_repo",)),
        (_UPDATE, ("change_repo_state", "change_repo_trust", "change_repo_visibility", "set_repo_description")),
        (_DELETE, ("delete_repo",)),
    ),
    "Organization": (
        (_CREATE, ("org_create",)),
        (_UPDATE, ("org_change_email", "org_change_invoicing", "org_change_name", "org_change_tag_expiration")),
        (_UPDATE, ("take_ownership",)),
        (_DELETE, ("org_delete",)),
    ),
    "User namespace": ((_UPDATE, ("user_change_tag_expiration",)),),
    "Quota": (
        (_CREATE, ("org_create_quota", "org_create_quota_limit")),
        (_UPDATE, ("org_change_quota", "org_change_quota_limit")),
        (_DELETE, ("org_delete_quota", "org_delete_quota_limit")),
    ),
    "Auto-prune policy": (
        (_CREATE, ("create_namespace_autoprune_policy", "create_repository_autoprune_policy")),
        (_UPDATE, ("update_namespace_autoprune_policy", "update_repository_autoprune_policy")),
        (_DELETE, ("delete_namespace_autoprune_policy", "delete_repository_autoprune_policy")),
    ),
    "Immutability policy": (
        (_CREATE, ("create_immutability_policy",)),
        (_UPDATE, ("update_immutability_policy",)),
        (_DELETE, ("delete_immutability_policy",)),
    ),
    "Proxy cache": ((_CREATE, ("create_proxy_cache_config",)), (_DELETE, ("delete_proxy_cache_config",))),
    "OAuth application": (
        (_CREATE, ("create_application",)),
        (_UPDATE, ("update_application", "reset_application_client_secret")),
        (_DELETE, ("delete_application",)),
    ),
    "OAuth token": (
        (_CREATE, ("create_oauth_api_token",)),
        (_UPDATE, ("oauth_token_assigned",)),
        (_DELETE, ("revoke_oauth_api_token", "oauth_token_revoked")),
    ),
    "Service key": (
        (_CREATE, ("service_key_create",)),
        (_UPDATE, ("service_key_extend", "service_key_modify", "service_key_rotate")),
        (_ACTIVATE, ("service_key_approve",)),
        (_DELETE, ("service_key_delete",)),
    ),
    "Notification": (
        (_CREATE, ("add_repo_notification", "create_namespace_notification", "add_repo_webhook")),
        (_UPDATE, ("reset_repo_notification", "reset_namespace_notification")),
        (_DELETE, ("delete_repo_notification", "delete_namespace_notification", "delete_repo_webhook")),
    ),
    "Build trigger": (
        (_CREATE, ("setup_repo_trigger",)),
        (_UPDATE, ("toggle_repo_trigger",)),
        (_DELETE, ("delete_repo_trigger",)),
    ),
    "Mirror": (
        (_UPDATE, ("repo_mirror_config_changed", "org_mirror_config_changed")),
        (_ENABLE, ("repo_mirror_enabled", "org_mirror_enabled")),
        (_DISABLE, ("repo_mirror_disabled", "org_mirror_disabled")),
    ),
}
_OTHERS: dict[int, tuple[tuple[int, tuple[str, ...]], ...]] = {
    LOGIN: (
        (1, ("login_success", "login_failure")),  # Logon
        (2, ("logout_success",)),  # Logoff
        (3, ("federated_robot_token_exchange",)),  # Authentication Ticket
    ),
    ACCOUNT: (
        (1, ("user_create", "create_robot")),  # Create
        (2, ("user_enable",)),
        (3, ("account_change_password",)),  # Password Change
        (4, ("user_change_password", "regenerate_robot_token")),  # Password Reset
        (5, ("user_disable",)),
        (6, ("user_delete", "delete_robot")),
        (
            OTHER,
            ("account_change_cc", "account_change_plan", "account_convert", "user_change_email", "user_change_name"),
        ),
        (OTHER, ("user_change_metadata", "user_change_invoicing", "user_generate_client_key")),
        (OTHER, ("create_robot_federation", "delete_robot_federation")),
        (OTHER, ("create_app_specific_token", "revoke_app_specific_token")),
    ),
    ACCESS: (
        (1, ("change_repo_permission", "add_repo_permission", "add_repo_accesstoken")),  # Assign Privileges
        (1, ("create_prototype_permission", "modify_prototype_permission")),
        (2, ("delete_repo_permission", "delete_repo_accesstoken", "delete_prototype_permission")),  # Revoke Privileges
    ),
    TEAM: (
        (1, ("org_set_team_role",)),  # Assign Privileges
        (3, ("org_add_team_member", "org_team_member_invite_accepted")),  # Add User
        (4, ("org_remove_team_member",)),  # Remove User
        (5, ("org_delete_team",)),  # Delete
        (6, ("org_create_team",)),  # Create
        (OTHER, ("org_set_team_description", "org_invite_team_member", "org_delete_team_member_invite")),
        (OTHER, ("org_team_member_invite_declined", "enable_team_sync", "disable_team_sync")),
    ),
    API: (
        (_CREATE, ("push_repo", "push_repo_failed", "create_tag", "manifest_label_add", "build_dockerfile")),
        (_CREATE, ("start_build_trigger", "org_mirror_repo_created", "org_mirror_repo_creation_failed")),
        (_READ, ("pull_repo", "pull_repo_failed", "repo_verb", "export_logs_success", "export_logs_failure")),
        (_UPDATE, ("move_tag", "revert_tag", "change_tag_expiration", "change_tag_immutability", "cancel_build")),
        (_UPDATE, ("tag_made_immutable_by_policy", "tags_made_immutable_by_policy")),
        (_UPDATE, ("repo_mirror_sync_started", "repo_mirror_sync_success", "repo_mirror_sync_failed")),
        (_UPDATE, ("repo_mirror_sync_tag_success", "repo_mirror_sync_tag_failed", "repo_mirror_sync_now_requested")),
        (_UPDATE, ("org_mirror_sync_started", "org_mirror_sync_success", "org_mirror_sync_failed")),
        (_UPDATE, ("org_mirror_sync_cancelled", "org_mirror_sync_now_requested")),
        (_READ, ("repo_mirror_sync_test_started", "repo_mirror_sync_test_success", "repo_mirror_sync_test_failed")),
        (_DELETE, ("delete_tag", "delete_tag_failed", "permanently_delete_tag", "autoprune_tag_delete")),
        (_DELETE, ("manifest_label_delete",)),
    ),
}
OCSF_KINDS: dict[str, OcsfKind] = {
    kind: OcsfKind(ENTITY, activity, entity)
    for entity, lines in _ENTITIES.items()
    for activity, kinds in lines
    for kind in kinds
} | {kind: OcsfKind(uid, activity) for uid, lines in _OTHERS.items() for activity, kinds in lines for kind in kinds}
