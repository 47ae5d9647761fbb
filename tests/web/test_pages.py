"""The app without a browser: what it shows of a ledger, of none, and of names that mean harm."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.close import close_days
from quayledger.warehouse.publish import publish
from tests.reports.sample import HOSTILE_NAMESPACE
from tests.web.conftest import Homes, Open, days_of, said

RANGE = "period=2026-11-12..2026-11-21"


def test_a_ledger_that_is_new_says_what_to_do(open_app: Open, tmp_path: Path) -> None:
    told = said(open_app(home=tmp_path))
    assert "sync" in told
    assert str(tmp_path) in told


def test_the_overview_shows_figures_and_coverage(open_app: Open) -> None:
    told = said(open_app(query=RANGE))
    assert "8 of 10 days verified" in told
    assert "figure-pulls" in told
    assert "Compared with 2 Nov 2026 00:00 – 11 Nov 2026 15:00 (UTC)" in told


def test_the_days_are_a_period_and_another_period_has_other_days(open_app: Open) -> None:
    tested = open_app("usage", "period=Last+7+days")
    first, last = days_of(tested)
    assert (last - first).days == 6
    tested.selectbox(key="period").select("Today").run()
    assert len(set(days_of(tested))) == 1
    assert not tested.exception


def test_events_are_narrowed_by_the_address_and_by_the_fields(open_app: Open) -> None:
    tested = open_app("events", "period=Last+90+days&kind=push_repo&page=2")
    assert set(tested.dataframe[0].value["kind"]) == {"push_repo"}
    tested.text_input(key="actor").input("alice").run()
    assert set(tested.dataframe[0].value["actor"]) == {"alice"}
    assert tested.text_input(key="page").value == "1"
    tested.button[0].click().run()
    assert tested.text_input(key="kind").value == ""
    assert tested.selectbox(key="period").value == "Last 90 days"
    tested.button(key="page1").click().run()
    assert "101 – 200 of" in said(tested)


def test_an_empty_list_is_explained_by_what_is_known(open_app: Open) -> None:
    told = said(open_app("events", f"{RANGE}&kind=pull_rep"))
    assert "not a kind of event that Quay is known to write. Did you mean pull_repo" in told
    assert "The period is in the future" in said(open_app("events", "period=2030-01-01..2030-01-31"))


def test_names_that_mean_harm_are_only_shown(open_app: Open) -> None:
    tested = open_app("usage", f"{RANGE}&namespace=%3C%2Fscript%3E%3Cimg+src%3Dx+onerror%3Dalert%281%29%3E")
    assert "<img src=x" not in said(tested)
    assert tested.selectbox(key="namespace").value == HOSTILE_NAMESPACE
    assert not [
        table.value for table in tested.dataframe if any("\x1b" in str(cell) for cell in table.value.to_numpy().ravel())
    ]


def test_a_damaged_file_is_named_on_every_page(open_app: Open, homes: Homes, tmp_path: Path) -> None:
    home = shutil.copytree(homes("log"), tmp_path / "ledger")
    with Ledger.open(home, command="test") as ledger:
        made = close_days(ledger, date(2027, 1, 1), 10)
        publish(ledger, keep=2, now=datetime.now(UTC))
    largest = max(made, key=lambda one: one.rows)
    file = home / largest.file
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    for path in ("", "usage", "events", "completeness"):
        told = said(open_app(path, home=home))
        assert f"{file} is altered; on record it holds" in told, path
        assert "Put it back from a backup" in told, path
    assert "in a missing or damaged file" in said(
        open_app("completeness", f"period={largest.first_day}..{largest.last_day}", home=home)
    )
