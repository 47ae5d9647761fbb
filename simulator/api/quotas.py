"""The simulator's quota operations: of organisations, of the token's own user, and of any namespace for superusers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator import sizes
from quayledger.simulator.api import access
from quayledger.simulator.api.operations import Answer, Operation
from quayledger.simulator.api.replies import not_found, quay_of, reply, superuser
from quayledger.simulator.entities.accounts import Account, Quota


def _list(account: Account) -> Response:
    return reply([sizes.full(quota) for quota in account.quotas])


def _named(request: Request, account: Account) -> Quota:
    """The quota of the path, where it is this namespace's. Raises 404."""
    for quota in account.quotas:
        if str(quota.id) == request.path_params["quota_id"]:
            return quota
    raise not_found(request)


def _limit(request: Request, quota: Quota) -> dict[str, object]:
    for described in sizes.limits(quota):
        if str(described["id"]) == request.path_params["limit_id"]:
            return described
    raise not_found(request)


def _org_list(request: Request) -> Response:
    """For any member, and for any superuser."""
    return _list(access.of_organization(request, member=True, superuser=True).account)


def _org_one(request: Request) -> Response:
    _, account = access.of_organization(request, member=True, superuser=True)
    return reply(sizes.full(_named(request, account)))


def _org_limits(request: Request) -> Response:
    _, account = access.of_organization(request, member=True)
    return reply(sizes.limits(_named(request, account)))


def _org_limit(request: Request) -> Response:
    _, account = access.of_organization(request, member=True)
    return reply(_limit(request, _named(request, account)))


def _own_list(request: Request) -> Response:
    return _list(access.of_own_user(request).account)


def _own_one(request: Request) -> Response:
    return reply(sizes.full(_named(request, access.of_own_user(request).account)))


def _own_limits(request: Request) -> Response:
    return reply(sizes.limits(_named(request, access.of_own_user(request).account)))


def _own_limit(request: Request) -> Response:
    """The whole quota, as Quay does by mistake."""
    quota = _named(request, access.of_own_user(request).account)
    _limit(request, quota)
    return reply(sizes.full(quota))


def _of_any(request: Request) -> Response:
    """Users and organisations alike, on either path."""
    superuser(request)
    account = quay_of(request).registry.namespace(request.path_params["namespace"])
    if account is None or account.deleted:
        raise not_found(request)
    return _list(account)


def _operation(name: str, path: str, answer: Answer, scope: str = "") -> Operation:
    return Operation(name, path, answer, scope, feature="quota_management")


_ORG, _USER, _QUOTA = "/organization/{orgname}/quota", "/user/quota", "{quota_id}"
OPERATIONS = (
    _operation("listOrganizationQuota", _ORG, _org_list),
    _operation("getOrganizationQuota", f"{_ORG}/{_QUOTA}", _org_one),
    _operation("listOrganizationQuotaLimit", f"{_ORG}/{_QUOTA}/limit", _org_limits),
    _operation("getOrganizationQuotaLimit", f"{_ORG}/{_QUOTA}/limit/{{limit_id}}", _org_limit),
    _operation("listUserQuota", _USER, _own_list, "user:admin"),
    _operation("getUserQuota", f"{_USER}/{_QUOTA}", _own_one, "user:admin"),
    _operation("listUserQuotaLimit", f"{_USER}/{_QUOTA}/limit", _own_limits, "user:admin"),
    _operation("getUserQuotaLimit", f"{_USER}/{_QUOTA}/limit/{{limit_id}}", _own_limit, "user:admin"),
    _operation("listUserQuotaSuperUser", "/superuser/users/{namespace}/quota", _of_any, "super:user"),
    _operation("listOrganizationQuotaSuperUser", "/superuser/organization/{namespace}/quota", _of_any, "super:user"),
)
