"""The inventory's effects: which looks an event asks for, for every kind of event that Quay knows. Pure.

What no event tells (a push through a proxy cache, a scan that ended, sizes) is found by the rounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec

NOTHING_KEPT = "changes nothing that the inventory keeps"
NOT_READABLE = "what it changes cannot be read by any operation of the reference"
NOT_WRITTEN = "no code of Quay's writes it"
NOT_NAMED = "does not say which objects it changed; the round finds them"

EFFECTS: dict[str, tuple[str, ...]] = {
    "account_convert": ("user", "organization"),
    "add_repo_notification": ("notifications",),
    "autoprune_tag_delete": ("tags",),
    "build_dockerfile": ("builds",),
    "cancel_build": ("builds",),
    "change_repo_permission": ("user_permissions", "repository_team_permissions"),
    "change_repo_state": ("repository", "mirror"),
    "change_repo_trust": ("repository",),
    "change_repo_visibility": ("repository",),
    "change_tag_expiration": ("tags",),
    "change_tag_immutability": ("tags",),
    "create_app_specific_token": ("app_tokens",),
    "create_application": ("applications",),
    "create_namespace_autoprune_policy": ("namespace_autoprune",),
    "create_prototype_permission": ("default_permissions",),
    "create_proxy_cache_config": ("proxy_cache",),
    "create_repo": ("repository", "user_permissions", "repository_team_permissions"),
    "create_repository_autoprune_policy": ("repository_autoprune",),
    "create_robot": ("robots",),
    "create_robot_federation": ("federation",),
    "create_tag": ("tags",),
    "delete_application": ("applications",),
    "delete_namespace_autoprune_policy": ("namespace_autoprune",),
    "delete_prototype_permission": ("default_permissions",),
    "delete_proxy_cache_config": ("proxy_cache",),
    "delete_repo": ("repository",),
    "delete_repo_notification": ("notifications",),
    "delete_repo_permission": ("user_permissions", "repository_team_permissions"),
    "delete_repo_trigger": ("triggers",),
    "delete_repository_autoprune_policy": ("repository_autoprune",),
    "delete_robot": ("robots",),
    "delete_robot_federation": ("federation",),
    "delete_tag": ("tags",),
    "disable_team_sync": ("organization",),
    "enable_team_sync": ("organization",),
    "manifest_label_add": ("labels",),
    "manifest_label_delete": ("labels",),
    "modify_prototype_permission": ("default_permissions",),
    "move_tag": ("tags",),
    "org_add_team_member": ("team_members",),
    "org_change_email": ("organization",),
    "org_change_invoicing": ("organization",),
    "org_change_name": ("organization", "namespace_repositories"),
    "org_change_quota": ("quota",),
    "org_change_quota_limit": ("quota",),
    "org_change_tag_expiration": ("organization",),
    "org_create": ("organization",),
    "org_create_quota": ("quota",),
    "org_create_quota_limit": ("quota",),
    "org_create_team": ("organization",),
    "org_delete": ("organization",),
    "org_delete_quota": ("quota",),
    "org_delete_quota_limit": ("quota",),
    "org_delete_team": ("organization",),
    "org_delete_team_member_invite": ("team_members",),
    "org_invite_team_member": ("team_members",),
    "org_mirror_repo_created": ("namespace_repositories",),
    "org_mirror_sync_success": ("tags",),
    "org_remove_team_member": ("team_members",),
    "org_set_team_description": ("organization",),
    "org_set_team_role": ("organization",),
    "org_team_member_invite_accepted": ("team_members",),
    "org_team_member_invite_declined": ("team_members",),
    "permanently_delete_tag": ("tags",),
    "push_repo": ("tags",),
    "repo_mirror_config_changed": ("mirror",),
    "repo_mirror_sync_failed": ("mirror",),
    "repo_mirror_sync_success": ("tags", "mirror"),
    "reset_repo_notification": ("notifications",),
    "revert_tag": ("tags",),
    "revoke_app_specific_token": ("app_tokens",),
    "service_key_approve": ("service_keys",),
    "service_key_create": ("service_keys",),
    "service_key_delete": ("service_keys",),
    "service_key_extend": ("service_keys",),
    "service_key_modify": ("service_keys",),
    "service_key_rotate": ("service_keys",),
    "set_repo_description": ("repository",),
    "setup_repo_trigger": ("triggers",),
    "tag_made_immutable_by_policy": ("tags",),
    "take_ownership": ("organization", "members", "team_members"),
    "toggle_repo_trigger": ("triggers",),
    "update_application": ("applications",),
    "update_namespace_autoprune_policy": ("namespace_autoprune",),
    "update_repository_autoprune_policy": ("repository_autoprune",),
    "user_change_email": ("user",),
    "user_change_name": ("user", "namespace_repositories"),
    "user_create": ("user",),
    "user_delete": ("user",),
    "user_disable": ("user",),
    "user_enable": ("user",),
}

NO_EFFECT: dict[str, str] = {
    "account_change_cc": NOT_READABLE,
    "account_change_password": NOTHING_KEPT,
    "account_change_plan": NOT_READABLE,
    "add_repo_accesstoken": NOT_WRITTEN,
    "add_repo_permission": NOT_WRITTEN,
    "add_repo_webhook": NOT_WRITTEN,
    "create_immutability_policy": NOT_READABLE,
    "create_namespace_notification": NOT_READABLE,
    "create_oauth_api_token": NOT_READABLE,
    "delete_immutability_policy": NOT_READABLE,
    "delete_namespace_notification": NOT_READABLE,
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
    "org_mirror_config_changed": NOT_READABLE,
    "org_mirror_disabled": NOT_READABLE,
    "org_mirror_enabled": NOT_READABLE,
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
    "reset_namespace_notification": NOT_READABLE,
    "revoke_oauth_api_token": NOT_READABLE,
    "start_build_trigger": NOT_WRITTEN,
    "tags_made_immutable_by_policy": NOT_NAMED,
    "update_immutability_policy": NOT_READABLE,
    "user_change_invoicing": NOT_READABLE,
    "user_change_metadata": NOT_READABLE,
    "user_change_password": NOTHING_KEPT,
    "user_change_tag_expiration": NOT_READABLE,
    "user_generate_client_key": NOTHING_KEPT,
}

# Mirrors run by the hour and mostly find nothing new: what they cause waits until the last look is so old.
PATIENCE: dict[str, timedelta] = {
    "repo_mirror_sync_success": timedelta(days=1),
    "repo_mirror_sync_failed": timedelta(days=1),
    "org_mirror_sync_success": timedelta(days=1),
}
# The wider look that tells the same of a target, with the part of the target that it is about.
TOLD_BY: dict[str, tuple[tuple[str, str], ...]] = {
    "user": (("users", ""),),
    "quota": (("organizations", ""), ("users", "")),
    "namespace_repositories": (("repositories", ""),),
    "tag": (("tags", "repository"),),
}
# The same by family: which wider look had told of a family's objects before a narrow one did ("part": of the target).
TOLD_BEFORE: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("user", "users"): (("users", ""),),
    ("user", "quotas"): (("users", ""),),
    ("user", "quota_limits"): (("users", ""),),
    ("organization", "organizations"): (("organizations", ""), ("own_user", "")),
    ("organization", "quotas"): (("organizations", ""),),
    ("organization", "quota_limits"): (("organizations", ""),),
    ("quota", "quotas"): (("organizations", ""), ("users", "")),
    ("quota", "quota_limits"): (("organizations", ""), ("users", "")),
    ("repository", "repositories"): (("repositories", ""), ("namespace_repositories", "namespace")),
    ("namespace_repositories", "repositories"): (("repositories", ""),),
    ("tag", "tags"): (("tags", "repository"),),
    ("repository_team_permissions", "repository_permissions"): (("team_permissions", "owners"),),
}
OWNERS = "owners"
_USER_KINDS = ("user_change_email", "user_change_name", "user_create", "user_delete", "user_disable", "user_enable")


class Cause(msgspec.Struct, frozen=True):
    """What an event names, '' where it names none. `namespace`: whose log it is in; `named`: what its metadata says of the
    namespace; `build`: the build's UUID."""

    kind: str
    namespace: str = ""
    named: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""
    team: str = ""
    robot: str = ""
    username: str = ""
    build: str = ""
    old_name: str = ""
    new_name: str = ""


