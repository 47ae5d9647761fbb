"""A run on one source: what every step shares (frozen), and what the steps learn on the way (`RunState`).

The steps themselves are functions in the modules beside this one.
"""

from __future__ import annotations

import asyncio
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

CLOCK_TOLERANCE = timedelta(seconds=5)

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
    unusable_counts: dict[SliceKey, str] = field(default_factory=dict)  # counts that cannot be true
    oldest_counted_day: date | None = None  # with a row, of those that this run counted
    looked_back_to: date | None = None  # no row is older than the oldest and younger than this day
    resumable: dict[SliceKey, LandingFile] = field(default_factory=dict)  # chains to read on where they ended
    join_tokens: dict[SliceKey, str] = field(default_factory=dict)  # where a chain of an open day ended
    skipped_rows: dict[SliceKey, int] = field(default_factory=dict)  # that this run's look at an open day missed
    notes: list[str] = field(default_factory=list)
    alert: str = ""  # what somebody who waits should read at once, not only at the end
    progress: RunProgress = field(default_factory=RunProgress)
    pages_read: int = 0
    days_without_a_page: int = 0  # in a row that failed while no page at all could be read
    most_repair: int | None = None  # requests for a day's repair, where exports follow that are cheaper from there on
    namespaces_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
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
    host_now: Callable[[], datetime] = utc_now
    report: Callable[[str, date | None], None] = _report_nothing
    days_named: bool = False
    state: RunState = field(default_factory=RunState)

    def now(self) -> datetime:
        """The time by the source's clock (aware UTC), once it has answered: it stamps its rows, so it decides when a day is
        over. Differences of a few seconds are not told apart from the time that a reply takes."""
        host, server = self.host_now(), self.client.server_now()
        return host if server is None or abs(server - host) <= CLOCK_TOLERANCE else server

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
