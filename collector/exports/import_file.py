"""Import: loads export files that came by mail or were made by hand, plain or `.gz`; requests one by mail. I/O on files."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec

from quayledger.collector.errors import UnknownSource
from quayledger.collector.exports.export_file import BLOCK_BYTES, BadExport, ExpectedExport, ExportReader, Head
from quayledger.collector.exports.load_export import Load, Target
from quayledger.collector.log.cover import cover_of
from quayledger.collector.log.days import days_between, utc_now
from quayledger.collector.log.judging import judge_day
from quayledger.collector.log.landing import FOLDER
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.exports import request_export
from quayledger.collector.quay.scopes import Scope
from quayledger.settings import Settings, SourceSettings
from quayledger.warehouse import runs, sources
from quayledger.warehouse.errors import DamagedFile
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.held_parts import user_namespaces
from quayledger.warehouse.log.staging import Staging, TooMany

_GZIP = b"\x1f\x8b"
_ONE_DAY = timedelta(days=1)


class Imported(msgspec.Struct, frozen=True):
    """The result of an import. `days`: the UTC days that were merged; `left_out`: the other days of the file, with the reason;
    `scope`: the scope of the cover that the file is a reading of."""

    run_id: int
    head: Head
    scope: str
    rows: int
    new_events: int
    rejected_rows: int
    days: tuple[date, ...]
    left_out: dict[date, str]


def import_file(
    ledger: Ledger,
    settings: Settings,
    source_id: str,
    path: Path,
    *,
    command: str = "import",
    now: Callable[[], datetime] = utc_now,
) -> Imported:
    """Imports an export file of a source: every closed day of it that the source's cover includes. No event is stored twice,
    and no day gets more events than its source counted. Sends no request to the source.

    Raises BadExport for a file that is not a complete export, or of a namespace outside the cover; UnknownSource, SettingsError,
    OSError (the file cannot be read), WarehouseError."""
    source = settings.sources.get(source_id)
    if source is None:
        raise UnknownSource(
            f"there is no source {source_id} in the settings. Sources: {', '.join(sorted(settings.sources))}"
        )
    client = QuayClient(source_id, source)  # never connected: judging a day needs a run, not a connection
    run_id = runs.start_run(ledger, "import", command, now())
    run = SourceRun(ledger, settings, source_id, source, client, run_id, now)
    run.state.covers = sources.covers(ledger, source_id)
    outcome, message = "failed", ""
    try:
        imported = _Import(run, path).run()
        outcome = "done" if not imported.left_out else "incomplete"
    except (BadExport, OSError) as error:
        message = str(error)
        raise
    finally:
        runs.finish_run(ledger, run_id, now(), outcome, message, [])
    return imported


async def ask_by_mail(source_id: str, source: SourceSettings, scope: Scope, first: date, last: date, email: str) -> str:
    """Asks a source to mail the link to an export; returns the export's id. Raises QuayError, SettingsError, and
    ValueError for a scope that cannot be exported."""
    async with QuayClient(source_id, source) as client:
        return await request_export(client, scope, first, last, callback_email=email)


class _Import:
    """The import of one file."""

    def __init__(self, run: SourceRun, path: Path) -> None:
        self._run, self._path = run, path
        self._rejected = 0

    def run(self) -> Imported:
        run = self._run
        head = self._head()
        target = self._target(head)
        covered, past = _days(run, head, target)
        with Staging(run.ledger.home / FOLDER / "imports" / str(run.run_id)) as staging:
            load = Load(run, target, staging, method="file")
            self._stage(load, head, past)
            days = [day for day in past if day <= head.days[1] or staging.rows(day)]
            left_out = self._merge(load, head, days)
            rows = sum(staging.rows(day) for day in days)
        left_out |= {
            day: "the day was not over, or the source's cover did not include it" for day in covered if day not in past
        }
        merged = tuple(day for day in days if day not in left_out)
        return Imported(
            run.run_id, head, target.scope.text, rows, run.state.progress.events_new, self._rejected, merged, left_out
        )

    def _head(self) -> Head:
        reader = ExportReader(ExpectedExport())
        for piece in _pieces(self._path):
            for _ in reader.feed(piece):
                pass
            if reader.head is not None:
                return reader.head
        for _ in reader.close():
            pass
        raise BadExport(f"{self._path} is not an export file of Quay")

    def _target(self, head: Head) -> Target:
        """The scope of the cover that the file is a reading of."""
        cover = cover_of(head.start.date(), self._run.state.covers) or (
            self._run.state.covers[0] if self._run.state.covers else None
        )
        scopes = [Scope.parse(text) for text in cover.scopes] if cover else []
        name = f"{head.namespace}/{head.repository}" if head.repository else head.namespace
        for scope in scopes:
            if scope.name == name:
                return Target(scope, scope)
            if scope.kind == "superuser" or (scope.namespace == head.namespace and scope.kind != "repository"):
                return Target(scope, Scope("repository" if head.repository else "organization", name))
        known = ", ".join(scope.text for scope in scopes) or "nothing yet: run `quayledger sync` first"
        raise BadExport(
            f"{self._path} is an export of {name!r}, which is outside the cover of {self._run.source_id} ({known})"
        )

    def _stage(self, load: Load, head: Head, days: list[date]) -> None:
        reader = ExportReader(ExpectedExport(head.export_id), is_user=self._is_user(head, days))
        for piece in _pieces(self._path):
            for block in reader.feed(piece):
                load.stage(block, days)
                self._rejected += len(block.rejects)
        for block in reader.close():
            load.stage(block, days)
            self._rejected += len(block.rejects)

    def _is_user(self, head: Head, days: list[date]) -> bool:
        run = self._run
        if any(text == f"user:{head.namespace}" for cover in run.state.covers for text in cover.scopes):
            return True
        return any(head.namespace in user_namespaces(run.ledger, run.source_id, day) for day in days)

    def _merge(self, load: Load, head: Head, days: list[date]) -> dict[date, str]:
        run, left_out = self._run, {}
        for day in days:
            try:
                merged = load.merge(day, is_first=day == days[0], is_whole=day <= head.days[1])
            except DamagedFile as error:
                left_out[day] = str(error)
            except TooMany as error:
                left_out[day] = str(error)
                load.void(day, str(error))
            else:
                run.state.progress.events_new += merged.new_events
                if load.room(day) is not None:  # a day that was never counted is left to the next sync
                    judge_day(run, day)
        return left_out


def _days(run: SourceRun, head: Head, target: Target) -> tuple[list[date], list[date]]:
    """The days that the file covers, and those that can be imported. Quay adds one day at the end: its events are true, but
    at least the last moment of it is missing."""
    covered = list(days_between(head.days[0], head.days[1] + _ONE_DAY))
    return covered[:-1], [day for day in covered if run.is_over(day) and target.scope in run.scopes(day)]


def _pieces(path: Path) -> Iterator[bytes]:
    """The file's bytes, decompressed if it is gzipped. Raises BadExport for a broken gzip file."""
    with path.open("rb") as plain:
        packed = plain.read(2) == _GZIP
    with gzip.open(path, "rb") if packed else path.open("rb") as file:
        try:
            while piece := file.read(BLOCK_BYTES):
                yield piece
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BadExport(f"{path} is a broken gzip file ({error})") from None
