"""The service's own small server: health now; metrics and callbacks find their place here. Off unless a port is set."""

from __future__ import annotations

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


class HttpServer:
    """A uvicorn server in a thread of its own, open while the context lasts."""

    def __init__(
        self,
        address: str,
        port: int,
        health: Callable[[], dict[str, Any]] | None = None,
        routes: Sequence[Route] = (),
    ) -> None:
        """`health`: what `/health` answers, None: there is none. `routes`: what else is answered."""
        found = [*routes] if health is None else [Route("/health", _answering(health), methods=["GET"]), *routes]
        config = uvicorn.Config(
            Starlette(routes=found), host=address, port=port, log_level="warning", access_log=False, lifespan="off"
        )
        self._server = _ThreadServer(config)
        self._thread = threading.Thread(target=self._server.run, name="server", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before the server is up."""
        sockets = [listening for server in getattr(self._server, "servers", []) for listening in server.sockets]
        return int(sockets[0].getsockname()[1]) if sockets else 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server.up.wait(_START_WAIT_S)
        if not self._server.started:
            raise OSError("the port cannot be opened; is another program listening on it?")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_START_WAIT_S)


def _answering(health: Callable[[], dict[str, Any]]) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def get_health(_: Request) -> JSONResponse:
        return JSONResponse(health())

    return get_health


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
