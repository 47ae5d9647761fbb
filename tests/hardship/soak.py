"""The long form of the hardship tests: `python -m tests.hardship.soak [KILLS] [SEED]`; `make soak` runs it with 200.

A sync is killed with SIGKILL at random moments, a run after each; the truth judges at the end: nothing double, every missing
event named, and requests that were spent twice bounded by one page a chain and a kill. Then a service is killed again and again
while its server misbehaves and its clock jumps by hours and years, ahead and back: it must collect again after each, and the
same truth judges.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

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
        "quayledger.simulator",
        "--with-parent",
        "--end",
        END.isoformat(),
        "--days",
        str(_DAYS),
        *words,
    ]
    process = subprocess.Popen([*command, "--ready-file", str(ready), "--truth", str(told)], cwd=ROOT)
    while not ready.exists():
        if process.poll() is not None:
            raise SystemExit(f"the stand-in ended with code {process.returncode}")
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


_JUMPS_S = (0.0, 7200.0, -7200.0, 86_400.0, 365 * 86_400.0, -365 * 86_400.0, 2 * 365 * 86_400.0)
_BAD_SERVER = {"error": 0.05, "bad_gateway": 0.03, "drop": 0.03, "cut": 0.03, "throttle": 0.03, "html_200": 0.02}


class Serving:
    """`serve` in a process of its own, with a clock that is set from here."""

    def __init__(self, quay: Any, home: Path) -> None:
        self._home, self._offset = home, home.with_name(f"{home.name}.clock")
        self._log = home.with_name(f"{home.name}.log")
        self._environment = environment(home, quay.url, quay.tokens["superuser"]) | {
            "QUAYLEDGER_CLOCK__SYNC_EVERY_MINUTES": "0.02",
            "QUAYLEDGER_COLLECT__BACKFILL_DAYS": str((datetime.now(UTC).date() - END).days + _DAYS),
            "QUAYLEDGER_SOURCES__MAIN__RETRIES": "4",
        }
        self.set_clock(0.0)
        self.start()

    def start(self) -> None:
        """Starts it, also after a kill."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = int(free.getsockname()[1])
        command = [
            sys.executable,
            "-m",
            "tests.hardship.clocked_serve",
            str(self._home),
            str(self._port),
            str(self._offset),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, cwd=ROOT, stderr=log, stdout=log)

    def set_clock(self, seconds: float) -> None:
        """Sets the clock ahead of the true time, or behind."""
        unfinished = self._offset.with_suffix(".new")
        unfinished.write_text(str(seconds))
        unfinished.replace(self._offset)

    def end(self, number: signal.Signals) -> None:
        """Ends the process."""
        self._process.send_signal(number)
        try:
            self._process.wait(120)
        except subprocess.TimeoutExpired:
            told = self._where_it_hangs()
            self._process.kill()
            raise SystemExit(f"the service did not end in 120 s: {told}") from None

    def wait_for_sync(self, seconds: float = 900.0) -> None:
        """Waits until a sync succeeds that ended after this call. Raises SystemExit where none does, or the service ended."""
        since = time.monotonic()
        while time.monotonic() - since < seconds:
            if self._process.poll() is not None:
                raise SystemExit(f"the service ended by itself: {self._log.read_text()[-2000:]}")
            with (
                contextlib.suppress(OSError, ValueError),
                urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5) as reply,
            ):
                age = json.load(reply)["jobs"]["sync"]["seconds_since_success"]
                if age is not None and age < time.monotonic() - since:
                    return
            time.sleep(0.2)
        raise SystemExit(f"no sync succeeded in {seconds:.0f} s: {self._where_it_hangs()}")

    def _where_it_hangs(self) -> str:
        """The log, and below it the stack of every thread."""
        self._process.send_signal(signal.SIGUSR1)
        time.sleep(2.0)
        return self._log.read_text()[-20_000:]


def soak_service(quay: Any, home: Path, rounds: int, chance: random.Random) -> int:
    """Kills the service, lets its clock jump and its server fail, a few rounds; gives how many events are missing and named."""
    serving = Serving(quay, home)
    try:
        for _ in range(rounds):
            quay.control("faults", rates=_BAD_SERVER)
            serving.set_clock(chance.choice(_JUMPS_S))
            time.sleep(0.5 + chance.expovariate(0.7))
            if chance.random() < 0.5:
                serving.end(signal.SIGKILL)
                serving.start()
            quay.control("faults")
            serving.wait_for_sync()
        serving.set_clock(0.0)
        serving.wait_for_sync()
    finally:
        serving.end(signal.SIGTERM)
    asked = environment(home, quay.url, quay.tokens["superuser"])
    subprocess.run(
        [sys.executable, "-m", "quayledger", "sync", *_RANGE], env=asked, cwd=ROOT, check=True, capture_output=True
    )
    return check(home, quay)


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
            missing = soak_service(quay, Path(name) / "served", max(1, each // 10), chance)
            sys.stdout.write(f"{scenario}: served through clock jumps, {missing} missing and named, none double\n")
            sys.stdout.flush()
            quay.stop()


if __name__ == "__main__":
    soak(int(sys.argv[1]) if len(sys.argv) > 1 else 200, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
