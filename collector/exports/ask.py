"""Export requests: asks a source for exports, waits for its callbacks, loads the files; decides when that is worthwhile.

A callback proves nothing. Its address is known to whoever reads the log, so only an export that was asked for counts, its file
must lie where files may lie, and the file's content and the count decide. A Quay may call several times, with several
statuses, and with a new file each time; others may call as often as they like. So the first file that is whole ends the wait,
and no other callback shortens it.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from math import ceil
from pathlib import Path
from typing import Literal

import msgspec

from quayledger.collector.exports.callbacks import Callback, CallbackAddress, CallbackRegistry
from quayledger.collector.exports.choice import EXPORT_REQUESTS, choose
from quayledger.collector.exports.download import (
    FileBlocked,
    FileLocation,
    FileLost,
    FileRefused,
    check_address,
    fetch,
    is_exported_by,
)
from quayledger.collector.exports.export_file import BadExport, ExpectedExport, ExportReader
from quayledger.collector.exports.export_scopes import ExportRequest, find_requests, namespaces
from quayledger.collector.exports.load_export import Load, Loaded, merge_days
from quayledger.collector.exports.preflight import preflight, rules_mark, storage_hint
from quayledger.collector.log.counts import PART_ERRORS
from quayledger.collector.log.days import windows
from quayledger.collector.log.landing import FOLDER
from quayledger.collector.log.scope_day import scope_days
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay.errors import ServerFailure, safe
from quayledger.collector.quay.exports import request_export
from quayledger.collector.quay.logs import PAGE_ROWS
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log.held_parts import user_namespaces
from quayledger.warehouse.log.staging import Staging

_SIDE_BY_SIDE = 4
_FETCH_TRIES = 3
_FETCH_PAUSE_S = 0.3
_ADDRESS_LIVES_ON = timedelta(minutes=5)
_REPORT_EVERY_S = 10.0
_MAX_FETCHES = 100  # of different addresses that callbacks name for one export
_EXPORTS_FOLDER = "exports"
_ASK_ERRORS = (*PART_ERRORS, ServerFailure)

State = Literal["loaded", "refused", "blocked", "unusable", "lost", "failed"]
# What tells most of an export that brought nothing; the same callback may come again with another status.
_TELLING: tuple[State, ...] = ("loaded", "refused", "blocked", "unusable", "lost", "failed")


class Outcome(msgspec.Struct, frozen=True):
    """How an export ended. refused: its file, which is surely this Quay's own, is no good, and asking again is of no use;
    blocked: our own settings do not allow to fetch what a callback named; unusable: what a callback named was no good; failed:
    the source would not; lost: nothing came in time. `loaded` is there for `loaded` only."""

    request: ExportRequest
    state: State
    reason: str = ""
    loaded: Loaded | None = None


class Exporter:
    """Exports of one source in one run."""

    def __init__(self, run: SourceRun, callbacks: CallbackRegistry) -> None:
        self._run, self._callbacks = run, callbacks
        self._rules = run.settings.callbacks
        self._side_by_side = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._loading = asyncio.Lock()  # one file at a time: each takes its memory
        self._files = 0
        self._loaded = 0
        self._in_vain: Outcome | None = None
        self._not_asked = 0

    async def fetch_all(self, requests: Sequence[ExportRequest]) -> list[Outcome]:
        """Asks, waits and loads, a few exports side by side. Where the first ones come to nothing, the others are not asked
        for. Raises QuayError where the whole source is in trouble, after the others have ended."""
        ended = await asyncio.gather(*(self._fetch_one(request) for request in requests), return_exceptions=True)
        if self._not_asked:
            self._run.state.notes.append(
                f"{self._not_asked} further export(s) were not asked for, because the first ones brought nothing"
            )
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome
        return [outcome for outcome in ended if isinstance(outcome, Outcome)]

    async def _fetch_one(self, request: ExportRequest) -> Outcome | None:
        async with self._side_by_side:
            if self._in_vain is not None and not self._loaded:
                self._not_asked += 1
                return None
            outcome = Outcome(request, "lost")
            for _ in range(self._rules.attempts):
                outcome = await self._attempt(request)
                if outcome.state != "lost":
                    break
            if outcome.loaded is None:
                self._in_vain = outcome
                await asyncio.to_thread(self._mark, outcome)
            else:
                self._loaded += 1
        self._note(outcome)
        return outcome

    async def _attempt(self, request: ExportRequest) -> Outcome:
        life = timedelta(minutes=self._rules.timeout_minutes)
        address = self._callbacks.open(life + _ADDRESS_LIVES_ON)
        try:
            export_id = await request_export(
                self._run.client, request.target.exported, request.days[0], request.days[-1], callback_url=address.url
            )
            return await self._wait(request, address, export_id, life.total_seconds())
        except _ASK_ERRORS as error:
            return Outcome(request, "failed", str(error))
        finally:
            self._callbacks.close(address)

    async def _wait(self, request: ExportRequest, address: CallbackAddress, export_id: str, seconds: float) -> Outcome:
        """The first callback with a whole file ends it. Any other may be forged, so the true one is waited for as if it had
        not come, and a little longer where it came late: Quay tries again after 300 s."""
        started = time.monotonic()
        deadline, last = started + seconds, started + seconds + 2 * self._rules.retry_seconds
        known: set[str] = set()  # what was looked at already: addresses, and other news
        outcome: Outcome | None = None
        while True:
            self._run.report("export", request.days[0])
            remaining = deadline - time.monotonic()
            callback = await address.next(min(remaining, _REPORT_EVERY_S))
            if callback is None:
                if remaining <= _REPORT_EVERY_S:
                    return outcome or Outcome(request, "lost", f"no callback came within {seconds / 60:.0f} minutes")
                continue
            if time.monotonic() > last:  # what has come by now is looked at, and nothing more
                self._callbacks.close(address)
            news = callback.exported_data_url or callback.status
            if is_foreign(callback, request, export_id) or news in known or len(known) > _MAX_FETCHES:
                continue
            known.add(news)
            found = await self._follow(request, export_id, callback)
            if found.state in ("loaded", "refused"):
                return found
            self._alert(found, deadline - time.monotonic())
            outcome = found if outcome is None else min(outcome, found, key=lambda one: _TELLING.index(one.state))
            deadline = min(last, max(deadline, time.monotonic() + self._rules.retry_seconds))

    async def _follow(self, request: ExportRequest, export_id: str, callback: Callback) -> Outcome:
        """Fetches what a callback names."""
        if callback.status != "success" or not callback.exported_data_url:
            return Outcome(request, "failed", f"the source's callback says {safe(callback.status)!r}")
        location: FileLocation | None = None
        try:
            location = check_address(callback.exported_data_url, self._run.source, self._rules)
            return Outcome(request, "loaded", loaded=await self._load(request, export_id, location))
        except FileBlocked as error:
            return Outcome(request, "blocked", str(error))
        except FileLost as error:
            return Outcome(request, "lost", str(error))
        except (BadExport, FileRefused) as error:
            is_surely_its_own = location is not None and is_exported_by(location, self._run.source, export_id)
            return Outcome(request, "refused" if is_surely_its_own else "unusable", str(error))

    async def _load(self, request: ExportRequest, export_id: str, location: FileLocation) -> Loaded:
        """Tries a few times: the address lives for an hour. What is not named as Quay names its exports is tried once."""
        for left in reversed(range(_FETCH_TRIES if export_id in location.url else 1)):
            try:
                async with self._loading, asyncio.timeout(self._rules.timeout_minutes * 60):
                    return await self._load_once(request, export_id, location)
            except (FileLost, TimeoutError) as error:
                if not left:
                    raise FileLost(str(error) or f"the export file on {location.shown} did not come in time") from None
            await asyncio.sleep(_FETCH_PAUSE_S)
        raise FileLost(f"the export file on {location.shown} cannot be fetched")

    async def _load_once(self, request: ExportRequest, export_id: str, location: FileLocation) -> Loaded:
        run, target = self._run, request.target
        wanted = ExpectedExport(
            export_id, target.exported.namespace, target.repository, request.days[0], request.days[-1]
        )
        self._files += 1
        with Staging(self._folder / f"{run.run_id}-{self._files}") as staging:
            reader = ExportReader(wanted, is_user=self._is_user(request))
            load = Load(run, target, staging, method="export")

            def take(piece: bytes | None) -> None:
                for block in reader.close() if piece is None else reader.feed(piece):
                    load.stage(block, request.days)

            async for piece in fetch(location, run.source, self._rules):
                await asyncio.to_thread(take, piece)
            await asyncio.to_thread(take, None)
            return await merge_days(run, load, target, staging, request.days)

    def _is_user(self, request: ExportRequest) -> bool:
        run, exported = self._run, request.target.exported
        return exported.kind == "user" or exported.namespace in user_namespaces(
            run.ledger, run.source_id, request.days[0]
        )

    def _mark(self, outcome: Outcome) -> None:
        """Records the export as void, by which the source is left alone for a while."""
        reason = f"{outcome.state}: {outcome.reason} [{rules_mark(self._run.settings, self._run.source)}]"
        with Staging(self._folder / "void") as staging:
            load = Load(self._run, outcome.request.target, staging, method="export")
            for day in outcome.request.days:
                load.void(day, reason)

    @property
    def _folder(self) -> Path:
        return self._run.ledger.home / FOLDER / _EXPORTS_FOLDER / self._run.source_id

    def _alert(self, outcome: Outcome, seconds: float) -> None:
        """Says at once what a callback brought, because a person may be waiting who can mend it."""
        until = self._run.now() + timedelta(seconds=max(0.0, seconds))
        self._run.state.alert = (
            f"the export of {outcome.request.target.exported.text} is {outcome.state} so far: {outcome.reason}. Another callback "
            f"is waited for until {until:%H:%M:%S} UTC"
        )
        self._run.report("export", outcome.request.days[0])

    def _note(self, outcome: Outcome) -> None:
        request, notes = outcome.request, self._run.state.notes
        span = f"{request.days[0]}" if len(request.days) == 1 else f"{request.days[0]} to {request.days[-1]}"
        if outcome.loaded is None:
            notes.append(f"{span}: the export of {request.target.exported.text} is {outcome.state}: {outcome.reason}")
            return
        notes.append(
            f"{span}: the export of {request.target.exported.text} brought {outcome.loaded.new_events} new events"
        )
        notes.extend(f"{day}: {reason}" for day, reason in outcome.loaded.left_out.items())


def is_foreign(callback: Callback, request: ExportRequest, export_id: str) -> bool:
    """Whether a callback is of another export than this one, by what it says itself."""
    exported = request.target.exported
    return (callback.export_id, callback.namespace, callback.repository) != (
        export_id,
        exported.namespace,
        request.target.repository,
    )


async def export_days(
    run: SourceRun, callbacks: CallbackRegistry, days: Iterable[date], *, fell_short: bool
) -> list[Outcome]:
    """Exports what closed days lack, where the settings allow it and it is worth its cost. `fell_short`: pages were read
    already and did not bring all. Raises QuayError where the whole source is in trouble; the days are not judged here."""
    requests: list[ExportRequest] = []
    by_scope: dict[Scope, dict[date, dict[str, int]]] = {}
    for day, parts in scope_days(run, [day for day in days if run.is_over(day)]).items():
        for part in parts:
            if part.lacking and not part.unavailable:
                by_scope.setdefault(part.scope, {})[day] = part.lacking
    if not by_scope or run.source.exports == "off" or (run.source.exports == "repair" and not fell_short):
        return []
    if reason := await preflight(run, callbacks):
        run.state.notes.append(f"no export is asked for: {reason}")
        return []
    shutil.rmtree(
        run.ledger.home / FOLDER / _EXPORTS_FOLDER / run.source_id, ignore_errors=True
    )  # of a run that was cut off
    names = await namespaces(run.client) if any(scope.kind == "superuser" for scope in by_scope) else []
    for scope, lacking_days in by_scope.items():
        for first, last in windows(lacking_days):
            within = {day: kinds for day, kinds in lacking_days.items() if first <= day <= last}
            requests += await _worth_asking(run, scope, within, names, fell_short=fell_short)
    if requests and (hint := storage_hint(run)):
        run.state.alert = hint
    return await Exporter(run, callbacks).fetch_all(requests)


async def _worth_asking(
    run: SourceRun, scope: Scope, lacking: dict[date, dict[str, int]], names: list[str], *, fell_short: bool
) -> list[ExportRequest]:
    pages = sum(ceil(sum(kinds.values()) / PAGE_ROWS) for kinds in lacking.values())
    counts = len(names) if scope.kind == "superuser" else 0
    least = choose(run.source.exports, pages=pages, exports=1, counts=counts, fell_short=fell_short)
    if least.method == "pages":
        return []
    # Up to a page of rows, pages lose nothing; and before pages were tried, they are to be the dearer way.
    least_pages = len(lacking) + 1 if fell_short else EXPORT_REQUESTS + 1
    requests = await find_requests(run, scope, lacking, names, least_pages=least_pages)
    choice = choose(run.source.exports, pages=pages, exports=len(requests), fell_short=fell_short)
    return requests if choice.method == "export" else []
