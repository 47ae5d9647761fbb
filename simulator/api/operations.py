"""The simulator's operations: what each is called, where it is, when it is on; routes and the order that paths match in."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

Answer = Callable[[Request], Response | Awaitable[Response]]
Before = Callable[[Request], Awaitable[None]]
PREFIX = "/api/v1"
REPOSITORY = "{repository:repository}"
_REDIRECT = """<!doctype html>
<html lang=en>
<title>Redirecting...</title>
<h1>Redirecting...</h1>
<p>You should be redirected automatically to the target URL: <a href="{0}">{0}</a>. If not, click the link.
"""


class _RepositoryPath(Convertor[str]):
    """A namespace and a name, which may hold slashes itself."""

    regex = "[^/]+(?:/[^/]+)+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("repository", _RepositoryPath())


class Operation(msgspec.Struct, frozen=True):
    """One operation of the API. `path` is as in Quay's reference; `scope` "": none is named there. `internal`: missing in
    the public discovery, `unlisted`: in any. `feature`: the switch of the configuration without which it is not there."""

    id: str
    path: str
    answer: Answer
    scope: str = ""
    parameters: tuple[str, ...] = ()
    method: str = "GET"
    internal: bool = False
    unlisted: bool = False
    feature: str = ""


class OperationRoute(Route):
    """A route that is there only while its feature is on, and leaves the operation's name for the statistics."""

    def __init__(self, operation: Operation, before: Before) -> None:
        self.operation = operation
        path = PREFIX + operation.path.replace("{repository}", REPOSITORY)
        super().__init__(path, _endpoint(operation, before), methods=[operation.method])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """No match where the feature is off."""
        if not _is_on(scope, self.operation):
            return Match.NONE, {}
        return super().matches(scope)


class _SlashRoute(Route):
    """The path of an operation without its last slash: sends there."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        path = PREFIX + operation.path.rstrip("/").replace("{repository}", REPOSITORY)
        super().__init__(path, _to_slash, methods=["GET", "POST", "PUT", "DELETE"])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not _is_on(scope, self.operation):
            return Match.NONE, {}
        return super().matches(scope)


def routes(operations: Iterable[Operation], before: Before) -> list[BaseRoute]:
    """Routes in the order in which paths are tried: words before names, names before paths of repositories. `before`: what
    each request goes through first."""
    made: list[tuple[list[int], BaseRoute]] = []
    for operation in operations:
        made.append((_rank(operation.path), OperationRoute(operation, before)))
        if operation.path.endswith("/"):
            made.append((_rank(operation.path.rstrip("/")), _SlashRoute(operation)))
    return [route for _, route in sorted(made, key=lambda pair: pair[0])]


def _rank(path: str) -> list[int]:
    ranks = []
    for part in path.strip("/").split("/"):
        ranks.append(2 if part == "{repository}" else 1 if part.startswith("{") else 0)
    return [*ranks, 3]


def _is_on(scope: Scope, operation: Operation) -> bool:
    return not operation.feature or bool(getattr(scope["app"].state.quay.config, operation.feature))


def _endpoint(operation: Operation, before: Before) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        request.scope["operation"] = operation.id
        await before(request)
        found = operation.answer(request)
        return await found if inspect.isawaitable(found) else found

    return answer


async def _to_slash(request: Request) -> Response:
    return to_slash(request)


def to_slash(request: Request) -> Response:
    """308 to the same address with a slash at its path's end."""
    target = str(request.url.replace(path=request.url.path + "/"))
    headers = {"location": target, "content-type": "text/html; charset=utf-8"}
    return Response(_REDIRECT.format(target), 308, headers)


def described(operations: Iterable[Operation], config: Any, *, internal: bool) -> dict[str, Any]:
    """The paths of a Swagger document: what is on, and the internal ones only where asked for."""
    paths: dict[str, Any] = {}
    for operation in operations:
        if (
            operation.unlisted
            or (operation.internal and not internal)
            or (operation.feature and not getattr(config, operation.feature))
        ):
            continue
        names = re.findall(r"{(\w+)}", operation.path)
        parameters = [{"name": n, "in": "path", "required": True, "type": "string"} for n in names]
        parameters += [{"name": p, "in": "query", "required": False, "type": "string"} for p in operation.parameters]
        one: dict[str, Any] = {"operationId": operation.id, "parameters": parameters}
        if operation.scope:
            one["security"] = [{"oauth2_implicit": [operation.scope]}]
        paths.setdefault(f"{PREFIX}{operation.path}", {})[operation.method.lower()] = one
    return paths
