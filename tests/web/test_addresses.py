"""Any view, on every page, is reproduced from its address in a fresh browser; what an address should not say is ignored
in words."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from quayledger.reports.inventory.changes import family_titles
from quayledger.reports.inventory.kinds import KINDS
from quayledger.reports.log.event_counts import FACETS
from quayledger.reports.security.investigation import KINDS as INVESTIGATED
from quayledger.web import launch
from quayledger.web.alerts import STATES
from quayledger.web.app import PAGES
from quayledger.web.credentials_page import KINDS as CREDENTIAL_KINDS
from quayledger.web.event_filters import ACTOR_TYPES, CATEGORIES, HOURS
from quayledger.web.event_filters import NAMES as NAME_FILTERS
from quayledger.web.events import COLUMNS
from quayledger.web.url_state import DRAWN
from tests.properties import costly
from tests.reports.sample import HOSTILE_ACTOR, HOSTILE_NAMESPACE
from tests.web.conftest import Open, said

NAMES = st.sampled_from(["alice", "acme+deploy", HOSTILE_NAMESPACE, "a&b=c#d?e/f %41", "Ünïcode ☂", "=1+1", "'; --"])
DAYS = st.lists(st.dates(date(2026, 10, 20), date(2026, 11, 25)), min_size=2, max_size=2).map(sorted)
PERIODS = DAYS.map(lambda days: f"{days[0]}..{days[1]}") | st.sampled_from(["Today", "Last 7 days", "last-3-days"])
BAR = {
    "source": st.sampled_from(["", "main"]),
    "period": PERIODS,
    "namespace": st.sampled_from(["", "acme", HOSTILE_NAMESPACE, "gone"]),
    "tz": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
    "compare": st.booleans(),
}
USAGE = ["By namespace", "By repository", "By user", "By robot account", "By client program", "Builds"]
EVENTS = {
    **{name: st.just("") | NAMES for name, _, _ in NAME_FILTERS},
    "kind": st.lists(st.sampled_from(["pull_repo", "push_repo", "nosuch"]), max_size=2, unique=True),
    "category": st.lists(st.sampled_from(CATEGORIES), max_size=2, unique=True),
    "outcome": st.sampled_from(["", "success", "failure"]),
    "exclude": st.lists(
        st.sampled_from(["kind:pull_repo", "actor:alice", "x:y", f"namespace:{HOSTILE_NAMESPACE}"]),
        max_size=2,
        unique=True,
    ),
    "columns": st.lists(st.sampled_from(list(COLUMNS)), max_size=3, unique=True),
    "actor": st.just("") | NAMES | st.sampled_from([HOSTILE_ACTOR, "no\x1bbody\u202e"]),
    "actor_type": st.sampled_from(["", *ACTOR_TYPES]),
    "hour": st.sampled_from(["", *list(HOURS)[::17]]),
    "page": st.sampled_from(["1", "2", "4", "x"]),
    "counts": st.lists(st.sampled_from(list(FACETS)), max_size=2, unique=True),
    "event": st.sampled_from(["", "main-20261120-3", "nosuch"]),
}
INVENTORY = {
    "view": st.sampled_from(["Objects", "Changes", "Coverage"]),
    "object": st.sampled_from([kind.name for kind in KINDS]),
    "name": st.none() | NAMES,
    "day": st.none() | st.dates(date(2026, 11, 8), date(2026, 11, 21)),
    # Streamlit reads a range of one day from an address as its first day alone; the page shows the same for both.
    "days": DAYS.filter(lambda days: days[0] < days[1]).map(tuple),
    "what": st.lists(st.sampled_from(list(family_titles())), max_size=3, unique=True),
    "steps": st.booleans(),
}
INVESTIGATE = {
    "object": st.sampled_from(list(INVESTIGATED)),
    "name": st.none() | NAMES,
    "tab": st.sampled_from(["Events", "From where", "With what"]),
}
ALERTS = {
    "view": st.sampled_from(["Alerts", "Back-test of a rule"]),
    "state": st.sampled_from(list(STATES)),
    "severity": st.lists(st.sampled_from(["low", "high"]), max_size=2, unique=True),
    "alert": st.sampled_from(["", "1", "999", "x"]),
    "rule": st.sampled_from(["D1", "D14"]),
}
CREDENTIALS = {
    "credential_kind": st.sampled_from(["", *CREDENTIAL_KINDS]),
    "namespace": BAR["namespace"],
    "idle": st.booleans(),
    "powerful": st.booleans(),
}
CONTROLS = {
    "": BAR | {"find": st.just("") | NAMES},
    "usage": BAR | {"table": st.sampled_from(USAGE)},
    "events": BAR | EVENTS,
    "alerts": {name: BAR[name] for name in ("source", "period", "tz")} | ALERTS,
    "credentials": {"source": BAR["source"]} | CREDENTIALS,
    "investigate": {name: BAR[name] for name in ("source", "period", "tz")} | INVESTIGATE,
    "inventory": {"source": BAR["source"]} | INVENTORY,
    "completeness": BAR | {"table": st.sampled_from(["Runs", "Requests by purpose"])},
}


def _view(tested: AppTest) -> object:
    """What a person sees."""
    controls = [*tested.selectbox, *tested.text_input, *tested.toggle, *tested.date_input, *tested.multiselect]
    values = [(control.key, str(control.value)) for control in [*controls]]
    tables = [table.value.to_csv() for table in tested.dataframe]
    return values, tables, said(tested)


def test_every_page_is_among_the_pages_that_are_tried() -> None:
    assert {page.path for page in PAGES} == set(CONTROLS)


@pytest.mark.parametrize("path", CONTROLS)
def test_any_view_is_reproduced_from_its_address(open_app: Open, path: str) -> None:
    home = "inventory" if path in ("inventory", "credentials") else "log"

    @costly(4)
    @given(st.fixed_dictionaries({}, optional=CONTROLS[path]))
    def check(chosen: dict[str, object]) -> None:
        first = open_app(path, home=home, state=chosen)
        address = {name: value for name, value in first.session_state[DRAWN].items() if value is not None}
        assert _view(open_app(path, urlencode(address, doseq=True), home=home)) == _view(first)

    check()


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("usage", "period='; DROP TABLE events --", "The period was ignored"),
        ("", "period=2026-13-01..2026-13-02", "The period was ignored"),
        ("events", "period=2026-11-09..2026-11-01", "The period was ignored"),
        ("", "period=0001-01-01..9999-12-31", "The period was ignored"),
        ("usage", "period=9999-12-31..9999-12-31", "The period was ignored"),
        ("", "tz=../../../etc/passwd", "“tz” was ignored"),
        ("", "source=%E2%80%AEevil", "“source” was ignored"),
        ("usage", "compare=perhaps", "“compare” was ignored"),
        ("usage", "table=<b>", "“table” was ignored"),
        ("events", "actor_type=<script>", "“actor_type” was ignored"),
        ("events", "hour=99", "“hour” was ignored"),
        ("events", "range=last-7-days", "“range” was ignored: this page has no such filter"),
        ("inventory", "object=planet", "“object” was ignored"),
        ("inventory", "day=9999-12-31", "“day” was ignored"),
        ("inventory", "view=Changes&days=2026-11-09&days=2026-11-01", "The period ends on 2026-11-01 before it begins"),
    ],
)
def test_an_address_that_makes_no_sense_is_ignored_and_said(open_app: Open, path: str, query: str, words: str) -> None:
    told = said(open_app(path, query, home="inventory" if path == "inventory" else "log"))
    assert words in told
    assert "<script>" not in told.replace("<script>(() =>", "")


def test_no_address_breaks_a_page(open_app: Open) -> None:
    hostile = st.text(max_size=60) | st.sampled_from(["\x00", "a\x1b[31m", "\u202e", "9" * 400, "1e999", "-1", "NaN"])

    @costly(6)
    @given(st.sampled_from(["", "events", "completeness"]), st.data())
    def check(path: str, data: st.DataObject) -> None:
        names = st.sampled_from([*CONTROLS[path], "\x00", "embed"])
        params = data.draw(st.dictionaries(names, hostile, min_size=1, max_size=4))
        said(open_app(path, urlencode(params)))

    check()


def test_the_launcher_and_the_checkout_say_the_same(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    with (root / ".streamlit" / "config.toml").open("rb") as file:
        told = _flat(tomllib.load(file))
    assert told == {**launch.OPTIONS, "server.address": "127.0.0.1"}
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
