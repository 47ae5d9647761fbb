"""The simulator's organisation operations: settings, members, collaborators, applications, default permissions, cache."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access, views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import Caller, caller_of, not_found, quay_of, reply
from quayledger.simulator.entities.accounts import Account, Application, Prototype
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.quay import Quay
from quayledger.simulator.registry import Registry
from quayledger.simulator.render import avatar


def _organization(request: Request) -> Response:
    """Anyone may ask; members and superusers see its teams, admins its settings."""
    quay = quay_of(request)
    account = quay.registry.account(request.path_params["orgname"])
    if account is None or account.kind != "org" or account.deleted:
        raise not_found(request)
    return reply(_described(quay, account, caller_of(request)))


def _described(quay: Quay, account: Account, who: Caller | None) -> dict[str, Any]:
    through = who is not None and who.sees_all
    wide = who is not None and "org:admin" in who.token.scopes
    is_admin = through or (wide and who is not None and account.has_admin(who.user.id))
    is_member = through or (wide and who is not None and account.has_member(who.user.id))
    body: dict[str, Any] = {
        "name": account.name,
        "email": account.email if is_admin else "",
        "avatar": avatar(account.name, "user"),
        "is_admin": is_admin,
        "is_member": is_member,
    }
    if is_member:
        body |= _teams(quay.registry, account, is_admin=is_admin, who=who)
    if is_admin:
        body |= {"invoice_email": account.invoice_email, "invoice_email_address": account.invoice_email_address}
        body |= {"tag_expiration_s": account.tag_expiration_s, "is_free_account": True}
        body |= views.quotas_of(quay, account)
    return body


def _teams(registry: Registry, account: Account, *, is_admin: bool, who: Caller | None) -> dict[str, Any]:
    repositories = registry.repositories_of(account.id)
    teams = {
        team.name: {
            "name": team.name,
            "description": team.description,
            "role": team.role,
            "avatar": avatar(team.name, "team"),
            "can_view": is_admin or (who is not None and who.user.id in team.members),
            "repo_count": sum(team.name in r.team_permissions for r in repositories),
            "member_count": len(team.members),
            "is_synced": team.is_synced,
        }
        for team in account.teams
    }
    return {"teams": teams, "ordered_teams": list(teams)}


def _member_ids(account: Account) -> list[int]:
    """In the order of teams, then of ids."""
    found: dict[int, None] = {}
    for team in account.teams:
        found.update(dict.fromkeys(sorted(team.members)))
    return list(found)


def _direct(repositories: list[Repository], account_id: int) -> list[str]:
    return [r.name for r in repositories if account_id in r.permissions]


def _members(request: Request) -> Response:
    """People in teams. Their repositories also hold those that are marked for deletion, by their UUIDs."""
    _, account = access.of_organization(request)
    registry = quay_of(request).registry
    repositories = registry.repositories_of(account.id, deleted=True)
    people = [p for i in _member_ids(account) if (p := registry.accounts.get(i)) is not None and p.robot is None]
    return reply({"members": [_membership(account, person, repositories) for person in people]})


def _membership(account: Account, person: Account, repositories: list[Repository]) -> dict[str, Any]:
    kind = "robot" if person.robot is not None else "user"
    return {
        "name": person.name,
        "kind": kind,
        "avatar": avatar(person.name, kind),
        "teams": [views.team_brief(team) for team in account.teams if person.id in team.members],
        "repositories": sorted(_direct(repositories, person.id)),
    }


def _member(request: Request) -> Response:
    """One of them; robots too."""
    _, account = access.of_organization(request)
    registry = quay_of(request).registry
    person = registry.account(request.path_params["membername"])
    if person is None or not (account.has_member(person.id) or person.owner_id == account.id):
        raise not_found(request)
    return reply(_membership(account, person, registry.repositories_of(account.id)))


def _collaborators(request: Request) -> Response:
    """People in no team who have permissions of their own."""
    _, account = access.of_organization(request)
    registry = quay_of(request).registry
    repositories = registry.repositories_of(account.id)
    ids = sorted({i for r in repositories for i in r.permissions if not account.has_member(i)})
    people = [p for i in ids if (p := registry.accounts.get(i)) is not None and p.robot is None]
    return reply(
        {
            "collaborators": [
                {
                    "kind": "user",
                    "name": person.name,
                    "avatar": avatar(person.name, "user"),
                    "repositories": _direct(repositories, person.id),
                }
                for person in people
            ]
        }
    )


def _application_view(application: Application, *, secrets: bool) -> dict[str, Any]:
    return {
        "name": application.name,
        "description": application.description,
        "application_uri": application.uri,
        "client_id": application.client_id,
        "client_secret": application.secret if secrets else None,
        "redirect_uri": application.redirect_uri if secrets else None,
        "avatar_email": None,
    }


def _applications(request: Request) -> Response:
    """With their secrets, but not for a superuser who only reads."""
    who, account = access.of_organization(request)
    secrets = access.administers(who, account)
    return reply({"applications": [_application_view(one, secrets=secrets) for one in account.applications]})


def _application(request: Request) -> Response:
    who, account = access.of_organization(request)
    for one in account.applications:
        if one.client_id == request.path_params["client_id"]:
            return reply(_application_view(one, secrets=access.administers(who, account)))
    raise not_found(request)


def _application_information(request: Request) -> Response:
    """Anyone may ask who is behind a client id."""
    registry = quay_of(request).registry
    for account in registry.accounts.values():
        for one in account.applications:
            if one.client_id == request.path_params["client_id"] and not account.deleted:
                return reply(_information(one, account))
    raise not_found(request)


def _information(application: Application, account: Account) -> dict[str, Any]:
    organization = {
        "name": account.name,
        "email": "",
        "avatar": avatar(account.name, "user"),
        "is_admin": False,
        "is_member": False,
        "teams": {},
        "ordered_teams": [],
    }
    return {
        "name": application.name,
        "description": application.description,
        "uri": application.uri,
        "avatar": avatar(application.name, "app"),
        "organization": organization,
    }


def _prototypes(request: Request) -> Response:
    _, account = access.of_organization(request)
    registry = quay_of(request).registry
    return reply({"prototypes": [_prototype(registry, account, one) for one in account.prototypes]})


def _prototype(registry: Registry, account: Account, one: Prototype) -> dict[str, Any]:
    delegate = registry.accounts.get(one.delegate_id)
    activating = registry.accounts.get(one.activating_id)
    team = {"name": one.delegate_team, "kind": "team", "avatar": avatar(one.delegate_team, "team")}
    return {
        "activating_user": _party(account, activating) if activating else None,
        "delegate": _party(account, delegate) if delegate else team,
        "role": one.role,
        "id": one.uuid,
    }


def _party(account: Account, person: Account) -> dict[str, Any]:
    return {
        "name": person.name,
        "is_robot": person.robot is not None,
        "kind": "user",
        "is_org_member": person.owner_id == account.id or account.has_member(person.id),
        "avatar": views.account_avatar(person),
    }


def _proxy_cache(request: Request) -> Response:
    """For any member; three empty texts where there is none."""
    _, account = access.of_organization(request, member=True)
    cache = account.proxy_cache
    if cache is None:
        return reply({"upstream_registry": "", "expiration_s": "", "insecure": ""})
    body = {"upstream_registry": cache.upstream, "expiration_s": cache.expiration_s, "insecure": cache.insecure}
    return reply(body)


_ORG = "/organization/{orgname}"
OPERATIONS = (
    Operation("getOrganization", _ORG, _organization),
    Operation("getOrganizationMembers", f"{_ORG}/members", _members, "org:admin"),
    Operation("getOrganizationMember", f"{_ORG}/members/{{membername}}", _member, "org:admin"),
    Operation("getOrganizationCollaborators", f"{_ORG}/collaborators", _collaborators, "org:admin"),
    Operation("getOrganizationApplications", f"{_ORG}/applications", _applications, "org:admin"),
    Operation("getOrganizationApplication", f"{_ORG}/applications/{{client_id}}", _application, "org:admin"),
    Operation("getApplicationInformation", "/app/{client_id}", _application_information),
    Operation("getOrganizationPrototypePermissions", f"{_ORG}/prototypes", _prototypes, "org:admin"),
    Operation("getProxyCacheConfig", f"{_ORG}/proxycache", _proxy_cache, feature="proxy_cache"),
)
