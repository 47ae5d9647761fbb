"""Visits: when a person last read the pages, to tell what is new since then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from quayledger.reports import formatting
from quayledger.reports.desk.alerts import Alert
from quayledger.reports.desk.preferences import keep_preference, read_preference
from quayledger.reports.desk.store import Desk

_NAME = "last-visits"
# Who comes back within this time is still on the same visit.
VISIT = timedelta(minutes=30)


class SinceVisit(msgspec.Struct, frozen=True):
    """What is new: alerts that were raised, and of older ones those with new events. `since` aware, UTC."""

    since: datetime
    raised: int
    grown: int

    @property
    def text(self) -> str:
        """In a sentence."""
        if not self.raised and not self.grown:
            return f"Nothing new since {formatting.moment(self.since)}."
        parts = [formatting.plural(self.raised, "new alert")] if self.raised else []
        parts += [f"{formatting.plural(self.grown, 'older alert')} changed"] if self.grown else []
        return f"Since {formatting.moment(self.since)}: {', '.join(parts)}."


def begin_visit(desk: Desk, person: str, now: datetime) -> datetime | None:
    """Notes that a person is here, and gives when the visit before this one began (aware); None: this is the first. Raises
    DeskError."""
    before, _, current = (read_preference(desk, person, _NAME) or "").partition("|")
    if current and now - datetime.fromisoformat(current) < VISIT:
        return datetime.fromisoformat(before) if before else None
    keep_preference(desk, person, _NAME, f"{current}|{now.isoformat()}")
    return datetime.fromisoformat(current) if current else None


def news_since(found: Sequence[Alert], since: datetime) -> SinceVisit:
    """What of these alerts is new."""
    raised = [one for one in found if one.raised_at > since]
    return SinceVisit(since, len(raised), len([one for one in found if one.changed_at > since]) - len(raised))
