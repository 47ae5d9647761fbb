"""Logs: lists and counts for the four scopes (`…/logs`, `…/aggregatelogs`). Chapter 7 of the API reference."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec

from quayledger.collector.quay import lenient_json
from quayledger.collector.quay.client import QuayClient, Reply, decoded, moment
from quayledger.collector.quay.errors import BrokenReply, SearchUnavailable, UnusableCount, WrongWindow, safe
from quayledger.collector.quay.lenient_json import UNREADABLE
from quayledger.collector.quay.scopes import Scope

# Quay adds up two days with the same day of the month, so a window must not contain one twice; February has 28 days.
LONGEST_WINDOW_DAYS = 28
PAGE_ROWS = 20  # Quay ignores `limit` here
MOST_PAGE_ROWS = 5_000  # no Quay sends more than 20; the bound is on memory
_ONE_DAY = timedelta(days=1)
# A page that fails so often fails for ever: one of its rows is beyond the server, and there are ways round it.
_MOST_PAGE_FAILURES = 3
# More rows of one kind than any day holds: at a thousand pages a second they would take a fortnight to read.
MOST_COUNTED = 10_000_000_000


class LogPage(msgspec.Struct, frozen=True):
    """One page of a list, newest row first. `body`: the reply as stored (secrets redacted); `rows`: its `logs`, not
    decoded; `start`, `end`: the window that the reply covers, half-open, UTC."""

    body: bytes
    rows: tuple[msgspec.Raw, ...]
    next_page: str | None
    start: datetime
    end: datetime
    served_at: datetime | None


class _List(msgspec.Struct):
    start_time: str
    end_time: str
    logs: tuple[msgspec.Raw, ...]
    next_page: str | None = None
    search_unavailable: bool = False
    message: str = ""


class _Rows(msgspec.Struct):
    logs: tuple[msgspec.Raw, ...]


class _Count(msgspec.Struct):
    kind: str
    count: msgspec.Raw
    datetime: str


class _Aggregate(msgspec.Struct):
    aggregated: tuple[_Count, ...]
    search_unavailable: bool = False
    message: str = ""


_decode_list_fast = msgspec.json.Decoder(_List).decode
_decode_rows = msgspec.json.Decoder(_Rows).decode
_decode_aggregate = msgspec.json.Decoder(_Aggregate).decode


async def list_logs(
    client: QuayClient,
    scope: Scope,
    first: date,
    last: date,
    *,
    next_page: str | None = None,
    performer: str | None = None,
    purpose: str = "read",
) -> LogPage:
    """One page of the log of `scope` for the UTC days `first` to `last` inclusive. `GET {scope}/logs`; scope `super:user`,
    `org:admin`, `user:admin` or `repo:admin`.

    Raises QuayError; WrongWindow if the server answers for other days, which it does without an error when it cannot read
    a date."""
    operation = f"{scope.kind}.list_logs"
    params = _params(first, last, performer)
    if next_page is not None:
        params["next_page"] = next_page

    def decode(reply: Reply) -> LogPage:
        found = decoded(client, operation, reply.body, _decode_list)
        if found.search_unavailable:
            raise SearchUnavailable(
                client.source_id, operation, found.message or "the log cannot be searched", status=200
            )
        start, end = _moment(client, operation, found.start_time), _moment(client, operation, found.end_time)
        _check_window(client, operation, (start, end), first, last)
        if len(found.logs) > MOST_PAGE_ROWS:
            raise BrokenReply(client.source_id, operation, f"a page of {len(found.logs):,} rows", status=200)
        return LogPage(reply.body, found.logs, found.next_page or None, start, end, reply.served_at)

    return await client.get(
        operation,
        f"{scope.path}/logs",
        params,
        decode,
        purpose=purpose,
        retry_server_errors=performer is None,
        most_failures=_MOST_PAGE_FAILURES,
    )


async def aggregate_logs(
    client: QuayClient,
    scope: Scope,
    first: date,
    last: date,
    *,
    performer: str | None = None,
    purpose: str = "count",
) -> dict[date, dict[str, int]]:
    """Number of rows per UTC day and kind; every day of the window is a key, `{}` is a day without rows.
    `GET {scope}/aggregatelogs`. Raises QuayError, UnusableCount for a number that cannot be true, and ValueError for a window of
    more than 28 days."""
    if not 0 <= (last - first).days < LONGEST_WINDOW_DAYS:
        raise ValueError(f"{first} to {last} is not a window of 1 to {LONGEST_WINDOW_DAYS} days")
    operation = f"{scope.kind}.aggregate_logs"

    def decode(reply: Reply) -> dict[date, dict[str, int]]:
        found = decoded(client, operation, reply.body, _decode_aggregate)
        if found.search_unavailable:
            raise SearchUnavailable(
                client.source_id, operation, found.message or "the log cannot be counted", status=200
            )
        counts: dict[date, dict[str, int]] = {
            first + timedelta(days=number): {} for number in range((last - first).days + 1)
        }
        reasons: dict[date, str] = {}
        for row in found.aggregated:
            day = _moment(client, operation, row.datetime).date()
            if day not in counts:
                raise WrongWindow(
                    client.source_id, operation, f"asked for {first} to {last}, it counts {day}", status=200
                )
            number = _counted(row.count)
            if number is None or counts[day].get(row.kind, 0) + number > MOST_COUNTED:
                reasons.setdefault(
                    day, f"it counts {bytes(row.count)[:40].decode(errors='replace')} of {safe(row.kind)}"
                )
            elif number:
                counts[day][row.kind] = counts[day].get(row.kind, 0) + number
        if reasons:
            usable = {day: by_kind for day, by_kind in counts.items() if day not in reasons}
            raise UnusableCount(client.source_id, operation, usable, reasons)
        return counts

    path = f"{scope.path}/aggregatelogs"
    return await client.get(operation, path, _params(first, last, performer), decode, purpose=purpose)


def _counted(raw: msgspec.Raw) -> int | None:
    """A count as a number of rows; None where it is none."""
    digits = bytes(raw)
    return int(digits) if digits.isdigit() and len(digits) <= len(str(MOST_COUNTED)) else None


def page_rows(body: bytes) -> tuple[msgspec.Raw, ...]:
    """The rows of a stored page, not decoded. Raises msgspec.DecodeError if it is not a page."""
    try:
        return _decode_rows(body).logs
    except msgspec.ValidationError:
        raise
    except UNREADABLE:
        return _raw(lenient_json.split(body, "logs")[1])


def _decode_list(body: bytes) -> _List:
    """A page. Where one of its rows is not valid JSON, the rows are found without decoding them."""
    try:
        return _decode_list_fast(body)
    except msgspec.ValidationError:
        raise
    except UNREADABLE:
        envelope, rows = lenient_json.split(body, "logs", _List.__struct_fields__)
        return msgspec.structs.replace(_decode_list_fast(envelope), logs=_raw(rows))


def _raw(rows: list[bytes]) -> tuple[msgspec.Raw, ...]:
    return tuple(msgspec.Raw(row) for row in rows)


def _params(first: date, last: date, performer: str | None) -> dict[str, str | int]:
    """Dates in the only form that Quay reads; it ignores any other without an error."""
    params: dict[str, str | int] = {"starttime": f"{first:%m/%d/%Y}", "endtime": f"{last:%m/%d/%Y}"}
    if performer is not None:
        params["performer"] = performer
    return params


def _moment(client: QuayClient, operation: str, text: str) -> datetime:
    try:
        return moment(text)
    except ValueError:
        raise BrokenReply(client.source_id, operation, f"{text!r} is not a time in Quay's format", status=200) from None


def _check_window(
    client: QuayClient, operation: str, echoed: tuple[datetime, datetime], first: date, last: date
) -> None:
    asked = (
        datetime(first.year, first.month, first.day, tzinfo=UTC),
        datetime(last.year, last.month, last.day, tzinfo=UTC) + _ONE_DAY,
    )
    if echoed != asked:
        raise WrongWindow(
            client.source_id,
            operation,
            f"asked for {first} to {last}, it answers for {echoed[0]:%Y-%m-%d %H:%M} to {echoed[1]:%Y-%m-%d %H:%M}",
            status=200,
        )
