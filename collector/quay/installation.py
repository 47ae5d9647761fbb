"""Installation: what a Quay can do and how it is set up (`/registry/capabilities`, `/superuser/config`); the API reference lacks both.

The reply to `/superuser/config` contains the whole configuration and the server's environment in clear. Only the fields of
`LogConfig` are decoded; everything else is dropped with the reply, which is never written anywhere.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_one
from quayledger.collector.quay.rows import translated


class Capabilities(msgspec.Struct, frozen=True):
    """What the registry supports. `mirror_architectures`: those that a mirror can be restricted to."""

    sparse_manifests: bool | None = None
    mirror_architectures: tuple[str, ...] = ()


class LogConfig(msgspec.Struct, frozen=True, rename=lambda name: name.upper()):
    """The settings that decide what the log records and how long, and which quota and full-access features are on. The only
    keys of the configuration that are read; None: not set, or of another type."""

    logs_model: str | None = None
    action_log_max_page: int | None = None
    action_log_audit_logins: bool | None = None
    action_log_audit_login_failures: bool | None = None
    action_log_audit_pull_failures: bool | None = None
    action_log_audit_push_failures: bool | None = None
    action_log_audit_delete_failures: bool | None = None
    action_log_rotation_threshold: str | None = None
    feature_action_log_rotation: bool | None = None
    feature_log_export: bool | None = None
    feature_disable_pull_logs_for_free_namespaces: bool | None = None
    disabled_for_audit_logs: tuple[str, ...] | None = None
    disabled_for_pull_logs: tuple[str, ...] | None = None
    allow_pulls_without_strict_logging: bool | None = None
    allow_without_strict_logging: bool | None = None
    feature_quota_management: bool | None = None
    feature_quota_notifications: bool | None = None
    feature_edit_quota: bool | None = None
    feature_verify_quota: bool | None = None
    quota_backfill: bool | None = None
    feature_superusers_full_access: bool | None = None


class _Sparse(msgspec.Struct):
    supported: bool | None = None


class _Capabilities(msgspec.Struct):
    sparse_manifests: _Sparse | None = None
    mirror_architectures: tuple[str, ...] = ()


class _Dump(msgspec.Struct):
    config: dict[str, msgspec.Raw]


_KEYS = {field.encode_name: field for field in msgspec.structs.fields(LogConfig)}


def _log_config(wire: _Dump) -> LogConfig:
    """Key by key, so that one value of an odd type does not hide the others. An error is never shown: it might quote a value."""
    found = {}
    for name, field in _KEYS.items():
        if name in wire.config:
            try:
                found[field.name] = msgspec.json.decode(wire.config[name], type=field.type)
            except msgspec.DecodeError:
                continue
    return LogConfig(**found)


_capabilities = translated(
    _Capabilities,
    lambda wire: Capabilities(
        wire.sparse_manifests.supported if wire.sparse_manifests else None, wire.mirror_architectures
    ),
)
_config = translated(_Dump, _log_config)


async def get_capabilities(client: QuayClient, *, purpose: str = "inventory") -> Capabilities:
    """`GET /registry/capabilities` (getRegistryCapabilities); anonymous. Raises QuayError."""
    operation = "installation.get_capabilities"
    return await read_one(client, operation, "/registry/capabilities", _capabilities, purpose=purpose)


async def get_log_config(client: QuayClient, *, purpose: str = "inventory") -> LogConfig:
    """`GET /superuser/config` (getSuperUserConfig); scope `super:user`, and FEATURE_SUPERUSER_CONFIGDUMP must be on, else
    Forbidden. Raises QuayError."""
    return await read_one(client, "installation.get_log_config", "/superuser/config", _config, purpose=purpose)
