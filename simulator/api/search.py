"""The simulator's searches: repositories, everything, and names that begin with something. Superusers see no more there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import Caller, caller_of, quay_of, reply
from quayledger.simulator.clock import DAY_US
from quayledger.simulator.entities.accounts import Account, Team
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.quay import Quay
from quayledger.simulator.registry import Registry
from quayledger.simulator.render import avatar

_PAGE, _PAGES, _EACH = 10, 10, 5


def _matching(quay: Quay, who: Caller | None, query: str) -> Iterator[Repository]:
    """What is public, and what the caller's user has a permission on; by name, namespace or description."""
    registry, text = quay.registry, query.lower()
    for found in registry.live_repositories():
        namespace = registry.namespace_of(found).name
        if text and not (text in found.name or namespace.startswith(text) or text in (found.description or "").lower()):
            continue
        if found.public or (who is not None and _reaches(registry, who, found)):
            yield found


def _reaches(registry: Registry, who: Caller, found: Repository) -> bool:
    """By the user's own permissions, whatever a superuser may do."""
    return bool(registry.role(who.user.id, found))


def _entity(account: Account) -> dict[str, Any]:
    org = account.kind == "org"
    return {
        "title": "org" if org else "user",
        "kind": "organization" if org else "user",
        "avatar": avatar(account.name, account.kind),
        "name": account.name,
        "score": 1,
        "href": f"/organization/{account.name}" if org else f"/user/{account.name}",
    }


def _result(quay: Quay, found: Repository) -> dict[str, Any]:
    account = quay.registry.namespace_of(found)
    return {
        "kind": "repository",
        "title": "repo",
        "namespace": _entity(account),
        "name": found.name,
        "description": found.description,
        "is_public": found.public,
        "score": 4,
        "href": f"/repository/{account.name}/{found.name}",
    }


