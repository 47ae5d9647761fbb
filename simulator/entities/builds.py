"""The simulator's automation of a repository: triggers, builds, mirrors and notifications."""

from __future__ import annotations

from typing import Any

import msgspec


class Trigger(msgspec.Struct):
    """A build trigger. `config` is answered as it is; a custom-git trigger's holds a webhook address with a token."""

    uuid: str
    service: str
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    is_active: bool = True
    enabled: bool = True
    disabled_reason: str | None = None
    secret: str = ""  # the token in the webhook's address

    @property
    def build_source(self) -> str | None:
        """The repository of sources."""
        return self.config.get("build_source")


class Build(msgspec.Struct):
    """A build. `progress`: what is known of it while it runs; `log`: its entries."""

    uuid: str
    phase: str
    started_us: int
    display_name: str = ""
    tags: list[str] = msgspec.field(default_factory=list)
    subdirectory: str = ""
    dockerfile_path: str = ""
    context: str = ""
    manual_user: str | None = None
    trigger_uuid: str = ""
    trigger_metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    resource_key: str | None = None
    archive_url: str | None = None
    pull_robot: str | None = None
    progress: dict[str, Any] = msgspec.field(default_factory=dict)
    log: list[dict[str, Any]] = msgspec.field(default_factory=list)


class Mirror(msgspec.Struct):
    """What a repository mirrors. `start`: ISO with a Z."""

    external_reference: str
    robot_id: int = 0
    is_enabled: bool = True
    external_username: str | None = None
    registry_config: dict[str, Any] = msgspec.field(default_factory=lambda: {"verify_tls": True})
    sync_interval_s: int = 3600
    start: str = "2026-11-01T00:00:00Z"
    retries_remaining: int = 3
    status: str = "NEVER_RUN"
    rule: list[str] = msgspec.field(default_factory=lambda: ["*"])


class Notification(msgspec.Struct):
    """What is told to whom when something happens to a repository; `config` may hold a secret address."""

    uuid: str
    event: str
    method: str
    title: str | None = None
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    event_config: dict[str, Any] = msgspec.field(default_factory=dict)
    failures: int = 0
