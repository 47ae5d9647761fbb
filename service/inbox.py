"""The inbox: how a command hands its work to the service that holds the ledger, and follows its progress. I/O on small files.

An order is one JSON file in `<home>/inbox/`, removed by whoever takes it; its answer is another beside it, replaced as the
work goes on. Files, because they work across containers that share the folder, need no port and no secret, and survive
either side's death.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from quayledger.warehouse import service_status
from quayledger.warehouse.errors import LockHolder
from quayledger.warehouse.ledger import holder

FOLDER = "inbox"
_ORDER = ".order.json"
_ANSWER = ".answer.json"
_POLL_S = 0.2
PATIENCE_S = 60.0  # the service gives a sign of life every few seconds
_FINAL = ("done", "failed")
_T = TypeVar("_T")


class Order(msgspec.Struct, frozen=True):
    """Work for the service: a sync of these UTC days (None: as the settings say) and sources (none: all), or a look at what
    the registry holds (`everything`: a whole round; `requests`: at most so many a source)."""

    order_id: str
    first: date | None
    last: date | None
    source_ids: tuple[str, ...]
    created_at: datetime
    work: Literal["sync", "inventory"] = "sync"
    everything: bool = False
    requests: int | None = None


class SourceAnswer(msgspec.Struct, frozen=True):
    """How one source of an order went, or goes. `alert`: what somebody who waits should read at once; `stage`: as in
    `collector.sync.Progress`."""

    source_id: str
    events_new: int
    events_expected: int
    days_done: int
    days_total: int
    requests: int
    error: str = ""
    exit_code: int = 0
    notes: tuple[str, ...] = ()
    states: dict[str, int] = {}
    alert: str = ""
    stage: str = ""


class InventoryAnswer(msgspec.Struct, frozen=True):
    """How one source of an order for the inventory went, or goes. `states`: looks by how they ended; `by_why`: by what asked
    for them; `left`: looks that were due and not done."""

    source_id: str
    looks_done: int
    looks_total: int
    changes: int
    requests: int
    opened: int = 0
    changed: int = 0
    closed: int = 0
    points: int = 0
    rejected_rows: int = 0
    left: int = 0
    states: dict[str, int] = {}
    by_why: dict[str, int] = {}
    notes: tuple[str, ...] = ()
    error: str = ""
    exit_code: int = 0


class Answer(msgspec.Struct, frozen=True):
    """What the service says of an order that it took."""

    order_id: str
    state: Literal["running", "done", "failed"]
    sources: tuple[SourceAnswer, ...] = ()
    message: str = ""
    exit_code: int = 0
    inventories: tuple[InventoryAnswer, ...] = ()


class NoAnswer(Exception):
    """The service that was to do the work does not answer; the text says why that is thought, and what to do."""


def hand_over(home: Path, first: date | None, last: date | None, source_ids: tuple[str, ...]) -> Order:
    """Puts an order for a sync into the inbox. Raises OSError."""
    return _write_order(home, Order(uuid.uuid4().hex, first, last, source_ids, datetime.now(UTC)))


def hand_over_inventory(home: Path, source_ids: tuple[str, ...], *, everything: bool, requests: int | None) -> Order:
    """Puts an order for the inventory into the inbox. Raises OSError."""
    order = Order(uuid.uuid4().hex, None, None, source_ids, datetime.now(UTC), "inventory", everything, requests)
    return _write_order(home, order)


def follow(home: Path, order: Order, service: LockHolder, *, patience_s: float = PATIENCE_S) -> Iterator[Answer]:
    """The answers to an order as they change, the last one `done` or `failed`. `service`: who held the ledger when the order
    was made. Raises NoAnswer where nobody takes the order, the service ends, or it gives no sign of life for so long."""
    wait = _Wait(home, order, service, patience_s)
    last: Answer | None = None
    try:
        while True:
            problem = wait.problem()
            # Read after the look at the service: one that answers and then ends has answered.
            answer = _read(_answer_path(home, order.order_id), Answer)
            if answer is not None and answer != last:
                yield answer
                last = answer
                if answer.state in _FINAL:
                    return
            elif problem:
                raise NoAnswer(problem)
            time.sleep(_POLL_S)
    finally:
        # Nobody waits any more: an order that was not taken is withdrawn, an answer that was read is done with.
        for path in (_order_path(home, order.order_id), _answer_path(home, order.order_id)):
            with contextlib.suppress(OSError):
                path.unlink()


class _Wait:
    """What a command that waits knows of the service. Its own monotonic clock decides: the wall clock may be set meanwhile."""

    def __init__(self, home: Path, order: Order, service: LockHolder, patience_s: float) -> None:
        self._home, self._order, self._service, self._patience_s = home, order, service, patience_s
        self._since = self._alive_at = time.monotonic()
        self._beat = service_status.last_beat(home)

    def problem(self) -> str:
        """Why it is of no use to wait on; '' while it is."""
        now, service = time.monotonic(), self._service
        if (beat := service_status.last_beat(self._home)) != self._beat:
            self._beat, self._alive_at = beat, now
        is_taken = not _order_path(self._home, self._order.order_id).exists()
        is_gone = not is_same(holder(self._home), service)
        who = f"the service (process {service.pid} on {service.host})"
        if is_taken and is_gone:
            return f"{who} ended before the work was done. What it collected is kept: run the same command again"
        if not is_taken and (is_gone or now - self._since > self._patience_s):
            why = "ended" if is_gone else f"has not taken the work over within {self._patience_s:.0f} s"
            return f"{who} {why}: see its log, restart it if it hangs, then run the same command again"
        if now - self._alive_at > self._patience_s:
            return (
                f"{who} has given no sign of life for {self._patience_s:.0f} s; it may still do the work. See its log and "
                "`/health`, restart it if it hangs, then run the same command again"
            )
        return ""


def is_same(one: LockHolder | None, other: LockHolder) -> bool:
    """Whether both are the same hold of the ledger."""
    return one is not None and (one.pid, one.host, one.since) == (other.pid, other.host, other.since)


def waiting(home: Path) -> list[Order]:
    """The orders that nobody took yet, oldest first. One that is no order is put aside as `.bad`; one that vanishes or
    cannot be read this time is passed over. Raises OSError where the inbox cannot be made or listed."""
    orders = []
    for path in _folder(home).glob(f"*{_ORDER}"):
        with contextlib.suppress(OSError):  # its command may withdraw it at any moment
            try:
                orders.append(msgspec.json.decode(path.read_bytes(), type=Order))
            except (msgspec.DecodeError, msgspec.ValidationError):
                path.replace(path.with_suffix(".bad"))
    return sorted(orders, key=lambda order: (order.created_at, order.order_id))


def take(home: Path, order: Order) -> bool:
    """Takes an order out of the inbox, which tells its command that it is taken and works on a full disk, too; False where
    its command withdrew it. Raises OSError."""
    try:
        _order_path(home, order.order_id).unlink()
    except FileNotFoundError:
        return False
    return True


def answer(home: Path, reply: Answer) -> None:
    """Replaces the answer to an order. Raises OSError."""
    _write(_answer_path(home, reply.order_id), msgspec.json.encode(reply))


def remove_answers(home: Path, order_ids: Iterable[str] | None = None) -> None:
    """Removes the answers to these orders, which nobody came for; None: all, and what was left unfinished. Raises OSError."""
    if order_ids is None:
        paths = [*_folder(home).glob(f"*{_ANSWER}"), *_folder(home).glob(f".*{_ANSWER}.*")]
    else:
        paths = [_answer_path(home, order_id) for order_id in order_ids]
    for path in paths:
        path.unlink(missing_ok=True)


def _write_order(home: Path, order: Order) -> Order:
    _write(_order_path(home, order.order_id), msgspec.json.encode(order))
    return order


def _order_path(home: Path, order_id: str) -> Path:
    return home / FOLDER / f"{order_id}{_ORDER}"


def _answer_path(home: Path, order_id: str) -> Path:
    return home / FOLDER / f"{order_id}{_ANSWER}"


def _folder(home: Path) -> Path:
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path: Path, content: bytes) -> None:
    _folder(path.parent.parent)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def _read(path: Path, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None
