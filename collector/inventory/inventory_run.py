"""An inventory run on one source: what its queries share (frozen), and what they learn on the way."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quayledger.collector.inventory.due import LastFetch
from quayledger.collector.log.days import utc_now
from quayledger.collector.quay.client import QuayClient
from quayledger.settings import InventorySettings, SourceSettings
from quayledger.warehouse.catalog.queries import EVERYWHERE, QUERY, all_in, all_of, namespace_of, repository_of
from quayledger.warehouse.ledger import Ledger

# So many targets of a namespace that refuse a query, and none that answers it, speak for the others.
REFUSALS_THAT_SPEAK = 3


@dataclass
class Allowance:
    """What a run may spend: requests and seconds; None: as many as there are queries to do."""

    requests: int | None = None
    seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def is_spent(self, requests: int) -> bool:
        """Whether nothing more may be asked."""
        if self.requests is not None and requests >= self.requests:
            return True
        return self.seconds is not None and self.clock() - self.began >= self.seconds


@dataclass
class Refusals:
    """Who refused what, so that not every target is asked for a right that the token has not. `access`: superuser | other;
    only a superuser's refusal by some organizations speaks for the others: any other token may administer just one. One
    manifest speaks for its repository, some repositories for their namespace."""

    access: str = "other"
    refused: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    answered: set[tuple[str, str]] = field(default_factory=set)
    barred: set[tuple[str, str]] = field(default_factory=set)  # (query, target of the note)

    def note(self, query: str, target: str, state: str) -> list[str]:
        """Notes how a query ended; gives the targets of notes about others, where some are due now."""
        whole, wide = self._places(query, target)
        if state in ("ok", "partial"):
            self.answered |= {(query, whole), (query, wide)}
        found = []
        if state == "not_offered":
            found.append(EVERYWHERE)
        if state == "refused" and QUERY[query].level != "registry":
            if whole != target and (query, whole) not in self.answered:
                found.append(whole)
            refused = self.refused[query, wide]
            refused.add(whole)
            if len(refused) >= REFUSALS_THAT_SPEAK and (query, wide) not in self.answered:
                found.append(wide)
        new = [place for place in found if (query, place) not in self.barred]
        self.barred.update((query, place) for place in new)
        return new

    def bars(self, query: str, target: str) -> bool:
        """Whether asking would be of no use."""
        whole, wide = self._places(query, target)
        return any(
            (query, place) in self.barred and (query, place) not in self.answered
            for place in ({whole} - {target}) | {wide, EVERYWHERE}
        )

    def _places(self, query: str, target: str) -> tuple[str, str]:
        """What a target speaks for by itself, and together with others of its kind."""
        level = QUERY[query].level
        if level in ("manifest", "tag"):
            return all_in(repository_of(target)), all_of(namespace_of(target))
        if level in ("organization", "user"):
            return target, EVERYWHERE if self.access == "superuser" else target
        return target, all_of(namespace_of(target))


@dataclass
class FetchTally:
    """How far a run is; read at any time by whoever shows progress."""

    fetches_total: int = 0
    fetches_done: int = 0
    states: Counter[str] = field(default_factory=Counter)
    opened: int = 0
    changed: int = 0
    closed: int = 0
    points: int = 0
    rejected_rows: int = 0
    failures_in_a_row: int = 0
    by_why: Counter[str] = field(default_factory=Counter)


@dataclass
class InventoryRun:
    """One source in one run. `access`: superuser | other; `username`: the token's own user, '' where it may not be known."""

    ledger: Ledger
    settings: InventorySettings
    source_id: str
    source: SourceSettings
    client: QuayClient
    run_id: int
    allowance: Allowance
    began_at: datetime
    now: Callable[[], datetime] = utc_now
    tell: Callable[[], None] = lambda: None
    access: str = "other"
    username: str = ""
    known: dict[tuple[str, str], LastFetch] = field(default_factory=dict)
    refusals: Refusals = field(default_factory=Refusals)
    tally: FetchTally = field(default_factory=FetchTally)
    notes: list[str] = field(default_factory=list)

    @property
    def period(self) -> timedelta:
        """How long a whole round takes."""
        return timedelta(days=self.settings.period_days)

    @property
    def is_spent(self) -> bool:
        """Whether the run may ask no more."""
        return self.allowance.is_spent(self.client.meter.requests)
