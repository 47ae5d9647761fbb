"""The meter: what a source was asked and what that took. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import msgspec


class Attempted(msgspec.Struct, frozen=True):
    """How often an operation was asked for a purpose with an outcome (ok | throttled | error | timeout), and what it took."""

    operation: str
    purpose: str
    outcome: str
    requests: int
    seconds: float
    received_bytes: int


@dataclass
class Counted:
    """Attempts of one task, however many others ask at the same time."""

    requests: int = 0


_counting: ContextVar[Counted | None] = ContextVar("counting", default=None)


@contextmanager
def counting() -> Iterator[Counted]:
    """Counts the attempts that this task makes within the block."""
    counted = Counted()
    token = _counting.set(counted)
    try:
        yield counted
    finally:
        _counting.reset(token)


class Meter:
    """Counts every attempt, repeated ones too: all of them cost the server."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0])
        self._latencies: list[float] = []
        self.requests = 0

    def note(self, operation: str, purpose: str, outcome: str, seconds: float, received_bytes: int) -> None:
        """One attempt ended."""
        if (counted := _counting.get()) is not None:
            counted.requests += 1
        cell = self._cells[operation, purpose, outcome]
        cell[0] += 1
        cell[1] += seconds
        cell[2] += received_bytes
        self.requests += 1
        self._latencies.append(seconds)

    def spent(self) -> list[Attempted]:
        """All attempts, summed by operation, purpose and outcome."""
        return [Attempted(*key, int(cell[0]), cell[1], int(cell[2])) for key, cell in sorted(self._cells.items())]

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the attempts ended; 0 before the first."""
        ordered = sorted(self._latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
