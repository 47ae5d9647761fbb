"""The simulator's log tables: columns in memory, with time-sorted indexes for each scope a log can be asked by."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from quayledger.simulator.clock import DAY_US

SERVICE_KEY_KINDS = frozenset(
    f"service_key_{verb}" for verb in ("approve", "create", "delete", "extend", "modify", "rotate")
)

# Stored metadata that is no JSON, as a Quay may hold it.
UNPARSABLE = b'{"cut off": '


class Row(msgspec.Struct, frozen=True):
    """A log row as stored: ids, not names. `metadata`: JSON text. `changed`: what a newer or broken Quay would say
    otherwise of the event, a JSON object of its members; null takes one out."""

    stamp_us: int
    kind: str
    account_id: int
    performer_id: int = 0
    repository_id: int = 0
    ip: str | None = None
    metadata: bytes = b"{}"
    changed: bytes | None = None


class Selection(msgspec.Struct, frozen=True):
    """What a query restricts rows to; 0 = not restricted. A repository outweighs an account."""

    account_id: int = 0
    repository_id: int = 0
    performer_id: int = 0
    hide_service_keys: bool = False


class Index:
    """Row numbers in time order, with their stamps beside them."""

    def __init__(self) -> None:
        self.rows = array("q")
        self.stamps = array("q")
        self.days: dict[int, dict[int, int]] = {}

    def append(self, row: int, stamp_us: int) -> None:
        """For rows that come in order."""
        self.rows.append(row)
        self.stamps.append(stamp_us)

    def insert(self, row: int, stamp_us: int, at: int) -> None:
        """For the others."""
        self.rows.insert(at, row)
        self.stamps.insert(at, stamp_us)
        self.days.pop(stamp_us // DAY_US, None)

    def before(self, stamp_us: int) -> int:
        """How many rows are older than the stamp."""
        return bisect_left(self.stamps, stamp_us)

    def until(self, stamp_us: int) -> int:
        """How many rows are not younger than the stamp."""
        return bisect_right(self.stamps, stamp_us)


class Table:
    """One of Quay's log tables. Rows of equal stamps lie in the order of `tie` (default: as they came)."""

    def __init__(self, rows: Iterable[Row] = (), tie: Callable[[int], int] | None = None) -> None:
        self._tie = tie or (lambda row: row)
        self._clear()
        self.load(rows)

    def __len__(self) -> int:
        return len(self.stamps)

    def load(self, rows: Iterable[Row]) -> None:
        """Adds many rows, in time order or not."""
        first = len(self.stamps)
        for row in rows:
            self._append(row)
        added = sorted(range(first, len(self.stamps)), key=lambda n: (self.stamps[n], self._tie(n)))
        self._made.clear()
        for number in added:
            for index in self._homes(number):
                if first == 0:
                    index.append(number, self.stamps[number])
                else:
                    index.insert(number, self.stamps[number], self._position(index, number))

    def insert(self, row: Row) -> None:
        """Adds one row."""
        self.load([row])

    def drop(self, unwanted: set[int]) -> int:
        """Takes rows out, and numbers the others anew; gives how many went."""
        kept = [self.row(number) for number in range(len(self)) if number not in unwanted]
        gone = len(self) - len(kept)
        self._clear()
        self.load(kept)
        return gone

    def row(self, number: int) -> Row:
        """A row as it was loaded."""
        return Row(
            self.stamps[number],
            self.kind_names[self.kinds[number]],
            self.accounts[number],
            self.performers[number],
            self.repositories[number],
            self.ips[number],
            self.metadata[number],
            self.changed.get(number),
        )

    def index(self, selection: Selection) -> Index:
        """The rows of a selection; rarer ones are put together when first asked for."""
        base = self._base(selection)
        if not selection.performer_id and not selection.hide_service_keys:
            return base
        found = self._made.get(selection)
        if found is None:
            found = self._made[selection] = self._filtered(base, selection)
        return found

    def in_order(self) -> Sequence[int]:
        """Row numbers, oldest first."""
        return self._all.rows

    def tie(self, number: int) -> int:
        """Where a row lies among those of its stamp."""
        return self._tie(number)

    def counts(self, index: Index, low: int, high: int) -> Counter[int]:
        """Rows by kind id of a stretch of an index."""
        return Counter(map(self.kinds.__getitem__, index.rows[low:high]))

    def day_counts(self, index: Index, day: int) -> dict[int, int]:
        """Rows by kind id of a whole UTC day (days since 1970), kept for the next time."""
        found = index.days.get(day)
        if found is None:
            found = self.counts(index, index.before(day * DAY_US), index.before((day + 1) * DAY_US))
            index.days[day] = found
        return found

    def _clear(self) -> None:
        self.stamps = array("q")
        self.kinds = array("H")
        self.accounts = array("q")
        self.performers = array("q")
        self.repositories = array("q")
        self.ips: list[str | None] = []
        self.metadata: list[bytes] = []
        self.changed: dict[int, bytes] = {}
        self.kind_names: list[str] = []
        self._kind_ids: dict[str, int] = {}
        self._all = Index()
        self._by_account: dict[int, Index] = {}
        self._by_repository: dict[int, Index] = {}
        self._made: dict[Selection, Index] = {}

    def _append(self, row: Row) -> None:
        kind = self._kind_ids.get(row.kind)
        if kind is None:
            kind = self._kind_ids[row.kind] = len(self.kind_names)
            self.kind_names.append(row.kind)
        if row.changed is not None:
            self.changed[len(self.stamps)] = row.changed
        self.stamps.append(row.stamp_us)
        self.kinds.append(kind)
        self.accounts.append(row.account_id)
        self.performers.append(row.performer_id)
        self.repositories.append(row.repository_id)
        self.ips.append(row.ip)
        self.metadata.append(row.metadata)

    def _homes(self, number: int) -> list[Index]:
        """The indexes that a row belongs in."""
        homes = [self._all]
        for held, key in (
            (self._by_account, self.accounts[number]),
            (self._by_repository, self.repositories[number]),
        ):
            index = held.get(key)
            if index is None:
                index = held[key] = Index()
            homes.append(index)
        return homes

    def _position(self, index: Index, number: int) -> int:
        key = (self.stamps[number], self._tie(number))
        return bisect_right(index.rows, key, key=lambda n: (self.stamps[n], self._tie(n)))

    def _base(self, selection: Selection) -> Index:
        if selection.repository_id:
            return self._by_repository.get(selection.repository_id) or Index()
        if selection.account_id:
            return self._by_account.get(selection.account_id) or Index()
        return self._all

    def _filtered(self, base: Index, selection: Selection) -> Index:
        hidden = {n for n, name in enumerate(self.kind_names) if name in SERVICE_KEY_KINDS}
        made = Index()
        for row, stamp_us in zip(base.rows, base.stamps, strict=True):
            if selection.performer_id and self.performers[row] != selection.performer_id:
                continue
            if selection.hide_service_keys and self.kinds[row] in hidden:
                continue
            made.append(row, stamp_us)
        return made
