"""The simulator's superuser operations: organisations, users, service keys and the registry's size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator import sizes
from quayledger.simulator.api import views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import caller, forbidden, invalid, message, not_found, quay_of, reply, superuser
from quayledger.simulator.clock import http_date
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.entities.installation import ServiceKey
from quayledger.simulator.quay import Quay
from quayledger.simulator.render import avatar

LIMIT_AT_MOST = 100


def _organization(quay: Quay, account: Account) -> dict[str, Any]:
    quotas = views.quotas_of(quay, account)
    return {"name": account.name, "email": account.email, "avatar": avatar(account.name, "org"), **quotas}


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


def _listing(request: Request, key: str, kind: str, describe: Callable[[Quay, Account], dict[str, Any]]) -> Response:
    superuser(request)
    quay = quay_of(request)
    all_users = views.flag(request, "disabled", default=True)
    wanted = [
        a for a in quay.registry.accounts.values() if a.kind == kind and not a.deleted and (a.enabled or all_users)
    ]
    accounts, following = _page(request, wanted)
    body: dict[str, Any] = {key: [describe(quay, account) for account in accounts]}
    return reply(body | ({"next_page": following} if following else {}))


def _organizations(request: Request) -> Response:
    return _listing(request, "organizations", "org", _organization)


def _users(request: Request) -> Response:
    """Disabled ones too, unless `disabled=false`."""
    return _listing(request, "users", "user", views.user)


def _one_user(request: Request) -> Response:
    superuser(request)
    quay = quay_of(request)
    account = quay.registry.account(request.path_params["username"])
    if account is None or account.kind != "user" or account.deleted:
        raise not_found(request)
    return reply(views.user(quay, account))


def _key(quay: Quay, key: ServiceKey) -> dict[str, Any]:
    """Keys in order, dates with GMT: another way to write JSON than elsewhere."""
    return {
        "approval": _approval(quay, key),
        "created_date": http_date(key.created_us),
        "expiration_date": None if key.expires_us is None else http_date(key.expires_us),
        "jwk": {"e": "AQAB", "kid": key.kid, "kty": "RSA", "n": f"public-{key.kid}"},
        "kid": key.kid,
        "metadata": key.metadata,
        "name": key.name,
        "rotation_duration": None,
        "service": key.service,
    }


def _approval(quay: Quay, key: ServiceKey) -> dict[str, Any] | None:
    if not key.approval_type or key.approved_us is None:
        return None
    approver = quay.registry.accounts.get(key.approver_id)
    return {
        "approval_type": f"ServiceKeyApprovalType.{key.approval_type}",
        "approved_date": http_date(key.approved_us),
        "approver": views.user(quay, approver) if approver else None,
        "notes": key.notes,
    }


def _keys(request: Request) -> Response:
    superuser(request)
    quay = quay_of(request)
    return reply({"keys": [_key(quay, key) for key in quay.registry.service_keys.values()]})


def _one_key(request: Request) -> Response:
    superuser(request)
    quay = quay_of(request)
    key = quay.registry.service_keys.get(request.path_params["kid"])
    if key is None:
        raise not_found(request)
    return reply(_key(quay, key))


def _size(request: Request) -> Response:
    """As last summed up."""
    superuser(request)
    quay = quay_of(request)
    now_us, size = quay.clock.now_us(), quay.registry.size
    sizes.settle(quay.registry, now_us)
    running = sizes.is_running(quay.registry, now_us)
    body: dict[str, Any] = {"size_bytes": size.size_bytes, "last_ran": size.last_ran_ms}
    return reply(body | {"queued": size.queued_us is not None, "running": running})


def _sum_up(request: Request) -> Response:
    """Asks for another sum: 201, or 202 where one is asked for already. Not for those who only read."""
    if not caller(request).is_superuser:
        raise forbidden(request)
    quay = quay_of(request)
    now_us, size = quay.clock.now_us(), quay.registry.size
    sizes.settle(quay.registry, now_us)
    status = 201 if size.queued_us is None else 202
    size.queued_us = size.queued_us or now_us
    return reply("", status)


_SIZE = "/superuser/registrysize/"
OPERATIONS = (
    Operation(
        "listAllOrganizations",
        "/superuser/organizations/",
        _organizations,
        "super:user",
        ("limit", "next_page"),
        internal=True,
    ),
    Operation("listAllUsers", "/superuser/users/", _users, "super:user", ("limit", "next_page", "disabled")),
    Operation("getInstallUser", "/superuser/users/{username}", _one_user, "super:user"),
    Operation("listServiceKeys", "/superuser/keys", _keys, "super:user"),
    Operation("getServiceKey", "/superuser/keys/{kid}", _one_key, "super:user"),
    Operation("getRegistrySize", _SIZE, _size, "super:user", internal=True, feature="quota_management"),
    Operation(
        "queueRegistrySizeCalculation",
        _SIZE,
        _sum_up,
        "super:user",
        method="POST",
        internal=True,
        feature="quota_management",
    ),
)
