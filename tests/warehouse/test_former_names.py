"""Former names: an account that was renamed or deleted is one account, found by any of its names and shown by what it was called,
in the live file, in closed files and in rollups alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from quayledger.reports.log.events_page import as_table, page
from quayledger.reports.period import whole_days
from quayledger.reports.render import csv, html, json, terminal
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events
from quayledger.warehouse.log.close import close_days
from quayledger.warehouse.log.events import EventFilter
from quayledger.warehouse.log.former_names import account_labels, former_names, label_of, note_former_names
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.building import build
from tests.warehouse.sample import NOW, begin, event, seal, store

FIRST = date(2026, 10, 5)
LAST = FIRST + timedelta(days=3)
GONE = "0b6a1d52-6a1f-4d1e-9a30-3c5d1f0e7a11"  # acme, deleted on the third day
LOST = "5c9b7c6e-1d7f-4e57-8f61-2a44aa0b9d22"  # nothing tells what it was called
BOB = "d0f9f0f4-7f0e-4a43-93c5-0c53f1d7a933"  # a user, deleted


def _pull(second: int, day: date, namespace: str, named: str | None = None, **more: str) -> dict[str, object]:
    return event(
        second, day=day, namespace=namespace, repository="web", repository_namespace=named or namespace, **more
    )


def _fill(ledger: Ledger) -> None:
    second, third = FIRST + timedelta(days=1), FIRST + timedelta(days=2)
    begin(ledger)
    store(
        ledger,
        [
            _pull(1, FIRST, "acme", performer="acme+ci", performer_kind="robot"),
            _pull(2, FIRST, "globex", performer="bob", performer_kind="user"),
            # Read after all that follows: its namespace is called by its last name already, its repository's is not.
            _pull(3, FIRST, GONE, "acme"),
            _pull(
                4, FIRST, "globex-inc", "globex", performer=BOB, performer_kind="user", metadata='{"username":"bob"}'
            ),
        ],
        day=FIRST,
    )
    renamed = '{"new_name":"globex-inc","old_name":"globex"}'
    store(ledger, [event(9, "org_change_name", day=second, namespace="globex-inc", metadata=renamed)], day=second)
    store(
        ledger,
        [
            event(5, "org_delete", day=third, namespace=GONE, repository_namespace="acme"),
            event(6, "login_success", day=third, namespace=LOST),
        ],
        day=third,
    )
    # Another organization of that name, another globex.
    store(ledger, [_pull(7, LAST, "acme"), _pull(8, LAST, "globex")], day=LAST)
    for day in (FIRST, second, third):
        seal(ledger, day)


@pytest.fixture(scope="module", params=["live", "closed", "noted after closing"])
def snapshot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """The same events in the live file, in files with rollups, and in a ledger of before there were former names."""
    home: Path = tmp_path_factory.mktemp("names")
    with Ledger.open(home, command="test") as ledger:
        _fill(ledger)
        if request.param != "noted after closing":
            note_former_names(ledger)
        if request.param != "live":
            assert close_days(ledger, LAST, 1)
        note_former_names(ledger)
        publish(ledger, keep=1, now=NOW)
    with Snapshot.open(home) as opened:
        yield opened


@pytest.mark.parametrize(
    ("wanted", "times"),
    [
        # acme: the deleted one's, under both names, and the later account of that name.
        (EventFilter(namespace="acme"), [1, 3, 5, 7]),
        (EventFilter(namespace=GONE), [1, 3, 5]),
        # globex and globex-inc are one; the later globex is somebody else, whom only its own name finds.
        (EventFilter(namespace="globex-inc"), [2, 4, 9]),
        (EventFilter(namespace="globex"), [2, 4, 8, 9]),
        (EventFilter(actor="bob"), [2, 4]),
        (EventFilter(actor=BOB), [2, 4]),
        (EventFilter(actor=f"{GONE}+ci"), [1]),
        (EventFilter(repository=f"{GONE}/web"), [1, 3]),
        (EventFilter(repository="globex-inc/web"), [2, 4]),
        (EventFilter(repository="web", namespace=GONE), [1, 3]),
        (EventFilter(namespace=LOST), [6]),
        (EventFilter(excluded=(("namespace", GONE), ("actor", "bob"))), [6, 7, 8, 9]),
        (EventFilter(namespace="nobody"), []),
    ],
)
def test_an_account_is_found_by_each_of_its_names(snapshot: Snapshot, wanted: EventFilter, times: list[int]) -> None:
    for limit in (0, 50):
        found = events.events(snapshot, wanted, limit=limit, newest_first=False)
        assert sorted(found["occurred_at"].dt.second().to_list()) == times
    assert events.count_events(snapshot, wanted) == len(times)
    assert sum(batch.height for batch in events.event_batches(snapshot, wanted)) == len(times)


def test_what_was_deleted_is_shown_by_what_it_was_called(snapshot: Snapshot) -> None:
    assert {row.name: (row.former_name, row.cause) for row in former_names(snapshot)} == {
        GONE: ("acme", "org_delete"),
        LOST: ("", ""),
        BOB: ("bob", "metadata"),
        "globex-inc": ("globex", "org_change_name"),
    }
    labels = account_labels(snapshot)
    assert labels == {GONE: "deleted, was acme", LOST: f"deleted ({LOST})", BOB: "deleted, was bob"}
    assert label_of(labels, f"{GONE}/web") == "deleted, was acme/web"
    assert label_of(labels, f"{LOST}+ci") == f"deleted ({LOST}+ci)"
    assert label_of(labels, f"organization:{GONE}") == f"organization:{GONE} (deleted, was acme)"
    assert label_of(labels, "11111111-2222-3333-4444-555555555555") == "11111111-2222-3333-4444-555555555555"
    table = as_table(events.events(snapshot, EventFilter(), limit=0), 9, labels=labels)
    said = terminal.render_table(table, 200)
    assert "deleted, was acme" in said
    assert GONE not in said
    assert "deleted, was acme" in page(snapshot, [EventFilter()]).shown["namespace"].to_list()


def test_usage_counts_a_deleted_account_once_under_its_label(snapshot: Snapshot) -> None:
    report = build("usage", snapshot, period=whole_days(FIRST, LAST, "UTC"), compare=False)
    rows = dict(report.table("by_namespace").frame.select("key", "pulls").iter_rows())
    assert rows == {GONE: 2, "globex-inc": 2, "acme": 1, "globex": 1}
    for text in (terminal.render(report, 120), html.render(report), csv.render(report, "by_repository")):
        assert "deleted, was acme" in text
        assert GONE not in text
    # A program goes on with the name that filters take.
    assert GONE in json.render(report)


def test_two_accounts_of_one_name_are_told_apart(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, command="test") as ledger:
        begin(ledger)
        store(ledger, [_pull(1, FIRST, GONE, "acme"), _pull(2, FIRST, LOST, "acme")])
        note_former_names(ledger)
        publish(ledger, keep=1, now=NOW)
    with Snapshot.open(tmp_path) as opened:
        assert set(account_labels(opened).values()) == {f"deleted, was acme ({uuid[:8]})" for uuid in (GONE, LOST)}