class Asked(msgspec.Struct, frozen=True, order=True):
    """A look that an event asks for."""

    look: str
    target: str


class Rename(msgspec.Struct, frozen=True):
    """An account that is called otherwise since. `account_kind`: user | organization."""

    account_kind: str
    old_name: str
    new_name: str


def rename_of(cause: Cause) -> Rename | None:
    """The rename that an event tells of. A deleted organisation is called by a UUID in its own log."""
    if cause.kind == "org_change_name" and cause.old_name and cause.new_name:
        return Rename("organization", cause.old_name, cause.new_name)
    if cause.kind == "user_change_name" and cause.old_name and cause.namespace not in ("", cause.old_name):
        return Rename("user", cause.old_name, cause.namespace)
    if cause.kind == "org_delete" and cause.named and cause.namespace not in ("", cause.named):
        return Rename("organization", cause.named, cause.namespace)
    return None


def asked_by(cause: Cause, current: dict[str, str], builds: dict[str, str]) -> set[Asked]:
    """The looks that an event asks for. `current`: the present name of each renamed namespace; `builds`: the repository
    of each known build. An event that names too little asks for nothing: the round will find what it changed."""
    asked = {
        Asked(look, target) for look in EFFECTS.get(cause.kind, ()) for target in _targets(look, cause, current, builds)
    }
    if cause.kind == "org_change_name":
        asked |= {Asked("organization", name) for name in (cause.old_name, cause.new_name) if name}
    if cause.kind == "user_change_name":
        asked |= {Asked("user", name) for name in (cause.old_name, cause.namespace) if name}
    return asked


