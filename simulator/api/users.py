"""The simulator's user operations: the token's own user with its application tokens, and what anyone may ask of others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access, views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import (
    caller,
    caller_of,
    forbidden,
    message,
    not_found,
    quay_of,
    reply,
    superuser,
    unauthenticated,
)
from quayledger.simulator.clock import DAY_US
from quayledger.simulator.entities.accounts import Account, AppToken
from quayledger.simulator.quay import Quay
from quayledger.simulator.render import avatar

_NO_URL = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling "
    "and try again."
)
_SOON_US = 14 * DAY_US


def _user(request: Request) -> Response:
    """`/user/`: with `user:read` alone it tells less; without either scope it is a 401."""
    who = caller_of(request)
    if who is None or not who.token.scopes & {"user:read", "user:admin"}:
        raise unauthenticated(request, session_required=False)
    quay = quay_of(request)
    wide = "user:admin" in who.token.scopes
    organizations = [_membership(a, who.user.id, wide=wide) for a in quay.registry.organizations_of(who.user.id)]
    body: dict[str, Any] = {
        "anonymous": False,
        "username": who.user.name,
        "avatar": avatar(who.user.name, "user"),
    }
    if wide:
        body |= _private(quay, who.user)
    body["organizations"] = organizations
    if wide and who.is_superuser:
        body["super_user"] = True
    if wide and who.is_readonly_superuser:
        body["global_readonly_super_user"] = True
    return reply(body)


def _private(quay: Quay, user: Account) -> dict[str, Any]:
    return {
        "can_create_repo": True,
        "is_me": True,
        "verified": user.verified,
        "email": user.email,
        "logins": [],
        "invoice_email": user.invoice_email,
        "invoice_email_address": user.invoice_email_address,
        "preferred_namespace": False,
        "tag_expiration_s": user.tag_expiration_s,
        "prompts": [],
        "company": user.profile.get("company"),
        "family_name": user.profile.get("family_name"),
        "given_name": user.profile.get("given_name"),
        "location": user.profile.get("location"),
        "is_free_account": True,
        "has_password_set": True,
        **views.quotas_of(quay, user),
    }


def _membership(account: Account, user_id: int, *, wide: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": account.name,
        "avatar": avatar(account.name, "org"),
        "can_create_repo": wide and account.may_create(user_id),
        "public": False,
    }
    if wide:
        body |= {"is_org_admin": account.has_admin(user_id), "preferred_namespace": False}
    return body


def _information(request: Request) -> Response:
    """Whether there is such a user: anyone may ask, also of disabled ones."""
    found = quay_of(request).registry.account(request.path_params["username"])
    if found is None or found.kind != "user":
        raise message(_NO_URL, 404)
    body: dict[str, Any] = {"anonymous": False, "username": found.name, "avatar": avatar(found.name, "user")}
    who = caller_of(request)
    if who is not None and who.is_superuser and not found.enabled:
        body["super_user"] = found.id in quay_of(request).registry.superusers
    return reply(body)


def _token(token: AppToken) -> dict[str, Any]:
    return {
        "uuid": token.uuid,
        "title": token.title,
        "last_accessed": views.stamp(token.last_accessed_us),
        "created": views.stamp(token.created_us),
        "expiration": views.stamp(token.expires_us),
    }


def _tokens(request: Request, tokens: Iterable[AppToken]) -> Response:
    """`expiring` asks for those that end soon; the key says null where it was not given."""
    expiring = views.flag(request, "expiring") if "expiring" in request.query_params else None
    until_us = quay_of(request).clock.now_us() + _SOON_US
    shown = [t for t in tokens if not expiring or (t.expires_us is not None and t.expires_us <= until_us)]
    return reply({"tokens": [_token(one) for one in shown], "only_expiring": expiring})


def _own_tokens(request: Request) -> Response:
    return _tokens(request, access.of_own_user(request).account.app_tokens)


def _own_token(request: Request) -> Response:
    """With its code; another user's is a 404."""
    for one in access.of_own_user(request).account.app_tokens:
        if one.uuid == request.path_params["token_uuid"]:
            return reply({"token": _token(one) | {"token_code": one.code}})
    raise not_found(request)


def _all_tokens(request: Request) -> Response:
    """Of everybody, for a superuser with full access or one who only reads; without owners."""
    if not caller(request).sees_all:
        superuser(request)
        raise forbidden(request)
    accounts = quay_of(request).registry.accounts.values()
    return _tokens(request, (token for account in accounts for token in account.app_tokens))


OPERATIONS = (
    Operation("getLoggedInUser", "/user/", _user, "user:read"),
    Operation("getUserInformation", "/users/{username}", _information),
    Operation("listAppTokens", "/user/apptoken", _own_tokens, "user:admin", ("expiring",), feature="app_tokens"),
    Operation("getAppToken", "/user/apptoken/{token_uuid}", _own_token, "user:admin", feature="app_tokens"),
    Operation(
        "listAllAppTokens", "/superuser/apptokens", _all_tokens, "super:user", ("expiring",), feature="app_tokens"
    ),
)
