"""The rate limit of a source: a token bucket with backoff, by number of requests and by the source's CPU. No I/O.

The rate is halved when the server throttles, fails or becomes much slower than it was at its best, and grows back step by
step with every successful reply.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BURST_S = 5.0  # unused seconds that may be saved up, so that a short run need not wait
_FLOOR = 1 / 16
_RECOVER = 1 / 20
_SLOW = 3.0
_SLOW_FROM_S = 0.5
_WINDOW = 20
_DRIFT = 1.01
_COSTS, _FEWEST_COSTS = 50, 5
_LEAST_COST_S = 0.002


class RateLimit:
    """Average requests per second for everything that reads one source, in any thread."""

    def __init__(
        self,
        requests_per_second: float | None,
        clock: Callable[[], float],
        *,
        cpu_share: float | None = None,
        request_cpu_seconds: float = 0.25,
    ) -> None:
        """`clock` gives seconds. `cpu_share`: CPU of the source in cores that requests may take, each of them
        `request_cpu_seconds` until it is measured. One of the two limits must be given."""
        if requests_per_second is None and cpu_share is None:
            raise ValueError("a rate limit needs a limit")
        self._lock = threading.RLock()
        self._most, self._cpu_share, self._cost_s = requests_per_second, cpu_share, request_cpu_seconds
        self._full = self._rate = self._limit()
        self._clock = clock
        self._costs: deque[float] = deque(maxlen=_COSTS)
        self._in_flight = 0
        self._capacity = max(1.0, self._full * BURST_S)
        self._saved = self._capacity
        self._seen = clock()
        self._pause_until = 0.0
        self._recent: deque[float] = deque(maxlen=_WINDOW)
        self._best: float | None = None
        self._since_cut = 0

    @property
    def rate(self) -> float:
        """Requests per second allowed now."""
        return self._rate

    @property
    def limit(self) -> float:
        """Requests per second while the server is well."""
        return self._full

    @property
    def request_cpu_seconds(self) -> float:
        """What a request takes of the source's CPU, as far as measured."""
        return self._cost_s

    @contextmanager
    def in_flight(self) -> Iterator[Callable[[], bool]]:
        """While a request is awaited; gives whether no other was, from its start until now."""
        with self._lock:
            self._in_flight += 1
            alone = self._in_flight == 1
        try:
            yield lambda: alone and self._in_flight == 1
        finally:
            with self._lock:
                self._in_flight -= 1

    def measured(self, seconds: float) -> None:
        """A reply came after `seconds` while no other was awaited: about the CPU that it took, with the network's time on
        top, which is on the safe side."""
        with self._lock:
            self._costs.append(seconds)
            if self._cpu_share is None or len(self._costs) < _FEWEST_COSTS:
                return
            self._cost_s = max(_LEAST_COST_S, sorted(self._costs)[len(self._costs) // 2])
            self._full = self._limit()
            self._rate = min(self._rate, self._full)
            self._capacity = max(1.0, self._full * BURST_S)

    def _limit(self) -> float:
        by_cpu = None if self._cpu_share is None else self._cpu_share / self._cost_s
        return min(limit for limit in (self._most, by_cpu) if limit is not None)

    def reserve(self) -> float:
        """Reserves one request; returns the seconds to wait before sending it."""
        with self._lock:
            now = self._clock()
            self._saved = min(self._capacity, self._saved + max(0.0, now - self._seen) * self._rate) - 1
            self._seen = max(self._seen, now)
            # `_seen` lies in the future during a pause; saving resumes from there.
            return max(0.0, self._seen - now) + max(0.0, -self._saved / self._rate)

    def paused(self) -> float:
        """Seconds left of a pause that the server asked for; 0 if there is none."""
        return max(0.0, self._pause_until - self._clock())

    def pause(self, seconds: float) -> None:
        """Sends nothing to this source for so long (Retry-After)."""
        with self._lock:
            self._pause_until = max(self._pause_until, self._clock() + seconds)
            self._seen = max(self._seen, self._pause_until)  # nothing is saved up during a pause: no burst after it

    def succeeded(self, seconds: float) -> None:
        """A request succeeded after `seconds`."""
        with self._lock:
            self._recent.append(seconds)
            self._since_cut += 1
            usual = sorted(self._recent)[len(self._recent) // 2]
            if len(self._recent) < _WINDOW:
                slow = False
            else:
                # The best latency drifts upward, so that a server that stays slower gets its rate back.
                self._best = usual if self._best is None else min(self._best * _DRIFT, usual)
                slow = usual > max(_SLOW * self._best, _SLOW_FROM_S)
            if not slow:
                self._rate = min(self._full, self._rate + self._full * _RECOVER)
            elif self._since_cut >= _WINDOW:
                self.back_off()

    def back_off(self) -> None:
        """The server throttled, failed or became slow: halves the rate, down to a sixteenth."""
        with self._lock:
            self._rate = max(self._full * _FLOOR, self._rate / 2)
            self._saved = min(self._saved, 1.0)
            self._since_cut = 0
