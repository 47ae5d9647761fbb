"""The app as people have it: its own process, a real ledger, a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.reports.sample import FIRST, events_of
from tests.web.conftest import drawn, needs_chromium, open_row

DAYS = "period=2026-11-12..2026-11-21"
pytestmark = needs_chromium
Addresses = Callable[[str], str]


def _figure(page: Page, name: str) -> str:
    return page.get_by_test_id(f"figure-{name}").locator(".v").inner_text()


def _choose(page: Page, label: str, option: str) -> None:
    drawn(page)
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).click()
    drawn(page)


def _click(page: Page, place: int, right: float, down: float) -> None:
    """Click into a chart, at fractions of its width and height, once it is drawn."""
    chart = page.get_by_test_id("stVegaLiteChart").nth(place)
    chart.locator("canvas, svg").first.wait_for()
    drawn(page)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    chart.click(position={"x": box["width"] * right, "y": box["height"] * down})


def test_usage_can_be_the_first_address_of_a_new_server(page: Page, addresses: Addresses) -> None:
    page.goto(f"{addresses('log')}/usage?{DAYS}")
    expect(page.get_by_test_id("coverage-badge")).to_have_text("8 of 10 days verified")
    days = [events_of(FIRST.replace(day=day), 15 if day == 21 else 24) for day in range(12, 22)]
    assert _figure(page, "pulls") == str(sum((day["kind"] == "pull_repo").sum() for day in days))
    expect(page.get_by_role("tab")).to_have_count(6)
    expect(page.get_by_role("link", name="Overview")).to_be_visible()


def test_controls_are_in_the_address_and_one_back_undoes_one_step(page: Page, addresses: Addresses) -> None:
    page.goto(f"{addresses('log')}/?{DAYS}&tz=Europe/Berlin")
    expect(page.get_by_test_id("coverage-badge")).to_have_text("9 of 11 days verified")
    everything = _figure(page, "events")
    seen = [page.url]

    def step(address: str) -> None:
        expect(page).to_have_url(re.compile(address))
        drawn(page)
        seen.append(page.url)

    _choose(page, "Namespace", "globex")
    step(r"/\?.*namespace=globex")
    page.get_by_text("Compare", exact=True).click()
    step(r"/\?.*compare=false")
    page.get_by_role("link", name="Usage").click()
    step(r"/usage\?.*namespace=globex")
    page.get_by_role("tab", name="By user").click()
    step("table=By")
    open_row(page, 0)
    step(r"/events\?.*actor=")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_role("combobox", name="Tag", exact=True).fill("v1.1")
    page.get_by_role("option", name="v1.1").click()
    step("tag=v1.1")
    for address in seen[-2::-1]:
        page.go_back()
        expect(page).to_have_url(address)
        drawn(page)
    expect(page.get_by_test_id("figure-events").locator(".v")).to_have_text(everything)
    assert page.get_by_role("combobox", name="Namespace").input_value() == "All namespaces"


def test_an_address_is_the_same_view_in_a_fresh_browser(page: Page, addresses: Addresses) -> None:
    page.goto(f"{addresses('log')}/events")
    _choose(page, "Period", "Last 90 days")
    _choose(page, "Namespace", "</script>")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("User agent contains").fill("docker/27")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="1 – 68 of 68 events")).to_be_visible()
    address, context = page.url, page.context.browser
    assert context
    fresh = context.new_page()
    fresh.goto(address)
    expect(fresh.get_by_role("heading", name="1 – 68 of 68 events")).to_be_visible()
    expect(fresh.get_by_role("button", name="User agent contains: docker/27")).to_be_visible()
    assert fresh.url == address
    fresh.close()


def test_a_click_into_a_bar_leads_to_its_day(page: Page, addresses: Addresses) -> None:
    page.goto(f"{addresses('log')}/?{DAYS}")
    _click(page, 2, 0.46, 0.8)
    expect(page).to_have_url(re.compile("/events"))
    found = re.search(r"period=2026-11-(\d\d)..2026-11-(\d\d)", page.url)
    assert found
    assert found[1] == found[2]
    total = events_of(FIRST.replace(day=int(found[1]))).height
    expect(page.get_by_role("heading", name=f"1 – {total} of {total} events")).to_be_visible()
    page.go_back()
    expect(page.get_by_test_id("figure-events")).to_be_visible()


def test_a_click_into_the_heat_map_leads_to_its_hour(page: Page, addresses: Addresses) -> None:
    page.goto(f"{addresses('log')}/?{DAYS}")
    _click(page, 0, 0.4, 0.45)
    expect(page).to_have_url(re.compile(r"hour=[A-Z][a-z]+\+\d\d%3A00"))
    expect(page.get_by_role("button", name=re.compile(r"Hour: \w{3} \d\d:00"))).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile(r"of \d+ events"))).to_be_visible()


def test_a_header_sorts_and_a_row_leads_to_its_events(page: Page, addresses: Addresses) -> None:
    page.goto(f"{addresses('log')}/usage?{DAYS}")
    table = page.get_by_test_id("stDataFrame").first
    table.locator("canvas").first.wait_for()
    drawn(page)
    address = page.url
    for right in (40, 600, 300):
        table.click(position={"x": right, "y": 15})
        drawn(page)
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(500)
    assert page.url == address
    # Sorted by pulls, the fewest first: what was last is first, and leads to its own events.
    open_row(page, 0)
    expect(page).to_have_url(re.compile("/events.*namespace="))
    assert "namespace=acme" not in page.url


def test_an_event_stands_beside_its_list_and_counts_narrow_it(page: Page, addresses: Addresses) -> None:
    page.goto(f"{addresses('log')}/events?{DAYS}&kind=push_repo&counts=Account")
    open_row(page, 0, table=1)
    expect(page.get_by_test_id("stCode").first).to_contain_text('"kind": "push_repo"')
    expect(page).to_have_url(re.compile("event=main-202611"))
    address = page.url
    drawn(page)
    account = page.get_by_test_id("stDataFrame").first
    account.click(position={"x": 215, "y": 50})
    expect(page).to_have_url(re.compile("exclude=actor%3A"))
    expect(page.get_by_role("button", name="Not: actor:")).to_be_visible()
    expect(page.get_by_test_id("stCode")).to_have_count(0)
    drawn(page)
    page.go_back()
    expect(page).to_have_url(address)
    expect(page.get_by_test_id("stCode").first).to_contain_text('"kind": "push_repo"')


def test_a_peak_that_is_brushed_is_the_period(page: Page, addresses: Addresses) -> None:
    page.goto(f"{addresses('log')}/events?{DAYS}")
    address = page.url
    _drag(page, 0.32, 0.55)
    expect(page).to_have_url(re.compile(r"period=2026-11-1\d\.\.2026-11-1\d"))
    found = re.search(r"period=2026-11-(\d\d)..2026-11-(\d\d)", page.url)
    assert found
    first, last = int(found[1]), int(found[2])
    assert first < last
    total = sum(events_of(FIRST.replace(day=day)).height for day in range(first, last + 1))
    expect(page.get_by_role("heading", name=f"of {total} events")).to_be_visible()
    drawn(page)
    page.go_back()
    expect(page).to_have_url(address)


def _drag(page: Page, left: float, right: float) -> None:
    """Draw a stretch on the first chart, from one fraction of its width to another."""
    chart = page.get_by_test_id("stVegaLiteChart").first
    chart.locator("canvas, svg").first.wait_for()
    drawn(page)
    box = chart.bounding_box()
    assert box
    middle = box["y"] + box["height"] * 0.5
    page.mouse.move(box["x"] + box["width"] * left, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * right, middle, steps=6)
    page.mouse.up()


def test_files_are_whole_and_no_table_offers_a_raw_one(page: Page, addresses: Addresses) -> None:
    page.goto(f"{addresses('log')}/usage?{DAYS}&table=By+robot+account")
    table = page.get_by_test_id("stDataFrame").first
    table.locator("canvas").first.wait_for()
    table.hover()
    expect(page.get_by_role("button", name="Search")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Download as CSV", re.IGNORECASE))).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV, all rows").click()
    assert "\n'=cmd|' /C calc'!A0+bot," in download.value.path().read_text()
