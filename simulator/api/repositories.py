"""The simulator's repository listing."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.api.replies import Caller, caller_of, invalid, quay_of, reply
from simulator.registry import Account, Registry, Repository

PAGE_REPOSITORIES = 100


async def _list(request: Request) -> Response:
    """`/repository?namespace=` (or `public=true`): what the caller may see of it."""
    query = request.query_params
    if not (query.get("namespace") or query.get("public") or query.get("starred")):
        raise invalid(request, "namespace, starred or public are required for this API call")
    quay = quay_of(request)
    who = caller_of(request)
    token = quay.page_tokens.open(query.get("next_page")) or {}
    seen = [
        r
        for r in quay.registry.repositories.values()
        if r.id >= token.get("start_index", 0) and _wanted(quay.registry, r, query.get("namespace"), who)
    ]
    body: dict[str, Any] = {
        "repositories": [
            _describe(quay.registry, r, last_modified=query.get("last_modified") == "true")
            for r in seen[:PAGE_REPOSITORIES]
        ]
    }
    if len(seen) > PAGE_REPOSITORIES:
        body["next_page"] = quay.page_tokens.seal({"start_index": seen[PAGE_REPOSITORIES].id})
    return reply(body)


def _wanted(registry: Registry, repository: Repository, namespace: str | None, who: Caller | None) -> bool:
    account = registry.accounts[repository.account_id]
    if namespace and account.name != namespace:
        return False
    return repository.public or (who is not None and (who.sees_all or _may_read(account, who)))


def _may_read(account: Account, who: Caller) -> bool:
    reading = who.token.scopes & {"repo:read", "repo:write", "repo:admin"}
    return bool(reading) and (account.id == who.user.id or account.has_member(who.user.id))


def _describe(registry: Registry, repository: Repository, *, last_modified: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "namespace": registry.accounts[repository.account_id].name,
        "name": repository.name,
        "description": repository.description,
        "is_public": repository.public,
        "kind": "image",
        "state": repository.state,
    }
    if last_modified:
        body["last_modified"] = repository.last_modified
    body["is_starred"] = False
    body["quota_report"] = {"quota_bytes": 0, "configured_quota": None}
    return body


ROUTES = [Route("/api/v1/repository", _list, methods=["GET"])]
