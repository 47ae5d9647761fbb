"""Repositories: the repositories of a namespace, and one repository with its tags and daily counts (`/repository`). Chapter 16 of the API
reference.
"""

from __future__ import annotations

from datetime import date

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import Params, read_one, read_pages, refuse_shadowed
from quayledger.collector.quay.quotas import QuotaReport
from quayledger.collector.quay.rows import Int64, Items, Rows, read_rows, reader, translated, values
from quayledger.collector.quay.times import Moment


class Repository(msgspec.Struct, frozen=True):
    """One repository as it appears in the list. `state`: NORMAL | READ_ONLY | MIRROR | MARKED_FOR_DELETION | …; `kind`: image |
    application; `last_modified`: None if nothing was pushed or it was not requested; `popularity`: recent
    activity, None if not requested; `quota_report`: None if Quay does not track sizes."""

    namespace: str
    name: str
    is_public: bool | None = None
    state: str | None = None
    kind: str | None = None
    description: str | None = None
    last_modified: Moment | None = None
    popularity: float | None = None
    is_starred: bool | None = None
    quota_report: QuotaReport | None = None


class RepositoryTag(msgspec.Struct, frozen=True):
    """A current tag."""

    name: str
    manifest_digest: str | None = None
    size_bytes: Int64 | None = msgspec.field(default=None, name="size")
    last_modified: Moment | None = None


class DayCount(msgspec.Struct, frozen=True):
    """Number of actions on a UTC day, as Quay counts them."""

    day: date = msgspec.field(name="date")
    count: Int64


class RepositoryDetails(msgspec.Struct, frozen=True):
    """One repository, without the token of its badge. `tags`: at most 500; `stats`: about three months; None if not
    requested."""

    namespace: str
    name: str
    kind: str | None = None
    description: str | None = None
    is_public: bool | None = None
    state: str | None = None
    trust_enabled: bool | None = None
    tag_expiration_s: Int64 | None = None
    tags: Rows[RepositoryTag] | None = None
    stats: Rows[DayCount] | None = None


class _Details(msgspec.Struct):
    namespace: str
    name: str
    kind: str | None = None
    description: str | None = None
    is_public: bool | None = None
    state: str | None = None
    trust_enabled: bool | None = None
    tag_expiration_s: Int64 | None = None
    tags: dict[str, msgspec.Raw] | None = None
    stats: tuple[msgspec.Raw, ...] | None = None


_tag = reader(RepositoryTag)
_day = reader(DayCount)
_repository = reader(Repository)


def _from_wire(wire: _Details) -> RepositoryDetails:
    tags: Items | None = None if wire.tags is None else values(wire.tags)
    return RepositoryDetails(
        namespace=wire.namespace,
        name=wire.name,
        kind=wire.kind,
        description=wire.description,
        is_public=wire.is_public,
        state=wire.state,
        trust_enabled=wire.trust_enabled,
        tag_expiration_s=wire.tag_expiration_s,
        tags=None if tags is None else read_rows("tags", tags, _tag),
        stats=None if wire.stats is None else read_rows("stats", wire.stats, _day),
    )


_details = translated(_Details, _from_wire)


async def list_repositories(
    client: QuayClient,
    namespace: str,
    *,
    activity: bool = False,
    repo_kind: str | None = None,
    purpose: str = "probe",
) -> Rows[Repository]:
    """All repositories of a namespace that the token may see; none for an unknown namespace. `activity`: with `last_modified` and
    `popularity`; `repo_kind`: image (Quay's default if None) or application. `GET /repository?namespace=`
    (listRepos, 16.2); scope `repo:read`. Raises QuayError."""
    params: dict[str, str | int] = {"namespace": namespace, **_activity(activity)}
    if repo_kind is not None:
        params["repo_kind"] = repo_kind
    return await _list(client, "repository.list_repositories", params, purpose)


async def list_visible_repositories(
    client: QuayClient, *, activity: bool = False, purpose: str = "inventory"
) -> Rows[Repository]:
    """All repositories that the token may see: for superusers with full access, all that exist. `activity`: with `last_modified` and
    `popularity`. `GET /repository?public=true` (listRepos, 16.2); scope `repo:read`. Raises QuayError."""
    params: dict[str, str | int] = {"public": "true", **_activity(activity)}
    return await _list(client, "repository.list_visible_repositories", params, purpose)


async def list_starred_repositories(
    client: QuayClient, *, activity: bool = False, purpose: str = "inventory"
) -> Rows[Repository]:
    """All repositories starred by the token's user. `activity`: with `last_modified` and `popularity`. `GET
    /repository?starred=true` (listRepos, 16.2); scope `repo:read`. Raises QuayError."""
    params: dict[str, str | int] = {"starred": "true", **_activity(activity)}
    return await _list(client, "repository.list_starred_repositories", params, purpose)


async def get_repository(
    client: QuayClient, repository: str, *, tags: bool = False, stats: bool = True, purpose: str = "inventory"
) -> RepositoryDetails:
    """One repository. `tags`, `stats`: include them. `GET /repository/{repository}` (getRepo, 16.5); scope `repo:read`. Raises
    QuayError; NotFound; Shadowed."""
    params = {"includeTags": _flag(tags), "includeStats": _flag(stats)}
    operation, path = "repository.get_repository", paths.repository(repository)
    refuse_shadowed(client, operation, repository)
    return await read_one(client, operation, path, _details, params, purpose=purpose)


async def _list(client: QuayClient, operation: str, params: Params, purpose: str) -> Rows[Repository]:
    return await read_pages(client, operation, "/repository", "repositories", _repository, params, purpose=purpose)


def _activity(activity: bool) -> Params:
    return {"last_modified": "true", "popularity": "true"} if activity else {}


def _flag(value: bool) -> str:
    return "true" if value else "false"
