"""The simulator's ways to page and count a log: as Quay does over its database, and over Elasticsearch."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections import Counter
from datetime import date, datetime
from typing import Any, Protocol

import msgspec

from quayledger.simulator.clock import DAY_US, from_us, to_us
from quayledger.simulator.table import Index, Row, Selection, Table

PAGE_ROWS = 20
TABLE_ID = "tti"
Rows = tuple[tuple[Table, int], ...]


class RangeTooLong(Exception):
    """More days were asked to be counted at once than this model takes."""


class Found(msgspec.Struct, frozen=True):
    """A page: where its rows are, and the token's content for the next one."""

    rows: Rows
    token: dict[str, Any] | None


class Counted(msgspec.Struct, frozen=True):
    """How many rows of a kind a UTC day holds; `day_us`: its midnight."""

    kind: str
    count: int
    day_us: int


class Window(msgspec.Struct, frozen=True):
    """[start, end), of which only what lies before `now` has happened."""

    start_us: int
    end_us: int
    now_us: int

    @property
    def held_until_us(self) -> int:
        """The end, or now where that is earlier."""
        return min(self.end_us, self.now_us + 1)

    @property
    def width_us(self) -> int:
        """From start to end."""
        return self.end_us - self.start_us


class LogsModel(Protocol):
    """What the log operations need of whichever way logs are kept."""

    missing_ip: str | None
    strict_performer: bool
    tables: list[Table]

    def page(self, selection: Selection, window: Window, token: dict[str, Any] | None, max_page: int | None) -> Found:
        """The rows of a page, newest first."""

    def count(self, selection: Selection, window: Window) -> list[Counted]:
        """Rows by kind and day. Raises RangeTooLong; ValueError where Quay itself trips over the calendar."""


class DatabaseLogs:
    """Newest first by stamp alone, pages found again by stamp and an offset that is never reset; three tables."""

    missing_ip: str | None = None
    strict_performer = True

    def __init__(self, tables: list[Table]) -> None:
        self.tables = [*tables, *(Table() for _ in range(3 - len(tables)))]

    def page(self, selection: Selection, window: Window, token: dict[str, Any] | None, max_page: int | None) -> Found:
        """As data/logs_model/table_logs_model.py: an empty table leads to the next one, whose own pages forget it."""
        rows: Rows = ()
        at, following = 0, token
        while not rows and at < len(self.tables) - 1:
            if following is not None and following.get(TABLE_ID) is not None:
                at = following[TABLE_ID]
            rows, following = self._rows(self.tables[at], selection, window, following, max_page)
            if following is None and at < len(self.tables) - 1:
                following = {TABLE_ID: at + 1}
        return Found(rows, following)

    def count(self, selection: Selection, window: Window) -> list[Counted]:
        """As GROUP BY kind and day *of the month*: the same day of two months becomes one."""
        if window.width_us > 31 * DAY_US:
            raise RangeTooLong
        start = from_us(window.start_us)
        merged: Counter[tuple[str, int]] = Counter()
        for table in self.tables:
            for day, kinds in _by_day(table, table.index(selection), window):
                day_of_month = from_us(day * DAY_US).day
                for kind, count in kinds.items():
                    merged[table.kind_names[kind], day_of_month] += count
        return [Counted(kind, count, _synthetic(start, day)) for (kind, day), count in merged.items()]

    def _rows(
        self,
        table: Table,
        selection: Selection,
        window: Window,
        token: dict[str, Any] | None,
        max_page: int | None,
    ) -> tuple[Rows, dict[str, Any] | None]:
        """As data/model/modelutil.py paginates: `WHERE datetime <= T ORDER BY datetime DESC OFFSET o LIMIT 21`."""
        token = token or {}
        number, offset = token.get("page_number"), token.get("offset_val", 0)
        if number and max_page is not None and number > max_page:
            return (), None
        index = table.index(selection)
        low, high = index.before(window.start_us), index.before(window.held_until_us)
        if token.get("start_index"):
            high = min(high, index.until(to_us(datetime.fromisoformat(token["start_index"]))))
        newest = high - offset
        picked = [index.rows[n] for n in range(newest - 1, max(low, newest - PAGE_ROWS - 1) - 1, -1)]
        following = None
        if len(picked) > PAGE_ROWS:
            stamp_us = table.stamps[picked[PAGE_ROWS]]
            tied = stamp_us == table.stamps[picked[PAGE_ROWS - 1]]
            following = {
                "start_index": from_us(stamp_us).replace(tzinfo=None).isoformat() + "Z",
                "page_number": number + 1 if number else 1,
                "is_datetime": True,
                "offset_val": offset + PAGE_ROWS if tied else offset,
            }
        return tuple((table, row) for row in picked[:PAGE_ROWS]), following


