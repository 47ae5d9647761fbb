"""Permissions: who has which role on a repository (`/repository/{repository}/permissions/`). Chapter 12 of the API
reference.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import absent_where_it_says
from quayledger.collector.quay.listing import read_list, read_one
from quayledger.collector.quay.rows import Named, Rows, reader, translated

_NONE = "does not have permission for repo"


class UserPermission(msgspec.Struct, frozen=True):
    """A direct permission of a user or robot; `role`: read | write | admin."""

    name: str
    role: str
    is_robot: bool | None = None
    is_org_member: bool | None = None


class TeamPermission(msgspec.Struct, frozen=True):
    """A permission of a team; `role`: read | write | admin."""

    name: str
    role: str


class RepositoryRole(msgspec.Struct, frozen=True):
    """The role of a team or robot on a repository, which is named without its namespace."""

    repository: str
    role: str
    is_public: bool | None = None


class _Role(msgspec.Struct):
    role: str


class _Repository(Named, frozen=True):
    is_public: bool | None = None


class _RepositoryRole(msgspec.Struct):
    repository: _Repository
    role: str


_user = reader(UserPermission)
_team = reader(TeamPermission)
_role = translated(_Role, lambda wire: wire.role)
read_repository_role = translated(
    _RepositoryRole, lambda wire: RepositoryRole(wire.repository.name, wire.role, wire.repository.is_public)
)


async def list_user_permissions(
    client: QuayClient, repository: str, *, purpose: str = "inventory"
) -> Rows[UserPermission]:
    """Of users and robots. `GET /repository/{repository}/permissions/user/` (listRepoUserPermissions, 12.9); scope
    `repo:admin`. Raises QuayError."""
    operation, path = "permission.list_user_permissions", f"{paths.repository(repository)}/permissions/user/"
    return await read_list(client, operation, path, "permissions", _user, purpose=purpose)


async def list_team_permissions(
    client: QuayClient, repository: str, *, purpose: str = "inventory"
) -> Rows[TeamPermission]:
    """`GET /repository/{repository}/permissions/team/` (listRepoTeamPermissions, 12.8); scope `repo:admin`. Raises QuayError."""
    operation, path = "permission.list_team_permissions", f"{paths.repository(repository)}/permissions/team/"
    return await read_list(client, operation, path, "permissions", _team, purpose=purpose)


async def get_user_permission(
    client: QuayClient, repository: str, username: str, *, purpose: str = "inventory"
) -> UserPermission:
    """`GET /repository/{repository}/permissions/user/{username}` (getUserPermissions, 12.2); scope `repo:admin`. Raises
    QuayError; NotFound if the user has no direct permission (Quay answers 400)."""
    operation, path = "permission.get_user_permission", _path(repository, "user", username)
    with absent_where_it_says(_NONE):
        return await read_one(client, operation, path, _user, purpose=purpose)


async def get_team_permission(
    client: QuayClient, repository: str, team: str, *, purpose: str = "inventory"
) -> TeamPermission:
    """`GET /repository/{repository}/permissions/team/{teamname}` (getTeamPermissions, 12.5); scope `repo:admin`. Raises
    QuayError; NotFound for a team without permission (Quay answers 400)."""
    operation, path = "permission.get_team_permission", _path(repository, "team", team)
    with absent_where_it_says(_NONE):
        return TeamPermission(team, await read_one(client, operation, path, _role, purpose=purpose))


async def list_transitive_roles(
    client: QuayClient, repository: str, username: str, *, purpose: str = "inventory"
) -> Rows[str]:
    """All roles of a user: direct, through teams, and as an admin. `GET
    /repository/{repository}/permissions/user/{username}/transitive` (getUserTransitivePermission, 12.1); scope `repo:admin`.
    Raises QuayError; NotFound if there are none."""
    operation, path = "permission.list_transitive_roles", f"{_path(repository, 'user', username)}/transitive"
    return await read_list(client, operation, path, "permissions", _role, purpose=purpose)


def _path(repository: str, kind: str, name: str) -> str:
    return f"{paths.repository(repository)}/permissions/{kind}/{paths.segment(name)}"
