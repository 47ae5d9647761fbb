"""The simulator's account operations: the caller's own user, and an organisation."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.api.replies import caller_of, not_found, quay_of, reply, unauthenticated
from simulator.api.superuser import NO_QUOTA
from simulator.registry import Account
from simulator.render import avatar


async def _user(request: Request) -> Response:
    """`/user/`: with `user:read` alone it tells less; without either scope it is a 401."""
    who = caller_of(request)
    if who is None or not who.token.scopes & {"user:read", "user:admin"}:
        raise unauthenticated(request, session_required=False)
    registry = quay_of(request).registry
    wide = "user:admin" in who.token.scopes
    organizations = [_membership(a, who.user.id, wide=wide) for a in registry.organizations_of(who.user.id)]
    body: dict[str, Any] = {
        "anonymous": False,
        "username": who.user.name,
        "avatar": avatar(who.user.name, "user"),
    }
    if wide:
        body |= _private(who.user)
    body["organizations"] = organizations
    if wide and who.is_superuser:
        body["super_user"] = True
    if wide and who.is_readonly_superuser:
        body["global_readonly_super_user"] = True
    return reply(body)


def _private(user: Account) -> dict[str, Any]:
    return {
        "can_create_repo": True,
        "is_me": True,
        "verified": True,
        "email": user.email,
        "logins": [],
        "invoice_email": False,
        "invoice_email_address": None,
        "preferred_namespace": False,
        "tag_expiration_s": 1209600,
        "prompts": [],
        "company": None,
        "family_name": None,
        "given_name": None,
        "location": None,
        "is_free_account": True,
        "has_password_set": True,
        **NO_QUOTA,
    }


def _membership(account: Account, user_id: int, *, wide: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": account.name,
        "avatar": avatar(account.name, "org"),
        "can_create_repo": wide,
        "public": False,
    }
    if wide:
        body |= {"is_org_admin": account.has_admin(user_id), "preferred_namespace": False}
    return body


async def _organization(request: Request) -> Response:
    """`/organization/{o}`: anyone may ask; members and superusers see its teams."""
    account = quay_of(request).registry.account(request.path_params["orgname"])
    if account is None or account.kind != "org":
        raise not_found(request)
    who = caller_of(request)
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
        body |= _teams(account, is_admin=is_admin)
    return reply(body)


def _teams(account: Account, *, is_admin: bool) -> dict[str, Any]:
    teams = {
        team.name: {
            "name": team.name,
            "description": team.description,
            "role": team.role,
            "avatar": avatar(team.name, "team"),
            "can_view": is_admin,
            "repo_count": 0,
            "member_count": len(team.members),
            "is_synced": False,
        }
        for team in account.teams
    }
    body: dict[str, Any] = {"teams": teams, "ordered_teams": list(teams)}
    if is_admin:
        body |= {"invoice_email": False, "invoice_email_address": None}
        body |= {"tag_expiration_s": 1209600, "is_free_account": True, **NO_QUOTA}
    return body


ROUTES = [
    Route("/api/v1/user/", _user, methods=["GET"]),
    Route("/api/v1/organization/{orgname}", _organization, methods=["GET"]),
]
