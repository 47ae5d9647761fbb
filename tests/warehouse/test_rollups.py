"""Rollups: every figure is the number that the events themselves give, in any period, time zone and filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.warehouse.event_files import SEEN_SUFFIX, USAGE_SUFFIX
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events
from quayledger.warehouse.log.close import close_day, close_days
from quayledger.warehouse.log.event_filter import EventFilter, RenamedAccount
from quayledger.warehouse.log.events import Bucket, UsageKey
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot
from tests.properties import costly
from tests.warehouse.sample import NOW, SOURCE, begin, event, seal, store

_FIRST = date(2026, 10, 23)  # the hour of many zones goes back on the 25th
_DAYS = [_FIRST + timedelta(days=n) for n in range(14)]
_ZONES = (
    "UTC",
    "Asia/Tokyo",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
_KINDS = ("pull_repo", "pull_repo", "push_repo", "delete_tag", "login_failure", "build_dockerfile", "made_up")


def _made(day: date, number: int, seed: int) -> list[dict[str, Any]]:
    made = []
    for index in range(number):
        odd = index * 7919 + seed * 104_729
        kind = _KINDS[odd % len(_KINDS)]
        actor = (None, "alice", "bob", "acme+ci", "acme+cd")[odd % 5]
        values: dict[str, Any] = {
            "namespace": (None, "acme", "globex")[odd % 3],
            "repository": (None, "web", "api")[odd // 3 % 3],
            "repository_namespace": "acme",
            "performer": actor,
            "performer_kind": None if actor is None else "robot" if "+" in actor else "user",
            "ip": f"10.0.{odd % 3}.{odd % 11}",
            "tag": f"v{odd % 13}",
            "user_agent": ("docker/24", "skopeo/1.9", None)[odd % 3],
            "metadata": '{"username":"typed"}' if kind == "login_failure" else None,
        }
        made.append(event(odd * 613 % 86_400, kind, day=day, **values))
    return made


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """Two sources; a month joined from days, days in files of their own, late rows, and days in the live file."""
    home: Path = tmp_path_factory.mktemp("rollups")
    with Ledger.open(home, command="test") as ledger:
        for seed, source in enumerate((SOURCE, "other")):
            begin(ledger, source)
            for number, day in enumerate(_DAYS[: -2 - seed]):
                store(ledger, _made(day, 60 + number, seed), source_id=source, day=day)
                seal(ledger, day, source_id=source)
        assert close_day(ledger, SOURCE, _DAYS[0], NOW.date())
        close_days(ledger, date(2026, 11, 20), 10)
        late = [
            *_made(_DAYS[1], 61, 0),
            event(77, "push_repo", day=_DAYS[1], performer="zed", ip="10.9.9.9", namespace="new"),
        ]
        assert store(ledger, late, day=_DAYS[1]).new_events == 1
        for day in _DAYS[-2:]:
            store(ledger, _made(day, 40, 3), day=day)
        assert ledger.rows("SELECT count(*) > 0 FROM event_rows") == [(True,)]
        publish(ledger, keep=2, now=NOW)
    with Snapshot.open(home) as opened:
        assert len(opened.rolled_files) == len(opened.files) > 6
        yield opened


def _answers(
    snap: Snapshot, flt: EventFilter, zone: str, bucket: Bucket, by: UsageKey
) -> tuple[pl.DataFrame | int | list[str], ...]:
    return (
        events.count_events(snap, flt),
        events.totals(snap, flt),
        events.usage_counts(snap, flt, by=by),
        events.usage_series(snap, flt, time_zone=zone, bucket=bucket),
        events.heat(snap, flt, time_zone=zone),
        events.namespaces(snap, flt.source_ids),
        events.value_counts(snap, flt, ("kind", "outcome", "actor", "repository", "client"), limit=3),
    )


def from_events_alone(ask: Callable[[], Any]) -> Any:
    """What an answer is where no rollup is used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "find_rollups", lambda *_: None)
        return ask()


