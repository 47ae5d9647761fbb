"""Immutability policies: which tags may not be changed once they are pushed (`/…/immutabilitypolicy/`), of Quay 3.18 and later; the
API reference lacks them. A policy of an organization holds for all of its repositories.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_list
from quayledger.collector.quay.rows import Rows, reader


class ImmutabilityPolicy(msgspec.Struct, frozen=True):
    """A policy: tags that match `tag_pattern`, a regular expression, are immutable, or those that do not."""

    uuid: str
    tag_pattern: str | None = msgspec.field(default=None, name="tagPattern")
    tag_pattern_matches: bool | None = msgspec.field(default=None, name="tagPatternMatches")


_policy = reader(ImmutabilityPolicy)


async def list_organization_immutability(
    client: QuayClient, organization: str, *, purpose: str = "inventory"
) -> Rows[ImmutabilityPolicy]:
    """`GET /organization/{orgname}/immutabilitypolicy/` (listOrgImmutabilityPolicies); scope `org:admin`. Raises QuayError."""
    operation, path = "immutability.list_organization_immutability", paths.organization(organization)
    return await _list(client, operation, path, purpose)


async def list_repository_immutability(
    client: QuayClient, repository: str, *, purpose: str = "inventory"
) -> Rows[ImmutabilityPolicy]:
    """`GET /repository/{repository}/immutabilitypolicy/` (listRepositoryImmutabilityPolicies); scope `repo:admin`. Raises
    QuayError."""
    operation, path = "immutability.list_repository_immutability", paths.repository(repository)
    return await _list(client, operation, path, purpose)


async def _list(client: QuayClient, operation: str, owner: str, purpose: str) -> Rows[ImmutabilityPolicy]:
    return await read_list(client, operation, f"{owner}/immutabilitypolicy/", "policies", _policy, purpose=purpose)
