"""Routes: which alerts a target takes, and when it is told of them. Pure; all moments are aware."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from quayledger.reports.desk.alerts import Alert
from quayledger.reports.detections.model import Severity
from quayledger.settings import NotifyTarget

_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_FIRST_RETRY = timedelta(minutes=1)
_LAST_RETRY = timedelta(hours=1)


def takes(target: NotifyTarget, alert: Alert, namespaces: Sequence[str]) -> bool:
    """Whether a target is told of an alert. `namespaces`: those that its events are in; none where they are in none."""
    if _RANK[alert.severity] < _RANK[Severity(target.severity)]:
        return False
    if target.sources and alert.source_id not in target.sources:
        return False
    if target.rules and alert.rule_id not in target.rules:
        return False
    return not target.namespaces or any(
        fnmatchcase(one, pattern) for one in namespaces for pattern in target.namespaces
    )


def is_urgent(target: NotifyTarget, severity: Severity) -> bool:
    """Whether an alert of this severity waits for no quiet hour to end and for no digest."""
    return target.urgent != "never" and _RANK[severity] >= _RANK[Severity(target.urgent)]


def is_quiet(target: NotifyTarget, now: datetime) -> bool:
    """Whether it is a quiet hour there; equal ends are no quiet hour."""
    first, last = target.quiet_from, target.quiet_until
    if first is None or last is None:
        return False
    clock = now.astimezone(ZoneInfo(target.time_zone)).time()
    return first <= clock < last if first <= last else clock >= first or clock < last


def is_due(target: NotifyTarget, severity: Severity, made_at: datetime, now: datetime) -> bool:
    """Whether what became known at `made_at` is to be sent now."""
    if is_urgent(target, severity):
        return True
    if is_quiet(target, now):
        return False
    return target.delivery == "at-once" or made_at < last_digest(target, now)


def last_digest(target: NotifyTarget, now: datetime) -> datetime:
    """The last moment by `now` at which a digest was due."""
    zone = ZoneInfo(target.time_zone)
    today = now.astimezone(zone).date()
    moments = [
        datetime.combine(today - timedelta(days=back), target.digest_at, zone).astimezone(UTC) for back in (0, 1)
    ]
    return next((moment for moment in moments if moment <= now), moments[-1])


def retry_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: a minute, then twice as long each time, an hour at most."""
    doublings: int = min(max(failures - 1, 0), 10)
    return min(_LAST_RETRY, _FIRST_RETRY * (1 << doublings))
