"""The meter: what a source was asked and what that took. No I/O."""

from __future__ import annotations

from collections import defaultdict

import msgspec


class Attempted(msgspec.Struct, frozen=True):
    """How often an operation was asked for a purpose with an outcome (ok | throttled | error | timeout), and what it took."""

    operation: str
    purpose: str
    outcome: str
    requests: int
    seconds: float
    received_bytes: int


class Meter:
    """Counts every attempt, repeated ones too: all of them cost the server."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0])
        self._latencies: list[float] = []
        self.requests = 0

    def note(self, operation: str, purpose: str, outcome: str, seconds: float, received_bytes: int) -> None:
        """One attempt ended."""
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
