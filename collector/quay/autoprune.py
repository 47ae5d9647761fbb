"""Auto-prune policies: rules by which Quay deletes tags (`…/autoprunepolicy/`). Chapter 13 of the API reference."""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_list, read_one
from quayledger.collector.quay.rows import Rows, reader


class AutoPrunePolicy(msgspec.Struct, frozen=True):
    """A policy. `method`: number_of_tags (`value`: how many tags to keep) | creation_date (`value`: an age such as 30d);
    `tag_pattern`: only tags that match it, or that do not; None: all tags."""

    uuid: str
    method: str
    value: int | str | None = None
    tag_pattern: str | None = msgspec.field(default=None, name="tagPattern")
    tag_pattern_matches: bool | None = msgspec.field(default=None, name="tagPatternMatches")


_policy = reader(AutoPrunePolicy)


async def list_organization_policies(
    client: QuayClient, organization: str, *, purpose: str = "inventory"
) -> Rows[AutoPrunePolicy]:
    """`GET /organization/{orgname}/autoprunepolicy/` (listOrganizationAutoPrunePolicies, 13.2); scope `org:admin`. Raises
    QuayError."""
    operation = "autoprune.list_organization_policies"
    return await _list(client, operation, paths.organization(organization), purpose)


async def get_organization_policy(
    client: QuayClient, organization: str, uuid: str, *, purpose: str = "inventory"
) -> AutoPrunePolicy:
    """`GET /organization/{orgname}/autoprunepolicy/{policy_uuid}` (getOrganizationAutoPrunePolicy, 13.3); scope `org:admin`.
    Raises QuayError; NotFound."""
    operation = "autoprune.get_organization_policy"
    return await _get(client, operation, paths.organization(organization), uuid, purpose)


async def list_repository_policies(
    client: QuayClient, repository: str, *, purpose: str = "inventory"
) -> Rows[AutoPrunePolicy]:
    """`GET /repository/{repository}/autoprunepolicy/` (listRepositoryAutoPrunePolicies, 13.7); scope `repo:admin`. Raises
    QuayError."""
    return await _list(client, "autoprune.list_repository_policies", paths.repository(repository), purpose)


async def get_repository_policy(
    client: QuayClient, repository: str, uuid: str, *, purpose: str = "inventory"
) -> AutoPrunePolicy:
    """`GET /repository/{repository}/autoprunepolicy/{policy_uuid}` (getRepositoryAutoPrunePolicy, 13.8); scope `repo:admin`.
    Raises QuayError; NotFound."""
    return await _get(client, "autoprune.get_repository_policy", paths.repository(repository), uuid, purpose)


async def list_user_policies(client: QuayClient, *, purpose: str = "inventory") -> Rows[AutoPrunePolicy]:
    """Of the token's user. `GET /user/autoprunepolicy/` (listUserAutoPrunePolicies, 13.12); scope `user:admin`. Raises QuayError."""
    return await _list(client, "autoprune.list_user_policies", "/user", purpose)


async def get_user_policy(client: QuayClient, uuid: str, *, purpose: str = "inventory") -> AutoPrunePolicy:
    """`GET /user/autoprunepolicy/{policy_uuid}` (getUserAutoPrunePolicy, 13.13); scope `user:admin`. Raises QuayError;
    NotFound."""
    return await _get(client, "autoprune.get_user_policy", "/user", uuid, purpose)


async def _list(client: QuayClient, operation: str, owner: str, purpose: str) -> Rows[AutoPrunePolicy]:
    return await read_list(client, operation, f"{owner}/autoprunepolicy/", "policies", _policy, purpose=purpose)


async def _get(client: QuayClient, operation: str, owner: str, uuid: str, purpose: str) -> AutoPrunePolicy:
    path = f"{owner}/autoprunepolicy/{paths.segment(uuid)}"
    return await read_one(client, operation, path, _policy, purpose=purpose)
