"""The simulator's team operations: members with their invitations, and the team's permissions."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access, views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import caller, forbidden, not_found, quay_of, reply
from quayledger.simulator.entities.accounts import Account, Team
from quayledger.simulator.registry import Registry
from quayledger.simulator.render import avatar


def _members(request: Request) -> Response:
    """For admins, and for those in the team."""
    who = caller(request)
    registry = quay_of(request).registry
    account = registry.account(request.path_params["orgname"])
    team = account.team(request.path_params["teamname"]) if account is not None else None
    own = account is not None and "org:admin" in who.token.scopes
    is_admin = account is not None and access.administers(who, account)
    inside = own and team is not None and who.user.id in team.members
    if not (who.sees_all or is_admin or inside):
        raise forbidden(request)
    if team is None:
        raise not_found(request)
    members = [_member(person) for i in sorted(team.members) if (person := registry.accounts.get(i)) is not None]
    if views.flag(request, "includePending") and (is_admin or who.sees_all):
        members += _invited(registry, team)
    return reply({"name": team.name, "members": members, "can_edit": is_admin})


def _member(person: Account, *, invited: bool = False) -> dict[str, Any]:
    robot = person.robot is not None
    return {
        "name": person.name,
        "kind": "user",
        "is_robot": robot,
        "avatar": views.account_avatar(person),
        "invited": invited,
    }


def _invited(registry: Registry, team: Team) -> list[dict[str, Any]]:
    """Pending invitations: of addresses, then of users."""
    found: list[dict[str, Any]] = [
        {"email": one.email, "kind": "invite", "avatar": avatar(one.email, "user"), "invited": True}
        for one in team.invites
        if one.email
    ]
    people = [registry.accounts.get(one.user_id) for one in team.invites if one.user_id]
    return found + [_member(person, invited=True) for person in people if person is not None]


def _permissions(request: Request) -> Response:
    """For admins only."""
    _, account = access.of_organization(request)
    name = request.path_params["teamname"]
    if account.team(name) is None:
        raise not_found(request)
    found = [r for r in quay_of(request).registry.repositories_of(account.id) if name in r.team_permissions]
    permissions = [
        {"repository": {"name": r.name, "is_public": r.public}, "role": r.team_permissions[name]} for r in found
    ]
    return reply({"permissions": permissions})


_TEAM = "/organization/{orgname}/team/{teamname}"
OPERATIONS = (
    Operation("getOrganizationTeamMembers", f"{_TEAM}/members", _members, "org:admin", ("includePending",)),
    Operation("getOrganizationTeamPermissions", f"{_TEAM}/permissions", _permissions),
)
