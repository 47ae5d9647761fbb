"""The rate limit of a source: a token bucket with backoff. No I/O.

The rate is halved when the server throttles, fails or becomes much slower than it was at its best, and grows back step by
step with every successful reply.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

BURST_S = 5.0  # unused seconds that may be saved up, so that a short run need not wait
_FLOOR = 1 / 16
_RECOVER = 1 / 20
_SLOW = 3.0
_SLOW_FROM_S = 0.5
_WINDOW = 20
_DRIFT = 1.01


class RateLimit:
    """Average requests per second for everything that reads one source, in any thread. `clock` gives seconds."""

    def __init__(self, requests_per_second: float, clock: Callable[[], float]) -> None:
        self._lock = threading.RLock()
        self._full = self._rate = requests_per_second
        self._clock = clock
        self._capacity = max(1.0, requests_per_second * BURST_S)
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
