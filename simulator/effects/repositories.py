"""The simulator's effects on repositories: they come and go; their settings, notifications, prune policies and mirrors."""

from __future__ import annotations

from typing import Any

from quayledger.simulator.clock import from_us
from quayledger.simulator.effects.event import Effect, Event, account_named
from quayledger.simulator.entities.accounts import Account, PrunePolicy
from quayledger.simulator.entities.builds import Mirror, Notification
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.images import uuid_of
from quayledger.simulator.registry import Registry
from quayledger.simulator.secret_values import secret


def create(registry: Registry, event: Event) -> None:
    """`repo`; whoever creates it administers it, and the default permissions apply."""
    name = event.text("repo")
    if event.repository is None and name and registry.repository(event.account.name, name) is None:
        open_repository(registry, event.account, name, event.performer, text=event.text("description") or None)


def open_repository(
    registry: Registry, account: Account, name: str, by: Account | None, *, text: str | None = None
) -> Repository:
    """A new repository with the permissions that a new one gets."""
    made = registry.add_repository(account.id, name)
    made.description = text
    if by is not None:
        made.permissions[by.id] = "admin"
    for prototype in account.prototypes:
        if prototype.activating_id and (by is None or prototype.activating_id != by.id):
            continue
        if prototype.delegate_id:
            made.permissions[prototype.delegate_id] = prototype.role
        else:
            made.team_permissions[prototype.delegate_team] = prototype.role
    return made


def delete(registry: Registry, event: Event) -> None:
    """Marked for deletion: its name is free again."""
    repository = event.repository or registry.repository(event.account.name, event.text("repo"))
    if repository is not None and not repository.deleted:
        registry.delete_repository(repository)


def change_visibility(_: Registry, event: Event) -> None:
    """`visibility`: public | private."""
    if event.repository is not None:
        event.repository.public = event.text("visibility") == "public"


def change_state(registry: Registry, event: Event) -> None:
    """`state_changed`: NORMAL | READ_ONLY | MIRROR."""
    repository = event.repository
    if repository is None:
        return
    repository.state = event.text("state_changed") or repository.state
    reference = event.text("external_reference")
    if repository.state == "MIRROR" and repository.mirror is None and reference:
        robot = account_named(registry, event, "robot_username")
        repository.mirror = Mirror(reference, robot.id if robot else 0, start=_iso(event.at_us))


def change_description(_: Registry, event: Event) -> None:
    """`description`."""
    if event.repository is not None:
        event.repository.description = event.text("description")


def change_trust(_: Registry, event: Event) -> None:
    """`trust_enabled`."""
    if event.repository is not None:
        event.repository.trust_enabled = bool(event.get("trust_enabled", False))


def add_notification(_: Registry, event: Event) -> None:
    """`notification_id`, `event`, `method`; title and configuration are told beside the log."""
    repository = event.repository
    if repository is None:
        return
    uuid = event.text("notification_id") or uuid_of("notification", repository.id, event.at_us)
    if all(one.uuid != uuid for one in repository.notifications):
        method = event.text("method") or "webhook"
        made = Notification(uuid, event.text("event") or "repo_push", method, event.text("title") or None)
        made.config = event.get("config", _target(method, uuid))
        made.event_config = event.get("event_config", {})
        repository.notifications.append(made)


def _target(method: str, uuid: str) -> dict[str, Any]:
    """Where notifications go: a webhook's and a chat's address are secrets."""
    if method == "webhook":
        return {"url": f"https://hooks.example.com/{uuid[:8]}/{secret('hook', uuid)}"}
    if method == "slack":
        return {"url": f"https://chat.example.com/services/{secret('hook', uuid)}"}
    if method == "email":
        return {"email": "team@example.com"}
    return {"target": {"kind": "team", "name": "owners"}}


def delete_notification(_: Registry, event: Event) -> None:
    """By `notification_id`."""
    repository = event.repository
    if repository is not None:
        uuid = event.text("notification_id")
        repository.notifications = [one for one in repository.notifications if one.uuid != uuid]


def reset_notification(_: Registry, event: Event) -> None:
    """It counts its failures anew."""
    for one in event.repository.notifications if event.repository else ():
        if one.uuid == event.text("notification_id"):
            one.failures = 0


def create_policy(_: Registry, event: Event) -> None:
    """Of the repository, or of the whole namespace; the log tells no UUID."""
    policies = _policies(event)
    uuid = event.text("uuid") or uuid_of("policy", event.account.id, event.at_us, event.text("repo"))
    pattern = event.get("tag_pattern")
    matches = bool(event.get("tag_pattern_matches", True)) if pattern else None
    if policies is not None and all(policy.uuid != uuid for policy in policies):
        method = event.text("method") or "number_of_tags"
        policies.append(PrunePolicy(uuid, method, event.get("value", 10), pattern, matches))


