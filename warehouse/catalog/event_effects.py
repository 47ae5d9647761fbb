"""The effects of events: which queries each kind of event that Quay writes makes stale, or why none. Pure.

What no event tells (a push through a proxy cache, a scan that ended, sizes) is found by the rounds.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

NOTHING_KEPT = "changes nothing that the inventory keeps"
NOT_READABLE = "what it changes cannot be read by any operation of Quay's API"
NOT_WRITTEN = "no code of Quay's writes it"
NOT_NAMED = "does not say which objects it changed; the round finds them"
OWNERS = "owners"
# Mirrors run by the hour and mostly find nothing new.
_MIRRORED_AGAIN = timedelta(days=1)


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of event makes stale. `stale`: names of queries, each for the object of its level that the event names;
    `patience`: the query waits until the last answer is so old; `names_account`: the account is the one that the metadata
    names, not the one whose log it is in; `team`: the team that is meant where the event names none; `renames`: the event
    tells that an account is called otherwise since (Quay calls a deleted organization by a UUID); `is_routine`: it comes with everyday use of a registry, and nobody decided
    anything."""

    kind: str
    stale: tuple[str, ...]
    patience: timedelta = timedelta(0)
    names_account: bool = False
    team: str = ""
    renames: Literal["", "organization", "user", "deleted organization"] = ""
    is_routine: bool = False


