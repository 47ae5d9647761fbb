"""Day parts: how a day that one chain cannot read completely is split into smaller parts that can be counted and read. Pure.

A part is what one list call can be narrowed to: a namespace, a repository, or the actions of one performer in a namespace.
Parts overlap on purpose (an event lies in its repository and with its performer): each is another chance to see a row, and
readings are merged by the larger multiplicity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log.held_parts import HeldPart


class DayPart(msgspec.Struct, frozen=True):
    """A list call narrower than the cover's: `scope` is where it is asked, `performer` whose deeds ('' : everybody's).
    `later_days`: how many days after the day the window goes on, so that pages end between other rows."""

    scope: Scope
    performer: str = ""
    later_days: int = 0

    @property
    def text(self) -> str:
        """How the part is written into the record of readings."""
        performer = f" performer={self.performer}" if self.performer else ""
        return f"{self.scope.text}{performer}" + (f" +{self.later_days}d" if self.later_days else "")

    def holds(self, held: HeldPart) -> bool:
        """Whether what is held under these names lies in the part."""
        if self.scope.kind == "superuser":
            return True
        if self.scope.kind == "repository":
            return f"{held.namespace}/{held.repository}" == self.scope.name
        return held.namespace == self.scope.name and (not self.performer or held.performer == self.performer)


def held_of(part: DayPart, held: Iterable[HeldPart]) -> dict[str, int]:
    """By kind, what is held of a part."""
    total: Counter[str] = Counter()
    for one in held:
        if part.holds(one):
            total.update(one.by_kind)
    return dict(total)


def children(part: DayPart, held: Iterable[HeldPart], lacking: Mapping[str, int]) -> list[DayPart]:
    """The parts to look into where this one lacks events of some kinds, the likeliest first: those that hold most of the
    same kinds, because a busy part loses most; then the others, because a rare kind may be held nowhere yet."""
    same: Counter[DayPart] = Counter()
    all_kinds: Counter[DayPart] = Counter()
    for one in held:
        if not part.holds(one) or one.namespace is None:
            continue
        for child in _narrower(part, one):
            same[child] += sum(number for kind, number in one.by_kind.items() if kind in lacking)
            all_kinds[child] += sum(one.by_kind.values())
    return sorted(all_kinds, key=lambda child: (-same[child], -all_kinds[child], child.text))


def _narrower(part: DayPart, held: HeldPart) -> Iterable[DayPart]:
    namespace = held.namespace or ""
    if part.scope.kind == "superuser":
        yield DayPart(Scope("organization", namespace))
        return
    if part.performer or part.scope.kind == "repository":
        return
    if held.repository:
        yield DayPart(Scope("repository", f"{namespace}/{held.repository}"))
    if held.performer and part.scope.kind in ("organization", "user"):
        yield DayPart(part.scope, held.performer)
