"""What all tests share: a stand-in Quay in a process of its own, and the recorded answers of a real one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import settings

from tests import properties  # noqa: F401 - registers the profiles
from tests.cpu_time import CpuTime

ROOT = Path(__file__).resolve().parent.parent
Truth = list[dict[str, Any]]
settings.load_profile("usual")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu", action="store_true", help="print the CPU seconds of each folder and file of tests")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cpu"):
        config.pluginmanager.register(CpuTime())


class Simulated:
    """A running stand-in. `tokens`: superuser, readonly_superuser, org_admin, user."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, tokens: dict[str, str], truth: Path) -> None:
        self.process, self.url, self.tokens, self._truth = process, url, tokens, truth

    def truth(self) -> Truth:
        """Every event it held when it started, oldest first, as the superuser's log shows them."""
        return [json.loads(line) for line in self._truth.read_bytes().splitlines()]

    def control(self, call: str, /, **wish: Any) -> Any:
        """A control call; see simulator/control.py for what there is."""
        request = Request(  # noqa: S310 - loopback
            f"{self.url}/__simulator__/{call}", json.dumps(wish).encode(), {"content-type": "application/json"}
        )
        with urlopen(request, timeout=60) as reply:  # noqa: S310
            return json.load(reply)

    def stop(self) -> int:
        """Ends it and gives its exit code."""
        self.process.terminate()
        return self.process.wait(10)


@pytest.fixture(scope="session")
def stand_ins() -> list[Simulated]:
    """Those that run."""
    return []


@pytest.fixture(autouse=True)
def end_stand_ins_of_a_test(stand_ins: list[Simulated]) -> Iterator[None]:
    """Ends what a test started for itself: one that idles costs CPU as well. Those of a module were there before."""
    before = len(stand_ins)
    yield
    _end(stand_ins, before)


@pytest.fixture(scope="module")
def start_simulator(
    tmp_path_factory: pytest.TempPathFactory, stand_ins: list[Simulated]
) -> Iterator[Callable[..., Simulated]]:
    """A factory: `start_simulator("--events", "500", …)` gives a stand-in that listens, and ends with the test that started
    it, or with the module whose fixture did."""

    def start(*args: str) -> Simulated:
        folder = tmp_path_factory.mktemp("simulator")
        ready, truth = folder / "ready.json", folder / "truth.jsonl"
        command = [sys.executable, "-m", "quayledger.simulator", "--with-parent", *args]
        command += ["--ready-file", str(ready), "--truth", str(truth)]
        process = subprocess.Popen(command, cwd=ROOT)
        until = time.monotonic() + 60
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                pytest.fail(f"the simulator did not start: {' '.join(args)}")
            time.sleep(0.02)
        described = json.loads(ready.read_bytes())
        stand_ins.append(Simulated(process, described["url"], described["tokens"], truth))
        return stand_ins[-1]

    yield start
    _end(stand_ins, 0)


def _end(stand_ins: list[Simulated], first: int) -> None:
    for simulated in stand_ins[first:]:
        if simulated.process.poll() is None:
            simulated.stop()
    del stand_ins[first:]


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded answers of a real Quay."""
    return ROOT / "tests" / "recordings"
