"""The app without a browser: what it shows of a ledger, of none, and of an address that means harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.reports.sample import HOSTILE_NAMESPACE

APP = str(Path(__file__).resolve().parents[2] / "app.py")
RANGE = {"from": "2026-11-12", "to": "2026-11-21"}


def _open(monkeypatch: pytest.MonkeyPatch, home: Path, params: dict[str, str], page: str = "") -> AppTest:
    """The app at an address; pages beside the first are run by a script of one line."""
    monkeypatch.setenv("QUAYLEDGER_HOME", str(home))
    if page:
        script = f"import streamlit as st\nfrom pathlib import Path\nfrom quayledger.web import {page}\nfrom quayledger.web import record as data\n"
        script += f"st.session_state['record'] = data.Record(Path({str(home)!r}))\n{page}.page()\n"
        tested = AppTest.from_string(script, default_timeout=30)
    else:
        tested = AppTest.from_file(APP, default_timeout=30)
    for name, value in params.items():
        tested.query_params[name] = value
    return tested.run()


def _said(tested: AppTest) -> str:
    assert not tested.exception, tested.exception
    found = [element.value for kind in ("text", "caption", "code") for element in getattr(tested, kind)]
    return "\n".join(str(value) for value in found + [getattr(html, "body", "") for html in tested.get("html")])


def test_a_ledger_that_is_new_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = _said(_open(monkeypatch, tmp_path, {}))
    assert "sync" in said
    assert str(tmp_path) in said


def test_the_overview_shows_figures_and_coverage(monkeypatch: pytest.MonkeyPatch, ledger_home: Path) -> None:
    said = _said(_open(monkeypatch, ledger_home, RANGE))
    assert "8 of 10 days verified" in said
    assert "figure-pulls" in said
    assert "Compared with 2 Nov 2026 00:00 – 11 Nov 2026 15:00 (UTC)" in said


def test_changes_to_the_bar_are_in_the_address(monkeypatch: pytest.MonkeyPatch, ledger_home: Path) -> None:
    tested = _open(monkeypatch, ledger_home, RANGE, "usage")
    tested.selectbox(key="bar-namespace").select("globex").run()
    tested.selectbox(key="bar-tz").select("Asia/Kolkata").run()
    tested.toggle(key="bar-compare").set_value(False).run()
    found = {name: "".join(value) for name, value in tested.query_params.items()}
    assert found == {**RANGE, "namespace": "globex", "tz": "Asia/Kolkata", "compare": "0"}
    tested.selectbox(key="bar-range").select("last-7-days").run()
    assert "".join(tested.query_params["range"]) == "last-7-days"
    assert "from" not in tested.query_params
    tested.selectbox(key="bar-range").select("custom").run()
    assert {"from", "to"} <= set(tested.query_params)
    assert not tested.exception


@pytest.mark.parametrize("page", ["", "usage", "events"])
def test_an_address_that_means_harm_is_ignored_in_words(
    monkeypatch: pytest.MonkeyPatch, ledger_home: Path, page: str
) -> None:
    params = {
        "from": "x",
        "to": "<script>",
        "tz": "<b>",
        "namespace": "a\x00",
        "source": "nosuch",
        "page": "-1",
        "hour": "99",
    }
    said = _said(_open(monkeypatch, ledger_home, params, page))
    assert said.count("was ignored") + said.count("were ignored") >= 3
    assert "&lt;b&gt;" in said


def test_events_are_narrowed_by_the_address_and_by_the_fields(
    monkeypatch: pytest.MonkeyPatch, ledger_home: Path
) -> None:
    tested = _open(monkeypatch, ledger_home, {**RANGE, "kind": "push_repo"}, "events")
    frame = tested.dataframe[0].value
    assert set(frame["kind"]) == {"push_repo"}
    tested.text_input(key="events-actor").input("alice").run()
    assert set(tested.dataframe[0].value["actor"]) == {"alice"}
    assert "".join(tested.query_params["actor"]) == "alice"
    tested.button(key="events-clear").click().run()
    assert "kind" not in tested.query_params
    assert "".join(tested.query_params["from"]) == RANGE["from"]
    tested.button(key="events-older").click().run()
    assert "".join(tested.query_params["page"]) == "2"
    assert not tested.exception


def test_names_that_mean_harm_are_only_shown(monkeypatch: pytest.MonkeyPatch, ledger_home: Path) -> None:
    params = {**RANGE, "namespace": HOSTILE_NAMESPACE}
    tested = _open(monkeypatch, ledger_home, params, "usage")
    assert "<img src=x" not in _said(tested)
    assert tested.selectbox(key="bar-namespace").value == HOSTILE_NAMESPACE
    assert not [
        table.value for table in tested.dataframe if any("\x1b" in str(cell) for cell in table.value.to_numpy().ravel())
    ]
