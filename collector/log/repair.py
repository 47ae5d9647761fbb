"""Repair: splits a day that one chain could not read completely into parts; each is counted, and read where events are missing.

Quay skips rows where a page ends between two of the same stamp (its page token says a time, not a row). A narrower list ends
its pages elsewhere, so it brings rows that the wider one skipped. Cheapest first: each part is counted (one request) before it
is read, and only parts that lack events of a missing kind are read, or split again. `docs/decisions/0006-repair.md` has the
steps and their reasons.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from math import ceil

import msgspec

from quayledger.collector.log import landing
from quayledger.collector.log.day_parts import DayPart, children, held_of
from quayledger.collector.log.days import ONE_DAY
from quayledger.collector.log.normalise import DefaultNamespace, day_bounds_us
from quayledger.collector.log.page_chain import ChainGoal, ChainResult, read_chain
from quayledger.collector.log.readings import exceeds, held_key_counts, merge_chain, reading_of, tally_of
from quayledger.collector.log.scope_day import ScopeDay, missing
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.log.stitch import StitchedRows, StretchStart, TokenWatch, stitch
from quayledger.collector.quay import logs, superuser
from quayledger.collector.quay.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    QuayError,
    ServerFailure,
    UnusableCount,
    is_page_failure,
)
from quayledger.collector.quay.logs import PAGE_ROWS
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log import repairs, slices
from quayledger.warehouse.log.held_parts import HeldPart, held_parts, user_namespaces

_MOST_LATER_DAYS = 2
_MOST_STRETCHES = 3  # requests a page of rows that stitching may take
REQUESTS_A_MISSING_PAGE = 5  # counts, pages and stitching that a page of missing rows takes; measured: 2 to 5
_LONGEST_REPAIR_S = 3600  # of the source's budget, for one day in one run
_MOST_FAILURES = (
    5  # lists in a row that cannot be read, while none can: then the server is in trouble, not a page of it
)
# A part that the server does not know (any more) is left out; the rest goes on.
_GONE = (Forbidden, NotFound, BadRequest, UnusableCount)


def repair_limit(setting: int, lacking_events: int, requests_per_second: float) -> int:
    """Requests that the repair of one day may take in one run: as many as are set (0: none), and more where more is missing,
    up to an hour of the source's budget. What is left then goes on at the next run. Pure."""
    pages = ceil(lacking_events / PAGE_ROWS)
    needed = min(REQUESTS_A_MISSING_PAGE * pages, int(requests_per_second * _LONGEST_REPAIR_S))
    return max(setting, needed) if setting else 0


