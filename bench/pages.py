"""The bench of pages: what a page costs when it is first shown and drawn again, and whether sessions leave memory behind.

Streamlit's own test driver runs the app in this process, as its server does: the same script, the same caches, no browser."""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import streamlit as st
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from bench import frames
from bench.measure import ROOT
from bench.results import Table, record
from bench.stand_in import made_events
from quayledger.warehouse import publish
from quayledger.warehouse.log import close, events
from quayledger.warehouse.log.events import EventFilter
from quayledger.warehouse.snapshot import Snapshot
from quayledger.web.app import PAGES
from quayledger.web.record import HOME_VARIABLE

EVENTS, DAYS, END = 250_000, 30, date(2026, 9, 30)
SESSIONS, VISITS = 20, 20
_PERIOD = "2026-09-01..2026-09-30"


def main() -> None:
    """Measures in this process; one folder for the made events is given on the command line."""
    folder = Path(sys.argv[1])
    home = folder / "shown"
    with frames.begin(home) as ledger:
        days = frames.by_day(
            frames.frame_of(made_events(folder, events=EVENTS, days=DAYS, end=END).read_bytes().splitlines())
        )
        number = frames.load(ledger, days)
        frames.seal(ledger, days)
        close.close_days(ledger, datetime.now(UTC).date(), 1)
        publish.publish(ledger, keep=2, now=datetime.now(UTC))
    os.environ[HOME_VARIABLE] = str(home)
    # The driver looks through every installed package for components each time; this app has none.
    BidiComponentManager.discover_and_register_components = lambda *_, **__: None  # type: ignore[method-assign]
    with Snapshot.open(home) as snapshot:
        (actor,) = events.value_counts(snapshot, EventFilter(actor_type="user"), ["actor"], limit=1)["value"]
    names = {"investigate": {"name": str(actor)}, "": {"find": str(actor)[:3]}}
    paths = [page.path for page in PAGES]
    _visit("", {})  # what is imported and compiled once
    shown = [(path, *_cost(path, names.get(path, {}))) for path in paths]
    before, after, rested = _sessions(paths, names)
    intro = f"{number:,} believable events of {DAYS} days, all closed. CPU seconds of the app's own process."
    pages = [[path or "overview", f"{first:.2f}", f"{again:.3f}"] for path, first, again in shown]
    memory = [[f"{before:,.0f}", f"{after:,.0f}", f"{rested:,.0f}", f"{rested / before:.2f}"]]
    title = f"{SESSIONS} sessions, {VISITS} visits each: resident memory in MB"
    heads = ("before", "at the end", "when the caches have run out", "ratio")
    record(
        "pages",
        intro,
        [
            Table("A page that nobody has opened yet, and drawn again", ("page", "shown, s", "again, s"), pages),
            Table(title, heads, memory),
        ],
    )


def _visit(path: str, params: dict[str, str], period: str = _PERIOD) -> AppTest:
    tested = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    tested._page_hash = calc_hash(path) if path else ""
    tested.query_params.update({"period": period, **params})
    tested.run()
    if tested.exception:
        raise RuntimeError(f"the page {path!r} failed: {tested.exception[0].message}")
    return tested


def _cost(path: str, params: dict[str, str]) -> tuple[float, float]:
    st.cache_data.clear()
    began = time.process_time()
    tested = _visit(path, params)
    first, again = time.process_time() - began, []
    for _ in range(5):
        began = time.process_time()
        tested.run()
        again.append(time.process_time() - began)
    return first, statistics.median(again)


def _sessions(paths: list[str], names: dict[str, dict[str, str]]) -> tuple[float, float, float]:
    """Resident memory before, at the end, and when the caches have run out. Every session looks at other days, which is the worst
    that can be done to a cache."""
    for path in paths:
        _visit(path, names.get(path, {}))
    st.cache_data.clear()
    gc.collect()
    before = _resident_mb()
    held = []
    for session in range(SESSIONS):
        for visit in range(VISITS):
            first = 1 + (session + visit) % 20
            path = paths[visit % len(paths)]
            held.append(_visit(path, names.get(path, {}), f"2026-09-{first:02}..2026-09-{first + 9:02}"))
        held.clear()
    after = _resident_mb()
    st.cache_data.clear()
    gc.collect()
    return before, after, _resident_mb()


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
