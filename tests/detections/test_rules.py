"""The rules judge their own examples right, and bursts are what a naive reading of their definition finds."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.collector.quay import redaction
from quayledger.reports.detections.model import NOON, Fixture, Rule, Severity
from quayledger.reports.detections.registry import UnknownRule, all_rules, find
from quayledger.reports.detections.rules.admin_granted import RULE as ADMIN_GRANTED
from quayledger.reports.detections.rules.persistence_credential import RULE as PERSISTENCE
from quayledger.reports.detections.windows import bursts
from tests.properties import costly

EXAMPLES = [(rule, fixture) for rule in all_rules() for fixture in rule.fixtures]


@pytest.mark.parametrize(("rule", "fixture"), EXAMPLES, ids=lambda one: getattr(one, "name", ""))
def test_a_rule_judges_its_example(rule: Rule, fixture: Fixture) -> None:
    signals = rule.signals(fixture.inputs())
    assert sorted({signal.subject for signal in signals}) == sorted(fixture.subjects)
    assert len(signals) == len(fixture.subjects), "one incident is one signal"
    for signal in signals:
        assert signal.first_at <= signal.last_at
        assert signal.summary.endswith((".", "found.", "username")) or signal.rule_id in ("D7", "D22")


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_a_rule_is_whole(rule: Rule) -> None:
    outcomes = {bool(fixture.subjects) for fixture in rule.fixtures}
    assert outcomes == {True, False}, "examples of both"
    assert rule.description and rule.runbook and rule.false_positives
    assert find(rule.id) == find(rule.name) == (rule,)


def test_ids_and_names_are_unique() -> None:
    assert len({rule.id for rule in all_rules()}) == len({rule.name for rule in all_rules()}) == len(all_rules())
    with pytest.raises(UnknownRule, match="D999"):
        find("D999")


def test_the_mark_of_a_removed_secret_is_the_collectors() -> None:
    (rule,) = find("D6")
    assert msgspec.structs.asdict(rule.params())["mark"] == redaction.MARK


def test_what_makes_a_signal_more_serious() -> None:
    night = next(fixture for fixture in ADMIN_GRANTED.fixtures if "night" in fixture.name)
    owners = next(fixture for fixture in ADMIN_GRANTED.fixtures if "owners" in fixture.name)
    assert [one.severity for one in ADMIN_GRANTED.signals(night.inputs())] == [Severity.HIGH]
    assert [one.severity for one in ADMIN_GRANTED.signals(owners.inputs())] == [Severity.MEDIUM]
    ordinary, attacked, _ = PERSISTENCE.fixtures
    assert [one.severity for one in PERSISTENCE.signals(ordinary.inputs())] == [Severity.INFO]
    assert [one.severity for one in PERSISTENCE.signals(attacked.inputs())] == [Severity.HIGH]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 300), st.sampled_from("xyz")), max_size=30),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 60),
)
@costly(50)
def test_bursts_are_what_a_naive_reading_finds(
    rows: list[tuple[str, int, str]], at_least: int, values: int, window_minutes: int
) -> None:
    window = timedelta(minutes=window_minutes)
    frame = pl.DataFrame(
        [(f"e{n:03}", who, NOON + timedelta(minutes=at), what) for n, (who, at, what) in enumerate(rows)],
        schema={"event_id": pl.String, "who": pl.String, "occurred_at": pl.Datetime("us", "UTC"), "what": pl.String},
        orient="row",
    )
    found = {
        frozenset(burst["event_id"])
        for burst in bursts(frame, ["who"], window, at_least=at_least, distinct={"what": values})
    }
    inside: set[str] = set()
    for who in "ab":
        mine = frame.filter(pl.col("who") == who)
        for end in mine["occurred_at"]:
            within = mine.filter(pl.col("occurred_at").is_between(end - window, end))
            if within.height >= at_least and within["what"].n_unique() >= values:
                inside |= set(within["event_id"])
    assert set().union(*found) == inside
    assert sum(map(len, found)) >= len(inside)
