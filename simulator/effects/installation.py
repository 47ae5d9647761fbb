"""The simulator's effects on the installation: service keys."""

from __future__ import annotations

from typing import Any

from quayledger.simulator.clock import SECOND_US
from quayledger.simulator.effects.event import Effect, Event
from quayledger.simulator.entities.installation import ServiceKey
from quayledger.simulator.registry import Registry


def create(registry: Registry, event: Event) -> None:
    """`kid`, `service`, `name`, `expiration_date` (seconds since 1970)."""
    kid = event.text("kid")
    if kid and kid not in registry.service_keys:
        by = event.performer.name if event.performer else None
        made_by: dict[str, Any] = {"created_by": "Quay Superuser Panel", "creator": by, "ip": "127.0.0.1"}
        made = ServiceKey(kid, event.text("service"), event.at_us, event.text("name"), _expires(event))
        made.metadata = made_by if by else {"created_by": "Quay Service Key API", "ip": event.text("ip")}
        registry.service_keys[kid] = made


def approve(registry: Registry, event: Event) -> None:
    """By a superuser, or by itself where a superuser created it."""
    key = registry.service_keys.get(event.text("kid"))
    if key is not None:
        key.approval_type, key.approved_us = "SUPERUSER", event.at_us
        key.approver_id = event.performer.id if event.performer else 0
        key.notes = event.text("notes")


def modify(registry: Registry, event: Event) -> None:
    """`name`, and when it ends."""
    key = registry.service_keys.get(event.text("kid"))
    if key is not None:
        key.name, key.expires_us = event.text("name"), _expires(event)


def delete(registry: Registry, event: Event) -> None:
    """By `kid`."""
    registry.service_keys.pop(event.text("kid"), None)


def rotate(registry: Registry, event: Event) -> None:
    """A service replaced its key (`signer_kid`) by a new one, which needs no approval; the old one runs out soon."""
    create(registry, event)
    key, signer = registry.service_keys.get(event.text("kid")), registry.service_keys.get(event.text("signer_kid"))
    if key is not None:
        key.approval_type, key.approved_us = "KEY_ROTATION", event.at_us
        key.metadata = {"created_by": "Quay Service Key API", "ip": event.text("ip")}
    if signer is not None:
        signer.expires_us = event.at_us + 7 * 86_400 * SECOND_US


def _expires(event: Event) -> int | None:
    expires = event.get("expiration_date")
    return None if expires is None else int(expires) * SECOND_US


EFFECTS: dict[str, Effect] = {
    "service_key_approve": approve,
    "service_key_create": create,
    "service_key_delete": delete,
    "service_key_extend": modify,
    "service_key_modify": modify,
    "service_key_rotate": rotate,
}
