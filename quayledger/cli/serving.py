"""The terminal front: what runs on: the pages, the service, the demo."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli.console import Home, err, out
from quayledger.cli.syncing import end_of_inventory, end_of_sync, inventory_here, sync_here
from quayledger.collector.inventory.inventory_sync import InventoryRequest
from quayledger.collector.log.days import utc_now
from quayledger.collector.sources import choose_sources
from quayledger.collector.sync import SyncRequest
from quayledger.reports import registry
from quayledger.reports.period import DEFAULT_PRESET, parse
from quayledger.reports.render import terminal as terminal_form
from quayledger.service import demo
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.snapshot import Snapshot
from quayledger.web import launch

app = typer.Typer()
_AN_HOUR = timedelta(hours=1)


@app.command(name="app")
def app_command(
    home: Home = settings_room.DEFAULT_HOME,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free port.")] = None,
    address: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
) -> None:
    """Open the pages in a browser's reach; Ctrl-C ends it."""
    chosen = settings_room.load(home).app
    raise typer.Exit(_run_app(home, address or chosen.address, chosen.port if port is None else port))


def _run_app(home: Path, address: str, port: int) -> int:
    port = port or launch.free_port(address)
    process = subprocess.Popen(launch.command(home, address, port), stdout=subprocess.DEVNULL)
    err.print(f"the pages are at [bold]http://{address}:{port}[/] (Ctrl-C ends)")
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return max(0, process.wait())
        except KeyboardInterrupt:
            process.terminate()


@app.command()
def serve(
    home: Home = settings_room.DEFAULT_HOME,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Answer /health on this port; 0: any free one.")
    ] = None,
    address: Annotated[str, typer.Option(help="Address for --port.")] = "127.0.0.1",
) -> None:
    """Collect on a schedule until stopped; `sync` in another terminal hands its work over."""
    from quayledger.service import scheduler

    settings = settings_room.load(home)
    choose_sources(settings, ())
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.Formatter.converter = time.gmtime
    for noisy in ("apscheduler", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    def stop_on_signal(service: scheduler.Service) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: service.stop())

    scheduler.open_and_serve(home, settings, stop_on_signal, address=address, port=port)


@app.command(name="demo")
def demo_command(
    home: Home = Path("demo-ledger"),
    headless: Annotated[bool, typer.Option("--headless", help="Do the work, print a summary, open no pages.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the pages; 0: any free one.")] = 8501,
    number: Annotated[int, typer.Option("--events", min=1, help="Events of the stand-in Quay.")] = 24_000,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days that they lie in.")] = 62,
    seed: Annotated[int, typer.Option(help="Another seed, another registry.")] = 7,
) -> None:
    """The whole way without a Quay: collect from a stand-in, report on it, show the pages."""
    demo.fresh_home(home)
    with err.status("starting a stand-in Quay"):
        quay = contextlib.ExitStack()
        standing = quay.enter_context(demo.stand_in(number, days, seed))
    with quay:
        err.print(f"a stand-in Quay listens at {standing.url}")
        with Ledger.open(home, command="demo") as ledger:
            _play(ledger, standing, days)
        with Snapshot.open(home) as snapshot:
            built = registry.find("usage").build(snapshot, parse(DEFAULT_PRESET, "UTC", utc_now()), top=5)
        out.print(terminal_form.render(built, width=out.width, colour=out.is_terminal), markup=False)
        if headless:
            return
    raise typer.Exit(_run_app(home, "127.0.0.1", port))


def _play(ledger: Ledger, standing: demo.StandIn, days: int) -> None:
    """Reads the log and the registry; then the registry changes for an hour, and what changed is read."""
    chosen, begun = demo.demo_settings(standing, days), utc_now()
    end_of_sync(sync_here(ledger, chosen, SyncRequest()), as_json=False)
    earlier = inventory_here(ledger, chosen, InventoryRequest(), now=lambda: utc_now() - 2 * _AN_HOUR)
    end_of_inventory(earlier, as_json=False)
    demo.plant_changes(standing, begun - _AN_HOUR, begun)
    err.print("an hour of changes in the registry: who may do what, what is where")
    end_of_sync(sync_here(ledger, chosen, SyncRequest()), as_json=False)
    end_of_inventory(inventory_here(ledger, chosen, InventoryRequest()), as_json=False)
