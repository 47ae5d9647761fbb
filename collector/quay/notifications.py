"""Notifications: what a repository reports to whom (`/repository/{repository}/notification/`). Chapter 17 of the API reference.

The target of a notification is often a secret itself (a chat webhook URL is one), so only the part that identifies the
receiving system is kept.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_list, read_one
from quayledger.collector.quay.rows import Int64, Rows, translated

_AUTHORITY_END = re.compile(r"[/?#]")


class Notification(msgspec.Struct, frozen=True):
    """A notification. `target`: scheme, host and port of a webhook, the address of an e-mail, kind:name of a
    `quay_notification`, the method's name for any other. `event_config`: JSON with sorted keys, None if empty."""

    uuid: str
    event: str
    method: str
    title: str | None = None
    target: str | None = None
    event_config: str | None = None
    number_of_failures: Int64 | None = None


class _Target(msgspec.Struct):
    kind: str
    name: str


class _Config(msgspec.Struct):
    url: Any = None
    email: Any = None
    target: Any = None


class _Notification(msgspec.Struct):
    uuid: str
    event: str
    method: str
    title: str | None = None
    config: _Config | None = None
    event_config: dict[str, Any] | None = None
    number_of_failures: Int64 | None = None


def _from_wire(wire: _Notification) -> Notification:
    condition = msgspec.json.encode(wire.event_config, order="sorted").decode() if wire.event_config else None
    return Notification(
        uuid=wire.uuid,
        event=wire.event,
        method=wire.method,
        title=wire.title,
        target=_target(wire.method, wire.config or _Config()),
        event_config=condition,
        number_of_failures=wire.number_of_failures,
    )


def _target(method: str, config: _Config) -> str | None:
    match method:
        case "webhook":
            return _origin(config.url)
        case "email":
            return config.email if isinstance(config.email, str) and "@" in config.email else None
        case "quay_notification":
            return _recipient(config.target)
    return method


def _origin(url: object) -> str | None:
    """Scheme, host and port; None if it is not a URL."""
    scheme, _, rest = (url if isinstance(url, str) else "").partition("://")
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0].rpartition("@")[2]
    try:
        parts = urlsplit(f"{scheme}://{authority}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in ("http", "https"):
        return None
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}" + (f":{port}" if port is not None else "")


def _recipient(target: object) -> str | None:
    try:
        found = msgspec.convert(target, _Target)
    except msgspec.ValidationError:
        return None
    return f"{found.kind}:{found.name}"


_notification = translated(_Notification, _from_wire)


async def list_notifications(client: QuayClient, repository: str, *, purpose: str = "inventory") -> Rows[Notification]:
    """`GET /repository/{repository}/notification/` (listRepoNotifications, 17.6); scope `repo:admin`. Raises QuayError."""
    operation, path = "notification.list_notifications", f"{paths.repository(repository)}/notification/"
    return await read_list(client, operation, path, "notifications", _notification, purpose=purpose)


async def list_organization_notifications(
    client: QuayClient, organization: str, *, purpose: str = "inventory"
) -> Rows[Notification]:
    """Quota alerts of an organization, of Quay 3.18 and later. `GET /organization/{orgname}/notifications`
    (listOrgNotifications); administration of the organization. Raises QuayError."""
    operation, path = (
        "notification.list_organization_notifications",
        f"{paths.organization(organization)}/notifications",
    )
    return await read_list(client, operation, path, "notifications", _notification, purpose=purpose)


async def get_notification(
    client: QuayClient, repository: str, uuid: str, *, purpose: str = "inventory"
) -> Notification:
    """`GET /repository/{repository}/notification/{uuid}` (getRepoNotification, 17.2); scope `repo:admin`. Raises QuayError;
    NotFound."""
    path = f"{paths.repository(repository)}/notification/{paths.segment(uuid)}"
    return await read_one(client, "notification.get_notification", path, _notification, purpose=purpose)
