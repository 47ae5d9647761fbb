"""Collect from a simulated Quay, report, serve the pages.

Needs no Quay and no network."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from quayledger.cli._options import Home
from quayledger.cli._output import err, out
from quayledger.cli.app import run_app
from quayledger.cli.inventory.sync import end_of_inventory, inventory_here
from quayledger.cli.sync import end_of_sync, sync_here
from quayledger.collector.inventory.inventory_sync import InventoryRequest
from quayledger.collector.log.days import utc_now
from quayledger.collector.sync import SyncRequest
from quayledger.reports import registry
from quayledger.reports.desk import watch
from quayledger.reports.render import terminal as terminal_form
from quayledger.reports.spec import parse_params
from quayledger.service import demo
from quayledger.settings import SourceSettings
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events
from quayledger.warehouse.seals.keys import create_key, new_name
from quayledger.warehouse.snapshot import Snapshot

_AN_HOUR = timedelta(hours=1)


def command(
    home: Home = Path("demo-ledger"),
    headless: Annotated[bool, typer.Option("--headless", help="Print the report and end; serve no pages.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the pages (0 = any free port).")] = 8501,
    number: Annotated[int, typer.Option("--events", min=1, metavar="N", help="Events in the stand-in Quay.")] = 24_000,
    days: Annotated[int, typer.Option(min=1, max=365, metavar="N", help="Days that the events cover.")] = 62,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed makes another registry.")] = 7,
) -> None:
    """Raises DemoError where the folder is not a demo's or the stand-in does not start."""
    demo.fresh_home(home)
    with err.status("starting a stand-in Quay"):
        quay = contextlib.ExitStack()
        standing = quay.enter_context(demo.stand_in(number, days, seed, _earlier()))
    with quay:
        err.print(f"A stand-in Quay listens at {standing.url}")
        with Ledger.open(home, command="demo") as ledger:
            _play(ledger, standing, days)
        with err.status("judging the days"):
            watch.watch(home, utc_now())
        with Snapshot.open(home) as snapshot:
            spec = registry.find("usage")
            built = spec.make(snapshot, parse_params(spec, {"top": 5}, utc_now()))
            requests = sum(events.status(snapshot)["requests"])
        out.print(terminal_form.render(built, width=out.width, colour=out.is_terminal), markup=False)
        _say_what_comes_next(home, requests)
        if headless:
            return
    raise typer.Exit(run_app(home, "127.0.0.1", port))


def _say_what_comes_next(home: Path, requests: int) -> None:
    """What the same would take from a real Quay, and how to look on."""
    usual = SourceSettings(url="https://quay.example.com").requests_per_second
    spans = [timedelta(seconds=round(requests / rate)) for rate in (usual, 4 * usual)]
    program = escape(sys.argv[0] if Path(sys.argv[0]).name == "quayledger" else "quayledger")
    err.print(
        f"Requests made: {requests:,}. From a real Quay that takes {spans[0]} at the default budget of {usual:g} a second, "
        f"{spans[1]} at {4 * usual:g}; `quayledger plan` says it beforehand.",
        soft_wrap=True,
    )
    err.print(f"Look on: {program} --home {escape(str(home))} status", soft_wrap=True)


def _earlier() -> datetime:
    return utc_now() - 2 * _AN_HOUR


def _play(ledger: Ledger, standing: demo.StandIn, days: int) -> None:
    """Reads the log and the registry as they were two hours ago; then the registry changes for an hour, and what changed is
    read; and the log once more, without which nobody knows whether an event tells of what the registry's reading found. The
    stand-in's clock and ours agree all the time."""
    key_file = demo.key_file_of(ledger.home)
    if not key_file.exists():
        create_key(key_file, new_name())
    chosen, begun = demo.demo_settings(standing, days, key_file), utc_now()
    end_of_sync(sync_here(ledger, chosen, SyncRequest(), now=_earlier), as_json=False)
    end_of_inventory(inventory_here(ledger, chosen, InventoryRequest(), now=_earlier), as_json=False)
    err.print("The registry changes for an hour: permissions, tags, accounts")
    demo.set_clock(standing, utc_now())
    demo.plant_changes(standing, begun - _AN_HOUR, begun)
    end_of_sync(sync_here(ledger, chosen, SyncRequest()), as_json=False)
    end_of_inventory(inventory_here(ledger, chosen, InventoryRequest()), as_json=False)
    end_of_sync(sync_here(ledger, chosen, SyncRequest()), as_json=False)
