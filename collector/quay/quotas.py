"""Quotas: storage limits of namespaces and their thresholds (`…/quota`). Chapter 10 of the API reference, and 21.11 and
21.15, whose names and paths are swapped there: both paths accept users and organizations.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import NotFound
from quayledger.collector.quay.listing import read_list, read_one
from quayledger.collector.quay.rows import Int64, Rows, reader


class QuotaLimit(msgspec.Struct, frozen=True):
    """A threshold; `type`: Warning | Reject."""

    id: Int64
    type: str
    limit_percent: Int64


class Quota(msgspec.Struct, frozen=True):
    """A quota of a namespace; `default_config`: it is the registry-wide default."""

    id: Int64
    limit_bytes: Int64
    limits: tuple[QuotaLimit, ...] = ()
    default_config: bool | None = None


class QuotaReport(msgspec.Struct, frozen=True):
    """Storage used by a namespace or repository. `backfill_status`: waiting | running | complete (only then is the size
    final); None for repositories."""

    size_bytes: Int64 | None = msgspec.field(default=None, name="quota_bytes")
    limit_bytes: Int64 | None = msgspec.field(default=None, name="configured_quota")
    backfill_status: str | None = None


_quota = reader(Quota)
_limit = reader(QuotaLimit)


async def list_organization_quotas(client: QuayClient, organization: str, *, purpose: str = "inventory") -> Rows[Quota]:
    """`GET /organization/{orgname}/quota` (listOrganizationQuota, 10.13); scope `org:admin` of any member. A bare list, empty
    if there is none. Raises QuayError; Forbidden if the user is not a member."""
    path = f"{paths.organization(organization)}/quota"
    return await read_list(client, "quota.list_organization_quotas", path, None, _quota, purpose=purpose)


async def get_organization_quota(
    client: QuayClient, organization: str, quota_id: int, *, purpose: str = "inventory"
) -> Quota:
    """`GET /organization/{orgname}/quota/{quota_id}` (getOrganizationQuota, 10.9); scope as the list's. Raises QuayError;
    NotFound."""
    path = f"{paths.organization(organization)}/quota/{quota_id}"
    return await read_one(client, "quota.get_organization_quota", path, _quota, purpose=purpose)


async def list_organization_quota_limits(
    client: QuayClient, organization: str, quota_id: int, *, purpose: str = "inventory"
) -> Rows[QuotaLimit]:
    """`GET /organization/{orgname}/quota/{quota_id}/limit` (listOrganizationQuotaLimit, 10.6); scope as the list's. Raises
    QuayError; NotFound."""
    path = f"{paths.organization(organization)}/quota/{quota_id}/limit"
    return await read_list(client, "quota.list_organization_quota_limits", path, None, _limit, purpose=purpose)


async def get_organization_quota_limit(
    client: QuayClient, organization: str, quota_id: int, limit_id: int, *, purpose: str = "inventory"
) -> QuotaLimit:
    """`GET /organization/{orgname}/quota/{quota_id}/limit/{limit_id}` (getOrganizationQuotaLimit, 10.2); scope as the list's.
    Raises QuayError; NotFound."""
    path = f"{paths.organization(organization)}/quota/{quota_id}/limit/{limit_id}"
    return await read_one(client, "quota.get_organization_quota_limit", path, _limit, purpose=purpose)


async def list_user_quotas(client: QuayClient, *, purpose: str = "inventory") -> Rows[Quota]:
    """Of the token's user. `GET /user/quota` (listUserQuota, 10.1); scope `user:admin`. A bare list. Raises QuayError."""
    return await read_list(client, "quota.list_user_quotas", "/user/quota", None, _quota, purpose=purpose)


async def get_user_quota(client: QuayClient, quota_id: int, *, purpose: str = "inventory") -> Quota:
    """`GET /user/quota/{quota_id}` (getUserQuota, 10.14); scope `user:admin`. Raises QuayError; NotFound, also for a quota of
    another namespace."""
    return await read_one(client, "quota.get_user_quota", f"/user/quota/{quota_id}", _quota, purpose=purpose)


async def list_user_quota_limits(client: QuayClient, quota_id: int, *, purpose: str = "inventory") -> Rows[QuotaLimit]:
    """`GET /user/quota/{quota_id}/limit` (listUserQuotaLimit, 10.8); scope `user:admin`. Raises QuayError; NotFound."""
    path = f"/user/quota/{quota_id}/limit"
    return await read_list(client, "quota.list_user_quota_limits", path, None, _limit, purpose=purpose)


async def get_user_quota_limit(
    client: QuayClient, quota_id: int, limit_id: int, *, purpose: str = "inventory"
) -> QuotaLimit:
    """`GET /user/quota/{quota_id}/limit/{limit_id}` (getUserQuotaLimit, 10.7); scope `user:admin`. Quay answers with the whole
    quota, from which the limit is taken. Raises QuayError; NotFound, also if the quota does not contain it."""
    operation, path = "quota.get_user_quota_limit", f"/user/quota/{quota_id}/limit/{limit_id}"
    quota = await read_one(client, operation, path, _quota, purpose=purpose)
    for limit in quota.limits:
        if limit.id == limit_id:
            return limit
    raise NotFound(client.source_id, operation, f"quota {quota.id} holds no limit {limit_id}", status=200)


async def list_superuser_organization_quotas(
    client: QuayClient, namespace: str, *, purpose: str = "inventory"
) -> Rows[Quota]:
    """Of an organization or a user. `GET /superuser/organization/{namespace}/quota` (21.11, called
    listUserQuotaSuperUser there); scope `super:user`. A bare list. Raises QuayError; NotFound."""
    path = f"/superuser/organization/{paths.segment(namespace)}/quota"
    return await read_list(client, "quota.list_superuser_organization_quotas", path, None, _quota, purpose=purpose)


async def list_superuser_user_quotas(client: QuayClient, namespace: str, *, purpose: str = "inventory") -> Rows[Quota]:
    """Of a user or an organization. `GET /superuser/users/{namespace}/quota` (21.15, called
    listOrganizationQuotaSuperUser there); scope `super:user`. A bare list. Raises QuayError; NotFound."""
    path = f"/superuser/users/{paths.segment(namespace)}/quota"
    return await read_list(client, "quota.list_superuser_user_quotas", path, None, _quota, purpose=purpose)
