"""The long form of the hardship tests: `python -m tests.hardship.soak [KILLS]`; `make soak` runs it with 200.

A sync is killed with SIGKILL at random moments, a run after each; the truth judges at the end: nothing double, every missing
event named, and requests that were spent twice bounded by one page a chain and a kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.cli.conftest import ROOT, environment
from tests.conftest import Simulated
from tests.hardship.hard import END, check

_DAYS = 3
_RANGE = ("--from", "2026-11-18", "--to", END.isoformat())


def start(folder: Path, *words: str) -> Simulated:
    """A stand-in of its own."""
    ready, told = folder / "ready.json", folder / "truth.jsonl"
    command = [
        sys.executable,
        "-m",
        "simulator",
        "--with-parent",
        "--end",
        END.isoformat(),
        "--days",
        str(_DAYS),
        *words,
    ]
    process = subprocess.Popen([*command, "--ready-file", str(ready), "--truth", str(told)], cwd=ROOT)
    while not ready.exists():
        time.sleep(0.05)
    described = json.loads(ready.read_bytes())
    return Simulated(process, described["url"], described["tokens"], told)


def kill_and_go_on(quay: Any, home: Path, kills: int, chance: random.Random, requests_per_second: int) -> int:
    """Kills that many runs at random moments, then lets one finish; gives how many were killed before their end."""
    asked = environment(home, quay.url, quay.tokens["superuser"])
    asked["QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND"] = str(requests_per_second)
    command = [sys.executable, "-m", "quayledger", "sync", *_RANGE]
    killed = 0
    for _ in range(kills):
        process = subprocess.Popen(command, env=asked, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(0.9 + chance.expovariate(1.2))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    asked["QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND"] = "1000"
    subprocess.run(command, env=asked, cwd=ROOT, check=True, capture_output=True)
    return killed


def soak(kills: int, seed: int) -> None:
    """Each scenario in turn with its share of the kills, each killed ledger new after ten."""
    chance = random.Random(seed)
    scenarios = (
        ("believable", "1500", "microsecond", 40),
        ("steady:0.05", "1200", "second", 40),
        ("steady:2", "1200", "second", 40),
        ("burst:21", "1000", "second", 40),
    )
    each = max(1, kills // len(scenarios))
    for scenario, events, precision, rate in scenarios:
        with tempfile.TemporaryDirectory(prefix="quayledger-soak-") as name:
            quay = start(Path(name), "--scenario", scenario, "--events", events, "--precision", precision)
            done = killed = 0
            while done < each:
                home = Path(name) / f"ledger-{done}"
                batch = min(10, each - done)
                killed += kill_and_go_on(quay, home, batch, chance, rate)
                missing = check(home, quay)
                done += batch
                sys.stdout.write(
                    f"{scenario}: {done} runs, {killed} killed, {missing} missing and named, none double\n"
                )
                sys.stdout.flush()
            quay.stop()


if __name__ == "__main__":
    soak(int(sys.argv[1]) if len(sys.argv) > 1 else 200, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
