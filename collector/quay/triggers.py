"""Triggers: source code changes that start builds (`/repository/{repository}/trigger/`). Chapter 24 of the API reference."""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.builds import Build, read_build
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_list, read_one
from quayledger.collector.quay.rows import Rows, translated


class Trigger(msgspec.Struct, frozen=True):
    """A build trigger without its credentials. `service`: github | gitlab | bitbucket | custom-git; `is_active`: the source is
    connected; `enabled`: it may start builds; `disabled_reason`: user_toggled | … ; `context` and `dockerfile_path`: None
    unless the user may administer the repository."""

    id: str
    service: str | None = None
    is_active: bool | None = None
    enabled: bool | None = None
    disabled_reason: str | None = None
    build_source: str | None = None
    repository_url: str | None = None
    dockerfile_path: str | None = None
    context: str | None = None


class _Config(msgspec.Struct):
    dockerfile_path: str | None = None
    context: str | None = None


class _Trigger(msgspec.Struct):
    id: str
    service: str | None = None
    is_active: bool | None = None
    enabled: bool | None = None
    disabled_reason: str | None = None
    build_source: str | None = None
    repository_url: str | None = None
    config: _Config | None = None


def _from_wire(wire: _Trigger) -> Trigger:
    config = wire.config or _Config()
    return Trigger(
        id=wire.id,
        service=wire.service,
        is_active=wire.is_active,
        enabled=wire.enabled,
        disabled_reason=wire.disabled_reason,
        build_source=wire.build_source,
        repository_url=wire.repository_url,
        dockerfile_path=config.dockerfile_path,
        context=config.context,
    )


_trigger = translated(_Trigger, _from_wire)


async def list_triggers(client: QuayClient, repository: str, *, purpose: str = "inventory") -> Rows[Trigger]:
    """`GET /repository/{repository}/trigger/` (listBuildTriggers, 24.7); scope `repo:admin`. The reply contains the token
    of a webhook, which is redacted before anything reads it. Raises QuayError."""
    path = f"{paths.repository(repository)}/trigger/"
    return await read_list(client, "trigger.list_triggers", path, "triggers", _trigger, purpose=purpose)


async def get_trigger(client: QuayClient, repository: str, uuid: str, *, purpose: str = "inventory") -> Trigger:
    """`GET /repository/{repository}/trigger/{trigger_uuid}` (getBuildTrigger, 24.4); scope `repo:admin`. The token is redacted as
    in the list. Raises QuayError; NotFound."""
    return await read_one(client, "trigger.get_trigger", _path(repository, uuid), _trigger, purpose=purpose)


async def list_trigger_builds(
    client: QuayClient, repository: str, uuid: str, *, limit: int = 100, purpose: str = "inventory"
) -> Rows[Build]:
    """The newest builds started by a trigger, newest first; if `limit` builds come there may be more. `GET
    /repository/{repository}/trigger/{trigger_uuid}/builds` (listTriggerRecentBuilds, 24.2); scope `repo:admin`. Raises
    QuayError."""
    operation, path = "trigger.list_trigger_builds", f"{_path(repository, uuid)}/builds"
    return await read_list(client, operation, path, "builds", read_build, {"limit": limit}, purpose=purpose)


def _path(repository: str, uuid: str) -> str:
    return f"{paths.repository(repository)}/trigger/{paths.segment(uuid)}"
