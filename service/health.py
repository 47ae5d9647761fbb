"""The service's health: whether its jobs are done, not merely whether its process lives. No I/O; times are monotonic seconds.

Two questions, because two readers ask: an alert wants to know whether the work is done, an orchestrator whether a restart
would help. A token that was revoked makes the first answer no and the second yes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import msgspec

_LATE_S = 60.0
_MOST_LATE_S = 6 * 3600.0
_STUCK_S = 1800.0


class JobHealth(msgspec.Struct):
    """One job. `state`: waiting | running | failing (the last try failed) | overdue (not done for too long)."""

    state: str
    seconds_since_success: float | None
    error: str = ""


class _Job(msgspec.Struct):
    every_s: float
    succeeded_at: float | None = None
    error: str = ""

    @property
    def allowance_s(self) -> float:
        """How old the last success may be: three rounds, for rare jobs one round and six hours."""
        return self.every_s + min(2 * self.every_s, _MOST_LATE_S) + _LATE_S


class _Work(msgspec.Struct):
    name: str
    progressed_at: float


class Health:
    """What runs, what succeeded and what failed. `every_s`: by job, its interval; `lanes`: by job, the lane it waits in, one
    piece of work at a time. `patience_s`: how long work may show no progress, besides half an hour. Thread-safe."""

    def __init__(
        self,
        every_s: Mapping[str, float],
        lanes: Mapping[str, str],
        patience_s: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic, self._lanes = monotonic, lanes
        self._stuck_s = _STUCK_S + patience_s
        self._lock = threading.Lock()
        self._since = monotonic()
        self._polled_at = self._since
        self._jobs = {name: _Job(seconds) for name, seconds in every_s.items()}
        self._running: dict[str, _Work] = {}

    @property
    def is_busy(self) -> bool:
        """Whether anything runs now."""
        return bool(self._running)

    def polled(self) -> None:
        """The service's loop went round once more."""
        self._polled_at = self._monotonic()

    def started(self, lane: str, name: str) -> None:
        """Work of a lane begins."""
        with self._lock:
            self._running[lane] = _Work(name, self._monotonic())

    def progressed(self, lane: str) -> None:
        """The work of a lane came a step further."""
        with self._lock:
            if (work := self._running.get(lane)) is not None:
                work.progressed_at = self._monotonic()

    def ended(self, lane: str, error: str | None) -> None:
        """The work of a lane ended; `error`: '' where it was done, None where it was stopped and nothing is known."""
        with self._lock:
            work = self._running.pop(lane, None)
            job = self._jobs.get(work.name) if work is not None else None
            if job is None or error is None:
                return
            job.error = error
            if not error:
                job.succeeded_at = self._monotonic()

    def faults(self) -> list[str]:
        """Why a restart would help, in words for people; none where the service turns as it should."""
        with self._lock:
            now = self._monotonic()
            found = [
                f"{work.name} has made no progress for {(now - work.progressed_at) / 60:.0f} minutes"
                for work in self._running.values()
                if now - work.progressed_at > self._stuck_s
            ]
            if now - self._polled_at > _LATE_S:
                found.append(f"the service's loop has stood still for {now - self._polled_at:.0f} s")
            return found

    def jobs(self) -> dict[str, JobHealth]:
        """How each job is."""
        with self._lock:
            return {name: self._job_health(name, job) for name, job in self._jobs.items()}

    def _job_health(self, name: str, job: _Job) -> JobHealth:
        now = self._monotonic()
        since_success = None if job.succeeded_at is None else now - job.succeeded_at
        in_lane = self._running.get(self._lanes[name])
        if in_lane is not None and in_lane.name == name:
            state = "running"
        elif in_lane is None and now - (job.succeeded_at or self._since) > job.allowance_s:
            state = "overdue"
        else:
            state = "failing" if job.error else "waiting"
        return JobHealth(state, since_success, job.error)
