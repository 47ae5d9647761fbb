"""Referrers: signatures, SBOMs and attestations of an image (`/v2/{repository}/referrers/{digest}`). Chapter 15 of the API
reference, though it is the registry's operation and not the API's.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient, Reply, decoded
from quayledger.collector.quay.rows import Int64, Rows, items, read_rows, reader


class Referrer(msgspec.Struct, frozen=True):
    """An artifact that refers to a manifest."""

    digest: str
    media_type: str | None = msgspec.field(default=None, name="mediaType")
    artifact_type: str | None = msgspec.field(default=None, name="artifactType")
    size_bytes: Int64 | None = msgspec.field(default=None, name="size")


_referrer = reader(Referrer)
_manifests = items("manifests")


async def list_referrers(
    client: QuayClient,
    repository: str,
    digest: str,
    *,
    artifact_type: str | None = None,
    purpose: str = "inventory",
) -> Rows[Referrer]:
    """`GET /v2/{repository}/referrers/{digest}` (getReferrers, 15.1), with a registry token for which `GET /v2/auth` is asked
    first; scope `repo:read`. Raises QuayError; Forbidden where the repository may not be pulled (Quay: 401), NotFound for an
    unknown digest (Quay: 400), Unauthenticated where the registry refuses the token itself."""
    operation = "referrer.list_referrers"

    def decode(reply: Reply) -> Rows[Referrer]:
        return read_rows("manifests", decoded(client, operation, reply.body, _manifests), _referrer)

    path = f"/{paths.repository_name(repository)}/referrers/{paths.segment(digest)}"
    params = {} if artifact_type is None else {"artifactType": artifact_type}
    return await client.get_v2(operation, repository, path, params, decode, purpose=purpose)
