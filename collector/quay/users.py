"""Users: the token's user (`/user/`), its starred repositories, and whether a user exists. Chapter 25 of the API reference."""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import Unauthenticated
from quayledger.collector.quay.listing import read_one, read_pages
from quayledger.collector.quay.quotas import Quota, QuotaReport
from quayledger.collector.quay.rows import Int64, Rows, read_rows, reader, translated


class Membership(msgspec.Struct, frozen=True):
    """An organization of the user."""

    name: str
    is_org_admin: bool | None = None
    public: bool | None = None


class User(msgspec.Struct, frozen=True):
    """The token's user and its organizations. With only the scope `user:read` the other fields are None."""

    username: str
    organizations: Rows[Membership] = Rows()
    super_user: bool | None = None
    verified: bool | None = None
    email: str | None = None
    tag_expiration_s: Int64 | None = None
    quotas: tuple[Quota, ...] | None = None
    quota_report: QuotaReport | None = None


class UserInformation(msgspec.Struct, frozen=True):
    """Public information about a user: that it exists; `super_user`: visible to superusers only."""

    username: str
    super_user: bool | None = None


class StarredRepository(msgspec.Struct, frozen=True):
    """A repository starred by the token's user."""

    namespace: str
    name: str
    description: str | None = None
    is_public: bool | None = None


class _User(msgspec.Struct):
    username: str
    organizations: tuple[msgspec.Raw, ...] = ()
    super_user: bool | None = None
    verified: bool | None = None
    email: str | None = None
    tag_expiration_s: Int64 | None = None
    quotas: tuple[Quota, ...] | None = None
    quota_report: QuotaReport | None = None


_NO_SCOPE = (
    "Here Quay answers this also to a good token without the scope user:read: add that scope, or create a new token if this one "
    "is refused everywhere"
)
_membership = reader(Membership)


def _from_wire(wire: _User) -> User:
    return User(
        username=wire.username,
        organizations=read_rows("organizations", wire.organizations, _membership),
        super_user=wire.super_user,
        verified=wire.verified,
        email=wire.email,
        tag_expiration_s=wire.tag_expiration_s,
        quotas=wire.quotas,
        quota_report=wire.quota_report,
    )


_user = translated(_User, _from_wire)
_information = reader(UserInformation)
_starred = reader(StarredRepository)


async def get_logged_in_user(client: QuayClient, *, purpose: str = "probe") -> User:
    """`GET /user/` (getLoggedInUser, 25.3); scope `user:read` (without it the answer is 401), `user:admin` for all of it. Raises
    QuayError."""
    operation = "user.get_logged_in_user"
    try:
        return await read_one(client, operation, "/user/", _user, purpose=purpose)
    except Unauthenticated as error:
        raise Unauthenticated(
            client.source_id, operation, error.says, status=error.status, next_step=_NO_SCOPE
        ) from None


async def get_user_information(client: QuayClient, username: str, *, purpose: str = "inventory") -> UserInformation:
    """`GET /users/{username}` (getUserInformation, 25.5); anonymous. Disabled users are included. Raises QuayError;
    NotFound, also for organizations and robots."""
    path = f"/users/{paths.segment(username)}"
    return await read_one(client, "user.get_user_information", path, _information, purpose=purpose)


async def list_starred(client: QuayClient, *, purpose: str = "inventory") -> Rows[StarredRepository]:
    """`GET /user/starred` (listStarredRepos, 25.2); scope `user:admin`. Raises QuayError."""
    return await read_pages(client, "user.list_starred", "/user/starred", "repositories", _starred, purpose=purpose)
