"""The simulator's operations on notifications and mirrors of a repository."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import not_found, quay_of, reply
from quayledger.simulator.entities.builds import Notification


def view(
    uuid: str,
    title: str | None,
    event: str,
    method: str,
    config: dict[str, Any],
    event_config: dict[str, Any],
    failures: int,
) -> dict[str, Any]:
    """A notification as answers show it."""
    return {
        "uuid": uuid,
        "title": title,
        "event": event,
        "method": method,
        "config": config,
        "event_config": event_config,
        "number_of_failures": failures,
    }


def _view(one: Notification) -> dict[str, Any]:
    return view(one.uuid, one.title, one.event, one.method, one.config, one.event_config, one.failures)


def _all(request: Request) -> Response:
    _, found = access.of_repository(request, "admin")
    return reply({"notifications": [_view(one) for one in found.notifications]})


def _one(request: Request) -> Response:
    _, found = access.of_repository(request, "admin")
    for one in found.notifications:
        if one.uuid == request.path_params["uuid"]:
            return reply(_view(one))
    raise not_found(request)


def _mirror(request: Request) -> Response:
    """The name that it signs in with at the source, never the password; 404 for what is no mirror."""
    _, found = access.of_repository(request, "admin")
    mirror = found.mirror
    if mirror is None:
        raise not_found(request)
    robot = quay_of(request).registry.accounts.get(mirror.robot_id)
    body: dict[str, Any] = {
        "is_enabled": mirror.is_enabled,
        "mirror_type": "PULL",
        "external_reference": mirror.external_reference,
        "external_registry_username": mirror.external_username,
        "external_registry_config": mirror.registry_config,
        "sync_interval": mirror.sync_interval_s,
        "sync_start_date": mirror.start,
        "sync_expiration_date": None,
        "sync_retries_remaining": mirror.retries_remaining,
        "sync_status": mirror.status,
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": mirror.rule},
        "robot_username": robot.name if robot else None,
        "skopeo_timeout_interval": 300,
        "architecture_filter": [],
    }
    return reply(body)


_PATH = "/repository/{repository}/notification"
OPERATIONS = (
    Operation("listRepoNotifications", f"{_PATH}/", _all, "repo:admin"),
    Operation("getRepoNotification", f"{_PATH}/{{uuid}}", _one, "repo:admin"),
    Operation("getRepoMirrorConfig", "/repository/{repository}/mirror", _mirror, "repo:admin", feature="mirroring"),
)
