"""Targets of notifications as people see them: what each takes and how it stands with it, and never its URL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from quayledger.reports.delivery import apprise_sender, routes
from quayledger.reports.desk import outbox
from quayledger.reports.desk.store import Desk
from quayledger.reports.errors import ReportError
from quayledger.reports.formatting import visible
from quayledger.settings import NotifyTarget, Settings, SettingsError


class UnknownTarget(ReportError):
    """There is no target of that id; the text names those that there are."""


class NotTaken(Exception):
    """Targets did not take a message; the text names them."""


class TargetLine(msgspec.Struct, frozen=True):
    """One target. `service`: what its URL leads to; `takes`: which alerts and when, in words; `waiting`, `sent`: alerts;
    `failures`: tries in a row that failed, with what the last one said. Times are aware UTC."""

    target: str
    service: str
    takes: str
    waiting: int
    sent: int
    failures: int
    last_sent_at: datetime | None
    last_failure: str
    next_try_at: datetime | None


def chosen_targets(settings: Settings, wanted: Sequence[str]) -> list[str]:
    """The ids that are wanted; all where none is named. Raises UnknownTarget, also where there is no target at all."""
    known = ", ".join(settings.notify) or "none; docs/notifications.md says how to set one"
    for one in wanted:
        if one not in settings.notify:
            raise UnknownTarget(f"There is no target '{visible(one[:60])}'. Targets: {known}.")
    if not settings.notify:
        raise UnknownTarget(f"There is no target. Targets: {known}.")
    return list(dict.fromkeys(wanted)) or list(settings.notify)


def target_lines(desk: Desk, settings: Settings) -> list[TargetLine]:
    """Every target that is set, then those that are set no more and still have something waiting. Raises DeskError."""
    lines = [_line(desk, target_id, target) for target_id, target in settings.notify.items()]
    gone = sorted(outbox.targets_waiting(desk) - settings.notify.keys())
    return [*lines, *(_line(desk, target_id, None) for target_id in gone)]


def _line(desk: Desk, target_id: str, target: NotifyTarget | None) -> TargetLine:
    state = outbox.target_state(desk, target_id)
    ended = state.last.ended_at if state.last is not None and state.reason else None
    return TargetLine(
        target_id,
        _service(target_id, target),
        "not set any more" if target is None else _takes(target),
        state.waiting,
        state.sent,
        state.failures,
        state.last_sent_at,
        state.reason,
        ended + routes.retry_after(state.failures) if ended is not None else None,
    )


def _service(target_id: str, target: NotifyTarget | None) -> str:
    if target is None:
        return "unknown"
    try:
        return apprise_sender.service_name(target.secret_url(target_id)) or "a URL that Apprise does not know"
    except SettingsError:
        return "no URL set"


def _takes(target: NotifyTarget) -> str:
    told = ["off"] if not target.enabled else []
    told.append(f"{target.severity} and above")
    for name in ("namespaces", "sources", "rules"):
        if chosen := getattr(target, name):
            told.append(f"{name} {', '.join(chosen)}")
    told.append("at once" if target.delivery == "at-once" else f"digest at {target.digest_at:%H:%M} {target.time_zone}")
    if target.quiet_from is not None and target.quiet_until is not None:
        told.append(f"quiet {target.quiet_from:%H:%M}-{target.quiet_until:%H:%M} {target.time_zone}")
    waits = target.delivery == "digest" or target.quiet_from is not None
    if waits and target.urgent != "never":
        told.append(f"{target.urgent} always at once")
    return ", ".join(told)
