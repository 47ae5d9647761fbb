"""A run on one source: what every step shares (frozen), and what the steps learn on the way (`RunState`).

The steps themselves are functions in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from quayledger.collector.log.cover import cover_of
from quayledger.collector.log.days import ONE_DAY, day_start, is_over, utc_now
from quayledger.collector.log.landing import LandingFile
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import QuayError
from quayledger.collector.quay.scopes import Scope
from quayledger.settings import Settings, SourceSettings
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.sources import CoverRow

SliceKey = tuple[date, str]  # a UTC day and the text of a scope


@dataclass
class RunProgress:
    """How far the run is; read at any time by whoever shows progress."""

    days_total: int = 0
    days_done: int = 0
    days_read: int = 0
    events_new: int = 0
    events_expected: int = 0
    open_rows_per_second: float = 0.0  # of the newest page of an open day
    open_rows_lost: int = 0  # rows of an open day that the source counts and paging skipped


@dataclass
class RunState:
    """What changes while a run goes on. One thread at a time writes to each field."""

    covers: tuple[CoverRow, ...] = ()
    refused: dict[SliceKey, str] = field(default_factory=dict)  # why a scope cannot be read on a day
    newest_refusal: QuayError | None = None
    resumable: dict[SliceKey, LandingFile] = field(default_factory=dict)  # chains to read on where they ended
    join_tokens: dict[SliceKey, str] = field(default_factory=dict)  # where a chain of an open day ended
    skipped_rows: dict[SliceKey, int] = field(default_factory=dict)  # that this run's look at an open day missed
    notes: list[str] = field(default_factory=list)
    progress: RunProgress = field(default_factory=RunProgress)
    failed_days: int = 0
    is_stopping: bool = False
    published_at: float = 0.0  # monotonic seconds


def _report_nothing(stage: str, day: date | None) -> None:
    """For a run that nobody watches."""


@dataclass(frozen=True)
class SourceRun:
    """One source in one run. `days_named`: somebody asked for these days, so what was tried a while ago is tried again."""

    ledger: Ledger
    settings: Settings
    source_id: str
    source: SourceSettings
    client: QuayClient
    run_id: int
    now: Callable[[], datetime] = utc_now
    report: Callable[[str, date | None], None] = _report_nothing
    days_named: bool = False
    state: RunState = field(default_factory=RunState)

    @property
    def settle(self) -> timedelta:
        """Rows younger than this are left for a later run."""
        return timedelta(seconds=self.settings.collect.settle_seconds)

    def scopes(self, day: date) -> tuple[Scope, ...]:
        """The scopes of the cover in force on a day; none before the first cover."""
        row = cover_of(day, self.state.covers)
        return tuple(Scope.parse(text) for text in row.scopes) if row else ()

    def is_over(self, day: date) -> bool:
        """Whether the day, with its grace for late rows, has ended."""
        return is_over(day, self.now(), self._grace)

    def over_at(self, day: date) -> datetime:
        """When the day, with its grace, ended or will end."""
        return day_start(day) + ONE_DAY + self._grace

    @property
    def _grace(self) -> timedelta:
        return timedelta(minutes=self.settings.collect.grace_minutes)
