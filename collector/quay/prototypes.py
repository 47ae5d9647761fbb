"""Prototypes: default permissions for new repositories of an organization
(`/organization/{orgname}/prototypes`). Chapter 14 of the API reference.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_list
from quayledger.collector.quay.rows import Named, Rows, translated


class Prototype(msgspec.Struct, frozen=True):
    """A default permission: `delegate` gets `role` on the repositories that `activating_user` creates (None: anyone).
    `delegate_kind`: user | robot | team."""

    id: str
    role: str
    delegate: str
    delegate_kind: str
    activating_user: str | None = None


class _Delegate(Named, frozen=True):
    kind: str | None = None
    is_robot: bool = False


class _Prototype(msgspec.Struct):
    id: str
    role: str
    delegate: _Delegate
    activating_user: Named | None = None


def _from_wire(wire: _Prototype) -> Prototype:
    kind = "robot" if wire.delegate.is_robot else wire.delegate.kind or "user"
    user = wire.activating_user.name if wire.activating_user else None
    return Prototype(wire.id, wire.role, wire.delegate.name, kind, user)


_prototype = translated(_Prototype, _from_wire)


async def list_prototypes(client: QuayClient, organization: str, *, purpose: str = "inventory") -> Rows[Prototype]:
    """`GET /organization/{orgname}/prototypes` (getOrganizationPrototypePermissions, 14.4); scope `org:admin`. Raises
    QuayError."""
    path = f"{paths.organization(organization)}/prototypes"
    return await read_list(client, "prototype.list_prototypes", path, "prototypes", _prototype, purpose=purpose)
