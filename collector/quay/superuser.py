"""Superuser: all namespaces of the registry (`/superuser/organizations/`, `/superuser/users/`). Chapter 21 of the API reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from collector.quay.client import QuayClient, Reply, decoded

_PAGE = 100  # the most that one call gives
_MOST_PAGES = 10_000


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


_Page = TypeVar("_Page", _Organizations, _Users)
_decode_organizations = msgspec.json.Decoder(_Organizations).decode
_decode_users = msgspec.json.Decoder(_Users).decode


async def list_organizations(client: QuayClient, *, purpose: str = "read") -> list[Organization]:
    """All organisations, deleted ones left out. `GET /superuser/organizations/`; scope `super:user`. Raises QuayError."""
    pages = await _pages(
        client, "superuser.list_organizations", "/superuser/organizations/", _decode_organizations, purpose
    )
    return [organization for page in pages for organization in page.organizations]


async def list_users(client: QuayClient, *, purpose: str = "read") -> list[User]:
    """All users. `GET /superuser/users/`; scope `super:user`. Raises QuayError."""
    pages = await _pages(client, "superuser.list_users", "/superuser/users/", _decode_users, purpose)
    return [user for page in pages for user in page.users]


async def _pages(
    client: QuayClient, operation: str, path: str, decode_body: Callable[[bytes], _Page], purpose: str
) -> list[_Page]:
    def decode(reply: Reply) -> _Page:
        return decoded(client, operation, reply.body, decode_body)

    pages: list[_Page] = []
    params: dict[str, str | int] = {"limit": _PAGE}
    while len(pages) < _MOST_PAGES:
        pages.append(await client.get(operation, path, params, decode, purpose=purpose))
        if not pages[-1].next_page:
            break
        params["next_page"] = pages[-1].next_page
    return pages
