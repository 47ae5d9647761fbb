"""The simulator's table of effects: every kind of the log, and what it changes; and those that change nothing here."""

from __future__ import annotations

from quayledger.simulator.effects import access, builds, installation, newer, organizations, repositories, tags, users
from quayledger.simulator.effects.event import Effect, Event
from quayledger.simulator.registry import Registry

EFFECTS: dict[str, Effect] = {
    **users.EFFECTS,
    **organizations.EFFECTS,
    **access.EFFECTS,
    **repositories.EFFECTS,
    **tags.EFFECTS,
    **builds.EFFECTS,
    **installation.EFFECTS,
    **newer.EFFECTS,
}

_NOT_WRITTEN = "no code of Quay's writes it"
_NOT_SHOWN = "what it changes is in no answer of this stand-in"
_NOTHING = "it changes nothing that is there"
NOTHING: dict[str, str] = {
    "account_change_cc": _NOT_SHOWN,
    "account_change_password": _NOT_SHOWN,
    "account_change_plan": _NOT_SHOWN,
    "add_repo_accesstoken": _NOT_WRITTEN,
    "add_repo_permission": _NOT_WRITTEN,
    "add_repo_webhook": _NOT_WRITTEN,
    "delete_repo_accesstoken": _NOT_WRITTEN,
    "delete_repo_webhook": _NOT_WRITTEN,
    "delete_tag_failed": _NOTHING,
    "export_logs_failure": _NOTHING,
    "export_logs_success": _NOTHING,
    "login_failure": _NOTHING,
    "login_success": _NOTHING,
    "logout_success": _NOTHING,
    "oauth_token_assigned": _NOT_SHOWN,
    "oauth_token_revoked": _NOT_WRITTEN,
    "org_mirror_repo_creation_failed": _NOTHING,
    "org_mirror_sync_cancelled": _NOTHING,
    "org_mirror_sync_failed": _NOTHING,
    "org_mirror_sync_now_requested": _NOTHING,
    "org_mirror_sync_started": _NOTHING,
    "org_mirror_sync_success": "the pushed tags have rows of their own",
    "pull_repo_failed": _NOTHING,
    "push_repo_failed": _NOTHING,
    "repo_mirror_disabled": _NOT_WRITTEN,
    "repo_mirror_enabled": _NOT_WRITTEN,
    "repo_mirror_sync_now_requested": _NOT_WRITTEN,
    "repo_mirror_sync_tag_failed": _NOTHING,
    "repo_mirror_sync_tag_success": "the pushed tags have rows of their own",
    "repo_mirror_sync_test_failed": _NOT_WRITTEN,
    "repo_mirror_sync_test_started": _NOT_WRITTEN,
    "repo_mirror_sync_test_success": _NOT_WRITTEN,
    "repo_verb": _NOT_WRITTEN,
    "reset_namespace_notification": _NOTHING,
    "start_build_trigger": _NOT_WRITTEN,
    "user_change_password": _NOT_SHOWN,
    "user_generate_client_key": _NOTHING,
}


def apply(registry: Registry, event: Event) -> None:
    """Does to the registry what the event means. What it names and is not there changes nothing."""
    effect = EFFECTS.get(event.kind)
    if effect is not None:
        effect(registry, event)
