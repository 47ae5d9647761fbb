"""Pull statistics: number and date of pulls, if the registry counts them (`…/pull_statistics`). Not in the API
reference; NotOffered if the feature is off.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_one
from quayledger.collector.quay.rows import Int64, reader
from quayledger.collector.quay.times import Moment


class ManifestPulls(msgspec.Struct, frozen=True):
    """Pulls of a manifest by any tag or digest; the date is None if there were none."""

    manifest_digest: str
    manifest_pull_count: Int64 | None = None
    last_manifest_pull_date: Moment | None = None


class TagPulls(msgspec.Struct, frozen=True):
    """Pulls of a tag and of its current manifest; dates are None if there were none."""

    tag_name: str
    tag_pull_count: Int64 | None = None
    last_tag_pull_date: Moment | None = None
    current_manifest_digest: str | None = None
    manifest_pull_count: Int64 | None = None
    last_manifest_pull_date: Moment | None = None


_tag = reader(TagPulls)
_manifest = reader(ManifestPulls)


async def get_tag_pulls(client: QuayClient, repository: str, tag: str, *, purpose: str = "inventory") -> TagPulls:
    """`GET /repository/{repository}/tag/{tag}/pull_statistics` (getTagPullStatistics); scope `repo:read`. Raises QuayError;
    NotFound."""
    path = f"{paths.repository(repository)}/tag/{paths.segment(tag)}/pull_statistics"
    return await read_one(client, "pull_statistics.get_tag_pulls", path, _tag, purpose=purpose)


async def get_manifest_pulls(
    client: QuayClient, repository: str, digest: str, *, purpose: str = "inventory"
) -> ManifestPulls:
    """`GET /repository/{repository}/manifest/{manifestref}/pull_statistics` (getManifestPullStatistics); scope `repo:read`.
    Raises QuayError; NotFound."""
    path = f"{paths.repository(repository)}/manifest/{paths.segment(digest)}/pull_statistics"
    return await read_one(client, "pull_statistics.get_manifest_pulls", path, _manifest, purpose=purpose)
