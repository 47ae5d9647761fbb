"""Superuser: all namespaces of the registry (`/superuser/organizations/`, `/superuser/users/`). Chapter 21 of the API reference."""

from __future__ import annotations

import msgspec

from collector.quay.client import QuayClient
from collector.quay.paging import read_all

_PAGE = 100  # the most that one call gives


class Organization(msgspec.Struct, frozen=True):
    """An organisation of the registry."""

    name: str
    email: str | None = None


class User(msgspec.Struct, frozen=True):
    """A user of the registry, disabled ones too; robots are not among them."""

    username: str
    email: str | None = None
    enabled: bool = True
    super_user: bool = False
    global_readonly_super_user: bool = False


class _Organizations(msgspec.Struct):
    organizations: tuple[Organization, ...]
    next_page: str | None = None


class _Users(msgspec.Struct):
    users: tuple[User, ...]
    next_page: str | None = None


_decode_organizations = msgspec.json.Decoder(_Organizations).decode
_decode_users = msgspec.json.Decoder(_Users).decode


async def list_organizations(client: QuayClient, *, purpose: str = "read") -> list[Organization]:
    """All organisations, deleted ones left out. `GET /superuser/organizations/`; scope `super:user`. Raises QuayError."""
    operation, path = "superuser.list_organizations", "/superuser/organizations/"
    pages = await read_all(client, operation, path, {"limit": _PAGE}, _decode_organizations, purpose=purpose)
    return [organization for page in pages for organization in page.organizations]


async def list_users(client: QuayClient, *, purpose: str = "read") -> list[User]:
    """All users. `GET /superuser/users/`; scope `super:user`. Raises QuayError."""
    operation, path = "superuser.list_users", "/superuser/users/"
    pages = await read_all(client, operation, path, {"limit": _PAGE}, _decode_users, purpose=purpose)
    return [user for page in pages for user in page.users]
