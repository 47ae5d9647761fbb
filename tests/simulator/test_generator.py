"""The generated registry: exact in number, the same for the same seed, and worth looking at."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.simulator.clock import Clock
from quayledger.simulator.quay import Quay
from quayledger.simulator.scenarios import SCENARIOS, Wish, build
from tests.properties import costly

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def _wish(
    events: int, days: int, *, scenario: str = "believable", seed: int = 1, end: date = date(2026, 11, 24)
) -> Wish:
    return Wish(scenario, events, days, end, NOW, seed, "microsecond")


def _events(wish: Wish) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Quay(build(wish), Clock(NOW)).truth()]


@costly(8)
@given(events=st.integers(0, 3000), days=st.integers(1, 40), seed=st.integers(0, 9))
def test_exactly_as_many_rows_as_asked_and_all_in_the_stretch(events: int, days: int, seed: int) -> None:
    wish = _wish(events, days, seed=seed)
    (rows,) = build(wish).tables
    assert len(rows) == events
    assert all(wish.start_us <= row.stamp_us < wish.end_us for row in rows)
    assert [row.stamp_us for row in rows] == sorted(row.stamp_us for row in rows)


def test_the_seed_decides() -> None:
    again = [_events(_wish(800, 5, seed=seed)) for seed in (3, 3, 4)]
    assert again[0] == again[1] != again[2]


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if ":" not in name])
def test_every_scenario_can_be_built(scenario: str) -> None:
    content = build(_wish(300, 3, scenario=scenario))
    assert sum(map(len, content.tables)) == (0 if scenario == "empty" else 300)
    assert set(content.tokens) == {"superuser", "readonly_superuser", "org_admin", "user"}


def test_a_working_week() -> None:
    events = _events(_wish(20_000, 14, end=date(2026, 11, 22)))
    kinds = Counter(e["kind"] for e in events)
    assert len(kinds) > 50
    assert kinds["pull_repo"] > 3 * kinds["push_repo"] > 0
    weekdays = Counter(e["datetime"][:3] for e in events)
    assert min(weekdays[d] for d in ("Mon", "Tue", "Wed", "Thu", "Fri")) > 1.5 * max(weekdays["Sat"], weekdays["Sun"])
    actors = Counter(_actor(e) for e in events if e["kind"] in ("pull_repo", "push_repo"))
    assert set(actors) == {"robot", "user", "nobody"}
    assert "nia" in {e["namespace"]["name"] for e in events}
    assert {"webshop", "storefront"} <= {e["metadata"].get("namespace") for e in events}


def _actor(event: dict[str, Any]) -> str:
    if "performer" not in event:
        return "nobody"
    return "robot" if event["performer"]["is_robot"] else "user"


def test_incidents_and_secrets_are_there() -> None:
    events = _events(_wish(10_000, 14))
    failures = Counter(e["ip"] for e in events if e["kind"] == "login_failure")
    assert failures.most_common(1)[0][1] >= 45
    sprayed = {e["metadata"]["username"] for e in events if e["ip"] == "198.51.100.23"}
    assert len(sprayed) >= 12
    text = json.dumps(events)
    for secret in ("$token:9f3kQz7LmW2xVb8TtRy5@", "s3cr3t-Pr0xy", "qXb7Zr0LwPq4VtY2nKd8", "c0rrect-Horse"):
        assert secret in text
    wanted = {
        "take_ownership",
        "change_repo_visibility",
        "org_change_name",
        "user_change_name",
        "org_delete",
        "delete_tag",
    }
    assert wanted <= {e["kind"] for e in events}
