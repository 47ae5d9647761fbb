"""Mirrors: repositories copied from another registry (`/repository/{repository}/mirror`). Chapter 9 of the API
reference.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_one, refuse_shadowed
from quayledger.collector.quay.rows import Int64, translated
from quayledger.collector.quay.times import Moment


class Mirror(msgspec.Struct, frozen=True):
    """A mirror, without passwords and proxies. `mirror_type`: PULL; `sync_status`: NEVER_RUN | SYNC_NOW | SYNCING | SUCCESS |
    FAIL | CANCEL; `tag_rules`: globs, in order."""

    external_reference: str
    is_enabled: bool | None = None
    mirror_type: str | None = None
    external_registry_username: str | None = None
    verify_tls: bool | None = None
    sync_interval_s: Int64 | None = None
    sync_start_date: Moment | None = None
    sync_expiration_date: Moment | None = None
    sync_retries_remaining: Int64 | None = None
    sync_status: str | None = None
    tag_rules: tuple[str, ...] = ()
    robot_username: str | None = None


class _Config(msgspec.Struct):
    verify_tls: bool | None = None


class _Rule(msgspec.Struct):
    rule_kind: str | None = None
    rule_value: tuple[str, ...] | str | None = None


class _Mirror(msgspec.Struct):
    external_reference: str
    is_enabled: bool | None = None
    mirror_type: str | None = None
    external_registry_username: str | None = None
    external_registry_config: _Config | None = None
    sync_interval: Int64 | None = None
    sync_start_date: Moment | None = None
    sync_expiration_date: Moment | None = None
    sync_retries_remaining: Int64 | None = None
    sync_status: str | None = None
    root_rule: _Rule | None = None
    robot_username: str | None = None


def _from_wire(wire: _Mirror) -> Mirror:
    return Mirror(
        external_reference=wire.external_reference,
        is_enabled=wire.is_enabled,
        mirror_type=wire.mirror_type,
        external_registry_username=wire.external_registry_username,
        verify_tls=wire.external_registry_config.verify_tls if wire.external_registry_config else None,
        sync_interval_s=wire.sync_interval,
        sync_start_date=wire.sync_start_date,
        sync_expiration_date=wire.sync_expiration_date,
        sync_retries_remaining=wire.sync_retries_remaining,
        sync_status=wire.sync_status,
        tag_rules=_globs(wire.root_rule.rule_value if wire.root_rule else None),
        robot_username=wire.robot_username,
    )


def _globs(found: tuple[str, ...] | str | None) -> tuple[str, ...]:
    if isinstance(found, str):
        return tuple(part.strip() for part in found.split(",") if part.strip())
    return found or ()


_mirror = translated(_Mirror, _from_wire)


async def get_mirror(client: QuayClient, repository: str, *, purpose: str = "inventory") -> Mirror:
    """`GET /repository/{repository}/mirror` (getRepoMirrorConfig, 9.3); scope `repo:admin`. Raises QuayError; NotFound if
    the repository is not a mirror or does not exist; Shadowed."""
    path = f"{paths.repository(repository)}/mirror"
    refuse_shadowed(client, "mirror.get_mirror", repository, "mirror")
    return await read_one(client, "mirror.get_mirror", path, _mirror, purpose=purpose)
