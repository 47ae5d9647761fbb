"""The simulator's superuser listings: organisations and users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.api.replies import invalid, message, not_found, quay_of, reply, superuser
from simulator.registry import Account, Registry
from simulator.render import avatar

LIMIT_AT_MOST = 100
NO_QUOTA: dict[str, Any] = {
    "quotas": [],
    "quota_report": {
        "quota_bytes": 0,
        "configured_quota": None,
        "running_backfill": "complete",
        "backfill_status": "complete",
    },
}


def _organization(_: Registry, account: Account) -> dict[str, Any]:
    return {"name": account.name, "email": account.email, "avatar": avatar(account.name, "org"), **NO_QUOTA}


def _user(registry: Registry, account: Account) -> dict[str, Any]:
    return {
        "kind": "user",
        "name": account.name,
        "username": account.name,
        "email": account.email,
        "verified": True,
        "avatar": avatar(account.name, "user"),
        "super_user": account.id in registry.superusers,
        "global_readonly_super_user": account.id in registry.readonly_superusers,
        "enabled": account.enabled,
        **NO_QUOTA,
    }


def _page(request: Request, accounts: Sequence[Account]) -> tuple[Sequence[Account], str | None]:
    """All of them, or `limit` by id with a token for the rest."""
    tokens = quay_of(request).page_tokens
    token = tokens.open(request.query_params.get("next_page")) or {}
    text = request.query_params.get("limit", "")
    if not text and not token:
        return accounts, None
    try:
        limit = int(text or LIMIT_AT_MOST)
    except ValueError:
        raise message({"limit": "Limit for the number of results"}, 400) from None
    if limit > LIMIT_AT_MOST:
        raise invalid(request, "Page limit cannot be above 100")
    rest = [a for a in accounts if a.id >= token.get("start_index", 0)]
    if len(rest) <= limit:
        return rest, None
    following = {
        "start_index": rest[limit].id,
        "page_number": token.get("page_number", 0) + 1,
        "is_datetime": False,
        "offset_val": 0,
    }
    return rest[:limit], tokens.seal(following)


def _listing(
    key: str, kind: str, describe: Callable[[Registry, Account], dict[str, Any]]
) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        superuser(request)
        registry = quay_of(request).registry
        accounts, following = _page(
            request, [a for a in registry.accounts.values() if a.kind == kind and not a.deleted]
        )
        body: dict[str, Any] = {key: [describe(registry, account) for account in accounts]}
        return reply(body | ({"next_page": following} if following else {}))

    return answer


async def _organizations(request: Request) -> Response:
    return _listing("organizations", "org", _organization)(request)


async def _users(request: Request) -> Response:
    return _listing("users", "user", _user)(request)


async def _one_user(request: Request) -> Response:
    superuser(request)
    registry = quay_of(request).registry
    account = registry.account(request.path_params["username"])
    if account is None or account.kind != "user":
        raise not_found(request)
    return reply(_user(registry, account))


ROUTES = [
    Route("/api/v1/superuser/organizations/", _organizations, methods=["GET"]),
    Route("/api/v1/superuser/users/", _users, methods=["GET"]),
    Route("/api/v1/superuser/users/{username}", _one_user, methods=["GET"]),
]
