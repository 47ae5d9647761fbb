"""Robots: machine accounts of organizations and of the token's user (`…/robots`). Chapter 18 of the API reference, which lacks
the federation of robots.

Quay returns the robot's usable token in every one of these replies unless a list is requested with `token=false`. The lists
here always are; from the other replies the token is redacted before anything reads them.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import absent_where_it_says
from quayledger.collector.quay.listing import read_list, read_one
from quayledger.collector.quay.permissions import RepositoryRole, read_repository_role
from quayledger.collector.quay.rows import Named, Rows, names, reader, translated
from quayledger.collector.quay.times import Moment

_UNKNOWN = "Could not find robot"
_LISTED = {"permissions": "true", "token": "false"}


class Robot(msgspec.Struct, frozen=True):
    """A robot account without its token. `name`: the full name, namespace+name; `repositories`: those it has direct
    permissions on, without namespace; it and `teams` are None if this user may not see them."""

    name: str
    description: str | None = None
    created: Moment | None = None
    last_accessed: Moment | None = None
    teams: tuple[str, ...] | None = None
    repositories: tuple[str, ...] | None = None


class Federation(msgspec.Struct, frozen=True):
    """An external identity (OIDC issuer and subject) that may act as the robot."""

    issuer: str
    subject: str


class _Robot(msgspec.Struct):
    name: str
    description: str | None = None
    created: Moment | None = None
    last_accessed: Moment | None = None
    teams: tuple[Named, ...] | None = None
    repositories: tuple[str, ...] | None = None


def _from_wire(wire: _Robot) -> Robot:
    return Robot(
        name=wire.name,
        description=wire.description,
        created=wire.created,
        last_accessed=wire.last_accessed,
        teams=names(wire.teams),
        repositories=wire.repositories,
    )


_robot = translated(_Robot, _from_wire)
_federation = reader(Federation)


async def list_robots(client: QuayClient, organization: str, *, purpose: str = "inventory") -> Rows[Robot]:
    """All robots of an organization. `GET /organization/{orgname}/robots` (getOrgRobots, 18.9); scope `org:admin` of any member.
    Raises QuayError."""
    path = f"{paths.organization(organization)}/robots"
    return await read_list(client, "robot.list_robots", path, "robots", _robot, _LISTED, purpose=purpose)


async def list_user_robots(client: QuayClient, *, purpose: str = "inventory") -> Rows[Robot]:
    """All robots of the token's user. `GET /user/robots` (getUserRobots, 18.1); scope `user:admin`. Raises QuayError."""
    operation = "robot.list_user_robots"
    return await read_list(client, operation, "/user/robots", "robots", _robot, _LISTED, purpose=purpose)


async def get_robot(client: QuayClient, organization: str, shortname: str, *, purpose: str = "inventory") -> Robot:
    """`shortname`: the part after the +. `GET /organization/{orgname}/robots/{robot_shortname}` (getOrgRobot, 18.6); scope
    `org:admin`. Raises QuayError; NotFound for an unknown robot (Quay answers 400)."""
    with absent_where_it_says(_UNKNOWN):
        return await read_one(client, "robot.get_robot", _path(organization, shortname), _robot, purpose=purpose)


async def get_user_robot(client: QuayClient, shortname: str, *, purpose: str = "inventory") -> Robot:
    """`GET /user/robots/{robot_shortname}` (getUserRobot, 18.10); scope `user:admin`. Raises QuayError; NotFound as
    `get_robot`."""
    with absent_where_it_says(_UNKNOWN):
        return await read_one(client, "robot.get_user_robot", _own(shortname), _robot, purpose=purpose)


async def list_robot_permissions(
    client: QuayClient, organization: str, shortname: str, *, purpose: str = "inventory"
) -> Rows[RepositoryRole]:
    """`GET /organization/{orgname}/robots/{robot_shortname}/permissions` (getOrgRobotPermissions, 18.2); scope `user:admin`
    and administration of the organization. Raises QuayError; NotFound as `get_robot`."""
    operation, path = "robot.list_robot_permissions", f"{_path(organization, shortname)}/permissions"
    with absent_where_it_says(_UNKNOWN):
        return await read_list(client, operation, path, "permissions", read_repository_role, purpose=purpose)


async def list_user_robot_permissions(
    client: QuayClient, shortname: str, *, purpose: str = "inventory"
) -> Rows[RepositoryRole]:
    """`GET /user/robots/{robot_shortname}/permissions` (getUserRobotPermissions, 18.4); scope `user:admin`. Raises QuayError;
    NotFound as `get_robot`."""
    operation, path = "robot.list_user_robot_permissions", f"{_own(shortname)}/permissions"
    with absent_where_it_says(_UNKNOWN):
        return await read_list(client, operation, path, "permissions", read_repository_role, purpose=purpose)


async def list_robot_federation(
    client: QuayClient, organization: str, shortname: str, *, purpose: str = "inventory"
) -> Rows[Federation]:
    """`GET /organization/{orgname}/robots/{robot_shortname}/federation` (getOrgRobotFederation); scope `org:admin`. A bare
    list. Raises QuayError; NotFound as `get_robot`."""
    operation, path = "robot.list_robot_federation", f"{_path(organization, shortname)}/federation"
    with absent_where_it_says(_UNKNOWN):
        return await read_list(client, operation, path, None, _federation, purpose=purpose)


async def list_user_robot_federation(
    client: QuayClient, shortname: str, *, purpose: str = "inventory"
) -> Rows[Federation]:
    """`GET /user/robots/{robot_shortname}/federation` (getUserRobotFederation); scope `user:admin`. A bare list. Raises
    QuayError; NotFound as `get_robot`."""
    operation, path = "robot.list_user_robot_federation", f"{_own(shortname)}/federation"
    with absent_where_it_says(_UNKNOWN):
        return await read_list(client, operation, path, None, _federation, purpose=purpose)


def _path(organization: str, shortname: str) -> str:
    return f"{paths.organization(organization)}/robots/{paths.segment(shortname)}"


def _own(shortname: str) -> str:
    return f"/user/robots/{paths.segment(shortname)}"
