"""The simulator's table of operations: all that it serves, and the discovery that tells of them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import (
    builds,
    exports,
    logs,
    manifests,
    newer,
    notifications,
    organizations,
    permissions,
    policies,
    quotas,
    repositories,
    robots,
    search,
    superuser,
    system,
    tags,
    teams,
    users,
    views,
)
from quayledger.simulator.api.operations import Operation, described
from quayledger.simulator.api.replies import quay_of, reply

_SCOPES = {
    "repo:read": "This application will be able to view and pull all repositories visible to the granting user",
    "repo:write": "This application will be able to push to all repositories the granting user may write to",
    "repo:admin": "This application will have administrator access to the repositories of the granting user",
    "repo:create": "This application will be able to create repositories where the granting user may",
    "user:read": "This application will be able to read user information such as username and email address.",
    "user:admin": "This application will be able to administer your account",
    "org:admin": "This application will be able to administer your organizations",
    "super:user": "This application will be able to administer your installation",
}


def _discovery(request: Request) -> Response:
    """A Swagger 2 document of what is on; anyone may ask."""
    internal = views.flag(request, "internal")
    base = str(request.base_url).rstrip("/")
    login = {"type": "oauth2", "flow": "implicit", "authorizationUrl": f"{base}/oauth/authorize", "scopes": _SCOPES}
    info = {"version": "v1", "title": "Quay Frontend", "description": "A stand-in for a Quay."}
    body = {
        "swagger": "2.0",
        "host": request.url.netloc,
        "basePath": "/",
        "schemes": [request.url.scheme],
        "info": {**info, "termsOfService": "", "contact": {"email": "admin@example.com"}},
        "securityDefinitions": {"oauth2_implicit": login},
        "tags": [],
        "paths": described(OPERATIONS, quay_of(request).config, internal=internal),
    }
    return reply(body)


OPERATIONS: tuple[Operation, ...] = (
    *logs.OPERATIONS,
    *exports.OPERATIONS,
    *superuser.OPERATIONS,
    *users.OPERATIONS,
    *repositories.OPERATIONS,
    *tags.OPERATIONS,
    *manifests.OPERATIONS,
    *permissions.OPERATIONS,
    *organizations.OPERATIONS,
    *teams.OPERATIONS,
    *robots.OPERATIONS,
    *quotas.OPERATIONS,
    *policies.OPERATIONS,
    *builds.OPERATIONS,
    *notifications.OPERATIONS,
    *newer.OPERATIONS,
    *search.OPERATIONS,
    *system.OPERATIONS,
    Operation("discovery", "/discovery", _discovery, "", ("internal",)),
)
