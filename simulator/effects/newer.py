"""The simulator's effects on what newer versions of Quay have: immutability policies, organization mirrors, tokens of OAuth
applications, quota alerts."""

from __future__ import annotations

from quayledger.simulator.effects.event import Effect, Event, robot_of
from quayledger.simulator.entities.accounts import (
    ImmutabilityPolicy,
    NamespaceNotification,
    OauthToken,
    OrganizationMirror,
)
from quayledger.simulator.images import uuid_of
from quayledger.simulator.registry import Registry
from quayledger.simulator.secret_values import secret


def _policies(event: Event) -> list[ImmutabilityPolicy]:
    return event.repository.immutability if event.repository is not None else event.account.immutability


def create_policy(_: Registry, event: Event) -> None:
    """Of the repository, else of the organisation: `tag_pattern`, `tag_pattern_matches`."""
    uuid = event.text("uuid") or uuid_of("immutability", event.account.id, event.at_us, event.text("repo"))
    matches = bool(event.get("tag_pattern_matches", True))
    _policies(event).append(ImmutabilityPolicy(uuid, event.text("tag_pattern"), matches))


def update_policy(_: Registry, event: Event) -> None:
    """The newest one, as no row tells which."""
    if policies := _policies(event):
        policies[-1].pattern = event.text("tag_pattern")
        policies[-1].matches = bool(event.get("tag_pattern_matches", True))


def delete_policy(_: Registry, event: Event) -> None:
    """By `policy_uuid`."""
    found = _policies(event)
    found[:] = [one for one in found if one.uuid != event.text("policy_uuid")]


def enable_mirror(registry: Registry, event: Event) -> None:
    """`external_registry_type`, `external_registry_url`, `external_namespace`, `sync_interval`, `robot_username`."""
    robot = registry.account(event.text("robot_username")) or robot_of(registry, event)
    if robot is not None:
        event.account.mirror = OrganizationMirror(
            event.text("external_registry_url"),
            event.text("external_namespace"),
            robot.id,
            event.text("external_registry_type") or "quay",
            interval_s=int(event.get("sync_interval", 86_400)),
            created_us=event.at_us,
            status="NEVER_RUN",
        )


def change_mirror(_: Registry, event: Event) -> None:
    """`sync_interval`, where it is told."""
    mirror = event.account.mirror
    if mirror is not None:
        mirror.interval_s = int(event.get("sync_interval", mirror.interval_s))


def disable_mirror(_: Registry, event: Event) -> None:
    """It mirrors nothing any more."""
    event.account.mirror = None


def create_token(_: Registry, event: Event) -> None:
    """Of the application `client_id`; its name is told beside the log."""
    uuid = uuid_of("oauth token", event.account.id, event.at_us)
    made = OauthToken(uuid, event.text("client_id"), secret("oauth token", uuid), name=event.text("name") or None)
    made.created_by, made.created_us = event.performer.id if event.performer else 0, event.at_us
    event.account.oauth_tokens.append(made)


def revoke_token(_: Registry, event: Event) -> None:
    """Of the application `client_id`: the one told beside the log, else its newest."""
    own = [one for one in event.account.oauth_tokens if one.client_id == event.text("client_id")]
    gone = next((one for one in own if one.uuid == event.text("uuid")), own[-1] if own else None)
    event.account.oauth_tokens = [one for one in event.account.oauth_tokens if one is not gone]


def create_alert(_: Registry, event: Event) -> None:
    """`notification_id`, `event`, `method`; where it goes is told beside the log."""
    uuid = event.text("notification_id") or uuid_of("alert", event.account.id, event.at_us)
    title, config = event.text("title") or None, dict(event.get("config", {}))
    event.account.notifications.append(
        NamespaceNotification(uuid, event.text("event"), event.text("method"), title, config)
    )


def delete_alert(_: Registry, event: Event) -> None:
    """By `notification_id`."""
    uuid = event.text("notification_id")
    event.account.notifications = [one for one in event.account.notifications if one.uuid != uuid]


EFFECTS: dict[str, Effect] = {
    "create_immutability_policy": create_policy,
    "create_namespace_notification": create_alert,
    "create_oauth_api_token": create_token,
    "delete_immutability_policy": delete_policy,
    "delete_namespace_notification": delete_alert,
    "org_mirror_config_changed": change_mirror,
    "org_mirror_disabled": disable_mirror,
    "org_mirror_enabled": enable_mirror,
    "revoke_oauth_api_token": revoke_token,
    "update_immutability_policy": update_policy,
}
