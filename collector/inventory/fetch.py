"""Fetches one query for one target, and turns how it ended into a state. A source's error is a state, not an exception."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from quayledger.collector.inventory.due import Due
from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.results import FetchResult
from quayledger.collector.quay.errors import (
    BadRequest,
    Forbidden,
    NotAQuay,
    NotFound,
    NotOffered,
    QuayError,
    Shadowed,
    Unauthenticated,
    safe,
)
from quayledger.collector.quay.meter import count_requests
from quayledger.warehouse.catalog.event_effects import OWNERS
from quayledger.warehouse.catalog.queries import QUERY, Wider, namespace_of, repository_of
from quayledger.warehouse.inventory.store import FamilyRows, Fetch, FetchState

Reader = Callable[[InventoryRun, str], Awaitable[FetchResult]]
_STATES: tuple[tuple[type[QuayError], FetchState], ...] = (
    (NotFound, "gone"),
    (Forbidden, "refused"),
    (Shadowed, "refused"),
    (NotOffered, "not_offered"),
    (BadRequest, "failed"),
    (QuayError, "failed"),
)
_MOST_NAMED = 3


async def fetch_target(run: InventoryRun, due: Due, readers: Mapping[str, Reader]) -> tuple[Fetch, FetchResult]:
    """Sends one query. Raises QuayError only for what stops the whole run: the token is refused, or the address is wrong."""
    fetched_at = run.now()
    found, reason = FetchResult(), ""
    state: FetchState = "ok"
    with count_requests() as counted:
        try:
            found = await readers[due.query](run, due.target)
            if found.all_rejected:
                state, reason = "partial", _reason(found.all_rejected)
        except Unauthenticated as error:
            # Anywhere else a 401 means that the token is good no more.
            if not QUERY[due.query].needs_user:
                raise
            state, reason = "refused", str(error)
        except QuayError as error:
            state, reason = _state_of(error), str(error)
    fetch = Fetch(
        source_id=run.source_id,
        query=due.query,
        target=due.target,
        state=state,
        reason=reason,
        fetched_at=fetched_at,
        requests=counted.requests,
        rejected_rows=len(found.all_rejected),
        caused_at=due.caused_at,
        families=tuple(_dated(run, due, one) for one in found.families),
        series=found.series,
    )
    return fetch, found


def _dated(run: InventoryRun, due: Due, one: FamilyRows) -> FamilyRows:
    """With the time at which a wider query read the same objects."""
    namespace = namespace_of(due.target)
    parts = {"": "", "repository": repository_of(due.target), "namespace": namespace}
    parts["owners"] = f"{namespace}/{OWNERS}"
    wider = (run.known.get((wide.query, parts[wide.part])) for wide in QUERY[due.query].wider if _says(wide, one))
    times = [known.ok_at for known in wider if known is not None and known.ok_at is not None]
    if due.before_at is not None:
        times.append(due.before_at)
    return msgspec.structs.replace(one, known_before=max(times)) if times else one


def _says(wide: Wider, one: FamilyRows) -> bool:
    return one.family in (wide.families or QUERY[wide.query].writes)


def _state_of(error: QuayError) -> FetchState:
    if isinstance(error, NotAQuay) and not isinstance(error, NotOffered) and error.status is None:
        raise error
    return next(state for kind, state in _STATES if isinstance(error, kind))


def _reason(rejected: tuple[str, ...]) -> str:
    named = "; ".join(dict.fromkeys(safe(reason) for reason in rejected[:_MOST_NAMED]))
    return f"{len(rejected)} row(s) could not be read: {named}"
