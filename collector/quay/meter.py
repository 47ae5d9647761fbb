"""The meter: counts the requests sent to a source and what they took. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import msgspec


class RequestTotals(msgspec.Struct, frozen=True):
    """Requests for an operation and purpose with one outcome (ok | throttled | error | timeout), and what they took."""

    operation: str
    purpose: str
    outcome: str
    requests: int
    seconds: float
    received_bytes: int


@dataclass
class RequestCount:
    """Requests of one task, whatever other tasks send at the same time."""

    requests: int = 0


_current: ContextVar[RequestCount | None] = ContextVar("current_request_count", default=None)


@contextmanager
def count_requests() -> Iterator[RequestCount]:
    """Counts the requests that this task sends within the block."""
    counted = RequestCount()
    token = _current.set(counted)
    try:
        yield counted
    finally:
        _current.reset(token)


class Meter:
    """Counts every request, including retries: each of them costs the server."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0])
        self._latencies: list[float] = []
        self.requests = 0

    def record(self, operation: str, purpose: str, outcome: str, seconds: float, received_bytes: int) -> None:
        """Adds one finished request."""
        if (counted := _current.get()) is not None:
            counted.requests += 1
        cell = self._cells[operation, purpose, outcome]
        cell[0] += 1
        cell[1] += seconds
        cell[2] += received_bytes
        self.requests += 1
        self._latencies.append(seconds)

    def spent(self) -> list[RequestTotals]:
        """All requests, summed by operation, purpose and outcome."""
        return [RequestTotals(*key, int(cell[0]), cell[1], int(cell[2])) for key, cell in sorted(self._cells.items())]

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the recent requests ended; 0 before the first."""
        ordered = sorted(self._latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
