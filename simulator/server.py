"""The simulator's server: the operations put together, what Quay answers elsewhere, and the process around it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from quayledger.simulator import control
from quayledger.simulator import exports as worker
from quayledger.simulator.api import referrers, system, table
from quayledger.simulator.api.oidc_caller import ProviderDown, note_caller
from quayledger.simulator.api.operations import PREFIX, routes, to_slash
from quayledger.simulator.api.replies import Refusal, message, reply
from quayledger.simulator.faults import Wire
from quayledger.simulator.quay import Quay


def application(quay: Quay) -> ASGIApp:
    """The ASGI application of one stand-in."""
    inner = Starlette(
        routes=[
            *routes(table.OPERATIONS, note_caller),
            *worker.ROUTES,
            *referrers.ROUTES,
            *system.ROUTES,
            *control.ROUTES,
        ],
        exception_handlers={Refusal: _refuse, HTTPException: _wrong_method, ProviderDown: _hang_up},
    )
    inner.router.redirect_slashes = False
    inner.router.default = _elsewhere
    inner.state.quay = quay
    return Wire(inner, quay.faults, quay.clock, quay.stats)


async def _elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    await _no_operation(Request(scope))(scope, receive, send)


def _no_operation(request: Request) -> Response:
    """Paths without an operation: the slash is added first; with it, the page of the web front that says 404."""
    if request.url.path.startswith(PREFIX) and not request.url.path.endswith("/"):
        return to_slash(request)
    headers = {
        "cache-control": "no-cache, no-store, must-revalidate",
        "content-type": "text/html; charset=utf-8",
    }
    return Response("<!DOCTYPE html>\n<html><head><title>Quay</title></head><body></body></html>\n", 404, headers)


async def _refuse(_: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return error.response
    raise error


async def _hang_up(request: Request, _: Exception) -> Response:
    """Quay's worker waits for the provider until its proxy gives up, or dies of it: no reply comes."""
    request.scope["state_of_wire"]["hangs_up"] = True
    return Response(status_code=502)


async def _wrong_method(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        return message("The method is not allowed for the requested URL.", 405).response
    return reply({"message": str(error)}, 404)


class Server(uvicorn.Server):
    """Uvicorn that says when it listens, and ends when its parent does."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], *, with_parent: bool) -> None:
        super().__init__(config)
        self._ready = ready
        self._parent = os.getppid() if with_parent else None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Calls back once requests are answered."""
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Each tenth of a second: whether to end."""
        orphaned = self._parent is not None and os.getppid() != self._parent
        return await super().on_tick(counter) or orphaned


def serve(app: ASGIApp, listener: socket.socket, ready: Callable[[], None], *, with_parent: bool) -> None:
    """Answers on the socket until SIGTERM or SIGINT, then returns."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    # asyncio sets this only on sockets made with the protocol's number; without it each answer waits 40 ms for an ACK
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = Server(config, ready, with_parent=with_parent)
    # uvicorn raises a signal it caught once more when it is done; this one ends there
    signal.signal(signal.SIGTERM, _done)
    signal.signal(signal.SIGINT, _done)
    asyncio.run(server.serve(sockets=[listener]))


def _done(_: int, __: FrameType | None) -> None:
    """A signal that was obeyed already."""
