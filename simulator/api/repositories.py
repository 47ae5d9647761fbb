"""The simulator's repository operations: the list, one of them with its tags and daily counts, and stars."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access, views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import Caller, caller_of, invalid, quay_of, reply
from quayledger.simulator.clock import DAY_US, from_us, rfc_822
from quayledger.simulator.entities.content import Manifest, Repository, Tag
from quayledger.simulator.quay import Quay

PAGE_REPOSITORIES, PAGE_STARS = 100, 50
TAGS_AT_MOST = 500
STATS_DAYS = 91


def _list(request: Request) -> Response:
    """`/repository?namespace=`, `public=true` or `starred=true`: what the caller may see of it."""
    query, quay, who = request.query_params, quay_of(request), caller_of(request)
    starred = views.flag(request, "starred")
    if not (query.get("namespace") or views.flag(request, "public") or starred):
        raise invalid(request, "namespace, starred or public are required for this API call")
    token = quay.page_tokens.open(query.get("next_page")) or {}
    candidates = _candidates(quay, who, query.get("namespace"), starred=starred)
    kind = query.get("repo_kind", "image")
    seen = (r for r in candidates if r.kind == kind and r.id >= token.get("start_index", 0) and access.visible(who, r))
    page = _first(seen, PAGE_REPOSITORIES + 1)
    stars = set(who.user.stars) if who else set()
    now_us = quay.clock.now_us()
    extra = _extra(request, now_us)
    body: dict[str, Any] = {
        "repositories": [_row(quay, r, stars, extra) for r in page[:PAGE_REPOSITORIES]],
    }
    if len(page) > PAGE_REPOSITORIES:
        body["next_page"] = quay.page_tokens.seal({"start_index": page[PAGE_REPOSITORIES].id})
    return reply(body)


def _candidates(quay: Quay, who: Caller | None, namespace: str | None, *, starred: bool) -> Iterable[Repository]:
    """By id, oldest first."""
    registry = quay.registry
    if starred:
        found = [registry.repositories.get(i) for i in sorted(who.user.stars)] if who else []
        return [r for r in found if r is not None and not r.deleted]
    if namespace:
        account = registry.account(namespace)
        return registry.repositories_of(account.id) if account else ()
    return registry.live_repositories()


def _first(found: Iterable[Repository], count: int) -> list[Repository]:
    page = []
    for one in found:
        page.append(one)
        if len(page) == count:
            break
    return page


def _extra(request: Request, now_us: int) -> Callable[[Repository], dict[str, Any]]:
    """What `last_modified=true` and `popularity=true` add."""
    modified, popular = views.flag(request, "last_modified"), views.flag(request, "popularity")

    def added(found: Repository) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if modified:
            newest_ms = views.last_modified_ms(found, now_us // 1000)
            body["last_modified"] = None if newest_ms is None else newest_ms // 1000
        if popular:
            body["popularity"] = views.popularity(found, now_us // DAY_US)
        return body

    return added


def _row(
    quay: Quay, found: Repository, stars: set[int], extra: Callable[[Repository], dict[str, Any]]
) -> dict[str, Any]:
    body = views.repository(quay, found, stars)
    tail = {key: body.pop(key) for key in ("is_starred", "quota_report") if key in body}
    return body | extra(found) | tail


def _one(request: Request) -> Response:
    who, found = access.of_repository(request, "read")
    quay = quay_of(request)
    account = quay.registry.namespace_of(found)
    now_us = quay.clock.now_us()
    body: dict[str, Any] = {
        "namespace": account.name,
        "name": found.name,
        "kind": found.kind,
        "description": found.description,
        "is_public": found.public,
        "is_organization": account.kind == "org",
        "is_starred": who is not None and found.id in who.user.stars,
        "status_token": found.badge_token if not found.public else "",
        "trust_enabled": found.trust_enabled,
        "tag_expiration_s": account.tag_expiration_s,
        "is_free_account": True,
        "state": found.state,
    }
    if views.flag(request, "includeTags", default=True):
        tags = found.alive(now_us // 1000)[:TAGS_AT_MOST]
        body["tags"] = {tag.name: _tag(found.manifests, tag) for tag in tags}
    body["can_write"] = access.may(who, found, "write")
    body["can_admin"] = access.may(who, found, "admin")
    if views.flag(request, "includeStats"):
        body["stats"] = _stats(found, now_us // DAY_US)
    return reply(body)


def _tag(manifests: dict[str, Manifest], tag: Tag) -> dict[str, Any]:
    return {
        "name": tag.name,
        "size": size_of(manifests, tag.digest),
        "last_modified": rfc_822(tag.start_ms * 1000),
        "manifest_digest": tag.digest,
    }


def size_of(manifests: dict[str, Manifest], digest: str) -> int | None:
    """The compressed size of what is behind a tag; of a list that of its images."""
    manifest = manifests.get(digest)
    if manifest is None:
        return None
    if manifest.is_list:
        return sum(child.layers_bytes for d in manifest.children if (child := manifests.get(d)) is not None)
    return manifest.layers_bytes


def _stats(found: Repository, today: int) -> list[dict[str, Any]]:
    """Actions a day, yesterday first."""
    days = range(today - 1, today - 1 - STATS_DAYS, -1)
    return [{"date": f"{from_us(day * DAY_US):%Y-%m-%d}", "count": found.actions.get(day, 0)} for day in days]


def _starred(request: Request) -> Response:
    """The token's own user's stars by id, in pages of fifty; also of what may not be read any more."""
    _, user = access.of_own_user(request)
    quay = quay_of(request)
    first = (quay.page_tokens.open(request.query_params.get("next_page")) or {}).get("start_index", 0)
    ids = [i for i in sorted(user.stars) if i >= first]
    found = [r for i in ids if (r := quay.registry.repositories.get(i)) is not None and not r.deleted]
    body: dict[str, Any] = {"repositories": [_brief(quay, r) for r in found[:PAGE_STARS]]}
    if len(found) > PAGE_STARS:
        body["next_page"] = quay.page_tokens.seal({"start_index": found[PAGE_STARS].id})
    return reply(body)


def _brief(quay: Quay, found: Repository) -> dict[str, Any]:
    return {
        "namespace": quay.registry.namespace_of(found).name,
        "name": found.name,
        "description": found.description,
        "is_public": found.public,
    }


_QUERY = ("namespace", "starred", "public", "repo_kind", "last_modified", "popularity", "next_page")
OPERATIONS = (
    Operation("listRepos", "/repository", _list, "repo:read", _QUERY),
    Operation("getRepo", "/repository/{repository}", _one, "repo:read", ("includeStats", "includeTags")),
    Operation("listStarredRepos", "/user/starred", _starred, "user:admin", ("next_page",)),
)
