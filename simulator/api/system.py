"""The simulator's operations about the installation: discovery and health."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.api.replies import reply

_DATES = ("starttime", "endtime")
# path, method, operation, scope, query parameters; the superuser's counts and listings are internal to Quay
_OPERATIONS = (
    ("/superuser/logs", "get", "listAllLogs", "super:user", (*_DATES, "page", "next_page")),
    ("/superuser/aggregatelogs", "get", "listAllAggregateLogs", "super:user", _DATES),
    ("/superuser/organizations/", "get", "listAllOrganizations", "super:user", ("limit", "next_page")),
    ("/superuser/users/", "get", "listAllUsers", "super:user", ("limit", "next_page")),
    ("/superuser/users/{username}", "get", "getInstallUser", "super:user", ()),
    ("/organization/{orgname}", "get", "getOrganization", "", ()),
    ("/organization/{orgname}/logs", "get", "listOrgLogs", "org:admin", (*_DATES, "performer", "next_page")),
    ("/organization/{orgname}/aggregatelogs", "get", "getAggregateOrgLogs", "org:admin", (*_DATES, "performer")),
    ("/organization/{orgname}/exportlogs", "post", "exportOrgLogs", "org:admin", _DATES),
    ("/user/", "get", "getLoggedInUser", "user:read", ()),
    ("/user/logs", "get", "listUserLogs", "user:admin", (*_DATES, "performer", "next_page")),
    ("/user/aggregatelogs", "get", "getAggregateUserLogs", "user:admin", (*_DATES, "performer")),
    ("/user/exportlogs", "post", "exportUserLogs", "user:admin", _DATES),
    ("/repository", "get", "listRepos", "repo:read", ("namespace", "public", "last_modified", "next_page")),
    ("/repository/{repository}/logs", "get", "listRepoLogs", "repo:admin", (*_DATES, "next_page")),
    ("/repository/{repository}/aggregatelogs", "get", "getAggregateRepoLogs", "repo:admin", _DATES),
    ("/repository/{repository}/exportlogs", "post", "exportRepoLogs", "repo:admin", _DATES),
    ("/discovery", "get", "discovery", "", ("internal",)),
)
_INTERNAL = ("/superuser/aggregatelogs", "/superuser/organizations/")


async def _discovery(request: Request) -> Response:
    """A short Swagger 2 document; anyone may ask."""
    internal = request.query_params.get("internal") == "true"
    paths: dict[str, Any] = {}
    for path, method, operation, scope, parameters in _OPERATIONS:
        if path in _INTERNAL and not internal:
            continue
        names = [{"name": p, "in": "query", "required": False, "type": "string"} for p in parameters]
        described: dict[str, Any] = {"operationId": operation, "parameters": names}
        if scope:
            described["security"] = [{"oauth2_implicit": [scope]}]
        paths[f"/api/v1{path}"] = {method: described}
    info = {"version": "v1", "title": "Quay Frontend", "description": "A stand-in for a Quay."}
    return reply({"swagger": "2.0", "host": request.url.netloc, "basePath": "/", "info": info, "paths": paths})


async def _health(_: Request) -> Response:
    services = dict.fromkeys(
        ("auth", "database", "disk_space", "registry_gunicorn", "service_key", "web_gunicorn"), True
    )
    return reply({"data": {"services": services}, "status_code": 200})


ROUTES = [
    Route("/api/v1/discovery", _discovery, methods=["GET"]),
    Route("/health/instance", _health, methods=["GET"]),
]
