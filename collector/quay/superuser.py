"""Superuser: the whole registry's users, organizations, service keys and size (`/superuser/*`). Chapter 21 of the API
reference; its quotas are in `quotas`, its builds in `builds`, its app tokens in `app_tokens`, its log in `logs`.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import REGISTRY_SIZE, QuayClient
from quayledger.collector.quay.listing import read_list, read_one, read_pages
from quayledger.collector.quay.pagination import PAGE_ROWS
from quayledger.collector.quay.quotas import Quota, QuotaReport
from quayledger.collector.quay.rows import Int64, Rows, reader, translated
from quayledger.collector.quay.times import Moment, from_milliseconds


class Organization(msgspec.Struct, frozen=True):
    """An organization of the registry."""

    name: str
    email: str | None = None
    quotas: tuple[Quota, ...] | None = None
    quota_report: QuotaReport | None = None


class User(msgspec.Struct, frozen=True):
    """A user of the registry, enabled or disabled; robots are not included."""

    username: str
    email: str | None = None
    enabled: bool | None = None
    verified: bool | None = None
    super_user: bool | None = None
    global_readonly_super_user: bool | None = None
    quotas: tuple[Quota, ...] | None = None
    quota_report: QuotaReport | None = None


class ServiceKey(msgspec.Struct, frozen=True):
    """A service key of the registry, without the key itself. `approval_type`: AUTOMATIC | SUPERUSER | KEY_ROTATION, None if
    not approved; `created_by`: the method, `creator`: the person."""

    kid: str
    service: str | None = None
    name: str | None = None
    created: Moment | None = None
    expiration: Moment | None = None
    rotation_duration_s: Int64 | None = None
    approval_type: str | None = None
    approved: Moment | None = None
    approver: str | None = None
    created_by: str | None = None
    creator: str | None = None


class RegistrySize(msgspec.Struct, frozen=True):
    """Size of the whole registry at `last_ran` (None: never calculated)."""

    size_bytes: Int64 | None
    last_ran: Moment | None
    queued: bool | None
    running: bool | None


class _Approver(msgspec.Struct):
    username: str | None = None


class _Approval(msgspec.Struct):
    approval_type: str | None = None
    approved_date: Moment | None = None
    approver: _Approver | None = None


class _Metadata(msgspec.Struct):
    created_by: str | None = None
    creator: str | None = None


class _ServiceKey(msgspec.Struct):
    kid: str
    service: str | None = None
    name: str | None = None
    created_date: Moment | None = None
    expiration_date: Moment | None = None
    rotation_duration: Int64 | None = None
    approval: _Approval | None = None
    metadata: _Metadata | None = None


class _RegistrySize(msgspec.Struct):
    size_bytes: Int64 | None
    last_ran: float | None = None
    queued: bool | None = None
    running: bool | None = None


def _key_from_wire(wire: _ServiceKey) -> ServiceKey:
    approval, metadata = wire.approval or _Approval(), wire.metadata or _Metadata()
    return ServiceKey(
        kid=wire.kid,
        service=wire.service,
        name=wire.name,
        created=wire.created_date,
        expiration=wire.expiration_date,
        rotation_duration_s=wire.rotation_duration,
        approval_type=approval.approval_type.rpartition(".")[2] if approval.approval_type else None,
        approved=approval.approved_date,
        approver=approval.approver.username if approval.approver else None,
        created_by=metadata.created_by,
        creator=metadata.creator,
    )


def _size_from_wire(wire: _RegistrySize) -> RegistrySize:
    return RegistrySize(wire.size_bytes, from_milliseconds(wire.last_ran), wire.queued, wire.running)


_organization = reader(Organization)
_user = reader(User)
_key = translated(_ServiceKey, _key_from_wire)
_size = translated(_RegistrySize, _size_from_wire)


async def list_organizations(client: QuayClient, *, purpose: str = "read") -> Rows[Organization]:
    """All organizations except deleted ones. `GET /superuser/organizations/` (listAllOrganizations, 21.5); scope
    `super:user`. Raises QuayError."""
    operation, path = "superuser.list_organizations", "/superuser/organizations/"
    params = {"limit": PAGE_ROWS}
    return await read_pages(client, operation, path, "organizations", _organization, params, purpose=purpose)


async def list_users(client: QuayClient, *, disabled: bool = True, purpose: str = "read") -> Rows[User]:
    """All users; `disabled`: include disabled users. `GET /superuser/users/` (listAllUsers, 21.3); scope `super:user`. Raises
    QuayError."""
    params: dict[str, str | int] = {"limit": PAGE_ROWS}
    if not disabled:
        params["disabled"] = "false"
    operation, path = "superuser.list_users", "/superuser/users/"
    return await read_pages(client, operation, path, "users", _user, params, purpose=purpose)


async def get_user(client: QuayClient, username: str, *, purpose: str = "inventory") -> User:
    """`GET /superuser/users/{username}` (getInstallUser); scope `super:user`. Raises QuayError; NotFound, also for
    organizations."""
    path = f"/superuser/users/{paths.segment(username)}"
    return await read_one(client, "superuser.get_user", path, _user, purpose=purpose)


async def list_service_keys(client: QuayClient, *, purpose: str = "inventory") -> Rows[ServiceKey]:
    """`GET /superuser/keys` (listServiceKeys, 21.7); scope `super:user`. Raises QuayError."""
    operation = "superuser.list_service_keys"
    return await read_list(client, operation, "/superuser/keys", "keys", _key, purpose=purpose)


async def get_service_key(client: QuayClient, kid: str, *, purpose: str = "inventory") -> ServiceKey:
    """`GET /superuser/keys/{kid}` (getServiceKey, 21.21); scope `super:user`. Raises QuayError; NotFound."""
    path = f"/superuser/keys/{paths.segment(kid)}"
    return await read_one(client, "superuser.get_service_key", path, _key, purpose=purpose)


async def get_registry_size(client: QuayClient, *, purpose: str = "inventory") -> RegistrySize:
    """`GET /superuser/registrysize/` (getRegistrySize, 21.25); scope `super:user`. Raises QuayError."""
    return await read_one(client, "superuser.get_registry_size", REGISTRY_SIZE, _size, purpose=purpose)


async def queue_registry_size_calculation(client: QuayClient, *, purpose: str = "inventory") -> bool:
    """Asks Quay to calculate the size of the registry, which costs it work: True if that was queued (201), False if it
    already was (202). `POST /superuser/registrysize/` (queueRegistrySizeCalculation, 21.26 as postRegistrySize); scope `super:user`, not
    for read-only superusers. Raises QuayError."""
    operation = "superuser.queue_registry_size_calculation"
    return await client.queue_registry_size_calculation(operation, REGISTRY_SIZE, purpose=purpose)
