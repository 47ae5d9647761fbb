"""The app without a browser: what it shows of a ledger, of none, and of names that mean harm."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from streamlit.testing.v1 import AppTest

from quayledger.reports.desk import saved_views
from quayledger.reports.desk.store import Desk
from quayledger.reports.formatting import visible
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.close import close_days
from quayledger.warehouse.log.events import EventFilter
from quayledger.warehouse.publish import publish
from quayledger.web.record import EventQuery, Record
from tests.reports.sample import HOSTILE_ACTOR, HOSTILE_NAMESPACE, LAST, add_day, build_ledger, events_of
from tests.web.conftest import Homes, Open, days_of, said

RANGE = "period=2026-11-12..2026-11-21"


def _list(tested: AppTest) -> Any:
    return next(table.value for table in tested.dataframe if "occurred_at" in table.value)


def _counts(tested: AppTest) -> list[Any]:
    return [table.value for table in tested.dataframe if "out" in table.value]


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
    assert set(_list(tested)["kind"]) == {"push_repo"}
    tested.selectbox(key="actor").select("alice").run()
    assert set(_list(tested)["actor"]) == {"alice"}
    assert tested.text_input(key="page").value == "1"
    tested.button(key="clear-kind-push_repo").click().run()
    assert tested.multiselect(key="kind").value == []
    assert set(_list(tested)["actor"]) == {"alice"}
    tested.button(key="clear-filters").click().run()
    assert tested.selectbox(key="period").value == "Last 90 days"
    tested.button(key="page1").click().run()
    assert "101 – 200 of" in said(tested)


def test_counts_stand_beside_the_list_and_what_is_left_out_is_gone(open_app: Open) -> None:
    tested = open_app("events", f"{RANGE}&counts=Kind&counts=Outcome")
    kinds, outcomes = _counts(tested)
    assert outcomes["key"].to_list() == ["success"]
    total = int(kinds["events"].sum())
    pulls = int(kinds["events"][kinds["key"] == "pull_repo"].sum())
    assert f"of {total:,} events" in said(tested)
    tested.multiselect(key="exclude").set_value(["kind:pull_repo", "nonsense"]).run()
    assert f"of {total - pulls:,} events" in said(tested)
    assert "“nonsense” leaves nothing out" in said(tested)
    assert "pull_repo" not in _counts(tested)[0]["key"].to_list()


def test_columns_that_a_person_chose_are_kept(open_app: Open, tmp_path: Path) -> None:
    build_ledger(tmp_path, first=LAST)
    tested = open_app("events", RANGE, home=tmp_path)
    tested.multiselect(key="columns").set_value(["actor", "digest"]).run()
    assert [*_list(tested)] == ["occurred_at", "actor", "digest"]
    assert [*_list(open_app("events", RANGE, home=tmp_path))] == ["occurred_at", "actor", "digest"]
    assert [*_list(open_app("events", f"{RANGE}&columns=Tag", home=tmp_path))] == ["occurred_at", "tag"]


def test_a_view_is_saved_under_a_name_and_opened_again(open_app: Open, tmp_path: Path) -> None:
    build_ledger(tmp_path, first=LAST)
    tested = open_app("events", f"{RANGE}&kind=push_repo&exclude=actor%3Aalice", home=tmp_path)
    tested.text_input(key="save-view-name").input("Pushes <b>*not*</b> by alice").run()
    tested.button(key="save-view").click().run()
    assert tested.button(key="view-0").label.startswith("Pushes \\<b\\>\\*not")
    with Desk.open(tmp_path) as desk:
        (view,) = saved_views.list_views(desk, "events")
    address = dict(parse_qsl(view.address))
    assert (address["kind"], address["exclude"]) == ("push_repo", "actor:alice")
    tested.button(key="remove-view-0").click().run()
    assert "None yet." in said(tested)


def test_an_event_is_shown_by_its_id_wherever_it_is(open_app: Open) -> None:
    tested = open_app("events", "period=2026-11-20&event=main-20261105-3")
    assert '"datetime": "Thu, 05 Nov 2026' in said(tested)
    assert "period=2026-11-05..2026-11-05&event=main-20261105-3" in said(tested)
    assert "The record holds no event main-20261105-999" in said(open_app("events", "event=main-20261105-999"))


def test_newer_data_is_told_by_its_number_of_events(tmp_path: Path) -> None:
    build_ledger(tmp_path, first=LAST - timedelta(days=1), last=LAST - timedelta(days=1))
    old = Record(tmp_path)
    assert old.newer() is None
    query = EventQuery(EventFilter(kinds=("pull_repo",)))
    before = old.count(query)
    add_day(tmp_path, LAST)
    now = old.newer()
    assert now is not None
    assert now.count(query) - before == events_of(LAST, 15).filter(kind="pull_repo").height


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


def test_a_name_of_unseen_characters_is_read_from_its_address(open_app: Open) -> None:
    for written in (HOSTILE_ACTOR, visible(HOSTILE_ACTOR)):
        tested = open_app("events", f"{RANGE}&{urlencode({'actor': written})}")
        assert tested.selectbox(key="actor").value == HOSTILE_ACTOR
        assert set(_list(tested)["actor"]) == {visible(HOSTILE_ACTOR)}
    none = open_app("events", f"{RANGE}&{urlencode({'actor': visible('no' + chr(27))})}")
    assert none.selectbox(key="actor").value == "no" + chr(27)
