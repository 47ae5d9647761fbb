"""Teams: their members and roles (`/organization/{orgname}/team/{teamname}`). Chapter 23 of the API
reference.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_list
from quayledger.collector.quay.permissions import RepositoryRole, read_repository_role
from quayledger.collector.quay.rows import Rows, translated


class TeamMember(msgspec.Struct, frozen=True):
    """A member of a team. `kind`: user | robot | invite; `name`: the e-mail address for an invite; `invited`: not
    a member yet, which may also apply to an existing user."""

    name: str
    kind: str
    invited: bool = False


class _Member(msgspec.Struct):
    kind: str
    name: str | None = None
    email: str | None = None
    is_robot: bool = False
    invited: bool = False


def _from_wire(wire: _Member) -> TeamMember:
    name = wire.name or wire.email
    if not name:
        raise ValueError("a member without name and e-mail address")
    return TeamMember(name, "robot" if wire.is_robot else wire.kind, wire.invited)


_member = translated(_Member, _from_wire)


async def list_team_members(
    client: QuayClient, organization: str, team: str, *, pending: bool = True, purpose: str = "inventory"
) -> Rows[TeamMember]:
    """Users and robots; `pending`: include invitations. `GET /organization/{orgname}/team/{teamname}/members`
    (getOrganizationTeamMembers, 23.4); scope `org:admin` of any member of the team. Raises QuayError; NotFound."""
    params = {"includePending": "true"} if pending else {}
    operation, path = "team.list_team_members", f"{_path(organization, team)}/members"
    return await read_list(client, operation, path, "members", _member, params, purpose=purpose)


async def list_team_permissions(
    client: QuayClient, organization: str, team: str, *, purpose: str = "inventory"
) -> Rows[RepositoryRole]:
    """`GET /organization/{orgname}/team/{teamname}/permissions` (getOrganizationTeamPermissions, 23.1); scope `org:admin` of an
    admin of the organization. Raises QuayError; Forbidden for members of the team."""
    operation, path = "team.list_team_permissions", f"{_path(organization, team)}/permissions"
    return await read_list(client, operation, path, "permissions", read_repository_role, purpose=purpose)


def _path(organization: str, team: str) -> str:
    return f"{paths.organization(organization)}/team/{paths.segment(team)}"