def _targets(look: str, cause: Cause, current: dict[str, str], builds: dict[str, str]) -> Iterable[str]:
    namespace = _namespace(cause, current)
    match look:
        case "user":
            name = cause.username if cause.kind in _USER_KINDS else ""
            found = name or namespace
        case "app_tokens" | "service_keys":
            return ("",)
        case "team_members":
            team = cause.team or (OWNERS if cause.kind == "take_ownership" else "")
            found = f"{namespace}/{team}" if namespace and team else ""
        case "federation":
            found = f"{namespace}+{cause.robot.rpartition('+')[2]}" if namespace and cause.robot else ""
        case "labels":
            found = f"{namespace}/{cause.repository}@{cause.digest}" if cause.repository and cause.digest else ""
        case "user_permissions" if cause.team and not cause.username:
            found = ""
        case "repository_team_permissions" if cause.username and not cause.team:
            found = ""
        case "builds" if not cause.repository:
            found = builds.get(cause.build, "")
        case (
            "organization"
            | "robots"
            | "members"
            | "applications"
            | "default_permissions"
            | "quota"
            | "namespace_autoprune"
            | "proxy_cache"
            | "namespace_repositories"
        ):
            found = namespace
        case _:
            found = f"{namespace}/{cause.repository}" if namespace and cause.repository else ""
    return (found,) if found else ()


def _namespace(cause: Cause, current: dict[str, str]) -> str:
    """Whose object it is: what the metadata says outweighs whose log it is in, and a name that is no more its successor's."""
    name = cause.named or cause.namespace
    seen = {name}
    while (later := current.get(name)) is not None and later not in seen:
        name = later
        seen.add(name)
    return name


def narrow_tags(asked: dict[str, set[str]], rows_held: dict[str, int], page_rows: int) -> set[Asked]:
    """For each repository with tags to look at again: the whole list, or one look a tag where those are fewer pages.
    `asked`: repository → tags that events name ('' among them: not all are named)."""
    found: set[Asked] = set()
    for repository, tags in asked.items():
        pages = -(-rows_held.get(repository, 0) // page_rows)
        if "" in tags or len(tags) >= max(1, pages):
            found.add(Asked("tags", repository))
        else:
            found |= {Asked("tag", f"{repository}:{tag}") for tag in tags}
    return found
