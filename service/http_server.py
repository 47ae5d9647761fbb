"""The service's own small HTTP server: health and callbacks. Off unless a port is set."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

_START_WAIT_S = 10.0
_BACKLOG = 128

Check = Callable[[], tuple[bool, dict[str, Any]]]


class PortUnavailable(Exception):
    """A port cannot be listened on; the text names the port, the setting, and what to do."""


class HttpServer:
    """A uvicorn server in a thread of its own, open while the context lasts."""

    def __init__(self, address: str, port: int, routes: Sequence[Route], *, setting: str) -> None:
        """`port` 0: any free one. `setting`: where address and port were set, for messages. Entering the context raises
        PortUnavailable."""
        self._where, self._setting = (address, port), setting
        self._listener: socket.socket | None = None
        config = uvicorn.Config(
            Starlette(routes=routes), host=address, port=port, log_level="warning", access_log=False, lifespan="off"
        )
        self._server = _ThreadServer(config)
        self._thread = threading.Thread(target=self._run, name="http server", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before the server is up."""
        return int(self._listener.getsockname()[1]) if self._listener is not None else 0

    def __enter__(self) -> Self:
        self._listener = listen(*self._where, setting=self._setting)
        self._thread.start()
        self._server.up.wait(_START_WAIT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_START_WAIT_S)
        if self._listener is not None:
            self._listener.close()

    def _run(self) -> None:
        self._server.run([self._listener] if self._listener is not None else None)


def listen(address: str, port: int, *, setting: str) -> socket.socket:
    """A socket that listens. Raises PortUnavailable; `setting` is named in its message."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PortUnavailable(_why(error, address, port, setting)) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise PortUnavailable(_why(error, address, port, setting)) from None
    return listener


def health_routes(is_working: Check, is_alive: Check) -> list[Route]:
    """`/health`: whether the work is done; `/live`: whether the process turns. Each gives (good, details); 503 where not."""
    return [
        Route("/health", _answering(is_working), methods=["GET"]),
        Route("/live", _answering(is_alive), methods=["GET"]),
    ]


def _answering(check: Check) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def get(_: Request) -> JSONResponse:
        is_good, details = check()
        return JSONResponse(details, 200 if is_good else 503)

    return get


def _why(error: OSError, address: str, port: int, setting: str) -> str:
    where = f"port {port} on {address}"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen on {where}: {address} is not an address of this machine. Change {setting}"
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {where}: another program listens there. Stop it, or change {setting}"
    if error.errno == errno.EACCES:
        return f"cannot listen on {where}: ports below 1024 need a privilege. Change {setting}"
    return f"cannot listen on {where}: {error.strerror or error}. Change {setting}"


class _ThreadServer(uvicorn.Server):
    """A server that leaves the process's signals alone, says when it is up, and does not end the process when it is not."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    def install_signal_handlers(self) -> None:
        """None: the service has its own."""

    def run(self, sockets: Any = None) -> None:
        """As uvicorn's, but a failed start only sets `up`."""
        try:
            super().run(sockets)
        except SystemExit:
            pass
        finally:
            self.up.set()

    async def startup(self, sockets: Any = None) -> None:
        """As uvicorn's, then says so."""
        await super().startup(sockets)
        self.up.set()
