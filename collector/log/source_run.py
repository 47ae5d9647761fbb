"""A run on one source: what every step of it shares. The steps themselves are functions in the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from quayledger.collector.log.cover import cover_of
from quayledger.collector.log.days import ONE_DAY, day_start, is_over, utc_now
from quayledger.collector.log.landing import ChainLog
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import QuayError
from quayledger.collector.quay.scopes import Scope
from quayledger.settings import Settings, SourceSettings
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.sources import CoverRow


@dataclass
class Numbers:
    """How far the run is; read at any time by whoever shows progress."""

    days_total: int = 0
    days_done: int = 0
    days_read: int = 0
    events_new: int = 0
    events_expected: int = 0
    open_rows_per_second: float = 0.0  # of the newest page of an open day
    open_rows_lost: int = 0  # rows of an open day that the source counts and paging skipped


@dataclass
class SourceRun:
    """One source in one run: the parts it is done with, and what was learned on the way."""

    ledger: Ledger
    settings: Settings
    source_id: str
    source: SourceSettings
    client: QuayClient
    run_id: int
    now: Callable[[], datetime] = utc_now
    tell: Callable[[str, date | None], None] = lambda stage, day: None
    covers: tuple[CoverRow, ...] = ()
    refused: dict[tuple[date, str], str] = field(default_factory=dict)
    refusal: QuayError | None = None  # the newest of them
    left: dict[tuple[date, str], ChainLog] = field(default_factory=dict)
    joins: dict[tuple[date, str], str] = field(default_factory=dict)
    skipped: dict[tuple[date, str], int] = field(
        default_factory=dict
    )  # rows that this run's look at an open day missed
    notes: list[str] = field(default_factory=list)
    numbers: Numbers = field(default_factory=Numbers)
    again: bool = False  # the days were named: what was tried a while ago is tried again
    failed_days: int = 0
    stopping: bool = False
    published_at: float = 0.0

    @property
    def settle(self) -> timedelta:
        """Rows younger than this are left for a later run."""
        return timedelta(seconds=self.settings.collect.settle_seconds)

    def scopes(self, day: date) -> tuple[Scope, ...]:
        """The scopes of the cover in force on a day; none before the first cover."""
        row = cover_of(day, self.covers)
        return tuple(Scope.parse(text) for text in row.scopes) if row else ()

    def over(self, day: date) -> bool:
        """Whether the day, with its grace for late rows, has ended."""
        return is_over(day, self.now(), self._grace)

    def over_at(self, day: date) -> datetime:
        """When the day, with its grace, ended or will end."""
        return day_start(day) + ONE_DAY + self._grace

    @property
    def _grace(self) -> timedelta:
        return timedelta(minutes=self.settings.collect.grace_minutes)
