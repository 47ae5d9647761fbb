"""The simulator's log operations: lists and counts of the four scopes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import scopes
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import NOT_UNDERSTOOD, json_bytes, message, quay_of, reply, server_error
from quayledger.simulator.api.scopes import LogScope
from quayledger.simulator.clock import from_us, rfc_822, to_us
from quayledger.simulator.models import Counted, RangeTooLong, Window
from quayledger.simulator.table import UNPARSABLE, Selection

NO_SEARCH = (
    "Audit log viewing requires a search_token to be configured for Splunk HEC. "
    "Logs are still being forwarded to Splunk."
)
Opened = Callable[[Request], LogScope]


def window(request: Request) -> Window:
    """What was asked for: days in `%m/%d/%Y`, the end inclusive; anything else silently becomes now ± 1 day."""
    now_us = quay_of(request).clock.now_us()
    now = from_us(now_us).replace(tzinfo=None)
    start = _date(request.query_params.get("starttime")) or now - timedelta(days=1)
    end = (_date(request.query_params.get("endtime")) or now) + timedelta(days=1)
    return Window(to_us(start), to_us(end), now_us)


def _date(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text, "%m/%d/%Y") if text else None  # noqa: DTZ007 - a day of UTC
    except ValueError:
        return None


def _list(request: Request, scope: LogScope) -> Response:
    if not _is_number(request.query_params.get("page")):
        raise message({"page": "The page number for the logs"}, 400)
    quay = quay_of(request)
    asked = checked_window(request, scope)
    edges = {"start_time": rfc_822(asked.start_us), "end_time": rfc_822(asked.end_us)}
    if quay.config.backend == "splunk":
        return reply({**edges, "logs": [], "search_unavailable": True, "message": NO_SEARCH})
    selection = _performed(request, scope, strict=quay.logs.strict_performer)
    token = quay.page_tokens.open(request.query_params.get("next_page"))
    max_page = None if scope.shows_namespace else quay.config.max_page
    found = quay.logs.page(selection, asked, token, max_page)
    if any(table.metadata[row] == UNPARSABLE for table, row in found.rows):
        raise server_error()
    missing = quay.logs.missing_ip
    events = (
        quay.renderer.event(table, row, namespace=scope.shows_namespace, missing_ip=missing)
        for table, row in found.rows
    )
    body = json.dumps(edges)[:-1].encode() + b', "logs": [' + b", ".join(events) + b"]"
    if found.token is not None:
        body += b', "next_page": "' + quay.page_tokens.seal(found.token).encode() + b'"'
    return json_bytes(body + b"}\n")


def _count(request: Request, scope: LogScope) -> Response:
    quay = quay_of(request)
    asked = checked_window(request, scope)
    if quay.config.backend == "splunk":
        return reply({"aggregated": [], "search_unavailable": True, "message": NO_SEARCH})
    selection = _performed(request, scope, strict=False)
    try:
        counted = quay.logs.count(selection, asked)
    except RangeTooLong:
        if scope.shows_namespace:
            raise server_error() from None
        raise message("Invalid date range for logs", 400) from None
    except ValueError:
        raise server_error() from None
    return reply({"aggregated": [_as_dict(c) for c in counted]})


def _as_dict(counted: Counted) -> dict[str, object]:
    return {"kind": counted.kind, "count": counted.count, "datetime": rfc_822(counted.day_us)}


def checked_window(request: Request, scope: LogScope) -> Window:
    """The window. Raises the 400 refusal where the scope minds that it ends before it starts."""
    asked = window(request)
    if scope.checks_order and asked.width_us < 0:
        raise message(NOT_UNDERSTOOD, 400)
    return asked


def _performed(request: Request, scope: LogScope, *, strict: bool) -> Selection:
    """The scope's rows of one performer. An unknown one trips the list (500) and is overlooked by the count."""
    name = request.query_params.get("performer")
    if not scope.filters or not name:
        return scope.selection
    account = quay_of(request).registry.account(name)
    if account is None or account.kind == "org":
        if strict:
            raise server_error()
        return scope.selection
    return Selection(
        account_id=scope.selection.account_id,
        performer_id=account.id,
        hide_service_keys=scope.selection.hide_service_keys,
    )


def _is_number(text: str | None) -> bool:
    try:
        int(text or "0")
    except ValueError:
        return False
    return True


def _operation(
    name: str, path: str, handle: Callable[[Request, LogScope], Response], opened: Opened, scope: str
) -> Operation:
    def answer(request: Request) -> Response:
        return handle(request, opened(request))

    performer = ("performer",) if path.startswith(("/user", "/organization")) else ()
    parameters = (*_DATES, *performer, *(("page", "next_page") if handle is _list else ()))
    return Operation(name, path, answer, scope, parameters, internal=name == "listAllAggregateLogs")


_DATES = ("starttime", "endtime")
# the path, how its two operations are called, the scope that they need
_SCOPES: tuple[tuple[str, str, str, str, Opened], ...] = (
    ("/superuser", "listAllLogs", "listAllAggregateLogs", "super:user", scopes.of_superuser),
    ("/organization/{orgname}", "listOrgLogs", "getAggregateOrgLogs", "org:admin", scopes.of_organization),
    ("/user", "listUserLogs", "getAggregateUserLogs", "user:admin", scopes.of_user),
    ("/repository/{repository}", "listRepoLogs", "getAggregateRepoLogs", "repo:admin", scopes.of_repository),
)
OPERATIONS = tuple(
    _operation(name, f"{base}/{word}", handle, opened, scope)
    for base, listed, counted, scope, opened in _SCOPES
    for name, word, handle in ((listed, "logs", _list), (counted, "aggregatelogs", _count))
)
