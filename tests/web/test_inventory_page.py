"""The Inventory page: an object on a day, changes and coverage, all from the address; where nothing was read it says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from quayledger.reports.inventory.changes import AREAS
from quayledger.web.inventory_url import KIND_NAMES, VIEWS, Ask, read_ask, write_ask
from tests.reports.inventory_sample import HOSTILE, build_inventory
from tests.reports.sample import build_ledger
from tests.web.conftest import needs_chromium
from tests.web.test_url_state import DAYS, NAMES


@pytest.fixture(scope="module")
def ledger_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of this module's app: one with an inventory."""
    home = tmp_path_factory.mktemp("inventory-page")
    build_inventory(home)
    return home


def _open(home: Path, params: dict[str, str]) -> AppTest:
    script = "import streamlit as st\nfrom pathlib import Path\nfrom quayledger.web import inventory\nfrom quayledger.web import record as data\n"
    script += f"st.session_state['record'] = data.Record(Path({str(home)!r}))\ninventory.page()\n"
    tested = AppTest.from_string(script, default_timeout=60)
    for name, value in params.items():
        tested.query_params[name] = value
    return tested.run()


def _said(tested: AppTest) -> str:
    assert not tested.exception, tested.exception
    found = [str(element.value) for kind in ("text", "caption", "subheader") for element in getattr(tested, kind)]
    return "\n".join(found + [getattr(html, "body", "") for html in tested.get("html")])


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    first, last = draw(st.one_of(st.just((None, None)), DAYS))
    return Ask(
        view=draw(st.sampled_from(VIEWS)),
        kind=draw(st.sampled_from(KIND_NAMES)),
        name=draw(st.none() | NAMES),
        day=draw(st.none() | DAYS.map(lambda days: days[0])),
        first=first,
        last=last,
        what=tuple(draw(st.lists(st.sampled_from([name for name, _, _ in AREAS]), max_size=3, unique=True))),
        steps=draw(st.booleans()),
        sources=tuple(draw(st.lists(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True), max_size=3))),
    )


@given(asks())
def test_a_question_is_read_back_as_it_was_written(ask: Ask) -> None:
    assert read_ask(write_ask(ask)) == (ask, ())


@pytest.mark.parametrize(
    "params",
    [
        {"view": "<b>"},
        {"kind": "planet"},
        {"day": "2026-13-01"},
        {"day": "9999-12-31"},
        {"from": "2026-11-09", "to": "2026-11-01"},
        {"from": "2026-11-09"},
        {"what": "nosuch"},
        {"name": "a\x1b[31m"},
    ],
)
def test_an_address_that_makes_no_sense_is_ignored_and_said(params: dict[str, str]) -> None:
    ask, faults = read_ask(params)
    assert faults
    assert ask == Ask()


def test_an_object_is_that_of_its_day(ledger_home: Path) -> None:
    tested = _open(ledger_home, {"name": "bob", "day": "2026-11-12"})
    said = _said(tested)
    assert "at the end of 12 Nov 2026 UTC" in said
    columns = ["namespace", "repository", "role", "from_at"]
    roles = next(table.value for table in tested.dataframe if list(table.value.columns) == columns)
    assert roles["role"].to_list() == ["write"]
    tested.selectbox(key="inventory-name-0").select("carol").run()
    assert "".join(tested.query_params["name"]) == "carol"
    tested.selectbox(key="inventory-kind-0").select("robot").run()
    assert {name: "".join(value) for name, value in tested.query_params.items()} == {
        "kind": "robot",
        "day": "2026-11-12",
    }
    assert "acme+old" in tested.selectbox(key="inventory-name-0").options
    assert not tested.exception


def test_what_is_not_known_is_said_at_its_table(ledger_home: Path) -> None:
    said = _said(_open(ledger_home, {"kind": "repository", "name": "acme/web"}))
    assert "Build triggers: unknown: refused, as of 2026-11-10 06:00:23 UTC." in said


def test_an_unknown_or_hostile_name_is_only_said(ledger_home: Path) -> None:
    said = _said(_open(ledger_home, {"name": "alise"}))
    assert "did you mean alice?" in said
    tested = _open(ledger_home, {"name": HOSTILE})
    assert "<img src=x" not in _said(tested)
    assert tested.selectbox(key="inventory-name-0").value == HOSTILE


def test_changes_and_coverage_have_addresses_of_their_own(ledger_home: Path) -> None:
    tested = _open(ledger_home, {"view": "changes", "from": "2026-11-11", "to": "2026-11-21"})
    assert "Nothing is known to have changed: Policies and wiring, Scans." in _said(tested)
    tested.multiselect(key="inventory-what-0").select("access").run()
    assert "".join(tested.query_params["what"]) == "access"
    assert set(tested.dataframe[0].value["change"]) == {"appeared", "changed"}
    said = _said(_open(ledger_home, {"view": "coverage"}))
    assert "What is not known, and why" in said


def test_a_registry_that_was_never_looked_at_says_what_to_do(tmp_path: Path) -> None:
    build_ledger(tmp_path)
    said = _said(_open(tmp_path, {"name": "bob"}))
    assert "Nothing has been read of this registry yet: run `quayledger inventory sync`" in said


def test_without_a_name_all_of_a_kind_are_listed(ledger_home: Path) -> None:
    tested = _open(ledger_home, {"kind": "robot", "day": "2026-11-12"})
    assert "Click on a line" in _said(tested)
    assert "acme+old" in tested.dataframe[0].value["name"].to_list()
    assert "None is known on that day." in _said(_open(ledger_home, {"kind": "tag", "day": "2026-11-01"}))


@needs_chromium
def test_a_click_on_a_line_opens_the_object_and_back_is_the_list(page: Page, address: str) -> None:
    page.goto(f"{address}/inventory?kind=organisation")
    grid = page.get_by_test_id("stDataFrame").first
    expect(grid).to_be_visible()
    grid.click(position={"x": 60, "y": 36 + 18})
    expect(page).to_have_url(re.compile("name=acme"))
    expect(page.get_by_test_id("figure-robots")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(r"kind=organisation$"))
    expect(page.get_by_test_id("figure-organizations").locator(".v")).to_have_text("2")


@needs_chromium
def test_an_object_its_changes_and_its_events(page: Page, address: str) -> None:
    page.goto(f"{address}/?source=main")
    link = page.get_by_role("link", name="Inventory")
    # The first drawing of a new session does not know the address yet.
    expect(link).to_have_attribute("href", re.compile("source=main"))
    link.click()
    expect(page).to_have_url(re.compile(r"/inventory\?source=main$"))
    page.get_by_role("combobox", name="Name").fill("bo")
    page.get_by_role("option", name="bob").click()
    expect(page).to_have_url(re.compile("name=bob"))
    expect(page.get_by_test_id("figure-teams").locator(".v")).to_have_text("1")
    expect(page.get_by_text("Roles of users and robots: unknown for 3 of 4").first).to_be_visible()
    page.get_by_role("tab", name="Changes").click()
    expect(page).to_have_url(re.compile("view=changes"))
    expect(page.get_by_test_id("figure-renamed").locator(".v")).to_have_text("1")
    page.get_by_role("tab", name="Objects").click()
    expect(page).not_to_have_url(re.compile("view=changes"))
    # A click on what is being drawn anew is lost, whoever clicks.
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.get_by_role("button", name="Its events").click()
    expect(page).to_have_url(re.compile(r"/events\?.*actor=bob"))
