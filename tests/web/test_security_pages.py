"""The pages of the security team: what is open, who decides what, everything about one thing; as journeys in a browser too."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from quayledger.reports.desk import alerts
from quayledger.reports.desk.alerts import AlertState
from quayledger.reports.desk.store import FILE_NAME, Desk
from quayledger.reports.detections.model import Severity
from quayledger.web import account
from tests.reports.alerts_sample import ACTOR, HOSTILE_SUBJECT, signal
from tests.reports.sample import NOW
from tests.web.conftest import Homes, Open, drawn, needs_chromium, said

DAYS = "period=2026-11-12..2026-11-21"


@pytest.fixture
def home(homes: Homes, tmp_path: Path) -> Path:
    """A ledger of its own, whose desk a test may change."""
    return Path(shutil.copytree(homes("alerts"), tmp_path / "ledger"))


def test_what_is_open_comes_first_and_hostile_names_are_only_shown(open_app: Open, home: Path) -> None:
    tested = open_app(query=DAYS, home=home)
    told = said(tested)
    assert told.index("Open alerts: 2") < told.index("figure-events")
    assert tested.dataframe[0].value["severity"].to_list() == ["high", "low"]
    assert HOSTILE_SUBJECT not in said(open_app("alerts", "alert=2", home=home))


def test_anything_is_found_by_a_part_of_its_name(open_app: Open) -> None:
    tested = open_app(query="find=lic")
    assert tested.dataframe[0].value[["value", "what"]].to_numpy().tolist() == [["alice", "Account"]]
    assert "No event that is held names nosuchname." in said(open_app(query="find=nosuchname"))


def test_decisions_are_kept_under_a_name(open_app: Open, home: Path) -> None:
    tested = open_app("alerts", "alert=1", home=home)
    tested.button(key="alert-acknowledge").click().run()
    tested.button(key="alert-resolve").click().run()
    assert "Say in a note how the alert was resolved." in said(tested)
    tested.text_area(key="alert-note").input("A planned clean-up.").run()
    tested.text_input(key="alert-owner").input("bob").run()
    tested.button(key="alert-assign").click().run()
    tested.button(key="alert-resolve").click().run()
    assert "Open alerts" not in said(tested)
    with Desk.open(home) as desk:
        held, changes = alerts.find_alert(desk, 1, NOW), alerts.history(desk, 1)
    assert (held.state, held.owner) == (AlertState.RESOLVED, "bob")
    assert [change.what for change in changes] == ["raised", "state", "owner", "state"]
    assert changes[-1].note == "A planned clean-up."
    assert changes[-1].by_whom not in ("", "quayledger")
    assert tested.dataframe[0].value["alert_id"].to_list() == ["2"]


def test_what_an_alert_names_is_followed_as_what_it_is(open_app: Open, home: Path) -> None:
    """A word alone may be a user's or a namespace's."""
    with Desk.open(home) as desk:
        of_namespace = signal(
            "D15", Severity.HIGH, "acme", pl.DataFrame({"occurred_at": [], "event_id": []}), "Pulled."
        )
        alerts.record(desk, [of_namespace], NOW, titles={"D15": "Mass pull, then deletion"}, merge_within={})
    for number, place in ((3, "events?namespace=acme"), (1, f"investigate?object=User&name={ACTOR}")):
        tested = open_app("alerts", f"alert={number}", home=home)
        tested.button(key="pivot-0").click().run()
        assert place in said(tested)


def test_a_suppression_needs_a_reason_and_ends(open_app: Open, home: Path) -> None:
    tested = open_app("alerts", "alert=2", home=home)
    tested.button(key="alert-suppress").click().run()
    assert "A suppression needs a reason." in said(tested)
    tested.text_area(key="alert-note").input("A load test.").run()
    tested.button(key="alert-suppress").click().run()
    assert "Suppressed until" in said(tested)


def test_who_is_not_known_says_so_first(open_app: Open, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "_own", lambda: "")
    tested = open_app("alerts", "alert=1", home=home)
    assert "Say who you are first" in said(tested)
    assert tested.button(key="alert-acknowledge").disabled
    tested.text_input(key="account-name").input(" eve\tx ").run()
    tested.button(key="alert-acknowledge").click().run()
    with Desk.open(home) as desk:
        assert alerts.history(desk, 1)[-1].by_whom == "eve x (not signed in)"


def test_a_desk_that_cannot_be_read_stops_nothing_else(open_app: Open, home: Path) -> None:
    (home / FILE_NAME).write_bytes(b"no database at all" * 100)
    for suffix in ("-wal", "-shm"):
        (home / f"{FILE_NAME}{suffix}").unlink(missing_ok=True)
    told = said(open_app(query=DAYS, home=home))
    assert "Alerts could not be read:" in told
    assert "is damaged or is no desk" in told
    assert "figure-events" in told
    assert "of 294 events" in said(open_app("events", DAYS, home=home))


def test_everything_about_one_account(open_app: Open) -> None:
    tested = open_app("investigate", f"{DAYS}&name={ACTOR}", home="alerts")
    told = said(tested)
    assert "First seen" in told
    assert tested.dataframe[0].value["title"].to_list() == ["Mass deletion"]
    where = open_app("investigate", f"{DAYS}&name={ACTOR}&tab=From+where", home="alerts")
    assert any("198.51.100.0/24" in table.value.to_csv() for table in where.dataframe)
    nothing = said(open_app("investigate", "name=nosuch", home="alerts"))
    assert "The record holds no event of it, in any period." in nothing


def test_a_rule_is_tried_on_the_past(open_app: Open) -> None:
    tested = open_app("alerts", f"{DAYS}&view=Back-test+of+a+rule&rule=D14+Mass+deletion", home="alerts")
    assert "figure-per_day" in said(tested)


def test_credentials_by_age_and_use(open_app: Open) -> None:
    tested = open_app("credentials", home="inventory")
    assert "figure-idle" in said(tested)
    everything = set(tested.dataframe[0].value["name"])
    robots = open_app("credentials", "credential_kind=Robot+accounts", home="inventory").dataframe[0].value
    assert set(robots["kind"]) == {"robot"}
    assert set(robots["name"]) < everything


def open_in(page: Page, key: str, row: int) -> None:
    """Click the button in the first cell of a row (the first is 0) of the table that has this key."""
    grid = page.locator(f".st-key-ql-table-{key}").get_by_test_id("stDataFrame")
    grid.locator("canvas").first.wait_for()
    drawn(page)
    grid.click(position={"x": 22, "y": 36 * (row + 1) + 18})


@needs_chromium
def test_who_pushed_a_tag_in_three_acts(page: Page, addresses: Callable[[str], str]) -> None:
    page.goto(f"{addresses('alerts')}/?{DAYS}")
    drawn(page)
    find = page.get_by_placeholder("Find an account")
    find.fill("v1.1")
    find.press("Enter")  # first act: ask
    expect(page).to_have_url(re.compile("find=v1.1"))
    open_in(page, "found", 0)  # second act: open the tag
    expect(page).to_have_url(re.compile(r"/investigate\?.*object=Tag"))
    expect(page.get_by_test_id("figure-actor")).to_be_visible()
    drawn(page)
    page.get_by_role("tab", name="Who and what").click()  # third act: who
    expect(page.get_by_role("heading", name="Accounts")).to_be_visible()


@needs_chromium
def test_an_alert_is_followed_to_its_evidence_and_resolved(
    page: Page, addresses: Callable[[str], str], homes: Homes
) -> None:
    page.goto(f"{addresses('alerts')}/?{DAYS}")
    open_in(page, "overview-alerts", 0)
    expect(page).to_have_url(re.compile(r"/alerts\?alert=1"))
    expect(page.get_by_role("heading", name="High: Mass deletion")).to_be_visible()
    address = page.url
    open_in(page, "alert-evidence", 0)
    expect(page).to_have_url(re.compile(r"/events\?period=.*event=main-"))
    expect(page.get_by_test_id("stCode").first).to_contain_text('"kind": "delete_tag"')
    drawn(page)
    page.go_back()
    expect(page).to_have_url(address)
    drawn(page)
    page.get_by_label("Note, or reason").fill("A planned clean-up.")
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("button", name="Reopen")).to_be_visible()
    with Desk.open(homes("alerts")) as desk:
        held = alerts.find_alert(desk, 1, NOW)
    assert held.state is AlertState.RESOLVED
    assert held.closed_at is not None and held.closed_at.date() >= date(2026, 11, 1)
