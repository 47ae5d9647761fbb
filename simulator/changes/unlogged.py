"""The simulator's planted changes that nobody logged: each beside a logged one in the same place, as somebody does who works
around Quay (in its database, say) and hopes that it is not noticed."""

from __future__ import annotations

from quayledger.simulator.changes.planner import Planner
from quayledger.simulator.clock import SECOND_US


def permission_slipped_in(p: Planner) -> None:
    """One person is granted a permission in the log, another one past it."""
    found = p.repository("slipped in")
    namespace = p.registry.namespace_of(found)
    p.on(found, "change_repo_permission", {"username": p.stranger(found.permissions).name, "role": "read"})
    unnamed = p.stranger(found.permissions)

    def slip_in() -> None:
        found.permissions[unnamed.id] = "admin"

    p.quietly(slip_in, namespace)


def member_slipped_in(p: Planner) -> None:
    """One person is added to a team in the log, another one past it."""
    found, team = p.team()
    p.do("org_add_team_member", found.name, {"team": team.name, "member": p.stranger(team.members).name})
    unnamed = p.stranger(team.members)

    def slip_in() -> None:
        team.members.add(unnamed.id)

    p.quietly(slip_in, found)


def repository_opened_quietly(p: Planner) -> None:
    """A repository's description is changed in the log, its visibility past it."""
    found = p.repository("opened quietly", lambda r: not r.public)
    p.on(found, "set_repo_description", {"description": p.fresh("Planted ")})

    def open_it() -> None:
        found.public = True

    p.quietly(open_it, p.registry.namespace_of(found))


def robot_slipped_in(p: Planner) -> None:
    """One robot is created in the log, another one past it."""
    found = p.organization(what="robot slipped in")
    p.do("create_robot", found.name, {"robot": p.fresh("bot"), "description": "planted"})
    shortname, created_us = p.fresh("shadow"), p.at_us // SECOND_US * SECOND_US

    def slip_in() -> None:
        p.registry.add_robot(found, shortname, created_us=created_us)

    p.quietly(slip_in, found)