_EFFECTS: tuple[Effect, ...] = (
    Effect(kind="create_immutability_policy", stale=("organization_immutability", "repository_immutability")),
    Effect(kind="create_namespace_notification", stale=("namespace_notifications",)),
    Effect(kind="create_oauth_api_token", stale=("oauth_tokens",)),
    Effect(kind="delete_immutability_policy", stale=("organization_immutability", "repository_immutability")),
    Effect(kind="delete_namespace_notification", stale=("namespace_notifications",)),
    Effect(kind="org_mirror_config_changed", stale=("organization_mirror",)),
    Effect(kind="org_mirror_disabled", stale=("organization_mirror",)),
    Effect(kind="org_mirror_enabled", stale=("organization_mirror",)),
    Effect(kind="reset_namespace_notification", stale=("namespace_notifications",)),
    Effect(kind="revoke_oauth_api_token", stale=("oauth_tokens",)),
    Effect(kind="update_immutability_policy", stale=("organization_immutability", "repository_immutability")),
    Effect(kind="account_convert", stale=("user", "organization")),
    Effect(kind="add_repo_notification", stale=("notifications",)),
    Effect(kind="autoprune_tag_delete", stale=("tags",), is_routine=True),
    Effect(kind="build_dockerfile", stale=("builds",), is_routine=True),
    Effect(kind="cancel_build", stale=("builds",)),
    Effect(kind="change_repo_permission", stale=("user_permissions", "repository_team_permissions")),
    Effect(kind="change_repo_state", stale=("repository", "mirror")),
    Effect(kind="change_repo_trust", stale=("repository",)),
    Effect(kind="change_repo_visibility", stale=("repository",)),
    Effect(kind="change_tag_expiration", stale=("tags",)),
    Effect(kind="change_tag_immutability", stale=("tags",)),
    Effect(kind="create_app_specific_token", stale=("app_tokens",)),
    Effect(kind="create_application", stale=("applications",)),
    Effect(kind="create_namespace_autoprune_policy", stale=("namespace_autoprune",)),
    Effect(kind="create_prototype_permission", stale=("default_permissions",)),
    Effect(kind="create_proxy_cache_config", stale=("proxy_cache",)),
    Effect(kind="create_repo", stale=("repository", "user_permissions", "repository_team_permissions")),
    Effect(kind="create_repository_autoprune_policy", stale=("repository_autoprune",)),
    Effect(kind="create_robot", stale=("robots",)),
    Effect(kind="create_robot_federation", stale=("federation",)),
    Effect(kind="create_tag", stale=("tags",)),
    Effect(kind="delete_application", stale=("applications",)),
    Effect(kind="delete_namespace_autoprune_policy", stale=("namespace_autoprune",)),
    Effect(kind="delete_prototype_permission", stale=("default_permissions",)),
    Effect(kind="delete_proxy_cache_config", stale=("proxy_cache",)),
    Effect(kind="delete_repo", stale=("repository",)),
    Effect(kind="delete_repo_notification", stale=("notifications",)),
    Effect(kind="delete_repo_permission", stale=("user_permissions", "repository_team_permissions")),
    Effect(kind="delete_repo_trigger", stale=("triggers",)),
    Effect(kind="delete_repository_autoprune_policy", stale=("repository_autoprune",)),
    Effect(kind="delete_robot", stale=("robots",)),
    Effect(kind="delete_robot_federation", stale=("federation",)),
    Effect(kind="delete_tag", stale=("tags",)),
    Effect(kind="disable_team_sync", stale=("organization",)),
    Effect(kind="enable_team_sync", stale=("organization",)),
    Effect(kind="manifest_label_add", stale=("labels",)),
    Effect(kind="manifest_label_delete", stale=("labels",)),
    Effect(kind="modify_prototype_permission", stale=("default_permissions",)),
    Effect(kind="move_tag", stale=("tags",)),
    Effect(kind="org_add_team_member", stale=("team_members",)),
    Effect(kind="org_change_email", stale=("organization",)),
    Effect(kind="org_change_invoicing", stale=("organization",)),
    Effect(kind="org_change_name", stale=("organization", "namespace_repositories"), renames="organization"),
    Effect(kind="org_change_quota", stale=("quota",)),
    Effect(kind="org_change_quota_limit", stale=("quota",)),
    Effect(kind="org_change_tag_expiration", stale=("organization",)),
    Effect(kind="org_create", stale=("organization",)),
    Effect(kind="org_create_quota", stale=("quota",)),
    Effect(kind="org_create_quota_limit", stale=("quota",)),
    Effect(kind="org_create_team", stale=("organization",)),
    Effect(kind="org_delete", stale=("organization",), renames="deleted organization"),
    Effect(kind="org_delete_quota", stale=("quota",)),
    Effect(kind="org_delete_quota_limit", stale=("quota",)),
    Effect(kind="org_delete_team", stale=("organization",)),
    Effect(kind="org_delete_team_member_invite", stale=("team_members",)),
    Effect(kind="org_invite_team_member", stale=("team_members",)),
    Effect(kind="org_mirror_repo_created", stale=("namespace_repositories",)),
    Effect(kind="org_mirror_sync_success", stale=("tags",), patience=_MIRRORED_AGAIN, is_routine=True),
    Effect(kind="org_remove_team_member", stale=("team_members",)),
    Effect(kind="org_set_team_description", stale=("organization",)),
    Effect(kind="org_set_team_role", stale=("organization",)),
    Effect(kind="org_team_member_invite_accepted", stale=("team_members",)),
    Effect(kind="org_team_member_invite_declined", stale=("team_members",)),
    Effect(kind="permanently_delete_tag", stale=("tags",)),
    Effect(kind="push_repo", stale=("tags",), is_routine=True),
    Effect(kind="repo_mirror_config_changed", stale=("mirror",)),
    Effect(kind="repo_mirror_sync_failed", stale=("mirror",), patience=_MIRRORED_AGAIN, is_routine=True),
    Effect(kind="repo_mirror_sync_success", stale=("tags", "mirror"), patience=_MIRRORED_AGAIN, is_routine=True),
    Effect(kind="reset_repo_notification", stale=("notifications",)),
    Effect(kind="revert_tag", stale=("tags",)),
    Effect(kind="revoke_app_specific_token", stale=("app_tokens",)),
    Effect(kind="service_key_approve", stale=("service_keys",)),
    Effect(kind="service_key_create", stale=("service_keys",)),
    Effect(kind="service_key_delete", stale=("service_keys",)),
    Effect(kind="service_key_extend", stale=("service_keys",)),
    Effect(kind="service_key_modify", stale=("service_keys",)),
    Effect(kind="service_key_rotate", stale=("service_keys",)),
    Effect(kind="set_repo_description", stale=("repository",)),
    Effect(kind="setup_repo_trigger", stale=("triggers",)),
    Effect(kind="tag_made_immutable_by_policy", stale=("tags",)),
    Effect(kind="take_ownership", stale=("organization", "members", "team_members"), team=OWNERS),
    Effect(kind="toggle_repo_trigger", stale=("triggers",)),
    Effect(kind="update_application", stale=("applications",)),
    Effect(kind="update_namespace_autoprune_policy", stale=("namespace_autoprune",)),
    Effect(kind="update_repository_autoprune_policy", stale=("repository_autoprune",)),
    Effect(kind="user_change_email", stale=("user",), names_account=True),
    Effect(kind="user_change_name", stale=("user", "namespace_repositories"), names_account=True, renames="user"),
    Effect(kind="user_create", stale=("user",), names_account=True),
    Effect(kind="user_delete", stale=("user",), names_account=True),
    Effect(kind="user_disable", stale=("user",), names_account=True),
    Effect(kind="user_enable", stale=("user",), names_account=True),
)
EFFECTS: dict[str, Effect] = {effect.kind: effect for effect in _EFFECTS}

