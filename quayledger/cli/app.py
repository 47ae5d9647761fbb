"""Serve the web pages.

Ctrl-C ends it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import Home
from quayledger.cli._output import err
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
    """Serves the pages until they are stopped; gives the exit code."""
    port = port or launch.free_port(address)
    process = subprocess.Popen(launch.command(home, address, port), stdout=subprocess.DEVNULL)
    err.print(f"Pages: [bold]http://{address}:{port}[/] (Ctrl-C ends)")
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return max(0, process.wait())
        except KeyboardInterrupt:
            process.terminate()
