"""The Pipeline page: every state to be seen, its range its own, a day and a deficit that lead to their events, and what
the service says it does next."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.service_status import ServiceStatus, write
from tests.reports.completeness_sample import EDGE, SHORT, build_pipeline_ledger
from tests.reports.sample import events_of
from tests.web.conftest import needs_chromium

RANGE = "from=2026-11-07&to=2026-11-21"


@pytest.fixture(scope="module")
def ledger_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("pipeline-ledger")
    build_pipeline_ledger(home)
    return home


def _open(home: Path, params: dict[str, str]) -> AppTest:
    script = "import streamlit as st\nfrom pathlib import Path\nfrom quayledger.web import completeness\nfrom quayledger.web import record as data\n"
    script += f"st.session_state['record'] = data.Record(Path({str(home)!r}))\ncompleteness.page()\n"
    tested = AppTest.from_string(script, default_timeout=30)
    for name, value in params.items():
        tested.query_params[name] = value
    return tested.run()


def _said(tested: AppTest) -> str:
    assert not tested.exception, tested.exception
    found = [str(element.value) for element in tested.caption]
    return "\n".join(found + [getattr(html, "body", "") for html in tested.get("html")])


def test_its_range_is_ninety_days_and_the_address_says_any_other(ledger_home: Path) -> None:
    tested = _open(ledger_home, {})
    assert tested.selectbox(key="bar-range").value == "last-90-days"
    tested.selectbox(key="bar-source").select(EDGE).run()
    assert "range" not in tested.query_params
    tested.selectbox(key="bar-range").select("last-30-days").run()
    assert "".join(tested.query_params["range"]) == "last-30-days"
    assert tested.selectbox(key="bar-range").value == "last-30-days"
    tested.selectbox(key="bar-range").select("last-90-days").run()
    assert "range" not in tested.query_params
    assert not tested.exception


def test_figures_tables_and_hostile_notes(ledger_home: Path) -> None:
    tested = _open(ledger_home, {"from": "2026-11-07", "to": "2026-11-21"})
    said = _said(tested)
    assert "figure-missing" in said
    assert "<img src=x" not in said
    deficits = tested.dataframe[0].value
    assert set(deficits["state"]) == {"short", "over", "unavailable", "uncountable", "truncated"}
    runs = next(table.value for table in tested.dataframe if "message" in table.value)
    assert not [text for text in runs["message"] if "\x1b" in text]


def test_what_runs_next_is_what_the_service_says(ledger_home: Path) -> None:
    assert "No service runs on this ledger" in _said(_open(ledger_home, {}))
    now = datetime.now(UTC)
    with Ledger.open(ledger_home, command="serve") as ledger:
        write(
            ledger_home,
            ServiceStatus(os.getpid(), ledger.since, busy=True, next_runs={"sync": now + timedelta(minutes=30)}),
        )
        tested = _open(ledger_home, {})
        assert f"process {os.getpid()}). A job runs now." in _said(tested)
        assert tested.dataframe[-1].value["job"].to_list() == ["sync"]
    assert "No service runs on this ledger" in _said(_open(ledger_home, {}))


@needs_chromium
def test_a_day_and_a_deficit_lead_to_their_events(page: Page, address: str) -> None:
    page.goto(f"{address}/pipeline?{RANGE}&source=main&namespace=globex")
    expect(page.get_by_test_id("figure-missing").locator(".v")).to_have_text("5")
    chart = page.get_by_test_id("stVegaLiteChart").first
    chart.locator("canvas, svg").first.wait_for()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    box = chart.bounding_box()
    assert box
    # Three weeks along: the middle of the last one, a little below the middle of the week.
    chart.click(position={"x": box["width"] * 0.86, "y": box["height"] * 0.55})
    expect(page).to_have_url(re.compile(r"/events\?.*from=2026-11-(19|20)"))
    assert "source=main" in page.url
    assert "namespace" not in page.url
    page.goto(f"{address}/pipeline?{RANGE}&source=main")
    table = page.get_by_test_id("stDataFrame").first
    table.locator("canvas").first.wait_for()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    table.click(position={"x": 60, "y": 36 * 4 + 18})
    expect(page).to_have_url(re.compile(f"from={SHORT}.*kind=pull_repo"))
    total = events_of(SHORT).filter(kind="pull_repo").height
    expect(page.get_by_role("heading", name=f"1 – {total} of {total} events")).to_be_visible()


@needs_chromium
def test_pipeline_is_in_the_menu_and_keeps_its_own_range(page: Page, address: str) -> None:
    page.goto(f"{address}/?source=main")
    link = page.get_by_role("link", name="Pipeline")
    # The first drawing of a new session does not know the address yet.
    expect(link).to_have_attribute("href", re.compile("source=main"))
    link.click()
    expect(page).to_have_url(re.compile(r"/pipeline\?source=main$"))
    expect(page.get_by_role("combobox", name="Range")).to_have_value("Last 90 days")
    expect(page.get_by_role("heading", name="Coverage calendar (UTC days)")).to_be_visible()