def update_policy(_: Registry, event: Event) -> None:
    """The log tells no UUID: the newest one of that method, else the newest one."""
    policies = _policies(event)
    if not policies:
        return
    same = [p for p in policies if p.method == event.text("method")]
    wanted = [p for p in policies if p.uuid == event.text("uuid")]
    policy = (wanted or same or policies)[-1]
    policy.method, policy.value = event.text("method") or policy.method, event.get("value", policy.value)
    policy.pattern = event.get("tag_pattern")
    policy.matches = bool(event.get("tag_pattern_matches", True)) if policy.pattern else None


def delete_policy(_: Registry, event: Event) -> None:
    """By `policy_uuid`."""
    policies = _policies(event)
    if policies is not None:
        policies[:] = [policy for policy in policies if policy.uuid != event.text("policy_uuid")]


def _policies(event: Event) -> list[PrunePolicy] | None:
    if "namespace_autoprune" in event.kind:
        return event.account.prune_policies
    return event.repository.prune_policies if event.repository else None


# The rule of tags is not among them: a real Quay logs that it was changed and goes on with the one it had.
_MIRROR_FIELDS = {
    "sync_interval": "sync_interval_s",
    "is_enabled": "is_enabled",
    "external_registry_username": "external_username",
    "external_reference": "external_reference",
}
_SYNC_STATUS = {"SYNC_NOW": "SYNC_NOW", "SYNC_CANCEL": "NEVER_RUN"}


def change_mirror(_: Registry, event: Event) -> None:
    """`changed` `to`: one setting at a time."""
    mirror = event.repository.mirror if event.repository else None
    if mirror is None:
        return
    changed, value = event.text("changed"), event.metadata.get("to")
    if changed in _MIRROR_FIELDS:
        setattr(mirror, _MIRROR_FIELDS[changed], value)
    elif changed == "verify_tls":
        mirror.registry_config["verify_tls"] = value
    elif changed in ("https_proxy", "no_proxy"):
        mirror.registry_config.setdefault("proxy", {})[changed] = value
    elif changed == "sync_start_date":
        mirror.start = str(value)
    elif changed == "sync_status":
        mirror.status = _SYNC_STATUS.get(str(value), mirror.status)


def mirror_started(_: Registry, event: Event) -> None:
    """It is being copied."""
    if event.repository is not None and event.repository.mirror is not None:
        event.repository.mirror.status = "SYNCING"


def mirror_failed(_: Registry, event: Event) -> None:
    """It was not copied."""
    if event.repository is not None and event.repository.mirror is not None:
        event.repository.mirror.status = "FAIL"


def mirror_succeeded(_: Registry, event: Event) -> None:
    """It was copied; the pushed tags have rows of their own."""
    if event.repository is not None and event.repository.mirror is not None:
        event.repository.mirror.status = "SUCCESS"


def create_mirrored(registry: Registry, event: Event) -> None:
    """A repository that a mirror of a whole organisation brought: the last part of `external_reference`."""
    reference = event.text("external_reference")
    name = event.text("repo") or reference.rpartition("/")[2]
    if name and registry.repository(event.account.name, name) is None:
        made = open_repository(registry, event.account, name, event.performer, text="")
        made.state, made.public = "ORG_MIRROR", event.text("visibility") == "public"


def _iso(at_us: int) -> str:
    return from_us(at_us).replace(tzinfo=None).isoformat() + "Z"


EFFECTS: dict[str, Effect] = {
    "add_repo_notification": add_notification,
    "change_repo_state": change_state,
    "change_repo_trust": change_trust,
    "change_repo_visibility": change_visibility,
    "create_namespace_autoprune_policy": create_policy,
    "create_repo": create,
    "create_repository_autoprune_policy": create_policy,
    "delete_namespace_autoprune_policy": delete_policy,
    "delete_repo": delete,
    "delete_repo_notification": delete_notification,
    "delete_repository_autoprune_policy": delete_policy,
    "org_mirror_repo_created": create_mirrored,
    "repo_mirror_config_changed": change_mirror,
    "repo_mirror_sync_failed": mirror_failed,
    "repo_mirror_sync_started": mirror_started,
    "repo_mirror_sync_success": mirror_succeeded,
    "reset_repo_notification": reset_notification,
    "set_repo_description": change_description,
    "update_namespace_autoprune_policy": update_policy,
    "update_repository_autoprune_policy": update_policy,
}
