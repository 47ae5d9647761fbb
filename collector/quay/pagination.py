"""Paging: reads a list to its end, page by page, and notices a server that repeats a page.

Pure except for `ask`, which fetches a page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence

import msgspec

from quayledger.collector.quay import lenient_json
from quayledger.collector.quay.errors import BrokenReply
from quayledger.collector.quay.lenient_json import UNREADABLE

PAGE_ROWS = 100  # the largest `limit` that Quay accepts
_MOST_PAGES = 20_000
_MOST_ROWS = 2_000_000
_MOST_EMPTY = 50
_MOST_STUCK = 6
_READINGS = 3


class Marks(msgspec.Struct, frozen=True):
    """How a page refers to the next, in either style. `next_page` is opaque; Quay answers an unknown or expired one with the
    first page, without an error."""

    next_page: str | None = None
    page: int | None = None
    has_additional: bool = False


class ResultPage(msgspec.Struct, frozen=True):
    """One page: its rows, not decoded, and its marks."""

    rows: tuple[msgspec.Raw, ...]
    marks: Marks


Ask = Callable[[dict[str, str | int]], Awaitable[ResultPage]]
Same = Callable[[msgspec.Raw], Hashable]
_decode_marks = msgspec.json.Decoder(Marks).decode


def decode_marks(body: bytes, key: str) -> Marks:
    """The marks of a page whose rows are under `key`. Raises msgspec.DecodeError."""
    try:
        return _decode_marks(body)
    except msgspec.ValidationError:
        raise
    except UNREADABLE:
        return _decode_marks(lenient_json.split(body, key, Marks.__struct_fields__)[0])


async def read_all(source_id: str, operation: str, ask: Ask) -> list[msgspec.Raw]:
    """All rows of a list paginated by `next_page`. Raises QuayError; BrokenReply if a page repeats or the pages do not
    end."""
    rows: list[msgspec.Raw] = []
    seen: set[tuple[bytes, ...]] = set()
    empty, params = 0, dict[str, str | int]()
    while len(seen) < _MOST_PAGES and empty < _MOST_EMPTY:
        page = await ask(params)
        content = tuple(bytes(row) for row in page.rows)
        if content in seen:
            raise BrokenReply(source_id, operation, f"page {len(seen) + 1} repeats an earlier page", status=200)
        if content:
            seen.add(content)
        empty = 0 if content else empty + 1
        rows.extend(page.rows)
        if not page.marks.next_page:
            return rows
        params = {"next_page": page.marks.next_page}
    raise BrokenReply(source_id, operation, f"the pages do not end ({len(rows):,} rows so far)", status=200)


async def read_numbered(source_id: str, operation: str, ask: Ask, most_pages: int) -> list[msgspec.Raw]:
    """All rows of a list paginated by `page`, at most `most_pages` pages; repeated rows are taken once. Beyond its last
    page Quay returns the last page again. Raises QuayError; BrokenReply if a page repeats under another number."""
    rows: dict[bytes, msgspec.Raw] = {}
    for number in range(1, most_pages + 1):
        page = await ask({"page": number})
        if page.marks.page not in (None, number):
            break
        before = len(rows)
        rows.update((bytes(row), row) for row in page.rows)
        if not page.marks.has_additional:
            break
        if len(rows) == before:
            raise BrokenReply(source_id, operation, f"page {number} repeats an earlier page", status=200)
    return list(rows.values())


async def read_overlapping(source_id: str, operation: str, ask: Ask, same: Same) -> list[msgspec.Raw]:
    """All rows of a list paginated by `page` and `limit`, newest first, while rows are added and removed; `same` identifies
    a row.

    Each page after the first is chosen (by its size) to start at or before the last known row. If it contains a known row,
    none was skipped and the rows after it are new. If not, rows were removed, and an earlier page is read.
    Raises QuayError; BrokenReply if the pages bring nothing new although there should be more."""
    for _ in range(_READINGS):
        if (rows := await _read_once(ask, same)) is not None:
            return rows
    raise BrokenReply(source_id, operation, "its pages do not join or repeat: rows may be missing", status=200)


async def _read_once(ask: Ask, same: Same) -> list[msgspec.Raw] | None:
    """None if the pages do not join. `reach`: the position in the server's current list after the known rows."""
    rows: list[msgspec.Raw] = []
    reach, stuck, most = 0, 0, PAGE_ROWS
    while stuck < _MOST_STUCK and len(rows) < _MOST_ROWS:
        number, limit = _window(reach, most)
        page = await ask({"page": number, "limit": limit})
        start = (number - 1) * limit
        met, behind = _met(rows, page.rows, same, reach - start)
        if rows and not met:
            reach, stuck = max(0, reach - most // 2), stuck + 1
            continue
        fresh = page.rows[met:]
        rows.extend(fresh)
        if not page.marks.has_additional:
            return rows
        reach, stuck = (start + len(page.rows), 0) if fresh else (start + met + behind, stuck + 1)
        if len(page.rows) < limit:
            most = max(2, len(page.rows))
    return None


def _window(reach: int, most: int) -> tuple[int, int]:
    """Number and size of the page that starts at or before the row preceding `reach` and brings the most rows after it: at
    least six of ten with pages of a hundred rows."""
    if reach < 2:
        return 1, most
    last = reach - 1
    limit = max(range(1, most + 1), key=lambda size: (size - last % size, size))
    return last // limit + 1, limit


def _met(known: Sequence[msgspec.Raw], page: Sequence[msgspec.Raw], same: Same, expected: int) -> tuple[int, int]:
    """How many rows of a page end with the last known row found there (0 if none), and how many known rows follow that one.
    Among equal rows the one nearest to the expected position counts."""
    names = [same(row) for row in page]
    for behind, row in enumerate(reversed(known[-2 * PAGE_ROWS :])):
        name = same(row)
        if name in names:
            places = [place for place, other in enumerate(names, 1) if other == name]
            return min(places, key=lambda place: abs(place + behind - expected)), behind
    return 0, 0