_MOMENTS = st.one_of(
    st.none(),
    st.integers(-1, 15).map(lambda n: datetime(2026, 10, 23, tzinfo=UTC) + timedelta(days=n)),
    st.integers(-96, 15 * 96).map(lambda n: datetime(2026, 10, 23, tzinfo=UTC) + timedelta(minutes=15 * n)),
    st.integers(0, 14 * 86_400).map(lambda n: datetime(2026, 10, 23, tzinfo=UTC) + timedelta(seconds=n)),
)
_PAIRS = (
    *(
        ("kind", "pull_repo"),
        ("category", "unknown"),
        ("outcome", "failure"),
        ("actor", "alice"),
        ("namespace", "acme"),
    ),
    *(
        ("repository", "web"),
        ("repository", "acme/api"),
        ("ip", "10.0.0.0/24"),
        ("tag", "v3"),
        ("user_agent", "SKOPEO"),
    ),
)
_FILTERS = st.builds(
    EventFilter,
    since=_MOMENTS,
    until=_MOMENTS,
    source_ids=st.sampled_from([(), (SOURCE,), ("other",), (SOURCE, "other"), ("nobody",)]),
    kinds=st.sampled_from([(), (), ("pull_repo",), ("login_failure", "made_up")]),
    categories=st.sampled_from([(), (), ("unknown",), ("image",)]),
    namespace=st.sampled_from([None, None, None, "acme", "new"]),
    repository=st.sampled_from([None, None, None, "web", "acme/api"]),
    actor=st.sampled_from([None, None, None, "alice", "zed"]),
    actor_type=st.sampled_from([None, None, None, "robot"]),
    client=st.sampled_from([None, None, None, "docker"]),
    ip=st.sampled_from([None, None, None, "10.0.0.0/24"]),
    tag=st.sampled_from([None, None, None, "v3"]),
    outcome=st.sampled_from([None, None, None, "failure"]),
    excluded=st.lists(st.sampled_from(_PAIRS), max_size=2).map(tuple),
)


@costly(8)
@given(
    flt=_FILTERS,
    zone=st.sampled_from(_ZONES),
    bucket=st.sampled_from(["hour", "day", "week", "month"]),
    by=st.sampled_from(["namespace", "repository", "actor", "robot", "client", "kind", "source"]),
)
def test_rollups_give_what_the_events_give(
    snapshot: Snapshot, flt: EventFilter, zone: str, bucket: Bucket, by: UsageKey
) -> None:
    answers = _answers(snapshot, flt, zone, bucket, by)
    expected = from_events_alone(lambda: _answers(snapshot, flt, zone, bucket, by))
    for answer, right in zip(answers, expected, strict=True):
        if isinstance(answer, pl.DataFrame):
            assert answer.schema == right.schema
            assert answer.rows() == right.rows()
        else:
            assert answer == right


_FIELD_OF = {"kind": "kinds", "category": "categories"}


@pytest.mark.parametrize("pair", _PAIRS)
def test_what_is_excluded_is_what_including_it_would_have_kept(snapshot: Snapshot, pair: tuple[str, str]) -> None:
    field, value = pair
    asked: dict[str, Any] = {_FIELD_OF.get(field, field): (value,) if field in _FIELD_OF else value}
    kept = EventFilter(**asked)
    number = events.count_events(snapshot, kept)
    assert number
    left = events.count_events(snapshot, EventFilter(excluded=(pair,)))
    assert number + left == events.count_events(snapshot, EventFilter())


def test_events_by_id_and_ids_of_nothing(snapshot: Snapshot) -> None:
    listed = events.events(snapshot, EventFilter(), limit=5, offset=400)
    ids = listed["event_id"].to_list()
    none = ["", "x", "main-99999999-1", "main-20261131-1", "main-20261023-999999", "'; --"]
    assert events.by_ids(snapshot, [*reversed(ids), *none, ids[0]]).equals(listed)


def test_neighbours_have_their_first_and_last_time(snapshot: Snapshot) -> None:
    found = events.neighbours(snapshot, EventFilter(actor="alice"), ("ip", "credential"), limit=50)
    for row in found.iter_rows(named=True):
        of = events.events(snapshot, EventFilter(actor="alice", **{row["field"]: row["value"]}), limit=0)
        assert (row["events"], row["first_at"], row["last_at"]) == (
            of.height,
            of["occurred_at"].min(),
            of["occurred_at"].max(),
        )
    assert found.height == found["distinct"][0]


def test_closed_days_are_answered_without_their_events(snapshot: Snapshot) -> None:
    flt = EventFilter(datetime(2026, 10, 23, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC))
    expected = from_events_alone(lambda: events.totals(snapshot, flt))
    files = {file: (snapshot.home / file.file).rename(snapshot.home / f"{file.sha256}.away") for file in snapshot.files}
    try:
        assert events.totals(snapshot, flt).rows() == expected.rows()
        assert events.usage_series(snapshot, flt, time_zone="Asia/Tokyo", bucket="day").height > 11
    finally:
        for file, away in files.items():
            away.rename(snapshot.home / file.file)


@pytest.mark.parametrize("suffix", [USAGE_SUFFIX, SEEN_SUFFIX])
def test_without_its_rollups_a_day_is_answered_from_its_events(snapshot: Snapshot, suffix: str) -> None:
    expected = events.totals(snapshot, EventFilter())
    path = snapshot.home / snapshot.files[0].beside(suffix)
    away = path.rename(snapshot.home / "away")
    try:
        with Snapshot.open(snapshot.home) as opened:
            assert events.totals(opened, EventFilter()).rows() == expected.rows()
    finally:
        away.rename(path)


