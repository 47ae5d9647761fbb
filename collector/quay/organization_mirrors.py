"""Organization mirrors: organizations whose repositories are copied from a namespace of another registry
(`/organization/{orgname}/mirror`), of Quay 3.17 and later; the API reference lacks them.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_one
from quayledger.collector.quay.rows import Reader, Rows, read_rows, reader, translated
from quayledger.collector.quay.times import Moment

_PAGE_ROWS = 500  # the most that Quay gives at once
_MOST_PAGES = 1000


class OrganizationMirror(msgspec.Struct, frozen=True):
    """A mirror, without passwords and proxies. `external_registry_type`: harbor | quay; `visibility`: of the repositories that
    it creates; `sync_status`: as of a repository's mirror; `repository_filters`: globs."""

    external_registry_url: str
    external_namespace: str
    is_enabled: bool | None = None
    external_registry_type: str | None = None
    external_registry_username: str | None = None
    verify_tls: bool | None = None
    repository_filters: tuple[str, ...] = ()
    robot_username: str | None = None
    visibility: str | None = None
    sync_interval_s: int | None = None
    sync_status: str | None = None
    created: Moment | None = None


class MirroredRepository(msgspec.Struct, frozen=True):
    """A repository that was found at the source. `quay_repository`: `namespace/name` here, None until it is created."""

    name: str
    sync_status: str | None = None
    discovery_date: Moment | None = None
    last_sync_date: Moment | None = None
    quay_repository: str | None = None


class _Config(msgspec.Struct):
    verify_tls: bool | None = None


class _Mirror(msgspec.Struct):
    external_registry_url: str
    external_namespace: str
    is_enabled: bool | None = None
    external_registry_type: str | None = None
    external_registry_username: str | None = None
    external_registry_config: _Config | None = None
    repository_filters: tuple[str, ...] | None = None
    robot_username: str | None = None
    visibility: str | None = None
    sync_interval: int | None = None
    sync_status: str | None = None
    creation_date: Moment | None = None


class _Page(msgspec.Struct):
    repositories: tuple[msgspec.Raw, ...]
    has_next: bool = False


def _from_wire(wire: _Mirror) -> OrganizationMirror:
    return OrganizationMirror(
        external_registry_url=wire.external_registry_url,
        external_namespace=wire.external_namespace,
        is_enabled=wire.is_enabled,
        external_registry_type=wire.external_registry_type,
        external_registry_username=wire.external_registry_username,
        verify_tls=wire.external_registry_config.verify_tls if wire.external_registry_config else None,
        repository_filters=wire.repository_filters or (),
        robot_username=wire.robot_username,
        visibility=wire.visibility,
        sync_interval_s=wire.sync_interval,
        sync_status=wire.sync_status,
        created=wire.creation_date,
    )


_mirror = translated(_Mirror, _from_wire)
_repository = reader(MirroredRepository)
_page: Reader[_Page] = reader(_Page)


async def get_organization_mirror(
    client: QuayClient, organization: str, *, purpose: str = "inventory"
) -> OrganizationMirror:
    """`GET /organization/{orgname}/mirror` (getOrgMirrorConfig); scope `org:admin`. Raises QuayError; NotFound if the
    organization is not a mirror or does not exist."""
    operation, path = "organization_mirrors.get_organization_mirror", f"{paths.organization(organization)}/mirror"
    return await read_one(client, operation, path, _mirror, purpose=purpose)


async def list_mirrored_repositories(
    client: QuayClient, organization: str, *, purpose: str = "inventory"
) -> Rows[MirroredRepository]:
    """`GET /organization/{orgname}/mirror/repositories` (listOrgMirrorRepositories), all pages; scope `org:admin`. Raises
    QuayError; NotFound as `get_organization_mirror`."""
    operation = "organization_mirrors.list_mirrored_repositories"
    path = f"{paths.organization(organization)}/mirror/repositories"
    rows: list[msgspec.Raw] = []
    for number in range(1, _MOST_PAGES + 1):
        page = await read_one(client, operation, path, _page, {"page": number, "limit": _PAGE_ROWS}, purpose=purpose)
        rows.extend(page.repositories)
        if not page.has_next or not page.repositories:
            break
    return read_rows("repositories", rows, _repository)
