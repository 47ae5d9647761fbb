"""Chains: where a chain of pages stops, and how it meets each way in which a Quay gives a page twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest

from quayledger.collector.log.landing import ChainHeader, LandingFile
from quayledger.collector.log.normalise import DefaultNamespace, Event, normalise, stamp_us
from quayledger.collector.log.page_chain import ChainGoal, ChainResult, EventKey, Tally, read_chain, replay, usable
from quayledger.collector.quay.errors import QuayError, ServerFailure, Unreachable
from quayledger.collector.quay.logs import LogPage

DAY = date(2026, 11, 21)
START = datetime(2026, 11, 21, tzinfo=UTC)
END = START + timedelta(days=1)
PLACE = DefaultNamespace("acme", "org")


def row(second: int, kind: str = "pull_repo", tag: str = "t") -> bytes:
    stamp = format_datetime(START + timedelta(seconds=second)).replace("+0000", "-0000")
    return msgspec.json.encode({"kind": kind, "metadata": {"tag": tag}, "ip": None, "datetime": stamp})


def rows(seconds: Sequence[int]) -> list[bytes]:
    return [row(second, tag=str(second)) for second in seconds]


def page(lines: Sequence[bytes], token: str | None, served_at: datetime = END) -> LogPage:
    body = msgspec.json.encode({"logs": [msgspec.Raw(line) for line in lines]})
    return LogPage(body, tuple(msgspec.Raw(line) for line in lines), token, START, END, served_at)


class Source:
    """Answers by token from a script; `None` is the first page."""

    def __init__(self, script: dict[str | None, list[LogPage | QuayError]]) -> None:
        self.script, self.asked = script, list[str | None]()

    async def __call__(self, token: str | None) -> LogPage:
        self.asked.append(token)
        answers = self.script[token]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, QuayError):
            raise answer
        return answer


@pytest.fixture
def begin(tmp_path: Path) -> Callable[[], LandingFile]:
    return lambda: LandingFile.begin(
        tmp_path, ChainHeader("main", "organization:acme", "", DAY, 1, END + timedelta(hours=1))
    )


async def read(
    source: Source,
    log: LandingFile,
    missing: dict[str, int],
    *,
    counted: int | None = None,
    held: Callable[[int], Counter[EventKey]] | None = None,
    settle: timedelta | None = None,
) -> ChainResult:
    want = ChainGoal(missing, sum(missing.values()) if counted is None else counted, settle)
    return await read_chain(source, log, want, Tally(missing, held), PLACE)


def seconds(result: ChainResult) -> list[int]:
    return [(event.occurred_at - stamp_us(START)) // 1_000_000 for event in result.events]


async def test_the_count_saves_the_extra_last_page(begin: Callable[[], LandingFile]) -> None:
    source = Source({None: [page(rows(range(40, 20, -1)), "a")], "a": [page(rows(range(20, 0, -1)), "b")]})
    result = await read(source, begin(), {"pull_repo": 40})
    assert (result.end_reason, result.requests, len(result.events)) == ("filled", 2, 40)


async def test_a_source_that_gives_less_than_it_counts_is_followed_to_its_end(begin: Callable[[], LandingFile]) -> None:
    source = Source({None: [page(rows([9, 8]), "a")], "a": [page([], None)]})
    result = await read(source, begin(), {"pull_repo": 5})
    assert (result.end_reason, len(result.events), result.backend) == ("end", 2, "database")


async def test_a_legacy_table_that_loops_ends_the_chain_without_doubling_rows(begin: Callable[[], LandingFile]) -> None:
    legacy = rows(range(100, 80, -1))
    source = Source(
        {
            None: [page(rows([50, 49]), "a")],
            "a": [page(legacy, "b")],
            "b": [page(legacy, "c")],
        }
    )
    result = await read(source, begin(), {"pull_repo": 60})
    assert (result.end_reason, len(result.events)) == ("repeated", 22)
    assert source.asked == [None, "a", "b", "b", "b"]


async def test_page_one_again_is_asked_once_more_and_its_rows_are_left_out(begin: Callable[[], LandingFile]) -> None:
    first = page(rows(range(60, 40, -1)), "a")
    again = page(rows(range(60, 40, -1)), "z")
    source = Source({None: [first], "a": [again, page(rows(range(40, 20, -1)), None)]})
    result = await read(source, begin(), {"pull_repo": 40})
    assert (result.end_reason, seconds(result)) == ("filled", list(range(60, 20, -1)))


async def test_page_one_again_with_newer_rows_is_followed_without_doubling(begin: Callable[[], LandingFile]) -> None:
    first = page(rows(range(60, 40, -1)), "a")
    newer = page(rows(range(61, 41, -1)), "z")
    source = Source({None: [first], "a": [newer], "z": [page(rows(range(41, 21, -1)), None)]})
    result = await read(source, begin(), {"pull_repo": 40})
    assert (result.end_reason, sorted(seconds(result))) == ("filled", list(range(22, 62)))


async def test_rows_of_one_table_between_those_of_another_count_once(begin: Callable[[], LandingFile]) -> None:
    current = rows([90, 70, 50, 30])
    source = Source(
        {
            None: [page(current, "legacy")],
            "legacy": [page(rows([80, 60, 40]), "back")],
            "back": [page(rows([30]), "legacy")],
        }
    )
    result = await read(source, begin(), {"pull_repo": 9})
    assert sorted(seconds(result)) == [30, 40, 50, 60, 70, 80, 90]
    assert result.end_reason == "repeated"


async def test_identical_pages_of_one_second_are_no_repetition(begin: Callable[[], LandingFile]) -> None:
    same = [row(5)] * 20
    source = Source({None: [page(same, "a")], "a": [page(same, "b")], "b": [page(same, "c")]})
    result = await read(source, begin(), {"pull_repo": 60})
    assert (result.end_reason, len(result.events)) == ("filled", 60)


async def test_a_chain_is_bounded_even_where_rows_never_end(begin: Callable[[], LandingFile]) -> None:
    source = Source({None: [page([row(5)] * 20, None)]})
    source.script = {None: [page([row(5)] * 20, "a")], "a": [page([row(5, "push_repo")] * 20, "a")]}
    result = await read(source, begin(), {"pull_repo": 40})
    assert (result.end_reason, result.requests) == ("bound", 5)


async def test_an_open_day_is_read_down_to_what_is_held(begin: Callable[[], LandingFile]) -> None:
    stored = [normalise(line, PLACE) for line in rows(range(100, 0, -1))]
    keys = Counter(event.key for event in stored if isinstance(event, Event))
    source = Source({None: [page(rows(range(105, 85, -1)), "a")]})
    result = await read(source, begin(), {"pull_repo": 5}, counted=105, held=lambda _: keys)
    assert (result.end_reason, result.requests, result.new_by_kind) == ("filled", 1, {"pull_repo": 5})


async def test_a_day_that_was_read_through_ends_at_a_page_of_held_rows(begin: Callable[[], LandingFile]) -> None:
    stored = [normalise(line, PLACE) for line in rows(range(100, 0, -1))]
    keys = Counter(event.key for event in stored if isinstance(event, Event))
    script = {None: "a", "a": "b", "b": "c"}  # the first page's new rows end a stretch of which some were skipped
    pages = dict(zip(script, (range(105, 85, -1), range(85, 65, -1), range(65, 45, -1)), strict=True))
    source = Source({token: [page(rows(pages[token]), script[token])] for token in script})
    want = ChainGoal({"pull_repo": 9}, 109, None, until_held=True)
    result = await read_chain(source, begin(), want, Tally(want.missing, lambda _: keys), PLACE)
    assert (result.end_reason, source.asked, result.new_by_kind) == ("held", [None, "a"], {"pull_repo": 5})


async def test_a_known_key_counts_only_as_often_as_it_is_held(begin: Callable[[], LandingFile]) -> None:
    twin = normalise(row(7), PLACE)
    assert isinstance(twin, Event)
    source = Source({None: [page([row(7)] * 3, None)]})
    result = await read(source, begin(), {"pull_repo": 1}, counted=3, held=lambda _: Counter({twin.key: 2}))
    assert result.new_by_kind == {"pull_repo": 1}


async def test_a_chain_left_on_an_open_day_is_joined_and_not_read_again(begin: Callable[[], LandingFile]) -> None:
    stored = [normalise(line, PLACE) for line in rows(range(100, 40, -1))]
    keys = Counter(event.key for event in stored if isinstance(event, Event))
    source = Source({None: [page(rows(range(110, 90, -1)), "top")], "left": [page(rows(range(40, 20, -1)), "b")]})
    want = ChainGoal({"pull_repo": 30}, 110, timedelta(0), join="left")
    result = await read_chain(source, begin(), want, Tally({"pull_repo": 30}, lambda _: keys), PLACE)
    assert (source.asked, result.end_reason) == ([None, "left"], "filled")
    assert result.new_by_kind == {"pull_repo": 30}


async def test_rows_too_young_to_be_settled_are_left_and_fill_their_place(begin: Callable[[], LandingFile]) -> None:
    served_at = START + timedelta(seconds=102)
    source = Source({None: [page(rows([101, 99, 60, 50]), "a", served_at)]})
    result = await read(source, begin(), {"pull_repo": 4}, settle=timedelta(seconds=5))
    assert (result.end_reason, seconds(result), result.unsettled_by_kind) == ("filled", [60, 50], {"pull_repo": 2})


async def test_a_failure_keeps_what_came_and_a_later_run_reads_on(begin: Callable[[], LandingFile]) -> None:
    log = begin()
    failure = Unreachable("main", "listLogs", "connection refused")
    broken = Source({None: [page(rows(range(60, 40, -1)), "a")], "a": [failure]})
    result = await read(broken, log, {"pull_repo": 40})
    assert (result.end_reason, result.error, len(result.events)) == ("failed", failure, 20)
    log.close()

    resumed = LandingFile.resume(log.path)
    assert resumed is not None
    assert usable(resumed, END, resumed.marks[-1].landed_at + timedelta(hours=39))
    assert not usable(resumed, END, resumed.marks[-1].landed_at + timedelta(hours=41))
    assert len(replay(resumed, PLACE, timedelta(0)).events) == 20
    source = Source({"a": [page(rows(range(40, 20, -1)), "b")]})
    result = await read(source, resumed, {"pull_repo": 40})
    assert (result.end_reason, source.asked, seconds(result)) == ("filled", ["a"], list(range(60, 20, -1)))


async def test_a_page_that_the_server_cannot_give_ends_the_chain_as_unreadable(
    begin: Callable[[], LandingFile],
) -> None:
    failure = ServerFailure("main", "listLogs", "a page of HTML", status=500)
    source = Source({None: [page(rows(range(60, 40, -1)), "a")], "a": [failure]})
    result = await read(source, begin(), {"pull_repo": 40})
    assert (result.end_reason, result.error, len(result.events)) == ("unreadable", failure, 20)


async def test_rows_of_another_day_and_unreadable_rows_are_rejects(begin: Callable[[], LandingFile]) -> None:
    lines = [row(86_400), row(5), b'{"kind":"pull_repo"}', b"7"]
    result = await read(Source({None: [page(lines, None)]}), begin(), {"pull_repo": 4})
    assert seconds(result) == [5]
    assert [reject.kind for reject in result.rejects] == ["pull_repo", None, "pull_repo"]