def test_days_of_an_open_month_are_joined_and_any_part_of_them_is_answered(tmp_path: Path) -> None:
    days = [date(2026, 11, 1) + timedelta(days=n) for n in range(13)]
    with Ledger.open(tmp_path, command="test") as ledger:
        begin(ledger, SOURCE)
        for number, day in enumerate(days):
            store(ledger, _made(day, 30 + number, 1), day=day)
            seal(ledger, day)
            close_day(ledger, SOURCE, day, date(2026, 11, 20))
            if number == 10:
                close_days(ledger, date(2026, 11, 20), 10)
        ((name,),) = ledger.rows("SELECT file FROM rollup_joins")
        publish(ledger, keep=2, now=NOW)
    midnights = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 3, 9, 13)]
    filters = [
        EventFilter(since, until, namespace=namespace)
        for since, until in ((None, None), *pairwise(midnights), (midnights[1], midnights[3]))
        for namespace in (None, "acme")
    ]
    renamed = (RenamedAccount(SOURCE, "acme", "initech", datetime(2026, 10, 1, tzinfo=UTC), midnights[2]),)

    def answers(snap: Snapshot) -> list[Any]:
        found: list[Any] = [_answers(snap, flt, "Asia/Tokyo", "day", "repository") for flt in filters]
        return found + [
            events.usage_counts(snap, flt, by=by, renamed=renamed).rows()
            for flt in filters
            for by in ("namespace", "robot", "repository")
        ]

    with Snapshot.open(tmp_path) as snap:
        assert len(snap.pieces(snap.files)) == 1 + 2  # eleven days joined, and two that are not
        expected = from_events_alone(lambda: answers(snap))
        _same(answers(snap), expected)
    for suffix in (USAGE_SUFFIX, SEEN_SUFFIX):
        (tmp_path / name).with_name(Path(name).name.removesuffix(".parquet") + suffix).unlink()
    with Snapshot.open(tmp_path) as snap:
        assert len(snap.pieces(snap.files)) == len(days)
        _same(answers(snap), expected)


def _same(answers: list[Any], expected: list[Any]) -> None:
    for answer, right in zip(answers, expected, strict=True):
        if isinstance(answer, tuple):
            _same(list(answer), list(right))
        else:
            assert answer.rows() == right.rows() if isinstance(answer, pl.DataFrame) else answer == right


def test_rollups_of_an_older_form_are_written_anew(tmp_path: Path) -> None:
    day = date(2026, 11, 1)
    with Ledger.open(tmp_path, command="test") as ledger:
        begin(ledger, SOURCE)
        store(ledger, _made(day, 30, 1), day=day)
        seal(ledger, day)
        file = close_day(ledger, SOURCE, day, date(2026, 11, 20))
        assert file is not None
        for suffix, older in ((USAGE_SUFFIX, ".usage.parquet"), (SEEN_SUFFIX, ".seen.parquet")):
            (tmp_path / file.beside(suffix)).rename(tmp_path / file.beside(older))
        publish(ledger, keep=2, now=NOW)
        with Snapshot.open(tmp_path) as snap:
            assert not snap.rolled_files
            assert events.count_events(snap, EventFilter()) == 30
        close_days(ledger, date(2026, 11, 20), 10)
        publish(ledger, keep=2, now=NOW)
    with Snapshot.open(tmp_path) as snap:
        assert snap.rolled_files == set(snap.files)


@pytest.mark.parametrize("kind", ["different texts", "few texts"])
def test_many_different_texts_of_a_day_are_searched_in_its_events(tmp_path: Path, kind: str) -> None:
    day, number = date(2026, 11, 1), 5_200
    made = [
        event(n, metadata=f'{{"build":"{n if kind == "different texts" else n % 7:05}"}}', day=day)
        for n in range(number)
    ]
    with Ledger.open(tmp_path, command="test") as ledger:
        begin(ledger, SOURCE)
        store(ledger, made, day=day)
        seal(ledger, day)
        close_day(ledger, SOURCE, day, date(2026, 11, 20))
        publish(ledger, keep=2, now=NOW)
    with Snapshot.open(tmp_path) as snap:
        found = events.events(snap, EventFilter(text='"BUILD":"00006'), limit=10_000)
        assert found.height == (1 if kind == "different texts" else len(range(6, number, 7)))
        assert events.events(snap, EventFilter(text="no such build"), limit=5).is_empty()
