"""Asking: does one look, and says how it ended in the terms of the warehouse. What a source does wrong is a state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from quayledger.collector.inventory.due import Due
from quayledger.collector.inventory.event_effects import OWNERS, TOLD_BEFORE
from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.queries import namespace_of, repository_of
from quayledger.collector.inventory.results import Found
from quayledger.collector.quay.errors import (
    BadRequest,
    Forbidden,
    NotAQuay,
    NotFound,
    NotOffered,
    QuayError,
    Unauthenticated,
    safe,
)
from quayledger.collector.quay.meter import count_requests
from quayledger.warehouse.inventory.store import Brought, Look, LookState

Reader = Callable[[InventoryRun, str], Awaitable[Found]]
_STATES: tuple[tuple[type[QuayError], LookState], ...] = (
    (NotFound, "gone"),
    (Forbidden, "refused"),
    (NotOffered, "not_offered"),
    (BadRequest, "failed"),
    (QuayError, "failed"),
)
# Answered 401 where the token lacks a scope; anywhere else a 401 means that the token is good no more.
_UNKNOWN_USER = frozenset({"own_user", "own_robots", "own_quota", "own_autoprune", "stars", "app_tokens", "referrers"})
_MOST_NAMED = 3


async def look_at(run: InventoryRun, due: Due, readers: Mapping[str, Reader]) -> tuple[Look, Found]:
    """Does one look. Raises QuayError only for what stops the whole run: the token is refused, or the address is wrong."""
    looked_at = run.now()
    found, reason = Found(), ""
    state: LookState = "ok"
    with count_requests() as counted:
        try:
            found = await readers[due.look](run, due.target)
            if found.rejected:
                state, reason = "partial", _told(found.rejected)
        except Unauthenticated as error:
            if due.look not in _UNKNOWN_USER:
                raise
            state, reason = "refused", str(error)
        except QuayError as error:
            state, reason = _state_of(error), str(error)
    look = Look(
        source_id=run.source_id,
        look=due.look,
        target=due.target,
        state=state,
        reason=reason,
        looked_at=looked_at,
        requests=counted.requests,
        rejected_rows=len(found.rejected),
        caused_at=due.caused_at,
        brought=tuple(_dated(run, due, one) for one in found.brought),
        measured=found.measured,
    )
    return look, found


def _dated(run: InventoryRun, due: Due, one: Brought) -> Brought:
    """With the time at which a wider look told of the same objects."""
    parts = {"": "", "repository": repository_of(due.target), "namespace": namespace_of(due.target)}
    parts["owners"] = f"{namespace_of(due.target)}/{OWNERS}"
    wider = (run.known.get((look, parts[part])) for look, part in TOLD_BEFORE.get((due.look, one.family), ()))
    times = [known.ok_at for known in wider if known is not None and known.ok_at is not None]
    if due.before_at is not None:
        times.append(due.before_at)
    return msgspec.structs.replace(one, told_before=max(times)) if times else one


def _state_of(error: QuayError) -> LookState:
    if isinstance(error, NotAQuay) and not isinstance(error, NotOffered) and error.status is None:
        raise error
    return next(state for kind, state in _STATES if isinstance(error, kind))


def _told(rejected: tuple[str, ...]) -> str:
    named = "; ".join(dict.fromkeys(safe(reason) for reason in rejected[:_MOST_NAMED]))
    return f"{len(rejected)} row(s) could not be read: {named}"