# Kinds that make nothing stale, and why.
NO_EFFECT: dict[str, str] = {
    "account_change_cc": NOT_READABLE,
    "account_change_password": NOTHING_KEPT,
    "account_change_plan": NOT_READABLE,
    "add_repo_accesstoken": NOT_WRITTEN,
    "add_repo_permission": NOT_WRITTEN,
    "add_repo_webhook": NOT_WRITTEN,
    "delete_repo_accesstoken": NOT_WRITTEN,
    "delete_repo_webhook": NOT_WRITTEN,
    "delete_tag_failed": NOTHING_KEPT,
    "export_logs_failure": NOTHING_KEPT,
    "export_logs_success": NOTHING_KEPT,
    "federated_robot_token_exchange": NOTHING_KEPT,
    "login_failure": NOTHING_KEPT,
    "login_success": NOTHING_KEPT,
    "logout_success": NOTHING_KEPT,
    "oauth_token_assigned": NOT_READABLE,
    "oauth_token_revoked": NOT_WRITTEN,
    "org_mirror_repo_creation_failed": NOTHING_KEPT,
    "org_mirror_sync_cancelled": NOTHING_KEPT,
    "org_mirror_sync_failed": NOTHING_KEPT,
    "org_mirror_sync_now_requested": NOTHING_KEPT,
    "org_mirror_sync_started": NOTHING_KEPT,
    "pull_repo": NOTHING_KEPT,
    "pull_repo_failed": NOTHING_KEPT,
    "push_repo_failed": NOTHING_KEPT,
    "regenerate_robot_token": NOTHING_KEPT,
    "repo_mirror_disabled": NOT_WRITTEN,
    "repo_mirror_enabled": NOT_WRITTEN,
    "repo_mirror_sync_now_requested": NOT_WRITTEN,
    "repo_mirror_sync_started": NOTHING_KEPT,
    "repo_mirror_sync_tag_failed": NOTHING_KEPT,
    "repo_mirror_sync_tag_success": "the success of the whole run that follows asks once for all of its tags",
    "repo_mirror_sync_test_failed": NOT_WRITTEN,
    "repo_mirror_sync_test_started": NOT_WRITTEN,
    "repo_mirror_sync_test_success": NOT_WRITTEN,
    "repo_verb": NOT_WRITTEN,
    "reset_application_client_secret": NOTHING_KEPT,
    "start_build_trigger": NOT_WRITTEN,
    "tags_made_immutable_by_policy": NOT_NAMED,
    "user_change_invoicing": NOT_READABLE,
    "user_change_metadata": NOT_READABLE,
    "user_change_password": NOTHING_KEPT,
    "user_change_tag_expiration": NOT_READABLE,
    "user_generate_client_key": NOTHING_KEPT,
}
