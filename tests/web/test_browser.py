"""The app as people have it: its own process, a real ledger, a real Chromium."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.reports.sample import FIRST, events_of
from tests.web.conftest import needs_chromium

RANGE = "from=2026-11-12&to=2026-11-21"
pytestmark = needs_chromium


def _figure(page: Page, name: str) -> str:
    return page.get_by_test_id(f"figure-{name}").locator(".v").inner_text()


def _click(page: Page, place: int, right: float, down: float) -> None:
    """Click into a chart, at fractions of its width and height, once it is drawn."""
    chart = page.get_by_test_id("stVegaLiteChart").nth(place)
    chart.locator("canvas, svg").first.wait_for()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    chart.click(position={"x": box["width"] * right, "y": box["height"] * down})


def test_usage_can_be_the_first_address_of_a_new_server(page: Page, address: str) -> None:
    page.goto(f"{address}/usage?{RANGE}")
    expect(page.get_by_test_id("coverage-badge")).to_have_text("8 of 10 days verified")
    days = [events_of(FIRST.replace(day=day), 15 if day == 21 else 24) for day in range(12, 22)]
    assert _figure(page, "pulls") == str(sum((day["kind"] == "pull_repo").sum() for day in days))
    expect(page.get_by_role("tab")).to_have_count(6)
    expect(page.get_by_role("link", name="Overview")).to_be_visible()


def test_an_address_gives_the_same_view_and_the_menu_keeps_it(page: Page, address: str) -> None:
    page.goto(f"{address}/?{RANGE}&tz=Europe/Berlin&namespace=globex&compare=0")
    expect(page.get_by_test_id("coverage-badge")).to_have_text("9 of 11 days verified")
    events = _figure(page, "events")
    page.get_by_role("link", name="Usage").click()
    expect(page).to_have_url(re.compile(r"/usage\?.*namespace=globex"))
    expect(page.get_by_test_id("figure-builds")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_test_id("figure-events").locator(".v")).to_have_text(events)
    page.get_by_text("Compare", exact=True).click()
    expect(page).not_to_have_url(re.compile("compare=0"))
    assert "namespace=globex" in page.url
    assert "Berlin" in page.url


def test_a_click_into_a_bar_leads_to_its_day(page: Page, address: str) -> None:
    page.goto(f"{address}/?{RANGE}")
    _click(page, 0, 0.5, 0.8)
    expect(page).to_have_url(re.compile("/events"))
    found = re.search(r"from=2026-11-(\d\d)&to=2026-11-(\d\d)", page.url)
    assert found
    assert found[1] == found[2]
    total = events_of(FIRST.replace(day=int(found[1]))).height
    expect(page.get_by_role("heading", name=f"1 – {total} of {total} events")).to_be_visible()
    page.go_back()
    expect(page.get_by_test_id("figure-events")).to_be_visible()


def test_a_click_into_the_heat_map_leads_to_its_hour(page: Page, address: str) -> None:
    page.goto(f"{address}/?{RANGE}")
    _click(page, 1, 0.4, 0.45)
    expect(page).to_have_url(re.compile(r"weekday=\d&hour=\d+"))
    expect(page.get_by_role("button", name=re.compile("only"))).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile(r"of \d+ events"))).to_be_visible()


def test_a_click_into_a_table_leads_to_its_events(page: Page, address: str) -> None:
    page.goto(f"{address}/usage?{RANGE}")
    table = page.get_by_test_id("stDataFrame").first
    table.locator("canvas").first.wait_for()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    table.click(position={"x": 60, "y": 55})
    expect(page).to_have_url(re.compile("/events.*namespace=acme"))


def test_one_event_is_shown_as_quay_gave_it(page: Page, address: str) -> None:
    page.goto(f"{address}/events?{RANGE}&kind=push_repo&actor=alice")
    table = page.get_by_test_id("stDataFrame").first
    table.locator("canvas").first.wait_for()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    table.click(position={"x": 60, "y": 55})
    expect(page.get_by_test_id("stCode")).to_contain_text('"kind": "push_repo"')
