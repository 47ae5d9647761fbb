"""The inbox: how a command hands its work to the service that holds the ledger, and hears how it goes. I/O on small files.

An order is one JSON file in `<home>/inbox/`; its answer is another beside it, replaced as the work goes on. Files, because
they work across containers that share the folder, need no port and no secret, and survive either side's death.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

FOLDER = "inbox"
_ORDER = ".order.json"
_ANSWER = ".answer.json"
_POLL_S = 0.2
_KEEP_ANSWERS = timedelta(hours=1)
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
    """How one source of an order went, or goes."""

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
    """What the service says of an order."""

    order_id: str
    state: Literal["waiting", "running", "done", "failed"]
    sources: tuple[SourceAnswer, ...] = ()
    message: str = ""
    exit_code: int = 0
    inventories: tuple[InventoryAnswer, ...] = ()


def hand_over(home: Path, first: date | None, last: date | None, source_ids: tuple[str, ...]) -> Order:
    """Lays an order for a sync into the inbox."""
    return _lay(home, Order(uuid.uuid4().hex, first, last, source_ids, datetime.now(UTC)))


def hand_over_inventory(home: Path, source_ids: tuple[str, ...], *, everything: bool, requests: int | None) -> Order:
    """Lays an order for the inventory into the inbox."""
    order = Order(uuid.uuid4().hex, None, None, source_ids, datetime.now(UTC), "inventory", everything, requests)
    return _lay(home, order)


def _lay(home: Path, order: Order) -> Order:
    _write(_folder(home) / f"{order.order_id}{_ORDER}", msgspec.json.encode(order))
    return order


def follow(home: Path, order: Order, still_served: Callable[[], bool]) -> Iterator[Answer]:
    """The answers to an order as they change, the last one `done` or `failed`; ends early where nobody serves any more."""
    path = _folder(home) / f"{order.order_id}{_ANSWER}"
    last: Answer | None = None
    while True:
        answer = _read(path, Answer)
        if answer is not None and answer != last:
            yield answer
            last = answer
        if last is not None and last.state in ("done", "failed"):
            path.unlink(missing_ok=True)
            return
        if answer is None and not still_served():
            (_folder(home) / f"{order.order_id}{_ORDER}").unlink(missing_ok=True)
            return
        time.sleep(_POLL_S)


def waiting(home: Path) -> list[Order]:
    """The orders that nobody took yet, oldest first. An unreadable one is put aside as `.bad`."""
    orders = []
    for path in _folder(home).glob(f"*{_ORDER}"):
        order = _read(path, Order)
        if order is None:
            path.replace(path.with_suffix(".bad"))
        else:
            orders.append(order)
    return sorted(orders, key=lambda order: (order.created_at, order.order_id))


def take(home: Path, order: Order) -> None:
    """Says that the order is taken; it will not be seen as waiting again."""
    answer(home, Answer(order.order_id, "waiting"))
    (_folder(home) / f"{order.order_id}{_ORDER}").unlink(missing_ok=True)


def answer(home: Path, said: Answer) -> None:
    """Replaces what was said of an order."""
    _write(_folder(home) / f"{said.order_id}{_ANSWER}", msgspec.json.encode(said))


def sweep(home: Path, now: datetime) -> None:
    """Removes answers that nobody came for."""
    for path in _folder(home).glob(f"*{_ANSWER}"):
        if now - datetime.fromtimestamp(path.stat().st_mtime, UTC) > _KEEP_ANSWERS:
            path.unlink(missing_ok=True)


def _folder(home: Path) -> Path:
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _read(path: Path, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError, msgspec.ValidationError):
        return None
