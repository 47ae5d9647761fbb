"""Mirrors: repositories copied from another registry (`/repository/{repository}/mirror`). Chapter 9 of the API
reference.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient, Reply, decoded
from quayledger.collector.quay.errors import ServerFailure, UnexpectedReply
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


class MirrorHealth(msgspec.Struct, frozen=True):
    """How mirroring goes in the whole registry, of enabled mirrors only. `is_healthy`: by Quay's own judgement; the numbers are
    repositories."""

    is_healthy: bool
    worker_status: str | None = None
    active_workers: Int64 | None = None
    mirrors: Int64 | None = None
    syncing: Int64 | None = None
    completed: Int64 | None = None
    failed: Int64 | None = None
    never_run: Int64 | None = None
    pending_tags: Int64 | None = None


class _Workers(msgspec.Struct):
    active: Int64 | None = None
    status: str | None = None


class _Counts(msgspec.Struct):
    total: Int64 | None = None
    syncing: Int64 | None = None
    completed: Int64 | None = None
    failed: Int64 | None = None
    never_run: Int64 | None = None


class _Health(msgspec.Struct):
    healthy: bool
    workers: _Workers = msgspec.field(default_factory=_Workers)
    repositories: _Counts = msgspec.field(default_factory=_Counts)
    tags_pending: Int64 | None = None


_health = translated(
    _Health,
    lambda wire: MirrorHealth(
        wire.healthy,
        wire.workers.status,
        wire.workers.active,
        wire.repositories.total,
        wire.repositories.syncing,
        wire.repositories.completed,
        wire.repositories.failed,
        wire.repositories.never_run,
        wire.tags_pending,
    ),
)


async def get_mirror_health(client: QuayClient, *, purpose: str = "inventory") -> MirrorHealth:
    """`GET /superuser/mirror/health` (getSuperUserRepositoryMirrorHealth); superusers. Quay answers 503 with the same body where
    mirroring is unhealthy: that is a reading, while a 503 with any other body is a server that is not there. Raises QuayError."""
    operation = "mirror.get_mirror_health"

    def decode(reply: Reply) -> MirrorHealth:
        try:
            return decoded(client, operation, reply.body, _health)
        except UnexpectedReply as error:
            if reply.status == _UNHEALTHY:
                raise ServerFailure(client.source_id, operation, "the server is unavailable", status=503) from error
            raise

    good = (200, _UNHEALTHY)
    return await client.get(operation, "/superuser/mirror/health", {}, decode, purpose=purpose, good=good)


_UNHEALTHY = 503
