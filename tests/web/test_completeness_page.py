"""The Completeness page: every state to be seen, a period of its own, a day and a gap that lead to their events, and what
the service says it does next."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.service_status import ServiceStatus, write
from tests.reports.completeness_sample import SHORT, build_pipeline_ledger
from tests.reports.sample import events_of
from tests.web.conftest import Open, drawn, needs_chromium, open_row, said

DAYS = "period=2026-11-07..2026-11-21"


def test_its_bar_asks_only_for_what_its_report_takes(open_app: Open) -> None:
    assert {box.key for box in open_app("completeness", home="completeness").selectbox} == {"source", "period"}


def test_figures_tables_and_hostile_notes(open_app: Open) -> None:
    tested = open_app("completeness", DAYS, home="completeness")
    told = said(tested)
    assert "figure-missing" in told
    assert "<img src=x" not in told
    deficits = tested.dataframe[0].value
    assert {
        "short",
        "over",
        "with rejects",
        "unavailable",
        "uncountable",
        "truncated",
        "excluded",
        "not collected",
    } == set(deficits["state"])
    runs = next(table.value for table in tested.dataframe if "message" in table.value)
    assert not [text for text in runs["message"] if "\x1b" in text]


def test_what_runs_next_is_what_the_service_says(open_app: Open, tmp_path: Path) -> None:
    build_pipeline_ledger(tmp_path)
    assert "No service runs on this ledger" in said(open_app("completeness", home=tmp_path))
    now = datetime.now(UTC)
    with Ledger.open(tmp_path, command="serve") as ledger:
        write(
            tmp_path,
            ServiceStatus(os.getpid(), ledger.since, busy=True, next_runs={"sync": now + timedelta(minutes=30)}),
        )
        tested = open_app("completeness", home=tmp_path)
        assert f"process {os.getpid()}). A job runs now." in said(tested)
        assert tested.dataframe[-1].value["job"].to_list() == ["sync"]
    assert "No service runs on this ledger" in said(open_app("completeness", home=tmp_path))


@needs_chromium
def test_a_day_and_a_gap_lead_to_their_events(page: Page, addresses: Callable[[str], str]) -> None:
    address = f"{addresses('completeness')}/completeness?{DAYS}&source=main"
    page.goto(address)
    expect(page.get_by_test_id("figure-missing").locator(".v")).to_have_text("5")
    chart = page.get_by_test_id("stVegaLiteChart").first
    chart.locator("canvas, svg").first.wait_for()
    drawn(page)
    box = chart.bounding_box()
    assert box
    # Three weeks along: the middle of the last one, a little below the middle of the week.
    chart.click(position={"x": box["width"] * 0.86, "y": box["height"] * 0.55})
    expect(page).to_have_url(re.compile(r"/events\?.*period=2026-11-(19|20)"))
    assert "source=main" in page.url
    page.go_back()
    expect(page).to_have_url(address)
    open_row(page, 4)
    expect(page).to_have_url(re.compile(f"period={SHORT}.*kind=pull_repo"))
    total = events_of(SHORT).filter(kind="pull_repo").height
    expect(page.get_by_role("heading", name=f"1 – {total} of {total} events")).to_be_visible()


@needs_chromium
def test_it_is_in_the_menu_and_under_its_old_path(page: Page, addresses: Callable[[str], str]) -> None:
    page.goto(f"{addresses('completeness')}/?source=main")
    drawn(page)
    page.get_by_role("link", name="Completeness").click()
    expect(page).to_have_url(re.compile(r"/completeness\?source=main$"))
    expect(page.get_by_role("heading", name="Missing or unproven")).to_be_visible()
    page.goto(f"{addresses('completeness')}/pipeline")
    expect(page.get_by_role("heading", name="Coverage calendar (UTC days)")).to_be_visible()
