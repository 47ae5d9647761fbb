"""The simulator's planted changes to accounts: users, organisations, teams, robots, applications, tokens, keys."""

from __future__ import annotations

from collections.abc import Callable

from quayledger.simulator.changes.planner import Missing, Planner
from quayledger.simulator.clock import DAY_US, SECOND_US
from quayledger.simulator.effects.event import Event
from quayledger.simulator.entities.accounts import Account, Application
from quayledger.simulator.entities.installation import Message
from quayledger.simulator.images import uuid_of


def user_created(p: Planner) -> None:
    """A superuser creates a user."""
    name = p.fresh("person")
    p.do("user_create", name, {"username": name, "email": f"{name}@example.com"}, by=p.superuser)


def user_disabled(p: Planner) -> None:
    """A superuser disables a user."""
    name = p.person().name
    p.do("user_disable", name, {"username": name}, by=p.superuser)


def user_deleted(p: Planner) -> None:
    """With all that is theirs; owners of organisations cannot be deleted."""
    name = p.leaver(1).name
    p.do("user_delete", name, {"username": name}, by=p.superuser)


def user_renamed(p: Planner) -> None:
    """Their rows show the new name from now on."""
    found, name = p.leaver(0), p.fresh("renamed")
    old = found.name
    p.do("user_change_name", old, {"old_username": old}, by=old, more={"username": name}, rename=(old, name))


def user_email_changed(p: Planner) -> None:
    """By a superuser."""
    found = p.person()
    p.do("user_change_email", found.name, {"email": f"{p.fresh('mail')}@example.com"}, by=p.superuser)


def organization_created(p: Planner) -> None:
    """With a team of owners."""
    name = p.fresh("org")
    p.do("org_create", name, {"namespace": name, "email": f"{name}@example.com"}, by=p.superuser)


def organization_renamed(p: Planner) -> None:
    """Its robots follow."""
    if p.renamed is None:
        raise Missing
    old, new = p.renamed.name, p.fresh("neworg")
    names = {"old_name": old, "new_name": new}
    p.do("org_change_name", old, names, by=p.superuser, rename=(old, new))


def organization_deleted(p: Planner) -> None:
    """It is called by a UUID from now on, and everything in it is gone."""
    if p.deleted is None:
        raise Missing
    p.do("org_delete", p.deleted.name, {"namespace": p.deleted.name}, by=p.superuser)


def organization_email_changed(p: Planner) -> None:
    """By an owner."""
    found = p.organization(what="email")
    p.do("org_change_email", found.name, {"email": f"{p.fresh('mail')}@example.com"})


def organization_settings_changed(p: Planner) -> None:
    """How long what is deleted can be brought back, and where invoices go."""
    found = p.organization(what="settings")
    p.do("org_change_tag_expiration", found.name, {"tag_expiration": found.tag_expiration_s + 86_400})
    other = p.organization(what="settings")
    p.do("org_change_invoicing", other.name, {"invoice_email_address": f"{p.fresh('bill')}@example.com"})


def team_created(p: Planner) -> None:
    """And gets a member."""
    found, name = p.organization(what="team"), p.fresh("team")
    p.do("org_create_team", found.name, {"team": name})
    p.do("org_add_team_member", found.name, {"team": name, "member": p.stranger(()).name})


def team_member_added(p: Planner) -> None:
    """To a team that was there."""
    found, team = p.team()
    p.do("org_add_team_member", found.name, {"team": team.name, "member": p.stranger(team.members).name})


def team_member_removed(p: Planner) -> None:
    """From a team that was there."""
    found, team = p.team(lambda _, t: bool(t.members))
    member = p.one_of(team.members).name
    p.do("org_remove_team_member", found.name, {"team": team.name, "member": member})


def team_member_invited(p: Planner) -> None:
    """An e-mail address."""
    found, team = p.team()
    email = f"{p.fresh('guest')}@example.com"
    p.do("org_invite_team_member", found.name, {"team": team.name, "member": email, "email": email})


def team_role_changed(p: Planner) -> None:
    """And what is said of it."""
    found, team = p.team()
    role = "creator" if team.role == "member" else "member"
    p.do("org_set_team_role", found.name, {"team": team.name, "role": role})
    p.do("org_set_team_description", found.name, {"team": team.name, "description": p.fresh("said ")})


def team_deleted(p: Planner) -> None:
    """With its members and permissions."""
    found, team = p.team()
    p.do("org_delete_team", found.name, {"team": team.name})


def robot_created(p: Planner) -> None:
    """In an organisation."""
    found = p.organization(what="robot created")
    p.do("create_robot", found.name, {"robot": p.fresh("bot"), "description": "planted"})


def robot_federated(p: Planner) -> None:
    """An outside identity may act as a robot."""
    found, robot = _robot(p, lambda r: bool(r.robot and not r.robot.federation))
    config = [{"issuer": "https://tokens.example.com", "subject": p.fresh("repo:example/")}]
    p.do("create_robot_federation", found.name, {"robot": robot.shortname, "config": config})


def robot_deleted(p: Planner) -> None:
    """With its permissions."""
    found, robot = _robot(p, lambda _: True)
    p.do("delete_robot", found.name, {"robot": robot.shortname})


def _robot(p: Planner, wanted: Callable[[Account], bool]) -> tuple[Account, Account]:
    pairs = [(a, r) for a in p.organizations for r in p.registry.robots_of(a.id) if wanted(r)]
    return p.pick(pairs, lambda pair: ("robot", pair[1].id))


