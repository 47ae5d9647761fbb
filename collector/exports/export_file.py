"""The collector's reader of export files: streams one, whatever its size, into events, or refuses it with the reason. Pure.

A file is one JSON object `{"export_id", "details", "logs": [event, …, {"terminator": true}]}`. It is cut into blocks at
the borders between events, so that memory holds one block and never the file. Only a file whose last byte was seen counts:
what was read before is worth nothing until `close` returns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import msgspec
import polars as pl

from quayledger.collector.errors import CollectorError
from quayledger.collector.log.normalise import DefaultNamespace, Reject
from quayledger.collector.log.normalise_bulk import Bulk, ExportRows, split, split_leniently
from quayledger.collector.quay.client import moment
from quayledger.collector.quay.lenient_json import UNREADABLE

BLOCK_BYTES = 1 << 20
BATCH_ROWS = 10_000
MOST_HEAD_BYTES = 1 << 16
MOST_EVENT_BYTES = 16 << 20
MOST_REJECTS = 10_000
_GUESSES = 3

_LOGS = re.compile(rb'"logs"\s*:\s*\[')
_BORDER = re.compile(rb"\}\s*,\s*\{")
_END = re.compile(rb"\s*\]\s*\}\s*\Z")
# A whole string, a bracket, or the quote of a string that goes on beyond the block.
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\],]|"', re.DOTALL)
_OVERWRITTEN = re.compile(rb"\s*\{\s*\"terminator\"")
_DAY = timedelta(days=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode


class BadExport(CollectorError):
    """A file that is no whole export, or not the one that was asked for. Nothing of it is used."""


class Head(msgspec.Struct, frozen=True):
    """What a file says of itself. `start`, `end`: first and last second it covers, UTC; `repository` None: all of the
    namespace."""

    export_id: str
    start: datetime
    end: datetime
    namespace: str
    repository: str | None

    @property
    def days(self) -> tuple[date, date]:
        """First and last UTC day that the file covers whole; Quay adds a day at the end, of which the last moment lacks."""
        return self.start.date(), self.end.date() - _DAY


class ExpectedExport(msgspec.Struct, frozen=True):
    """What the file must be to count; None: whatever it says (a file that somebody brings by hand)."""

    export_id: str | None = None
    namespace: str | None = None
    repository: str | None = None
    first: date | None = None
    last: date | None = None


class Block(msgspec.Struct, frozen=True):
    """The rows of one stretch of the file, in no certain order: `events` (EVENT_SCHEMA) and what is no event."""

    events: pl.DataFrame
    rejects: list[Reject]


class _Details(msgspec.Struct):
    start_time: str
    end_time: str
    namespace: str
    repository: str | None = None


class _Head(msgspec.Struct):
    export_id: str
    details: _Details
    logs: list[msgspec.Raw]


class ExportReader:
    """Takes a file's bytes as they come. `head` is known once `feed` has seen the first event or the end."""

    def __init__(
        self,
        wanted: ExpectedExport,
        *,
        is_user: bool = False,
        block_bytes: int = BLOCK_BYTES,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        """`is_user`: the namespace is a user's. `block_bytes`: how much is gathered before it is looked through;
        `batch_rows`: how many events are gathered before they are given."""
        self.head: Head | None = None
        self._wanted, self._is_user = wanted, is_user
        self._block_bytes, self._batch_rows = block_bytes, batch_rows
        self._gather = block_bytes  # more than a block, only while one event is longer than that
        self._held = bytearray()
        self._bulk = Bulk(DefaultNamespace(None, None))
        self._span = (_NEVER, _NEVER)
        self._rejects: list[Reject] = []
        self._rejected = 0

    def feed(self, data: bytes) -> Iterator[Block]:
        """Takes the next bytes; gives the events that became whole. Raises BadExport."""
        self._held += data
        if self.head is None and not self._read_head():
            return
        while len(self._held) >= self._gather:
            cut = _last_border(self._held)
            if cut is None:
                self._want_more()
                return
            text, rows, end = cut
            del self._held[:end]
            self._gather = self._block_bytes
            self._take(text, rows)
            if len(self._bulk) >= self._batch_rows:
                yield self._block()

    def close(self) -> Iterator[Block]:
        """The file ends here: gives the last events. Raises BadExport where it is cut, or goes on where it should end."""
        if self.head is None:
            raise self._bad("its beginning is not that of an export" if self._held else "it is empty")
        end = _END.search(self._held, max(0, len(self._held) - MOST_HEAD_BYTES))
        if end is None:
            raise self._bad("it is cut off: its end is missing")
        text = _list(self._held, end.start())
        try:
            rows = _last_rows(text)
        except UNREADABLE as error:
            raise self._bad(f"it is cut off or not valid JSON near its end ({error})") from None
        if not rows or not _is_terminator(rows[-1]):
            raise self._bad("its last row is no terminator: rows are missing")
        self._held.clear()
        self._take(text, ExportRows([], rows[:-1]))
        yield self._block()

    def _read_head(self) -> bool:
        """Whether the beginning is there; takes it off."""
        found = _LOGS.search(self._held, 0, MOST_HEAD_BYTES)
        if found is None:
            if len(self._held) >= MOST_HEAD_BYTES or _OVERWRITTEN.match(self._held):
                raise self._bad(_says_of_beginning(self._held))
            return False
        try:
            told = msgspec.json.decode(bytes(self._held[: found.end()]) + b"]}", type=_Head)
            details = told.details
            start, end = moment(details.start_time), moment(details.end_time)
        except (*UNREADABLE, ValueError):
            raise self._bad(_says_of_beginning(self._held)) from None
        self.head = Head(told.export_id, start, end, details.namespace, details.repository)
        self._check(self.head)
        self._bulk = Bulk(DefaultNamespace(self.head.namespace, "user" if self._is_user else "org"))
        self._span = (start, end)
        del self._held[: found.end()]
        return True

    def _check(self, head: Head) -> None:
        wanted = self._wanted
        if wanted.export_id is not None and head.export_id != wanted.export_id:
            raise self._bad(f"it is export {head.export_id[:60]!r}, asked for was {wanted.export_id}")
        if wanted.namespace is not None and (head.namespace, head.repository) != (wanted.namespace, wanted.repository):
            raise self._bad(
                f"it is of {_named(head.namespace, head.repository)}, asked for was "
                f"{_named(wanted.namespace, wanted.repository)}"
            )
        if not head.start <= head.end:
            raise self._bad(f"it says that it covers {head.start} to {head.end}")
        if wanted.first is not None and wanted.last is not None and head.days != (wanted.first, wanted.last):
            raise self._bad(
                f"it covers {head.days[0]} to {head.days[1]}, asked for were {wanted.first} to {wanted.last}"
            )

    def _take(self, text: bytes, rows: ExportRows) -> None:
        rejects = self._bulk.take(text, rows)
        if any(_is_terminator(reject.raw.encode()) for reject in rejects):
            raise self._bad("rows follow its terminator")
        self._rejects += rejects
        self._rejected += len(rejects)
        self._check_rejected()

    def _check_rejected(self) -> None:
        if self._rejected > MOST_REJECTS:
            raise self._bad(f"more than {MOST_REJECTS:,} of its rows are not events of the days that it covers")

    def _block(self) -> Block:
        events = self._bulk.frame()
        inside = pl.col("occurred_at").is_between(*self._span)
        for event in events.filter(~inside).iter_rows(named=True):
            says = f"its time, {event['occurred_at']:%Y-%m-%d %H:%M:%S}, lies outside the days that the file covers"
            self._rejects.append(Reject(event["kind"], says, ""))
            self._rejected += 1
        self._check_rejected()
        rejects, self._rejects = self._rejects, []
        return Block(events.filter(inside), rejects)

    def _want_more(self) -> None:
        if len(self._held) > MOST_EVENT_BYTES:
            raise self._bad(f"within {MOST_EVENT_BYTES:,} bytes no event ends")
        self._gather = 2 * len(self._held)

    def _bad(self, reason: str) -> BadExport:
        return BadExport(f"the export file is refused: {reason}")


def read_blocks(reader: ExportReader, chunks: Iterable[bytes]) -> Iterator[Block]:
    """All of a file, block by block. Raises BadExport, at its end at the latest."""
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.close()


def _last_border(held: bytearray) -> tuple[bytes, ExportRows, int] | None:
    """The text and the rows before the last border between two events, and where the rest begins. Guesses first: what looks like a
    border is none where it lies in a string or in a list of an event's own, and then what is before it is no JSON."""
    at = len(held)
    for _ in range(_GUESSES):
        at = held.rfind(b"}", 0, at)
        while at >= 0 and _BORDER.match(held, at) is None:
            at = held.rfind(b"}", 0, at)
        if at < 0:
            return None
        if found := _rows_before(held, at + 1):
            return found
    sure = _scan(held)
    # Here at the latest a row that is not valid JSON shows: the others of its block are read without decoding it.
    return (_rows_before(held, sure) or _rows_before(held, sure, split_leniently)) if sure else None


def _rows_before(
    held: bytearray, end: int, how: Callable[[bytes], ExportRows] = split
) -> tuple[bytes, ExportRows, int] | None:
    text = _list(held, end)
    try:
        rows = how(text)
    except UNREADABLE:
        return None
    return text, rows, held.index(b",", end) + 1


def _list(held: bytearray, end: int) -> bytes:
    return b"".join((b"[", memoryview(held)[:end], b"]"))


def _scan(held: bytearray) -> int | None:
    """Where the last whole event ends that has a successor, found by reading every bracket and string."""
    depth, ended, sure = 0, 0, None
    for mark in _MARKS.finditer(held):
        sign = mark[0]
        if sign == b'"':
            break
        if sign in b"{[":
            depth += 1
        elif sign in b"}]":
            depth -= 1
            ended = mark.end()
        elif sign == b"," and depth == 0 and ended:
            sure = ended
    return sure


def _last_rows(text: bytes) -> list[msgspec.Raw]:
    try:
        return _decode_rows(text)
    except UNREADABLE:
        return split_leniently(text).raw


def _is_terminator(row: bytes | msgspec.Raw) -> bool:
    if b"terminator" not in bytes(row)[:64]:
        return False
    try:
        return bool(msgspec.json.decode(row) == {"terminator": True})
    except UNREADABLE:
        return False


def _says_of_beginning(held: bytearray) -> str:
    if _OVERWRITTEN.match(held):
        return (
            "its chunks were written over each other. Quay's LocalStorage does that to every export; exports need a storage "
            "of the S3 kind"
        )
    return "its beginning is not that of an export"


def _named(namespace: str, repository: str | None) -> str:
    return repr(f"{namespace}/{repository}" if repository else namespace)[:200]
