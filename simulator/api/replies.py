"""The simulator's answers and refusals, in Quay's words; and what each request says of who calls."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.entities.accounts import AccessToken, Account
from quayledger.simulator.quay import Quay

SERVER_ERROR = (
    "<html>\n  <head>\n    <title>Internal Server Error</title>\n  </head>\n"
    "  <body>\n    <h1><p>Internal Server Error</p></h1>\n    \n  </body>\n</html>\n"
)
NOT_UNDERSTOOD = "The browser (or proxy) sent a request that this server could not understand."


class Refusal(Exception):
    """An operation ends with another answer than its own."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def reply(value: Any, status: int = 200) -> Response:
    """A JSON answer, spaced as Quay's."""
    return json_bytes(json.dumps(value).encode() + b"\n", status)


def json_bytes(body: bytes, status: int = 200) -> Response:
    """A JSON answer that is text already."""
    return Response(body, status, media_type="application/json")


def message(text: Any, status: int) -> Refusal:
    """`{"message": …}`, the framework's own way."""
    return Refusal(reply({"message": text}, status))


def server_error() -> Refusal:
    """An exception that nobody caught: 500 in HTML."""
    return Refusal(Response(SERVER_ERROR, 500, {"content-type": "text/html"}))


def problem(request: Request, error_type: str, detail: str, status: int, **more: Any) -> Refusal:
    """The problem document of Quay's own errors; `type` is an address on this server."""
    body = {
        **more,
        "detail": detail,
        "error_message": detail,
        "error_type": error_type,
        "title": error_type,
        "type": f"{request.base_url}api/v1/error/{error_type}",
        "status": status,
    }
    return Refusal(reply(body, status))


def invalid(request: Request, detail: str) -> Refusal:
    """400 of a request that Quay checked itself."""
    return problem(request, "invalid_request", detail, 400)


def not_found(request: Request) -> Refusal:
    """404 of a name that is not there."""
    return problem(request, "not_found", "Not Found", 404)


def unauthenticated(request: Request, **more: Any) -> Refusal:
    """401, the same for no token, an unknown, a malformed and an expired one."""
    return problem(request, "invalid_token", "Requires authentication", 401, **more)


def forbidden(request: Request) -> Refusal:
    """403: the scope or the permission is missing."""
    return problem(request, "insufficient_scope", "Unauthorized", 403)


class Caller:
    """Who calls, and what that token may do."""

    def __init__(self, quay: Quay, token: AccessToken) -> None:
        self.quay = quay
        self.token = token
        self.user = quay.registry.accounts[token.user_id]
        reaching = "super:user" in token.scopes
        self.is_superuser = reaching and self.user.id in quay.registry.superusers
        self.is_readonly_superuser = reaching and self.user.id in quay.registry.readonly_superusers
        self.rules_all = self.is_superuser and quay.registry.full_access
        self.sees_all = self.is_readonly_superuser or self.rules_all

    def administers(self, account: Account | None) -> bool:
        """Whether this user, not as a superuser, is the namespace's admin."""
        return account is not None and account.has_admin(self.user.id)


def quay_of(request: Request) -> Quay:
    """The state that all operations share."""
    quay: Quay = request.app.state.quay
    return quay


def caller_of(request: Request) -> Caller | None:
    """Who calls; None without a token that is good now."""
    quay = quay_of(request)
    if (noted := request.scope.get("oidc_caller")) is not None:
        return noted if isinstance(noted, Caller) else None
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    token = quay.registry.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
    if token is None or (token.expires_at_us is not None and token.expires_at_us <= quay.clock.now_us()):
        return None
    return Caller(quay, token) if token.user_id in quay.registry.accounts else None


def caller(request: Request) -> Caller:
    """Who calls. Raises the 401 refusal."""
    found = caller_of(request)
    if found is None:
        raise unauthenticated(request)
    return found


def superuser(request: Request) -> Caller:
    """A caller who may use the superuser's panel, also if only to read. Raises the refusals."""
    found = caller(request)
    if not (found.is_superuser or found.is_readonly_superuser):
        raise forbidden(request)
    return found