def application_created(p: Planner) -> None:
    """In an organisation."""
    found, name = p.organization(what="application"), p.fresh("app")
    p.do("create_application", found.name, {"name": name, "description": "planted"})


def application_changed(p: Planner) -> None:
    """Its address."""
    found, one = p.pick(_applications(p), lambda pair: pair[1].client_id)
    uri = f"https://{p.fresh('app')}.example.com"
    named = {"client_id": one.client_id, "name": one.name}
    p.do("update_application", found.name, {**named, "application_uri": uri, "redirect_uri": f"{uri}/oauth"})


def application_deleted(p: Planner) -> None:
    """An older one."""
    found, one = p.pick(_applications(p), lambda pair: pair[1].client_id)
    p.do("delete_application", found.name, {"client_id": one.client_id, "application_name": one.name})


def _applications(p: Planner) -> list[tuple[Account, Application]]:
    return [(a, one) for a in p.organizations for one in a.applications]


def app_token_created(p: Planner) -> None:
    """By a user for themselves."""
    found = p.person()
    title = {"app_specific_token_title": p.fresh("laptop")}
    p.do("create_app_specific_token", found.name, title, by=found.name)


def app_token_revoked(p: Planner) -> None:
    """By its owner."""
    pairs = [(a, t) for a in p.registry.accounts.values() for t in a.app_tokens if not a.deleted]
    found, token = p.pick(pairs, lambda pair: pair[1].uuid)
    told = {"app_specific_token_title": token.title, "app_specific_token": token.uuid}
    p.do("revoke_app_specific_token", found.name, told, by=found.name)


def default_permission_created(p: Planner) -> None:
    """For a user."""
    found = p.organization(what="prototype")
    told = {"activating_username": None, "delegate_user": p.stranger(()).name, "role": "read"}
    p.do("create_prototype_permission", found.name, told)


def default_permission_changed(p: Planner) -> None:
    """Its role."""
    pairs = [(a, one) for a in p.organizations for one in a.prototypes]
    found, one = p.pick(pairs, lambda pair: pair[1].uuid)
    role = "admin" if one.role != "admin" else "read"
    told = {"prototypeid": one.uuid, "role": role, "original_role": one.role}
    p.do("modify_prototype_permission", found.name, told)


def default_permission_deleted(p: Planner) -> None:
    """An older one."""
    pairs = [(a, one) for a in p.organizations for one in a.prototypes]
    found, one = p.pick(pairs, lambda pair: pair[1].uuid)
    p.do("delete_prototype_permission", found.name, {"prototypeid": one.uuid, "role": one.role})


def quota_created(p: Planner) -> None:
    """With a limit."""
    found = p.organization(lambda a: not a.quotas, "quota")
    p.do("org_create_quota", found.name, {"limit_bytes": 5 * 2**30, "limit": "5.0 GiB"}, by=p.superuser)
    p.do("org_create_quota_limit", found.name, {"type": "Warning", "threshold_percent": 70}, by=p.superuser)


def quota_changed(p: Planner) -> None:
    """To twice what it was."""
    found = p.organization(lambda a: bool(a.quotas), "quota")
    p.do("org_change_quota", found.name, {"limit_bytes": found.quotas[0].limit_bytes * 2}, by=p.superuser)


def quota_deleted(p: Planner) -> None:
    """With its limits."""
    found = p.organization(lambda a: bool(a.quotas), "quota")
    p.do("org_delete_quota", found.name, by=p.superuser)


def proxy_cache_set(p: Planner) -> None:
    """An organisation caches another registry."""
    found = p.organization(lambda a: a.proxy_cache is None, "proxy")
    p.do("create_proxy_cache_config", found.name, {"upstream_registry": "docker.io/library"})


def namespace_policy_created(p: Planner) -> None:
    """Of an organisation."""
    found = p.organization(what="policy")
    told = {"method": "number_of_tags", "value": 7, "tag_pattern": p.fresh("v.*")}
    p.do("create_namespace_autoprune_policy", found.name, told)


def namespace_policy_deleted(p: Planner) -> None:
    """An older one."""
    pairs = [(a, one) for a in p.organizations for one in a.prune_policies]
    found, one = p.pick(pairs, lambda pair: pair[1].uuid)
    p.do("delete_namespace_autoprune_policy", found.name, {"policy_uuid": one.uuid})


def service_key_created(p: Planner) -> None:
    """And approved."""
    expires = (p.at_us + 100 * DAY_US) // SECOND_US
    told = {"service": "planted", "name": p.fresh("key"), "preshared": True, "expiration_date": expires}
    event: Event = p.do("service_key_create", p.superuser, told, by=p.superuser)
    kid = {"kid": event.metadata["kid"], "service": "planted", "name": told["name"], "expiration_date": expires}
    p.do("service_key_approve", p.superuser, kid, by=p.superuser)


def service_key_deleted(p: Planner) -> None:
    """An older one."""
    key = p.pick(p.registry.service_keys.values(), lambda k: k.kid)
    told = {"kid": key.kid, "service": key.service, "name": key.name, "created_date": key.created_us // SECOND_US}
    p.do("service_key_delete", p.superuser, told, by=p.superuser)


def message_shown(p: Planner) -> None:
    """No row tells of it."""
    name = p.fresh("message ")
    p.quietly(lambda: p.registry.messages.append(Message(uuid_of(name), f"Planted **{name}**", "warning")))


def message_taken_down(p: Planner) -> None:
    """No row tells of it."""
    one = p.pick(p.registry.messages, lambda m: m.uuid)
    p.quietly(lambda: p.registry.messages.remove(one))
