"""The simulator's robot operations, of organisations and of the token's own user. By default they tell passwords."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access, views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import caller, forbidden, message, quay_of, reply
from quayledger.simulator.entities.accounts import Account, Robot
from quayledger.simulator.registry import Registry

_UNKNOWN = "Could not find robot with specified username"


def _list(request: Request, account: Account, *, wide: bool) -> Response:
    """`token` and `permissions` count for those only who administer the namespace; `limit` cuts without a word."""
    registry = quay_of(request).registry
    token = wide and views.flag(request, "token", default=True)
    permissions = wide and views.flag(request, "permissions")
    robots = [r for r in registry.robots_of(account.id) if r.robot is not None]
    limit = views.number(request, "limit", 0)
    robots = robots[:limit] if limit > 0 else robots
    return reply({"robots": [_row(registry, account, one, token=token, permissions=permissions) for one in robots]})


def _row(registry: Registry, owner: Account, account: Account, *, token: bool, permissions: bool) -> dict[str, Any]:
    robot = _robot(account)
    body: dict[str, Any] = {
        "name": account.name,
        "created": views.stamp(robot.created_us),
        "last_accessed": views.stamp(robot.last_accessed_us),
    }
    if permissions:
        body["teams"] = [views.team_brief(team) for team in owner.teams if account.id in team.members]
        body["repositories"] = [r.name for r in registry.repositories_of(owner.id) if account.id in r.permissions]
    body["description"] = robot.description or ""
    if token:
        body["token"] = robot.token
    return body


def _one(account: Account, *, token: bool) -> Response:
    robot = _robot(account)
    body: dict[str, Any] = {
        "name": account.name,
        "created": views.stamp(robot.created_us),
        "last_accessed": views.stamp(robot.last_accessed_us),
        "description": robot.description or "",
    }
    if token:
        body["token"] = robot.token
    return reply(body | {"unstructured_metadata": robot.metadata})


def _robot(account: Account) -> Robot:
    return account.robot or Robot()


def _named(request: Request, owner: Account) -> Account:
    """The robot of the path. Raises 400 where there is none."""
    found = quay_of(request).registry.account(f"{owner.name}+{request.path_params['robot_shortname']}")
    if found is None or found.robot is None:
        raise message(_UNKNOWN, 400)
    return found


def _permissions(request: Request, owner: Account) -> Response:
    robot = _named(request, owner)
    found = [r for r in quay_of(request).registry.repositories_of(owner.id) if robot.id in r.permissions]
    permissions = [
        {"repository": {"name": r.name, "is_public": r.public}, "role": r.permissions[robot.id]} for r in found
    ]
    return reply({"permissions": permissions})


def _federation(request: Request, owner: Account) -> Response:
    identities = _robot(_named(request, owner)).federation
    return reply([{"issuer": one.issuer, "subject": one.subject} for one in identities])


def _org_robots(request: Request) -> Response:
    """For any member; secrets and permissions for admins."""
    who, account = access.of_organization(request, member=True, users=True)
    return _list(request, account, wide=access.administers(who, account))


def _org_robot(request: Request) -> Response:
    who, account = access.of_organization(request)
    return _one(_named(request, account), token=access.administers(who, account))


def _org_robot_permissions(request: Request) -> Response:
    """Needs `user:admin` and the right to administer the organisation; `org:admin` or `super:user` alone do not do."""
    if "user:admin" not in caller(request).token.scopes:
        raise forbidden(request)
    _, account = access.of_organization(request)
    return _permissions(request, account)


def _org_robot_federation(request: Request) -> Response:
    _, account = access.of_organization(request)
    return _federation(request, account)


def _own_robots(request: Request) -> Response:
    _, user = access.of_own_user(request)
    return _list(request, user, wide=True)


def _own_robot(request: Request) -> Response:
    _, user = access.of_own_user(request)
    return _one(_named(request, user), token=True)


def _own_robot_permissions(request: Request) -> Response:
    _, user = access.of_own_user(request)
    return _permissions(request, user)


def _own_robot_federation(request: Request) -> Response:
    _, user = access.of_own_user(request)
    return _federation(request, user)


_ORG, _USER, _NAME = "/organization/{orgname}/robots", "/user/robots", "{robot_shortname}"
_QUERY = ("permissions", "token", "limit")
OPERATIONS = (
    Operation("getUserRobots", _USER, _own_robots, "user:admin", _QUERY),
    Operation("getUserRobot", f"{_USER}/{_NAME}", _own_robot, "user:admin"),
    Operation("getUserRobotPermissions", f"{_USER}/{_NAME}/permissions", _own_robot_permissions, "user:admin"),
    Operation("getUserRobotFederation", f"{_USER}/{_NAME}/federation", _own_robot_federation, "user:admin"),
    Operation("getOrgRobots", _ORG, _org_robots, "org:admin", _QUERY),
    Operation("getOrgRobot", f"{_ORG}/{_NAME}", _org_robot, "org:admin"),
    Operation("getOrgRobotPermissions", f"{_ORG}/{_NAME}/permissions", _org_robot_permissions, "user:admin"),
    Operation("getOrgRobotFederation", f"{_ORG}/{_NAME}/federation", _org_robot_federation, "org:admin"),
)
