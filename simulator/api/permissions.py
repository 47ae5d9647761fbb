"""The simulator's permission operations: direct permissions of users, robots and teams on a repository."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access, views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import message, not_found, quay_of, reply
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.registry import Registry
from quayledger.simulator.render import avatar


def _of_user(registry: Registry, found: Repository, account: Account) -> dict[str, Any]:
    body: dict[str, Any] = {
        "role": found.permissions[account.id],
        "name": account.name,
        "is_robot": account.robot is not None,
        "avatar": views.account_avatar(account),
    }
    if registry.namespace_of(found).kind == "org":
        body["is_org_member"] = views.is_org_member(registry, found, account)
    return body


def _users(request: Request) -> Response:
    """An object keyed by name; robots are among them."""
    _, found = access.of_repository(request, "admin")
    registry = quay_of(request).registry
    accounts = [account for i in found.permissions if (account := registry.accounts.get(i)) is not None]
    return reply({"permissions": {account.name: _of_user(registry, found, account) for account in accounts}})


def _user(request: Request) -> Response:
    """400 for a user without a permission of its own."""
    _, found = access.of_repository(request, "admin")
    registry = quay_of(request).registry
    account = registry.account(request.path_params["username"])
    if account is None or account.id not in found.permissions:
        raise message("User does not have permission for repo.", 400)
    return reply(_of_user(registry, found, account))


def _transitive(request: Request) -> Response:
    """All roles of a user, one each by whichever way; 404 without any."""
    _, found = access.of_repository(request, "admin")
    registry = quay_of(request).registry
    account = registry.account(request.path_params["username"])
    if account is None:
        raise not_found(request)
    roles = [found.permissions[account.id]] if account.id in found.permissions else []
    owner = registry.namespace_of(found)
    for name, role in found.team_permissions.items():
        team = owner.team(name)
        if team is not None and account.id in team.members:
            roles.append(role)
    if not roles:
        raise not_found(request)
    return reply({"permissions": [{"role": role} for role in roles]})


def _teams(request: Request) -> Response:
    """An object keyed by name."""
    _, found = access.of_repository(request, "admin")
    teams = {
        name: {"role": role, "name": name, "avatar": avatar(name, "team")}
        for name, role in found.team_permissions.items()
    }
    return reply({"permissions": teams})


def _team(request: Request) -> Response:
    """The role alone; 400 for a team without one."""
    _, found = access.of_repository(request, "admin")
    role = found.team_permissions.get(request.path_params["teamname"])
    if role is None:
        raise message("Team does not have permission for repo.", 400)
    return reply({"role": role})


_PATH = "/repository/{repository}/permissions"
OPERATIONS = (
    Operation("listRepoUserPermissions", f"{_PATH}/user/", _users, "repo:admin"),
    Operation("getUserPermissions", f"{_PATH}/user/{{username}}", _user, "repo:admin"),
    Operation("getUserTransitivePermission", f"{_PATH}/user/{{username}}/transitive", _transitive, "repo:admin"),
    Operation("listRepoTeamPermissions", f"{_PATH}/team/", _teams, "repo:admin"),
    Operation("getTeamPermissions", f"{_PATH}/team/{{teamname}}", _team, "repo:admin"),
)
