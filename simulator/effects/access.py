"""The simulator's effects on access: robots, applications, permissions and default permissions."""

from __future__ import annotations

from quayledger.simulator.clock import SECOND_US
from quayledger.simulator.effects.event import Effect, Event, account_named, robot_of
from quayledger.simulator.entities.accounts import Application, Identity, Prototype
from quayledger.simulator.images import uuid_of
from quayledger.simulator.registry import Registry
from quayledger.simulator.secret_values import secret


def create_robot(registry: Registry, event: Event) -> None:
    """`robot` is its short name."""
    shortname = event.text("robot").rpartition("+")[2]
    if not shortname or robot_of(registry, event) is not None:
        return
    made = registry.add_robot(event.account, shortname, created_us=event.at_us // SECOND_US * SECOND_US)
    if made.robot is not None:
        made.robot.description = event.text("description")
        made.robot.metadata = dict(event.get("unstructured_metadata", {}))


def delete_robot(registry: Registry, event: Event) -> None:
    """Its old events lose their performer."""
    found = robot_of(registry, event)
    if found is not None:
        registry.purge(found.name)


def regenerate_token(registry: Registry, event: Event) -> None:
    """A new password."""
    found = robot_of(registry, event)
    if found is not None and found.robot is not None:
        found.robot.token = secret("robot", found.id, event.at_us)


def federate(registry: Registry, event: Event) -> None:
    """`config`: who from outside may act as the robot, all of them."""
    found = robot_of(registry, event)
    if found is not None and found.robot is not None:
        found.robot.federation = [Identity(one["issuer"], one["subject"]) for one in event.get("config", [])]


def unfederate(registry: Registry, event: Event) -> None:
    """Nobody from outside may act as the robot any more."""
    found = robot_of(registry, event)
    if found is not None and found.robot is not None:
        found.robot.federation = []


def create_application(_: Registry, event: Event) -> None:
    """`client_id`, and what is said of it."""
    client_id = event.text("client_id")
    if client_id and all(one.client_id != client_id for one in event.account.applications):
        made = Application(client_id, event.text("name"), secret("client", client_id), event.text("description"))
        made.uri, made.redirect_uri = event.text("application_uri"), event.text("redirect_uri")
        event.account.applications.append(made)


def update_application(_: Registry, event: Event) -> None:
    """By `client_id`."""
    for one in event.account.applications:
        if one.client_id == event.text("client_id"):
            one.name = event.text("name") or one.name
            one.uri, one.redirect_uri = event.text("application_uri"), event.text("redirect_uri")
            one.description = event.text("description") or one.description


def delete_application(_: Registry, event: Event) -> None:
    """By `client_id`."""
    account = event.account
    account.applications = [one for one in account.applications if one.client_id != event.text("client_id")]


def reset_client_secret(_: Registry, event: Event) -> None:
    """A new secret for the application of `client_id`."""
    for one in event.account.applications:
        if one.client_id == event.text("client_id"):
            one.secret = secret("client", one.client_id, event.at_us)


def change_permission(registry: Registry, event: Event) -> None:
    """`role` of the user or robot `username`, or of `team`, on the event's repository."""
    repository, team = event.repository, event.text("team")
    if repository is None:
        return
    if team:
        if event.account.team(team) is not None:
            repository.team_permissions[team] = event.text("role")
        return
    user = account_named(registry, event, "username")
    if user is not None:
        repository.permissions[user.id] = event.text("role")


def delete_permission(registry: Registry, event: Event) -> None:
    """Of `username` or `team`."""
    repository, team = event.repository, event.text("team")
    if repository is None:
        return
    if team:
        repository.team_permissions.pop(team, None)
        return
    user = account_named(registry, event, "username")
    if user is not None:
        repository.permissions.pop(user.id, None)


def create_prototype(registry: Registry, event: Event) -> None:
    """`prototypeid`, `role`, `delegate_user` or `delegate_team`, `activating_username`."""
    uuid = event.text("prototypeid") or uuid_of("prototype", event.account.id, event.at_us)
    delegate, activating = account_named(registry, event, "delegate_user"), event.text("activating_username")
    team = event.account.team(event.text("delegate_team"))
    if (delegate is None and team is None) or any(p.uuid == uuid for p in event.account.prototypes):
        return
    made = Prototype(uuid, event.text("role") or "read", delegate.id if delegate else 0, team.name if team else "")
    who = registry.account(activating)
    made.activating_id = who.id if who else 0
    event.account.prototypes.append(made)


def modify_prototype(_: Registry, event: Event) -> None:
    """Another `role`."""
    for one in event.account.prototypes:
        if one.uuid == event.text("prototypeid"):
            one.role = event.text("role") or one.role


def delete_prototype(_: Registry, event: Event) -> None:
    """By `prototypeid`."""
    account = event.account
    account.prototypes = [p for p in account.prototypes if p.uuid != event.text("prototypeid")]


EFFECTS: dict[str, Effect] = {
    "change_repo_permission": change_permission,
    "create_application": create_application,
    "create_prototype_permission": create_prototype,
    "create_robot": create_robot,
    "create_robot_federation": federate,
    "delete_application": delete_application,
    "delete_prototype_permission": delete_prototype,
    "delete_repo_permission": delete_permission,
    "delete_robot": delete_robot,
    "delete_robot_federation": unfederate,
    "modify_prototype_permission": modify_prototype,
    "regenerate_robot_token": regenerate_token,
    "reset_application_client_secret": reset_client_secret,
    "update_application": update_application,
}