class ElasticsearchLogs:
    """Whole days, newest first by millisecond and random id (so nothing ties), ten kinds to a count."""

    missing_ip: str | None = "None"
    strict_performer = False

    def __init__(self, rows: list[Row]) -> None:
        self.tables = [Table((_in_milliseconds(row) for row in rows), tie=_random_id)]

    def page(self, selection: Selection, window: Window, token: dict[str, Any] | None, max_page: int | None) -> Found:
        """As data/logs_model/document_logs_model.py: `search_after`, a token only where another row follows."""
        table = self.tables[0]
        index = table.index(selection)
        number = token.get("page_number", 1) if token else None
        if number and max_page is not None and number + 1 > max_page:
            return Found((), None)
        low = index.before(window.start_us // DAY_US * DAY_US)
        high = index.before(min(-(-window.end_us // DAY_US) * DAY_US, window.now_us + 1))
        if token and "datetime" in token:
            last = (to_us(datetime.fromisoformat(token["datetime"])), int(token["random_id"], 16))
            high = min(high, bisect_left(index.rows, last, key=lambda n: (table.stamps[n], table.tie(n))))
        picked = [index.rows[n] for n in range(high - 1, max(low, high - PAGE_ROWS - 1) - 1, -1)]
        following = None
        if len(picked) > PAGE_ROWS:
            last_row = picked[PAGE_ROWS - 1]
            following = {
                "datetime": from_us(table.stamps[last_row]).isoformat(),
                "random_id": f"{table.tie(last_row):08x}",
                "page_number": number + 1 if number else 1,
            }
        return Found(tuple((table, row) for row in picked[:PAGE_ROWS]), following)

    def count(self, selection: Selection, window: Window) -> list[Counted]:
        """A terms aggregation without a size: the ten most frequent kinds of the window."""
        if window.width_us >= 32 * DAY_US:
            raise RangeTooLong
        table = self.tables[0]
        days = _by_day(table, table.index(selection), window)
        totals: Counter[int] = Counter()
        for _, kinds in days:
            totals.update(kinds)
        listed = {kind for kind, _ in totals.most_common(10)}
        return [
            Counted(table.kind_names[kind], count, day * DAY_US)
            for day, kinds in days
            for kind, count in kinds.items()
            if kind in listed
        ]


def _by_day(table: Table, index: Index, window: Window) -> list[tuple[int, dict[int, int]]]:
    """Rows by kind id of each day of the window; whole days come from what was counted before."""
    start_us, end_us = window.start_us, window.held_until_us
    days = []
    for day in range(start_us // DAY_US, -(-end_us // DAY_US)):
        first_us, last_us = day * DAY_US, (day + 1) * DAY_US
        if start_us <= first_us and last_us <= end_us:
            kinds = table.day_counts(index, day)
        else:
            kinds = table.counts(index, index.before(max(first_us, start_us)), index.before(min(last_us, end_us)))
        days.append((day, kinds))
    return days


def _synthetic(start: datetime, day_of_month: int) -> int:
    """The midnight Quay makes of a day of the month: in the month of the start, or in the one after it."""
    made = date(start.year, start.month, day_of_month)
    if day_of_month < start.day:
        year, month = divmod(start.year * 12 + start.month, 12)
        made = date(year, month + 1, day_of_month)
    return (made - date(1970, 1, 1)).days * DAY_US


def _random_id(row: int) -> int:
    return zlib.crc32(row.to_bytes(8, "big"))


def _in_milliseconds(row: Row) -> Row:
    return msgspec.structs.replace(row, stamp_us=row.stamp_us // 1000 * 1000)
