"""Due times of the service's jobs: from the settings and from the ledger's own runs. Pure.

Nothing of this is stored: a service that starts, and one whose clock was set, plans from what the ledger says was done. So
no file can be cut, locked or foreign, and a clock that ran ahead leaves no job in the future.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.interval import IntervalTrigger

from quayledger.settings import Settings

# Network time slews by less; a larger step is a clock that was set, or a host that was suspended.
_STEP = timedelta(seconds=30)
# How often it is looked whether a quiet hour ended, a digest is due, or a target is to be tried again.
NOTIFY_EVERY = timedelta(minutes=1)


def due_times(
    settings: Settings, last_sync: datetime | None, last_inventory: datetime | None, now: datetime
) -> dict[str, datetime]:
    """By job, when it runs next. `last_sync`, `last_inventory`: when the last run that came to its end was started, None
    where there is none. All times are aware UTC.

    A run that was missed while nobody served is due now, once. So is one whose last run lies in the future: the clock was
    wrong then or is now, and neither tells that the work is done."""
    schedule = settings.clock
    due = {
        "sync": _after(last_sync, timedelta(minutes=schedule.sync_every_minutes), now),
        "publish": now + timedelta(minutes=schedule.publish_every_minutes),
        "close": _close_due(settings, last_sync, now),
    }
    if settings.inventory.enabled:
        due["inventory"] = _after(last_inventory, timedelta(minutes=settings.inventory.run_every_minutes), now)
    if settings.detections.enabled:
        due["detections"] = now
    if settings.siem.folder is not None:
        due["siem"] = now
    if settings.notify:
        due["notifications"] = now + NOTIFY_EVERY
    return due


class Every(IntervalTrigger):  # type: ignore[misc] # APScheduler has no types
    """An interval whose missed runs are one run. APScheduler's own steps through each of them, holding its lock: on a host that
    boots in 1970 and then learns the time, that takes hours and all memory."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first time of the interval's own after both."""
        if previous_fire_time is not None and now > previous_fire_time:
            every: timedelta = self.interval
            return previous_fire_time + every * ((now - previous_fire_time) // every + 1)
        found: datetime | None = super().get_next_fire_time(previous_fire_time, now)
        return found


class ClockWatch:
    """Notices that the wall clock was set: it and the monotonic clock no longer go together."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._now, self._monotonic = now, monotonic
        self._offset = self._measure()

    def jump(self) -> timedelta | None:
        """By how much the clock was set since the last jump, or since the beginning; None where it was not."""
        moved = self._measure() - self._offset
        if abs(moved) < _STEP:
            return None
        self._offset += moved
        return moved

    def _measure(self) -> timedelta:
        return self._now() - datetime.fromtimestamp(0, UTC) - timedelta(seconds=self._monotonic())


def _after(last: datetime | None, every: timedelta, now: datetime) -> datetime:
    return now if last is None or last > now else max(now, last + every)


def _close_due(settings: Settings, last_sync: datetime | None, now: datetime) -> datetime:
    at = settings.clock.close_at
    today = datetime.combine(now.date(), at.replace(tzinfo=UTC))
    latest = today if today <= now else today - timedelta(days=1)
    # Without any sync the first one is due now anyway, and there is nothing yet to close.
    is_missed = last_sync is not None and last_sync < latest
    return now if is_missed else latest + timedelta(days=1)
