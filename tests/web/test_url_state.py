"""The address: what it says is read back as it was written, and what it should not say is ignored in words."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.reports.formatting import visible
from quayledger.reports.period import PRESETS
from quayledger.web import launch
from quayledger.web.url_state import (
    ACTOR_TYPES,
    CUSTOM,
    MAX_LENGTH,
    Bar,
    Query,
    read_bar,
    read_query,
    write_bar,
    write_query,
)

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
NAMES = st.text(min_size=1, max_size=40).filter(lambda name: visible(name) == name and name.strip() == name)
DAYS = st.lists(st.dates(date(2000, 1, 1), date(2009, 1, 1)), min_size=2, max_size=2).map(sorted)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    span = draw(st.sampled_from([name for name, _ in PRESETS] + [CUSTOM]))
    first, last = draw(DAYS) if span == CUSTOM else (None, None)
    return Bar(
        span=span,
        first=first,
        last=last,
        compare=draw(st.booleans()),
        namespace=draw(st.none() | NAMES),
        sources=tuple(draw(st.lists(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True), max_size=3))),
        time_zone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])),
    )


@given(bars())
def test_a_bar_is_read_back_as_it_was_written(bar: Bar) -> None:
    assert read_bar(write_bar(bar), NOW) == (bar, ())


@given(
    st.builds(
        Query,
        kind=st.none() | NAMES,
        actor=st.none() | NAMES,
        actor_type=st.none() | st.sampled_from(ACTOR_TYPES),
        repository=st.none() | NAMES,
        text=st.none() | NAMES,
        page=st.integers(1, 10_000),
    ),
    st.none() | st.tuples(st.integers(1, 7), st.integers(0, 23)),
)
def test_a_query_is_read_back_as_it_was_written(query: Query, when: tuple[int, int] | None) -> None:
    if when:
        query = msgspec.structs.replace(query, weekday=when[0], hour=when[1])
    assert read_query(write_query(query)) == (query, ())


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"range": "'; DROP TABLE events --"}, "range"),
        ({"from": "2026-13-01", "to": "x"}, "from"),
        ({"from": "2026-11-01"}, "from"),
        ({"from": "2026-11-09", "to": "2026-11-01"}, "period"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "period"),
        ({"from": "9999-12-31", "to": "9999-12-31"}, "period"),
        ({"tz": "../../../etc/passwd"}, "tz"),
        ({"namespace": "a\x1b[31m"}, "namespace"),
        ({"namespace": "a" * (MAX_LENGTH + 1)}, "namespace"),
        ({"source": "\u202eevil"}, "source"),
    ],
)
def test_an_address_that_makes_no_sense_is_ignored_and_said(params: dict[str, str], names: str) -> None:
    bar, faults = read_bar(params, NOW)
    assert bar == Bar()
    assert len(faults) == 1
    assert names in faults[0]


@given(st.dictionaries(st.sampled_from([*Query.__struct_fields__, "from", "to", "tz", "range"]), st.text(max_size=400)))
def test_no_address_breaks_the_page(params: dict[str, str]) -> None:
    bar, _ = read_bar(params, NOW)
    query, _ = read_query(params)
    query.where(bar.period(NOW), bar)


def test_the_launcher_and_the_checkout_say_the_same(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    with (root / ".streamlit" / "config.toml").open("rb") as file:
        said = _flat(tomllib.load(file))
    assert said == {**launch.OPTIONS, "server.address": "127.0.0.1"}
    arguments = launch.command(tmp_path, "127.0.0.1", 0)
    assert arguments[-2:] == ["--home", str(tmp_path)]
    assert "--browser.gatherUsageStats=false" in arguments
    assert not [argument for argument in arguments if argument.endswith("port=0")]


def _flat(tree: dict[str, object], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found
