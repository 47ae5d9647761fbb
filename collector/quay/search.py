"""Search: find repositories, names and other objects by a word (`/find/*`, `/entities/{prefix}`). Chapter 19 of the API
reference. All three also answer without a token; a superuser finds no more than anyone else.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_list, read_numbered
from quayledger.collector.quay.rows import Int64, Named, Rows, reader, translated
from quayledger.collector.quay.times import Moment

_MOST_PAGES = 10  # Quay shows no more


class FoundRepository(msgspec.Struct, frozen=True):
    """A repository that matches; `kind`: repository | application. The last three are None unless requested."""

    namespace: str
    name: str
    kind: str | None = None
    description: str | None = None
    is_public: bool | None = None
    last_modified: Moment | None = None
    stars: Int64 | None = None
    popularity: float | None = None


class FoundObject(msgspec.Struct, frozen=True):
    """An object that matches; `kind`: repository | application | organization | user | team | robot; `namespace`: of a
    repository, or the organization of a team."""

    kind: str
    name: str
    namespace: str | None = None
    score: float | None = None


class Entity(msgspec.Struct, frozen=True):
    """An account or team; `kind`: user | team | org | external; `is_org_member`: None if no organization was named."""

    name: str
    kind: str
    is_robot: bool | None = None
    is_org_member: bool | None = None


class _Repository(msgspec.Struct):
    namespace: Named
    name: str
    kind: str | None = None
    description: str | None = None
    is_public: bool | None = None
    last_modified: Moment | None = None
    stars: Int64 | None = None
    popularity: float | None = None


class _Object(msgspec.Struct):
    kind: str
    name: str
    namespace: Named | None = None
    organization: Named | None = None
    score: float | None = None


def _repository_from_wire(wire: _Repository) -> FoundRepository:
    return FoundRepository(
        namespace=wire.namespace.name,
        name=wire.name,
        kind=wire.kind,
        description=wire.description,
        is_public=wire.is_public,
        last_modified=wire.last_modified,
        stars=wire.stars,
        popularity=wire.popularity,
    )


def _object_from_wire(wire: _Object) -> FoundObject:
    within = wire.namespace or wire.organization
    return FoundObject(wire.kind, wire.name, within.name if within else None, wire.score)


_repository = translated(_Repository, _repository_from_wire)
_object = translated(_Object, _object_from_wire)
_entity = reader(Entity)


async def find_repositories(
    client: QuayClient, query: str = "", *, include_usage: bool = False, purpose: str = "inventory"
) -> Rows[FoundRepository]:
    """All pages that Quay returns, at most 100 rows; `include_usage`: with stars, popularity and last change. `GET
    /find/repositories` (conductRepoSearch, 19.1); anonymous. Raises QuayError; BrokenReply if a page repeats."""
    params = {"query": query} if query else {}
    if include_usage:
        params["includeUsage"] = "true"
    operation, path = "search.find_repositories", "/find/repositories"
    return await read_numbered(
        client, operation, path, "results", _repository, params, most_pages=_MOST_PAGES, purpose=purpose
    )


async def find_all(client: QuayClient, query: str, *, purpose: str = "inventory") -> Rows[FoundObject]:
    """The best matches of each kind, at most five per kind. `GET /find/all` (conductSearch, 19.2); scope `repo:read`, or anonymous.
    Raises QuayError."""
    params = {"query": query}
    return await read_list(client, "search.find_all", "/find/all", "results", _object, params, purpose=purpose)


async def list_entities(
    client: QuayClient,
    prefix: str,
    *,
    namespace: str | None = None,
    include_teams: bool = False,
    include_orgs: bool = False,
    purpose: str = "inventory",
) -> Rows[Entity]:
    """Users whose names start with `prefix`, including disabled users, at most ten. `namespace`: also its robots by their
    short name and, on request, its teams and itself. `GET /entities/{prefix}` (getMatchingEntities, 19.3); anonymous. Raises
    QuayError."""
    params: dict[str, str | int] = {}
    if namespace is not None:
        params["namespace"] = namespace
    if include_teams:
        params["includeTeams"] = "true"
    if include_orgs:
        params["includeOrgs"] = "true"
    operation, path = "search.list_entities", f"/entities/{paths.segment(prefix)}"
    return await read_list(client, operation, path, "results", _entity, params, purpose=purpose)
