"""The callback server: receives Quay's call when an export is done. Inside `serve`, or opened by `sync` while it waits.

It answers at once and always 200, whatever it thinks of a call: Quay repeats a call that is answered otherwise, makes the whole
export again for it, and a stranger learns nothing about which addresses are in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from quayledger.collector.exports.callbacks import MAX_BODY_BYTES, PATH, CallbackRegistry
from quayledger.service.http_server import HttpServer, PortUnavailable
from quayledger.settings import CallbackSettings, Settings

_ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 -- compared with, not listened on


def routes(callbacks: CallbackRegistry, public_url: str | None) -> list[Route]:
    """The routes of the callback server: below the root, and below the path of `public_url` for proxies that leave it on."""

    async def take(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return PlainTextResponse("too large\n", 413)
        callbacks.deliver(request.path_params["token"], body)
        return PlainTextResponse("ok\n")

    prefixes = {"", urlsplit(public_url or "").path.rstrip("/")}
    return [Route(f"{prefix}{PATH}{{token}}", take, methods=["POST"]) for prefix in sorted(prefixes)]


@contextmanager
def open_callbacks(settings: Settings) -> Iterator[CallbackRegistry]:
    """A callback server of its own while the context lasts, and its registry; nothing is listened on where no source
    exports. Raises PortUnavailable."""
    callbacks = CallbackRegistry()
    if all(source.exports == "off" or not source.enabled for source in settings.sources.values()):
        yield callbacks
        return
    rules = settings.callbacks
    setting = "callbacks.port (QUAYLEDGER_CALLBACKS__PORT) or callbacks.address (QUAYLEDGER_CALLBACKS__ADDRESS)"
    with HttpServer(rules.address, rules.port, routes(callbacks, rules.public_url), setting=setting) as server:
        callbacks.public_url = public_url(rules, server.port)
        yield callbacks


@contextmanager
def try_callbacks(settings: Settings) -> Iterator[CallbackRegistry]:
    """As `open_callbacks`; where the port cannot be opened, a registry that says why there can be no export."""
    with ExitStack() as stack:
        try:
            callbacks = stack.enter_context(open_callbacks(settings))
        except PortUnavailable as error:
            callbacks = CallbackRegistry(unavailable=str(error))
        yield callbacks


def public_url(rules: CallbackSettings, port: int) -> str:
    """Where Quays reach a callback server on `port`: as set, else the address that it listens on; '' where that is no address."""
    if rules.public_url is not None:
        return rules.public_url
    host = f"[{rules.address}]" if ":" in rules.address else rules.address
    return "" if rules.address in _ANY_ADDRESS else f"http://{host}:{port}"


async def _body(request: Request) -> bytes | None:
    """The body; None where it is larger than any callback."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                return None
    except ClientDisconnect:
        return b""
    return body
