"""The simulator's command line: `python -m simulator`; the only place of this room that prints or exits."""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from quayledger.simulator import server
from quayledger.simulator.clock import Clock
from quayledger.simulator.faults import spread
from quayledger.simulator.quay import FEATURES, Quay
from quayledger.simulator.scenarios import SCENARIOS, Wish, build


def main() -> int:
    """Starts a stand-in Quay on loopback and answers until it is told to end. Exit codes: 0 ended, 2 wrong usage."""
    parser = _parser()
    options = parser.parse_args()
    clock = Clock(options.now)
    end = options.end or clock.now().date()
    wish = Wish(options.scenario, options.events, options.days, end, clock.now(), options.seed, options.precision)
    if options.events < 0 or options.days < 1:
        parser.error("--events counts from 0, --days from 1")
    gc.disable()  # nothing of what is made is garbage
    try:
        content = build(wish)
        switched = dict.fromkeys(options.off, False) | {"scanner_state": options.scanner}
        config = msgspec.structs.replace(content.config, **switched)
        quay = Quay(msgspec.structs.replace(content, config=config), clock, seed=options.seed)
        rates = spread(options.fault_rate)
    except ValueError as error:
        parser.error(str(error))
    quay.faults.follow(msgspec.structs.replace(quay.faults.plan, rates=rates, latency_ms=options.latency_ms))
    if options.truth is not None:
        _write(options.truth, (line + b"\n" for line in quay.truth()))
    gc.freeze()
    gc.enable()
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        described = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "tokens": quay.tokens}
        server.serve(
            server.application(quay),
            listener,
            lambda: _announce(described, options.ready_file),
            with_parent=options.with_parent,
        )
    return 0


def _announce(described: Mapping[str, object], ready_file: Path | None) -> None:
    text = json.dumps(described)
    if ready_file is not None:
        _write(ready_file, [text.encode()])
    else:
        print(text, flush=True)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """The file appears whole or not at all."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.writelines(lines)
    Path(part).replace(path)


def _parser() -> argparse.ArgumentParser:
    scenarios = "\n".join(f"  {name:<18} {text}" for name, text in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A stand-in Quay on 127.0.0.1: all that can be read of one, with its habits and faults.",
        epilog=f"scenarios:\n{scenarios}\n\ncontrol calls for tests: POST JSON to /__simulator__/NAME",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="port to listen on; 0: any free one (default)")
    add("--events", type=int, default=10_000, help="how many events it holds (default: 10000)")
    add("--days", type=int, default=14, help="over how many UTC days (default: 14)")
    add("--seed", type=int, default=1, help="the same seed gives the same registry (default: 1)")
    add("--end", type=date.fromisoformat, help="the last day, YYYY-MM-DD (default: today, filled up to now)")
    add("--now", type=_moment, help="ISO time that the stand-in's clock starts at (default: real time)")
    add("--precision", choices=("second", "microsecond"), default="microsecond", help="of stamps: MySQL or PostgreSQL")
    add("--scenario", default="believable", help="what it holds, see below")
    add("--latency-ms", type=float, default=0.0, help="how long each answer is held back")
    add("--fault-rate", type=float, default=0.0, help="share of the answers that go wrong: 429, 5xx, cut, dropped")
    add(
        "--off", action="append", default=[], choices=FEATURES, help="a feature that this Quay has not; may be repeated"
    )
    add("--scanner", choices=("up", "down", "idle"), default="up", help="how the security scanner is (default: up)")
    add("--truth", type=Path, help="file for every event it holds: JSON lines as the superuser's log shows them")
    add("--ready-file", type=Path, help='file for {"url", "tokens"} once it listens (default: standard output)')
    add("--with-parent", action="store_true", help="end when the process that started this one ends")
    return parser


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
