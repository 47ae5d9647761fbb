"""The simulator's auto-prune operations: policies of organisations, of repositories and of the token's own user."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access
from quayledger.simulator.api.operations import Answer, Operation
from quayledger.simulator.api.replies import not_found, reply
from quayledger.simulator.entities.accounts import PrunePolicy


def _view(policy: PrunePolicy) -> dict[str, Any]:
    return {
        "uuid": policy.uuid,
        "method": policy.method,
        "value": policy.value,
        "tagPattern": policy.pattern,
        "tagPatternMatches": policy.matches,
    }


def _all(policies: list[PrunePolicy]) -> Response:
    return reply({"policies": [_view(policy) for policy in policies]})


def _one(request: Request, policies: list[PrunePolicy]) -> Response:
    for policy in policies:
        if policy.uuid == request.path_params["policy_uuid"]:
            return reply(_view(policy))
    raise not_found(request)


def _of_organization(request: Request) -> list[PrunePolicy]:
    return access.of_organization(request, users=True).account.prune_policies


def _of_repository(request: Request) -> list[PrunePolicy]:
    return access.of_repository(request, "admin").repository.prune_policies


def _of_user(request: Request) -> list[PrunePolicy]:
    return access.of_own_user(request).account.prune_policies


def _operation(name: str, path: str, answer: Answer, scope: str) -> Operation:
    return Operation(name, f"{path}/autoprunepolicy/", answer, scope, feature="auto_prune")


def _operation_one(name: str, path: str, answer: Answer, scope: str) -> Operation:
    return Operation(name, f"{path}/autoprunepolicy/{{policy_uuid}}", answer, scope, feature="auto_prune")


_ORG, _REPO, _USER = "/organization/{orgname}", "/repository/{repository}", "/user"
OPERATIONS = (
    _operation("listOrganizationAutoPrunePolicies", _ORG, lambda r: _all(_of_organization(r)), "org:admin"),
    _operation_one("getOrganizationAutoPrunePolicy", _ORG, lambda r: _one(r, _of_organization(r)), "org:admin"),
    _operation("listRepositoryAutoPrunePolicies", _REPO, lambda r: _all(_of_repository(r)), "repo:admin"),
    _operation_one("getRepositoryAutoPrunePolicy", _REPO, lambda r: _one(r, _of_repository(r)), "repo:admin"),
    _operation("listUserAutoPrunePolicies", _USER, lambda r: _all(_of_user(r)), "user:admin"),
    _operation_one("getUserAutoPrunePolicy", _USER, lambda r: _one(r, _of_user(r)), "user:admin"),
)
