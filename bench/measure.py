"""The bench's ruler: what a child process or a call cost, and the machine it ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_NAMED = ("duckdb", "polars", "msgspec", "httpx", "dlt")


class Cost(NamedTuple):
    """What something took. `cpu_s`: user and system time, of descendants too; `peak_mb`: the largest resident set."""

    wall_s: float
    cpu_s: float
    peak_mb: float


class Child(NamedTuple):
    """A process that ended: its cost and what it wrote to stdout."""

    cost: Cost
    out: str


def run_child(arguments: Sequence[str], *, env: Mapping[str, str] | None = None) -> Child:
    """Runs a process to its end. Raises RuntimeError, with what it wrote to stderr, where it ends badly.

    A child's peak never shows as less than this process held when it started it, so keep this process small."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        child = subprocess.Popen(arguments, stdout=out, stderr=err, cwd=ROOT, env={**os.environ, **(env or {})})
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, said = out.read().decode(), err.read().decode()
    if child.returncode:
        raise RuntimeError(f"{' '.join(arguments[:4])} … ended with {child.returncode}: {said[-2000:]}")
    return Child(Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), text)


def timed(call: Callable[[], object], repetitions: int) -> Cost:
    """The median cost of a call in this process; `peak_mb` is not told (0)."""
    walls, cpus = [], []
    for _ in range(repetitions):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Cost(statistics.median(walls), statistics.median(cpus), 0.0)


def median(costs: Iterable[Cost]) -> Cost:
    """The median of each part; of the peaks the largest."""
    walls, cpus, peaks = zip(*costs, strict=True)
    return Cost(statistics.median(walls), statistics.median(cpus), max(peaks))


def machine() -> str:
    """One line: cores, memory, Python and the versions of what is measured."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {_version(name)}" for name in _NAMED)
    return f"{os.cpu_count()} cores, {memory_gb:.0f} GB, {platform.system()}, Python {platform.python_version()}, {versions}"


def busy() -> str:
    """How much else the machine does: with more waiting than it has cores, times say little and CPU shows too high."""
    return f"load average {os.getloadavg()[1]:.1f}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def peak_mb() -> float:
    """The largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
