"""The simulator's installation: service keys, messages to everybody, and the size that Quay last summed up."""

from __future__ import annotations

from typing import Any

import msgspec


class ServiceKey(msgspec.Struct):
    """A service key. `approval_type` "": not approved yet; AUTOMATIC | SUPERUSER | KEY_ROTATION."""

    kid: str
    service: str
    created_us: int
    name: str = ""
    expires_us: int | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    approval_type: str = ""
    approved_us: int | None = None
    approver_id: int = 0
    notes: str = ""


class Message(msgspec.Struct):
    """A message shown to everybody; `severity`: info | warning | error."""

    uuid: str
    content: str
    severity: str = "info"
    media_type: str = "text/markdown"


class RegistrySize(msgspec.Struct):
    """The whole registry's size as last summed up; `queued_us`: since when another sum is asked for."""

    size_bytes: int = 0
    last_ran_ms: int | None = None
    queued_us: int | None = None
