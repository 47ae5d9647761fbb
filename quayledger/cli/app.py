"""Serve the web pages.

Ctrl-C ends it."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import Home
from quayledger.cli._output import err
from quayledger.service.http_server import listen
from quayledger.web import launch


def command(
    home: Home = settings_room.DEFAULT_HOME,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on (0 = any free port).")] = None,
    address: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
) -> None:
    """Exits with the code of the web server."""
    chosen = settings_room.load(home).app
    raise typer.Exit(run_app(home, address or chosen.address, chosen.port if port is None else port))


def run_app(home: Path, address: str, port: int) -> int:
    """Serves the pages until they are stopped; gives the exit code. Raises PortUnavailable."""
    listener = listen(address, port, setting="--port (app.port) or --address (app.address)")
    port = int(listener.getsockname()[1])
    listener.close()
    process = subprocess.Popen(launch.command(home, address, port), stdout=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        if _is_up(process, address, port):
            host = f"[{address}]" if ":" in address else address
            err.print(f"Pages: [bold]http://{host}:{port}[/] (Ctrl-C ends)")
    except KeyboardInterrupt:
        process.terminate()
    while True:
        try:
            return max(0, process.wait())
        except KeyboardInterrupt:
            process.terminate()


def _is_up(process: subprocess.Popen[bytes], address: str, port: int) -> bool:
    """Waits until the pages can be opened; False where their process ended first."""
    while process.poll() is None:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    err.print("[red]quayledger:[/] the web server did not start; its own message is above")
    return False
