"""The simulator's operations about the installation: messages, errors in words, capabilities and health."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import not_found, quay_of, reply

_ERRORS = {
    "downstream_issue": "An error occurred in a downstream service.",
    "exceeds_license": "The action was refused because the current license does not allow it.",
    "expired_token": "The access token provided has expired.",
    "external_service_timeout": "An external service timed out. Retrying the request may resolve the issue.",
    "fresh_login_required": "The action requires a fresh login to succeed.",
    "insufficient_scope": "The access token did not have sufficient scope to access the requested resource.",
    "invalid_request": "The request was invalid. It may have contained invalid values or was improperly formatted.",
    "invalid_response": "The response was invalid.",
    "invalid_token": "The access token provided was invalid.",
    "not_found": "The resource was not found.",
}


def _messages(request: Request) -> Response:
    """Anyone may ask."""
    messages = quay_of(request).registry.messages
    return reply(
        {
            "messages": [
                {"uuid": m.uuid, "content": m.content, "severity": m.severity, "media_type": m.media_type}
                for m in messages
            ]
        }
    )


def _error(request: Request) -> Response:
    """Anyone may ask."""
    name = request.path_params["error_type"]
    if name not in _ERRORS:
        raise not_found(request)
    return reply({"type": f"{request.base_url}api/v1/error/{name}", "title": name, "description": _ERRORS[name]})


def _capabilities(request: Request) -> Response:
    """Anyone may ask."""
    on = quay_of(request).registry.sparse_manifests
    sparse = {"supported": on, "required_architectures": [], "optional_architectures_allowed": on}
    return reply({"sparse_manifests": sparse, "mirror_architectures": ["amd64", "arm64", "ppc64le", "s390x"]})


async def _health(_: Request) -> Response:
    services = dict.fromkeys(
        ("auth", "database", "disk_space", "registry_gunicorn", "service_key", "web_gunicorn"), True
    )
    return reply({"data": {"services": services}, "status_code": 200})


async def _end_to_end(_: Request) -> Response:
    services = dict.fromkeys(("auth", "database", "redis", "storage"), True)
    return reply({"data": {"services": services}, "status_code": 200})


OPERATIONS = (
    Operation("getGlobalMessages", "/messages", _messages),
    Operation("getErrorDescription", "/error/{error_type}", _error),
    Operation("getRegistryCapabilities", "/registry/capabilities", _capabilities, feature="capabilities"),
)
ROUTES = [
    Route("/health/instance", _health, methods=["GET"]),
    Route("/health/endtoend", _end_to_end, methods=["GET"]),
]
