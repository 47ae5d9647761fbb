"""Collect on a schedule until stopped.

Other commands hand their work over to it."""

from __future__ import annotations

import logging
import signal
import sys
import time
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import Home
from quayledger.collector.sources import choose_sources
from quayledger.service import scheduler


def command(
    home: Home = settings_room.DEFAULT_HOME,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Answer /health and /live on this port (0 = any free port).")
    ] = None,
    address: Annotated[str, typer.Option(help="Address for --port.")] = "127.0.0.1",
) -> None:
    """Returns when SIGTERM or Ctrl-C stops the service."""
    settings = settings_room.load(home)
    choose_sources(settings, ())
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.Formatter.converter = time.gmtime
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns whenever a job is due again while it still runs, as in a long first sync; that is meant.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def stop_on_signal(service: scheduler.Service) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: service.stop())

    scheduler.open_and_serve(home, settings, stop_on_signal, address=address, port=port)
