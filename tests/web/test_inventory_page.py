"""The Inventory page: an object on a day, changes and coverage, all from the address; where nothing was read it says so."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.reports.inventory_sample import HOSTILE
from tests.web.conftest import Open, drawn, needs_chromium, open_row, said


def test_an_object_is_that_of_its_day(open_app: Open) -> None:
    tested = open_app("inventory", "name=bob&day=2026-11-12", home="inventory")
    assert "at the end of 12 Nov 2026 UTC" in said(tested)
    columns = ["namespace", "repository", "role", "from_at"]
    roles = next(table.value for table in tested.dataframe if list(table.value.columns) == columns)
    assert roles["role"].to_list() == ["write"]
    tested.selectbox(key="object").select("robot").run()
    assert tested.selectbox(key="name").value is None
    assert "acme+old" in tested.selectbox(key="name").options
    assert not tested.exception


def test_what_is_not_known_is_said_at_its_table(open_app: Open) -> None:
    told = said(open_app("inventory", "object=Repository&name=acme/web", home="inventory"))
    assert "Build triggers: unknown: refused, as of 2026-11-10 06:00:23 UTC." in told


def test_an_unknown_or_hostile_name_is_only_said(open_app: Open) -> None:
    assert "did you mean alice?" in said(open_app("inventory", "name=alise", home="inventory"))
    tested = open_app("inventory", state={"name": HOSTILE}, home="inventory")
    assert "<img src=x" not in said(tested)
    assert tested.selectbox(key="name").value == HOSTILE


def test_changes_and_coverage_have_addresses_of_their_own(open_app: Open) -> None:
    days = "view=Changes&days=2026-11-11&days=2026-11-21"
    tested = open_app("inventory", days, home="inventory")
    assert "No known changes: Policies and wiring, Scans." in said(tested)
    tested.multiselect(key="what").select("access").run()
    assert set(tested.dataframe[0].value["change"]) == {"added", "changed"}
    assert "What is unknown, and why" in said(open_app("inventory", "view=Coverage", home="inventory"))


def test_a_registry_that_was_never_looked_at_says_what_to_do(open_app: Open) -> None:
    told = said(open_app("inventory", "name=bob"))
    assert "The inventory is empty: run `quayledger inventory sync`" in told


def test_without_a_name_all_of_a_kind_are_listed(open_app: Open) -> None:
    tested = open_app("inventory", "object=Robot+account&day=2026-11-12", home="inventory")
    assert "Click a row or choose a name. For a deleted object, type its name." in said(tested)
    assert "acme+old" in tested.dataframe[0].value["name"].to_list()
    assert "None is known on that day." in said(open_app("inventory", "object=Tag&day=2026-11-01", home="inventory"))


@needs_chromium
def test_a_click_on_a_row_opens_the_object_and_back_is_the_list(page: Page, addresses: Callable[[str], str]) -> None:
    page.goto(f"{addresses('inventory')}/inventory?object=Organization")
    open_row(page, 0)
    expect(page).to_have_url(re.compile("name=acme"))
    expect(page.get_by_test_id("figure-robots")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(r"object=Organization$"))
    expect(page.get_by_test_id("figure-organizations").locator(".v")).to_have_text("2")


@needs_chromium
def test_an_object_its_changes_and_its_events(page: Page, addresses: Callable[[str], str]) -> None:
    page.goto(f"{addresses('inventory')}/?source=main")
    drawn(page)
    page.get_by_role("link", name="Inventory").click()
    expect(page).to_have_url(re.compile(r"/inventory\?source=main$"))
    drawn(page)
    page.get_by_role("combobox", name="Name").fill("bo")
    page.get_by_role("option", name="bob").click()
    expect(page).to_have_url(re.compile("name=bob"))
    expect(page.get_by_test_id("figure-teams").locator(".v")).to_have_text("1")
    expect(page.get_by_text("Roles of users and robots: unknown for 3 of 4").first).to_be_visible()
    drawn(page)
    page.get_by_role("tab", name="Changes").click()
    expect(page).to_have_url(re.compile("view=Changes"))
    expect(page.get_by_test_id("figure-renamed").locator(".v")).to_have_text("1")
    drawn(page)
    page.go_back()
    expect(page).to_have_url(re.compile(r"name=bob&source=main$"))
    drawn(page)
    page.get_by_role("button", name="Its events").click()
    expect(page).to_have_url(re.compile(r"/events\?.*actor=bob"))
