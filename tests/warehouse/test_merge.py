"""The arithmetic of readings: nothing shrinks, nothing counts twice, and a name that changed makes no new event."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from quayledger.warehouse.log.merge import ALIAS_SCHEMA, merge
from quayledger.warehouse.schema import EVENT_SCHEMA, KEY_COLUMNS, TIE_COLUMNS
from tests.properties import costly
from tests.warehouse.sample import event, frame

_NAMES = st.sampled_from([None, "acme", "globex"])
_EVENTS = st.lists(
    st.builds(
        lambda second, kind, ip, tag, namespace, performer: event(
            second, kind, ip=ip, tag=tag, namespace=namespace, performer=performer
        ),
        st.integers(0, 2),
        st.sampled_from(["pull_repo", "push_repo"]),
        st.sampled_from([None, "10.0.0.1"]),
        st.sampled_from([None, "latest"]),
        _NAMES,
        _NAMES,
    ),
    max_size=12,
)


def keys(rows: pl.DataFrame, *more: str) -> Counter[tuple[Any, ...]]:
    return Counter(rows.select(*KEY_COLUMNS, *more).iter_rows())


def joined(held: pl.DataFrame, reading: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([held, merge(held, reading)[0]])


@costly(50)
@given(_EVENTS, _EVENTS)
def test_each_key_is_held_as_often_as_in_the_reading_that_had_most(held: Any, reading: Any) -> None:
    one, two = frame(held), frame(reading)
    new, aliases = merge(one, two)
    assert keys(pl.concat([one, new])) == keys(one) | keys(two)
    assert new.schema == pl.Schema(EVENT_SCHEMA)
    assert aliases.schema == pl.Schema(ALIAS_SCHEMA)
    assert new["occurred_at"].is_sorted()


@costly(25)
@given(_EVENTS, _EVENTS)
def test_merging_twice_is_merging_once(held: Any, reading: Any) -> None:
    once = joined(frame(held), frame(reading))
    assert merge(once, frame(reading))[0].is_empty()
    assert merge(once, once)[1].is_empty()


@costly(25)
@given(_EVENTS, _EVENTS, _EVENTS)
def test_the_order_of_readings_does_not_matter(one: Any, two: Any, three: Any) -> None:
    first = joined(joined(frame(one), frame(two)), frame(three))
    last = joined(joined(frame(three), frame(one)), frame(two))
    assert keys(first) == keys(last)


@costly(25)
@given(_EVENTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: Any, random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    new, aliases = merge(frame(rows), frame(shuffled))
    assert new.is_empty()
    assert aliases.is_empty()


@costly(25)
@given(_EVENTS, _EVENTS)
def test_what_is_equal_is_paired_before_what_changed_its_name(held: Any, reading: Any) -> None:
    one, two = frame(held), frame(reading)
    whole = keys(one, *TIE_COLUMNS) & keys(two, *TIE_COLUMNS)
    known = two.height - merge(one, two)[0].height
    assert known >= sum(whole.values())
    assert known == sum((keys(one) & keys(two)).values())


def test_a_renamed_account_is_an_alias_and_no_new_event() -> None:
    held = frame([event(1, namespace="acme", performer="alice"), event(1, namespace="acme", performer="bob")])
    reading = frame([event(1, namespace="acme", performer="bob"), event(1, namespace="acme-new", performer=None)])
    new, aliases = merge(held, reading)
    assert new.is_empty()
    assert aliases.rows() == [("namespace", "acme", "acme-new", 1), ("performer", "alice", None, 1)]


def test_two_equal_pulls_in_one_second_are_both_real() -> None:
    new, _ = merge(frame([event(1)]), frame([event(1), event(1), event(1)]))
    assert new.height == 2
