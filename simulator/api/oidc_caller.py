"""The simulator's callers with a JWT: who Quay takes them for, or its refusals."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from quayledger.simulator.api.replies import Caller, Refusal, quay_of, reply, server_error, unauthenticated
from quayledger.simulator.entities.accounts import AccessToken, Account
from quayledger.simulator.oidc import ProviderDown, Refused, is_jwt
from quayledger.simulator.quay import Quay

# A JWT has no scopes: it may do all that its user may.
_EVERYTHING = frozenset(
    {"super:user", "org:admin", "repo:admin", "repo:create", "repo:read", "repo:write", "user:admin", "user:read"}
)


async def note_caller(request: Request) -> None:
    """Notes who a JWT stands for, for `caller_of`. Raises Refusal; ProviderDown where Quay would hang up."""
    quay = quay_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if quay.oidc is None or scheme.lower() != "bearer" or not is_jwt(token):
        return
    try:
        found = await caller_of_jwt(quay, token.strip())
    except Refused as refused:
        if refused.status == 500:
            raise server_error() from None
        raise (Refusal(reply({"error": str(refused)}, 401)) if str(refused) else unauthenticated(request)) from None
    if found is None:
        raise unauthenticated(request)
    request.scope["oidc_caller"] = found


async def caller_of_jwt(quay: Quay, token: str) -> Caller | None:
    """Who a JWT stands for; None for a disabled account. Raises Refused with Quay's words; ProviderDown."""
    if quay.oidc is None:
        return None
    account = _account(quay, await quay.oidc.claims(token))
    return Caller(quay, AccessToken("", account.id, _EVERYTHING)) if account.enabled else None


def _account(quay: Quay, claims: dict[str, Any]) -> Account:
    """The account of a subject; one that is unknown is created, under a name that is free."""
    login = quay.oidc.login if quay.oidc is not None else None
    registry, subject = quay.registry, str(claims["sub"])
    if login is not None and (known := registry.account(login.links.get(subject))) is not None:
        return known
    if login is None or not login.user_creation:
        raise Refused("User creation is disabled. Please contact your administrator to gain access.")
    wanted = str(claims.get("preferred_username") or subject)
    taken = -1
    name = wanted
    while registry.account(name) is not None:
        taken += 1
        name = f"{wanted}{taken}"
    login.links[subject] = name
    return registry.add_account(name, "user")


__all__ = ["ProviderDown", "caller_of_jwt", "note_caller"]
