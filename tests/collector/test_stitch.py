"""Stitching and splitting as properties: whatever a lossy list gives, no event is taken more often than it happened."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quayledger.collector.log.day_parts import DayPart, children, held_of
from quayledger.collector.log.normalise import DefaultNamespace, Event, day_bounds_us, normalise
from quayledger.collector.log.stitch import StitchedRows, StretchStart, TokenWatch, stitch
from quayledger.collector.quay.logs import LogPage
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log.held_parts import HeldPart

DAY = datetime(2026, 11, 21, tzinfo=UTC)
PLACE = DefaultNamespace("acme", "org")
PAGE = 20


class LossyList:
    """Quay's own paging over whole seconds: a page that ends within a stamp skips twenty rows counted from that stamp."""

    def __init__(self, seconds: list[int]) -> None:
        self.seconds = sorted(seconds, reverse=True)
        self.asked = 0

    async def __call__(self, token: str | None) -> LogPage:
        self.asked += 1
        start, offset = map(int, token.split()) if token else (86_400, 0)
        rows = [second for second in self.seconds if second <= start][offset : offset + PAGE + 1]
        more = rows[PAGE] if len(rows) > PAGE else None
        if more is not None and more == rows[PAGE - 1]:
            offset += PAGE
        lines = tuple(msgspec.Raw(_line(second)) for second in rows[:PAGE])
        following = f"{more} {offset}" if more is not None else None
        return LogPage(b"", lines, following, DAY, DAY + timedelta(days=1), None)


def _line(second: int) -> bytes:
    stamp = format_datetime(DAY + timedelta(seconds=second)).replace("+0000", "-0000")
    return msgspec.json.encode({"kind": "pull_repo", "metadata": {}, "ip": None, "datetime": stamp})


def _events(seconds: list[int]) -> Counter[tuple[object, ...]]:
    found = [normalise(_line(second), PLACE) for second in seconds]
    return Counter(event.key for event in found if isinstance(event, Event))


async def _starts(seconds: list[int]) -> list[StretchStart]:
    """The tokens of another, thinner list of the same server."""
    watch, thin = TokenWatch(), LossyList(seconds)
    token: str | None = None
    for _ in range(200):
        page = await thin(token)
        watch.see(page)
        token = page.next_page
        if token is None:
            break
    return watch.starts


@given(st.lists(st.integers(0, 300), max_size=200), st.lists(st.integers(0, 300), max_size=120))
async def test_stitching_takes_nothing_twice_and_ends(seconds: list[int], others: list[int]) -> None:
    there = _events(seconds)
    source, joined = LossyList(seconds), StitchedRows(Counter())
    lacking = {"pull_repo": len(seconds) + 1}
    requests = await stitch(source, await _starts(others), joined, lacking, day_bounds_us(DAY.date()), PLACE, 60)
    assert requests == source.asked <= 60
    assert Counter(event.key for event in joined.events) <= there


async def test_stitching_brings_what_one_chain_loses() -> None:
    seconds = [second // 2 for second in range(400)]  # two rows a second
    one_chain, stitched = StitchedRows(Counter()), StitchedRows(Counter())
    lacking, bounds = {"pull_repo": len(seconds)}, day_bounds_us(DAY.date())
    odd = [0, *seconds]  # pages of this list end between two stamps where those of the other end within one
    await stitch(LossyList([*seconds, 200]), [], one_chain, lacking, bounds, PLACE, 100)
    starts = await _starts(list(range(200))) + await _starts(odd)
    await stitch(LossyList([*seconds, 200]), starts, stitched, lacking, bounds, PLACE, 100)
    assert len(one_chain.events) < len(stitched.events)


def test_busy_parts_of_the_same_kind_come_first_and_rare_ones_last() -> None:
    held = [
        HeldPart("acme", "web", "ci", {"pull_repo": 10, "push_repo": 1}),
        HeldPart("acme", None, "alice", {"create_repo": 90}),
        HeldPart("globex", "db", None, {"pull_repo": 40}),
        HeldPart(None, None, None, {"pull_repo": 99}),
    ]
    whole = DayPart(Scope("superuser"))
    names = [part.text for part in children(whole, held, {"pull_repo": 1})]
    assert names == ["organization:globex", "organization:acme"]
    acme = DayPart(Scope("organization", "acme"))
    assert [part.text for part in children(acme, held, {"pull_repo": 1})] == [
        "organization:acme performer=ci",
        "repository:acme/web",
        "organization:acme performer=alice",
    ]
    assert held_of(acme, held) == {"pull_repo": 10, "push_repo": 1, "create_repo": 90}
    assert children(DayPart(Scope("repository", "acme/web")), held, {"pull_repo": 1}) == []
