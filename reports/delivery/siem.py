"""Keeps a folder supplied with new events and alerts as OCSF, each exactly once.

The position (how far each day was written) lies in the folder itself. A file and the position after it come to be in four steps, each of
which either happened or did not: the whole file under a hidden name; the position after it, as the next one; the file under its
name; the next position as the position. Whoever starts after an end in between finishes what was begun, also where the file was
taken away meanwhile. Nothing is written twice and nothing is left out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from quayledger.reports.delivery.ocsf import OCSF_COLUMNS, Record, of_alert, of_events
from quayledger.reports.delivery.ocsf_files import RecordFile, open_file
from quayledger.reports.delivery.sole_process import sole_process
from quayledger.reports.desk import alerts
from quayledger.reports.desk.store import Desk
from quayledger.settings import SettingsError, SiemSettings
from quayledger.warehouse.durable_files import sync_folder, write_whole
from quayledger.warehouse.log import events
from quayledger.warehouse.log.event_stream import events_after, is_whole, ledger_id
from quayledger.warehouse.snapshot import Snapshot

ROWS_PER_FILE = 100_000
_POSITION, _NEXT, _LOCK = ".position.json", ".next.json", ".lock"
_SUFFIX = {"ocsf-jsonl": ".jsonl", "ocsf-parquet": ".parquet"}


class _Day(msgspec.Struct):
    """How far a day was written: how many events, and the highest number among them."""

    written: int = 0
    last_no: int = 0


class _Position(msgspec.Struct):
    """How far everything was written. `since`: the first day that is; `days`: by source and day; `change`: the last change of an
    alert; `file`: the file that this is the position after."""

    ledger_id: str
    since: date
    number: int = 0
    days: dict[str, dict[date, _Day]] = {}
    change: int = 0
    file: str = ""


class SiemWritten(msgspec.Struct, frozen=True):
    """What a round wrote. `is_busy`: another process was at it, so nothing was done."""

    files: int = 0
    events: int = 0
    alerts: int = 0
    is_busy: bool = False


def write_new(home: Path, settings: SiemSettings, now: datetime) -> SiemWritten:
    """Writes what is new of the newest copy and of the desk into `settings.folder`. Raises SettingsError where that is the folder of
    another ledger, OSError, WarehouseError, DeskError."""
    if settings.folder is None:
        return SiemWritten()
    settings.folder.mkdir(parents=True, exist_ok=True)
    with sole_process(settings.folder / _LOCK) as is_alone:
        if not is_alone:
            return SiemWritten(is_busy=True)
        with Snapshot.open(home) as snapshot, Desk.open(home) as desk:
            return _Writer(settings.folder, settings, now).write(snapshot, desk)


class _Writer:
    """One round."""

    def __init__(self, folder: Path, settings: SiemSettings, now: datetime) -> None:
        self._folder, self._settings, self._now = folder, settings, now
        self._file: RecordFile | None = None
        self._rows = self._files = self._events = self._alerts = 0

    def write(self, snapshot: Snapshot, desk: Desk) -> SiemWritten:
        """Writes what is new."""
        finish_begun(self._folder)
        self._position = self._read_position(ledger_id(snapshot))
        last = self._now.astimezone(UTC).date()
        held = events.coverage(snapshot, self._position.since, last)
        for row in held.select("source_id", "day", "stored_events").iter_rows(named=True):
            days = self._position.days.setdefault(row["source_id"], {})
            if row["stored_events"] > days.get(row["day"], _Day()).written and is_whole(
                snapshot, row["source_id"], row["day"]
            ):
                self._write_day(snapshot, row["source_id"], row["day"], days.setdefault(row["day"], _Day()))
        self._write_alerts(desk)
        self._commit()
        return SiemWritten(self._files, self._events, self._alerts)

    def _write_day(self, snapshot: Snapshot, source_id: str, day: date, place: _Day) -> None:
        for batch in events_after(snapshot, source_id, day, place.last_no, OCSF_COLUMNS):
            self._add(of_events(batch), batch.height)
            place.written += batch.height
            place.last_no = int(batch["event_no"][-1])
            self._events += batch.height
            if self._rows >= ROWS_PER_FILE:
                self._commit()

    def _write_alerts(self, desk: Desk) -> None:
        """The state of each alert that changed, once, with the number of its last change."""
        changed, last = alerts.changed_since(desk, self._position.change)
        found = {alert.alert_id: alert for alert in alerts.list_alerts(desk, self._now)} if changed else {}
        records = [
            of_alert(found[alert_id], change, at, alerts.evidence(desk, alert_id))
            for alert_id, (change, at) in changed.items()
            if alert_id in found
        ]
        if records:
            self._add(records, len(records))
            self._alerts += len(records)
        self._position.change = last

    def _add(self, records: Iterable[Record], number: int) -> None:
        if self._file is None:
            self._position.number += 1
            stamp = f"{self._now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
            self._position.file = f"ocsf-{self._position.number:08d}-{stamp}{_SUFFIX[self._settings.form]}"
            self._file = open_file(_hidden(self._folder, self._position.file), self._settings.form)
        self._file.add(records)
        self._rows += number

    def _commit(self) -> None:
        """Gives the file its name, and moves the position behind it."""
        if self._file is None:
            return
        self._file.close()
        write_whole(self._folder / _NEXT, msgspec.json.encode(self._position))
        finish_begun(self._folder)
        self._file, self._rows = None, 0
        self._files += 1

    def _read_position(self, ledger: str) -> _Position:
        try:
            found = msgspec.json.decode((self._folder / _POSITION).read_bytes(), type=_Position)
        except FileNotFoundError:
            begin = (self._now.astimezone(UTC) - timedelta(days=self._settings.backfill_days)).date()
            return _Position(ledger, begin)
        except msgspec.DecodeError:
            raise SettingsError(
                f"{self._folder / _POSITION} is not a position that this version wrote. Move the folder away, or set siem.folder "
                "to a new one; it then begins anew, siem.backfill_days back"
            ) from None
        if found.ledger_id != ledger:
            raise SettingsError(
                f"siem.folder {self._folder} holds the files of another ledger. Set a folder of its own for each ledger"
            )
        return found


def finish_begun(folder: Path) -> None:
    """Finishes the steps of a file that was begun, or removes what did not get as far. Raises OSError."""
    following = folder / _NEXT
    begun = ""
    with contextlib.suppress(FileNotFoundError):
        begun = msgspec.json.decode(following.read_bytes(), type=_Position).file
    if begun:
        hidden = _hidden(folder, begun)
        if hidden.exists():
            hidden.replace(folder / begun)
            sync_folder(folder)
        following.replace(folder / _POSITION)
        sync_folder(folder)
    for left in folder.glob(".ocsf-*"):
        left.unlink()


def _hidden(folder: Path, name: str) -> Path:
    return folder / f".{name}"