def _usage(quay: Quay, found: Repository) -> dict[str, Any]:
    now_us = quay.clock.now_us()
    newest_ms = views.last_modified_ms(found, now_us // 1000)
    stars = sum(found.id in account.stars for account in quay.registry.accounts.values())
    return {
        "last_modified": None if newest_ms is None else newest_ms // 1000,
        "stars": stars,
        "popularity": views.popularity(found, now_us // DAY_US),
    }


def _repositories(request: Request) -> Response:
    """Pages of ten, at most ten of them; anyone may ask."""
    quay, who = quay_of(request), caller_of(request)
    page = min(max(1, views.number(request, "page", 1)), _PAGES)
    start = (page - 1) * _PAGE
    found = list(_take(_matching(quay, who, request.query_params.get("query", "")), start + _PAGE + 1))[start:]
    usage = views.flag(request, "includeUsage")
    results = [_result(quay, r) | (_usage(quay, r) if usage else {}) for r in found[:_PAGE]]
    body: dict[str, Any] = {"results": results, "has_additional": len(found) > _PAGE}
    return reply(body | {"page": page, "page_size": _PAGE, "start_index": start})


def _take(found: Iterable[Repository], count: int) -> Iterator[Repository]:
    for _, one in zip(range(count), found, strict=False):
        yield one


def _everything(request: Request) -> Response:
    """Teams and robots of the caller, repositories, organisations; five of each."""
    query, quay, who = request.query_params.get("query", ""), quay_of(request), caller_of(request)
    if not query:
        return reply({"results": []})
    results = [*_own(quay, who, query)] if who else []
    results += [_result(quay, r) for r in _take(_matching(quay, who, query), _EACH)]
    results += [_entity(a) for a in _organizations(quay.registry, query)][:_EACH]
    for one in results:
        one["score"] = one["score"] * (0.95 if one["name"] != query else 1.0) * _closeness(one["name"], query)
    return reply({"results": sorted(results, key=lambda one: -one["score"])})


def _closeness(name: str, query: str) -> float:
    return 1.0 if name.startswith(query) else 0.5


def _organizations(registry: Registry, query: str) -> list[Account]:
    accounts = registry.accounts.values()
    return [a for a in accounts if a.kind == "org" and not a.deleted and a.name.startswith(query.lower())]


def _own(quay: Quay, who: Caller, query: str) -> Iterator[dict[str, Any]]:
    registry = quay.registry
    organizations = registry.organizations_of(who.user.id)
    for organization in organizations:
        for team in organization.teams:
            inside = who.user.id in team.members or organization.has_admin(who.user.id)
            if inside and team.name.startswith(query):
                yield _team(organization, team)
    for owner in (who.user, *(o for o in organizations if o.has_admin(who.user.id))):
        for robot in registry.robots_of(owner.id):
            if robot.shortname.startswith(query):
                yield _robot(robot)


def _team(organization: Account, team: Team) -> dict[str, Any]:
    return {
        "kind": "team",
        "name": team.name,
        "organization": _entity(organization),
        "avatar": avatar(team.name, "team"),
        "score": 2,
        "href": f"/organization/{organization.name}/teams/{team.name}",
    }


def _robot(robot: Account) -> dict[str, Any]:
    return {
        "title": "robot",
        "kind": "robot",
        "avatar": None,
        "name": robot.name,
        "score": 1,
        "href": f"/organization/{robot.name.partition('+')[0]}?tab=robots&showRobot={robot.name}",
        "short_name": robot.shortname,
    }


def _entities(request: Request) -> Response:
    """Users by how their names begin, disabled ones too: anyone may ask. With `namespace` its robots, by short name."""
    quay, who, query = quay_of(request), caller_of(request), request.query_params
    prefix = request.path_params["prefix"].replace(" ", "").lower()
    owner = quay.registry.namespace(query.get("namespace", ""))
    inside = owner is not None and who is not None and _is_inside(who, owner)
    results: list[dict[str, Any]] = []
    users = [a for a in quay.registry.accounts.values() if a.kind == "user" and not a.deleted]
    found = [a for a in users if a.name.startswith(prefix)][:_PAGE]
    if owner is not None and inside:
        found += [r for r in quay.registry.robots_of(owner.id) if r.shortname.startswith(prefix)]
        results += _groups(request, owner, prefix, teams=True)
    results += [_person(account, owner if owner and owner.kind == "org" else None) for account in found]
    if owner is not None and inside:
        results += _groups(request, owner, prefix, teams=False)
    return reply({"results": results})


def _is_inside(who: Caller, owner: Account) -> bool:
    return (
        who.rules_all or owner.id == who.user.id or ("org:admin" in who.token.scopes and owner.has_member(who.user.id))
    )


def _groups(request: Request, owner: Account, prefix: str, *, teams: bool) -> list[dict[str, Any]]:
    if teams and views.flag(request, "includeTeams"):
        found = [team for team in owner.teams if team.name.startswith(prefix)]
        return [
            {"name": t.name, "kind": "team", "is_org_member": True, "avatar": avatar(t.name, "team")} for t in found
        ]
    if not teams and views.flag(request, "includeOrgs") and owner.name.startswith(prefix):
        return [{"name": owner.name, "kind": "org", "is_org_member": True, "avatar": avatar(owner.name, "org")}]
    return []


def _person(account: Account, organization: Account | None) -> dict[str, Any]:
    body = {
        "name": account.name,
        "kind": "user",
        "is_robot": account.robot is not None,
        "avatar": views.account_avatar(account),
    }
    return body | ({"is_org_member": True} if organization else {})


OPERATIONS = (
    Operation("conductRepoSearch", "/find/repositories", _repositories, "", ("query", "page", "includeUsage")),
    Operation("conductSearch", "/find/all", _everything, "repo:read", ("query",)),
    Operation("getMatchingEntities", "/entities/{prefix}", _entities, "", ("namespace", "includeTeams", "includeOrgs")),
)