class Repair:
    """The repair of one scope's part of one day, within a number of requests. It goes on where an earlier run's ended, and asks
    nothing again that brought nothing, as long as the day's count is the same.

    Of a day that is not over, only what lies below the newest held row is repaired; rows that came since are not lost."""

    def __init__(self, run: SourceRun, whole: ScopeDay, most_requests: int) -> None:
        self._run, self._whole = run, whole
        self._day, self._scope = whole.day, whole.scope
        self._left = most_requests
        self._settle = None if run.is_over(whole.day) else run.settle
        self._users = user_namespaces(run.ledger, run.source_id, whole.day)
        self._later_rows = 0
        self._stubborn: list[tuple[DayPart, dict[str, int]]] = []
        self._starts: list[StretchStart] = []
        self._blocked: dict[
            DayPart, int
        ] = {}  # where the server could not give the next page: the oldest stamp above it
        self._pages_read = self._failures = 0
        self._before = repair_before(run, whole)
        self._parts = (
            repairs.repair_parts(run.ledger, run.source_id, whole.day, whole.scope.text) if self._before else {}
        )
        self._parts_before = len(self._parts)
        self.requests = 0

    async def mend(self) -> ScopeDay:
        """The day as it is held afterwards. Raises QuayError where the whole source is in trouble."""
        lacking = sum(self._lacking.values())
        is_through = False
        try:
            await self._mend()
            is_through = self._left > 0
        finally:
            self._record(lacking, is_through=is_through)
        return self._whole

    async def mend_namespaces(self, names: Iterable[str]) -> ScopeDay:
        """The same for the events of some namespaces alone, by their own lists."""
        for name in names:
            if self._left <= 0 or not self._lacking:
                break
            await self._mend_part(DayPart(Scope("organization", name)), self._whole.counted_events)
        return self._whole

    async def _mend(self) -> None:
        await self._split(DayPart(self._scope), self._lacking, self._whole.counted_events)
        if self._lacking and self._scope.kind == "superuser":
            await self._unseen_namespaces()
        await self._stitch()
        await self._shift()
        # What no part holds (rows of a purged namespace, for one) only the whole list can bring.
        self._stubborn = [(DayPart(self._scope), self._whole.counted or {})]
        await self._stitch()

    def _record(self, lacking_before: int, *, is_through: bool) -> None:
        """Keeps how far the repair came. Of an open day nothing is kept: its count grows meanwhile."""
        run, whole, lacking = self._run, self._whole, sum(self._lacking.values())
        if self._settle is not None:
            return
        if not lacking:
            repairs.forget_repair(run.ledger, run.source_id, whole.day, whole.scope.text)
            return
        before, brought = self._before, lacking_before - lacking
        # A run that neither brought an event nor saw a new part would do the same again.
        is_through = is_through or not (brought or len(self._parts) > self._parts_before)
        each = self.requests / brought if brought else REQUESTS_A_MISSING_PAGE / PAGE_ROWS
        row = repairs.RepairRow(
            source_id=run.source_id,
            day=whole.day,
            scope=whole.scope.text,
            state="exhausted" if is_through else "waiting",
            counted_events=whole.counted_events,
            lacking_events=lacking,
            requests=self.requests + (before.requests if before else 0),
            brought_events=brought + (before.brought_events if before else 0),
            remaining_requests=0 if is_through else ceil(lacking * each),
            reason=self._obstacles(),
            updated_at=run.now(),
        )
        repairs.record_repair(run.ledger, row, self._parts.values())

    def _obstacles(self) -> str:
        """What could not be read, in words."""
        if not self._blocked:
            return self._before.reason if self._before else ""
        lists = sorted(part.text for part in self._blocked)
        more = f" and {len(lists) - 3} more" if len(lists) > 3 else ""
        return f"the server cannot give a page of {', '.join(lists[:3])}{more}: it holds a row that the server fails on"

    @property
    def _lacking(self) -> dict[str, int]:
        """By kind, what the cover's scope counts beyond what is held now."""
        return self._whole.lacking

    async def _split(self, part: DayPart, lacking: Mapping[str, int], rows: int) -> None:
        for child in children(part, self._held(), lacking):
            if self._left <= 0 or not self._lacking:
                return
            await self._mend_part(child, rows)

    def _held(self) -> list[HeldPart]:
        return held_parts(self._run.ledger, self._run.source_id, self._day, self._scope.text)

    async def _mend_part(self, part: DayPart, of_rows: int) -> None:
        """Counts one part; reads it where it lacks what is missing; splits it where reading does not bring all.

        A part that holds most of what the wider one held (`of_rows`) would lose as much: it is split at once."""
        if (known := self._parts.get(part.text)) is not None:
            await self._mend_known(part, known)
            return
        counted = await self._count(part)
        if counted is None or not (lacking := self._lacking_of(part, counted)):
            self._note(part, "gone" if counted is None else "whole", counted or {})
            return
        rows = sum(counted.values())
        narrower = children(part, self._held(), lacking)
        if not narrower or rows * 2 <= of_rows or rows <= PAGE_ROWS:
            if not await self._read(part, counted, lacking):
                self._note(part, "gone", counted)
                return
            lacking = self._lacking_of(part, counted)
        self._note(part, "lossy" if lacking else "whole", counted)
        if lacking:
            await self._split(part, lacking, rows)
            self._stubborn.append((part, counted))

    async def _mend_known(self, part: DayPart, known: repairs.PartRow) -> None:
        """A part that an earlier run dealt with: only what lies within it may still be read."""
        if known.outcome == "lossy" and (lacking := self._lacking_of(part, known.counted)):
            await self._split(part, lacking, sum(known.counted.values()))
            self._stubborn.append((part, known.counted))

    def _note(self, part: DayPart, outcome: repairs.PartOutcome, counted: dict[str, int]) -> None:
        self._parts[part.text] = repairs.PartRow(part.text, outcome, counted)

    async def _stitch(self) -> None:
        """Reads what still lacks events once more, in stretches that begin where tokens of other lists point."""
        for part, counted in sorted(self._stubborn, key=lambda item: sum(item[1].values())):
            lacking = self._lacking_of(part, counted)
            if self._left <= 0 or not self._starts:
                return
            if lacking:
                await self._stitch_part(part, sum(counted.values()), lacking)

    async def _stitch_part(self, part: DayPart, rows: int, lacking: dict[str, int]) -> None:
        run, day = self._run, self._day
        header = landing.ChainHeader(
            run.source_id, self._scope.text, f"{part.text} stitched", day, run.run_id, run.now()
        )
        joined = StitchedRows(held_key_counts(run, self._whole))
        default = DefaultNamespace.of(part.scope, user_namespaces=self._users)
        most = min(self._left, _MOST_STRETCHES * (rows // PAGE_ROWS + 2))
        fetch = self._fetch(part, None)
        requests, error = self.requests, None
        try:
            await stitch(fetch, self._starts, joined, lacking, self._bounds(), default, most, self._blocked.get(part))
        except QuayError as trouble:
            error = trouble
        result = ChainResult(
            joined.events, [], self.requests - requests, "stitched", dict(joined.new_by_kind), {}, "", error
        )
        self._keep(header, result)
        self._ended(part, result)

    def _bounds(self) -> tuple[int, int]:
        """Where the rows lie that are stitched: the day, or what of it is settled."""
        start, end = day_bounds_us(self._day)
        if self._settle is not None:
            held = held_key_counts(self._run, self._whole)
            end = max((key[0] for key in held), default=start)
        return start, end

    async def _shift(self) -> None:
        """Reads what still lacks events once more in a longer window: the rows of later days shift where its pages end. Where
        they are a multiple of a page, nothing shifts, and nothing is gained."""
        if self._settle is not None:
            return
        for later_days in range(1, _MOST_LATER_DAYS + 1):
            for part, _ in sorted(self._stubborn, key=lambda item: sum(item[1].values())):
                if self._left <= 0 or not self._lacking:
                    return
                shifted = msgspec.structs.replace(part, later_days=later_days)
                counted = await self._count(shifted)
                if counted is None or self._later_rows % PAGE_ROWS == 0:
                    continue
                if lacking := self._lacking_of(part, counted):
                    await self._read(shifted, counted, lacking)

    def _lacking_of(self, part: DayPart, counted: Mapping[str, int]) -> dict[str, int]:
        held = self._held()
        wanted = self._lacking
        return {kind: number for kind, number in missing(counted, held_of(part, held)).items() if kind in wanted}

    async def _count(self, part: DayPart) -> dict[str, int] | None:
        """None where the server does not know the part."""
        self._spend(1)
        last = self._day + part.later_days * ONE_DAY
        try:
            counts = await logs.aggregate_logs(
                self._run.client, part.scope, self._day, last, performer=part.performer or None, purpose="repair"
            )
        except _GONE:
            return None
        self._later_rows = sum(sum(kinds.values()) for day, kinds in counts.items() if day != self._day)
        return counts[self._day]

    async def _read(self, part: DayPart, counted: Mapping[str, int], lacking: dict[str, int]) -> bool:
        """Reads one part and merges it. False where the server cannot list it: a performer that is gone gives a 500, and
        its count then counted everybody."""
        run, day = self._run, self._day
        header = landing.ChainHeader(run.source_id, self._scope.text, part.text, day, run.run_id, run.now())
        log = landing.LandingFile.begin(run.ledger.home, header)

        watch = TokenWatch()
        fetch = self._fetch(part, watch)
        goal = ChainGoal(lacking, sum(counted.values()) + self._later_rows, self._settle, later_days=part.later_days)
        try:
            default = DefaultNamespace.of(part.scope, user_namespaces=self._users)
            result = await read_chain(fetch, log, goal, tally_of(run, self._whole, lacking), default)
            self._keep(header, result)
        finally:
            log.close()
        log.remove()
        self._starts += watch.starts
        return self._ended(part, result)

    def _ended(self, part: DayPart, result: ChainResult) -> bool:
        """Whether the server knows the part. Raises what ended its list, unless it can be gone round."""
        error = result.error
        if error is None:
            return True
        if isinstance(error, _GONE) or (part.performer and isinstance(error, ServerFailure) and not result.requests):
            return False
        if not is_page_failure(error):
            raise error
        self._failures += 1
        if not self._pages_read and self._failures >= _MOST_FAILURES:
            raise error
        self._blocked[part] = min((event.occurred_at for event in result.events), default=self._bounds()[1])
        return True

    def _fetch(self, part: DayPart, watch: TokenWatch | None) -> Callable[[str | None], Awaitable[logs.LogPage]]:
        run, day, last = self._run, self._day, self._day + part.later_days * ONE_DAY

        async def fetch(token: str | None) -> logs.LogPage:
            self._spend(1)
            page = await logs.list_logs(
                run.client, part.scope, day, last, next_page=token, performer=part.performer or None, purpose="repair"
            )
            run.report("repair", day)
            self._pages_read += 1
            run.state.pages_read += 1
            if watch is not None:
                watch.see(page)
            return page

        return fetch

    def _keep(self, header: landing.ChainHeader, result: ChainResult) -> None:
        """Merges what a part brought, unless a closed day would then hold more than is counted."""
        run = self._run
        reading = reading_of(header, result, run.now())
        if self._settle is None and exceeds(result, self._whole.not_held):
            slices.record_void(run.ledger, reading, "brought more than the day lacks: rows were given twice")
        else:
            merged = merge_chain(run, reading, result)
            run.state.progress.events_new += merged.new_events
            self._whole = self._whole.after(merged)

    async def _unseen_namespaces(self) -> None:
        """Namespaces of which nothing is held at all on this day: only the registry's own lists name them."""
        held = self._held()
        known = {one.namespace for one in held}
        for name in await self._namespaces():
            if self._left <= 0 or not self._lacking:
                return
            if name not in known:
                await self._mend_part(DayPart(Scope("organization", name)), self._whole.counted_events)

    async def _namespaces(self) -> list[str]:
        before = self._run.client.meter.requests
        try:
            organizations = await superuser.list_organizations(self._run.client, purpose="repair")
            users = await superuser.list_users(self._run.client, purpose="repair")
        except _GONE:
            return []
        finally:
            self._spend(self._run.client.meter.requests - before)
        self._users |= {one.username for one in users}
        return [one.name for one in organizations] + [one.username for one in users]

    def _spend(self, requests: int) -> None:
        self._left -= requests
        self.requests += requests


def repair_before(run: SourceRun, whole: ScopeDay) -> repairs.RepairRow | None:
    """How far an earlier run's repair came, where the day's count is still the same."""
    row = repairs.repair_of(run.ledger, run.source_id, whole.day, whole.scope.text)
    return row if row is not None and row.counted_events == whole.counted_events else None
