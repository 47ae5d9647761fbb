"""Exports end to end: a stand-in Quay with its worker, our receiver, a real ledger; and all that goes wrong between them."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from quayledger.collector.exports.export_file import BadExport
from quayledger.collector.exports.import_file import ask_by_mail, import_file
from quayledger.collector.log.days import utc_now
from quayledger.collector.quay.scopes import Scope
from quayledger.collector.sync import SyncRequest, sync
from quayledger.warehouse import publish
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.schema import SliceState
from tests.collector.test_sync import collect, held, truth
from tests.exports.conftest import Bench

DAY = date(2026, 11, 19)
ACME = ("organization:acme",)


@pytest.fixture(scope="module")
def busy(start_simulator: Any) -> Any:
    """Five rows a second with stamps of whole seconds, in two organisations: pages lose most of them."""
    return start_simulator(
        "--scenario", "steady:5", "--events", "3000", "--days", "1", "--end", str(DAY), "--precision", "second"
    )


@pytest.fixture(autouse=True)
def usual_plan(busy: Any) -> None:
    busy.control("exports")


def stored(home: Path) -> Counter[str]:
    with Ledger.open(home, command="test") as ledger:
        publish.publish(ledger, keep=2, now=utc_now())
    return held(home)


def of(quay: Any, namespace: str) -> list[dict[str, Any]]:
    return [event for event in quay.truth() if event["namespace"]["name"] == namespace]


def test_a_day_that_pages_cannot_bring_becomes_whole_through_exports(busy: Any, bench: Callable[..., Bench]) -> None:
    work = bench(busy.url, busy.tokens["superuser"], exports="repair")
    unmended = work.settings.collect.model_copy(update={"repair_requests": 0})
    pages_only = work.settings.sources["main"].model_copy(update={"exports": "off"})
    chosen = work.settings.model_copy(update={"collect": unmended, "sources": {"main": pages_only}})
    with Ledger.open(work.home, command="test") as ledger:
        asyncio.run(sync(ledger, chosen, SyncRequest(DAY, DAY)))
    by_pages = work.state(DAY)
    assert by_pages.state is SliceState.SHORT and by_pages.stored_events < 2700
    assert {outcome.state for outcome in work.export(DAY)} == {"loaded"}
    assert work.state(DAY).state is SliceState.REPAIRED
    assert stored(work.home) == truth(busy)
    assert work.export(DAY) == []  # nothing is missing, nothing is asked for
    assert not list((work.home / "landing").rglob("*.parquet"))


@pytest.mark.parametrize("exports", ["repair", "prefer"])
def test_a_sync_that_may_export_makes_every_day_whole(busy: Any, bench: Callable[..., Bench], exports: str) -> None:
    work = bench(busy.url, busy.tokens["superuser"], exports=exports)
    outcome = collect(work.home, work.settings, DAY, DAY).sources[0]
    assert outcome.failure is None and outcome.states == {"repaired": 1}, outcome.notes
    assert held(work.home) == truth(busy)
    pages_alone = 3000 / 20
    assert exports == "repair" or outcome.requests < pages_alone / 2


def test_exports_are_not_asked_for_before_pages_where_they_are_for_repair(
    busy: Any, bench: Callable[..., Bench]
) -> None:
    before = len(busy.control("exports")["jobs"])
    assert bench(busy.url, busy.tokens["superuser"], exports="repair").export(DAY, fell_short=False) == []
    assert len(busy.control("exports")["jobs"]) == before


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"failures": 1, "retry_seconds": 0.1},  # timedout, failed, failed; then a new file under the same id
        {"repeat": 3},
        {"late_seconds": 0.3},
        {"storage": "local", "whole_local": True},
        {"lose": 1},
    ],
    ids=str,
)
def test_what_a_quay_does_with_callbacks_brings_each_event_once(
    busy: Any, bench: Callable[..., Bench], plan: dict[str, Any]
) -> None:
    busy.control("exports", **plan)
    work = bench(busy.url, busy.tokens["superuser"], scopes=ACME, timeout_minutes=0.02)
    (outcome,) = work.export(DAY)
    assert outcome.state == "loaded", outcome.reason
    row = work.state(DAY)
    assert (row.stored_events, row.expected_events) == (len(of(busy, "acme")),) * 2
    assert row.sealed_at is not None


@pytest.mark.parametrize(
    ("plan", "rules", "state", "says"),
    [
        ({"truncate": 0.6}, {}, "refused", "cut off"),
        ({"storage": "local"}, {}, "refused", "LocalStorage"),
        ({"namespace": "globex"}, {}, "refused", "it is of 'globex', asked for was 'acme'"),
        ({"redirect_to": "http://127.0.0.1:1/elsewhere"}, {}, "refused", "redirects"),
        ({"copies": 4}, {"max_file_bytes": 1 << 20}, "refused", "larger than callbacks.max_file_bytes"),
        ({"address": "http://192.0.2.7/file"}, {}, "failed", "192.0.2.7:80"),
        ({}, {"allowed_storage_hosts": ()}, "failed", "allowed_storage_hosts"),
        ({}, {"allow_private_addresses": False}, "refused", "private network"),
        ({"no_file": True}, {}, "lost", "404"),
        ({"url_seconds": 0}, {}, "lost", "403"),
        ({"failures": 3}, {}, "failed", "says 'failed'"),
        ({"lose": 9}, {}, "lost", "no callback"),
    ],
    ids=str,
)
def test_what_cannot_be_trusted_is_refused_with_its_reason_and_changes_nothing(
    busy: Any, bench: Callable[..., Bench], plan: dict[str, Any], rules: dict[str, Any], state: str, says: str
) -> None:
    busy.control("exports", **plan)
    more = {"timeout_minutes": 0.01, "retry_seconds": 0.3, **rules}
    work = bench(busy.url, busy.tokens["superuser"], scopes=ACME, **more)
    (outcome,) = work.export(DAY)
    assert (outcome.state, outcome.loaded) == (state, None)
    assert says in outcome.reason and says in " ".join(work.notes)
    assert work.state(DAY).stored_events == 0
    busy.control("exports")
    assert work.export(DAY) == []  # it is left alone for a while
    assert "no export is asked for: the last one was " + state in " ".join(work.notes)


def test_a_file_with_more_than_the_source_counts_does_not_count(busy: Any, bench: Callable[..., Bench]) -> None:
    busy.control("exports", copies=2)
    work = bench(busy.url, busy.tokens["superuser"], scopes=ACME)
    (outcome,) = work.export(DAY)
    assert outcome.loaded is not None and outcome.loaded.new_events == 0
    assert "more events than the source counts" in outcome.loaded.left_out[DAY]
    assert work.state(DAY).state is SliceState.SHORT
    assert stored(work.home) == Counter()


def test_a_file_that_came_by_mail_is_imported_packed_and_only_once(
    busy: Any, bench: Callable[..., Bench], tmp_path: Path
) -> None:
    work = bench(busy.url, busy.tokens["superuser"])
    source = work.settings.sources["main"]
    asked = ask_by_mail("main", source, Scope("organization", "acme"), DAY, DAY, "audit@example.com")
    export_id = asyncio.run(asked)
    job = _finished(busy, export_id)
    assert job["email"] == "audit@example.com"
    path = tmp_path / "mailed.json.gz"
    with urlopen(job["calls"][0]["url"]) as reply:  # noqa: S310 - loopback
        path.write_bytes(gzip.compress(reply.read()))
    work.export(DAY - timedelta(days=40))  # settles the cover; that day is empty
    with Ledger.open(work.home, command="test") as ledger:
        first = import_file(ledger, work.settings, "main", path)
        again = import_file(ledger, work.settings, "main", path)
    acme = len(of(busy, "acme"))
    assert (first.scope, first.new_events, again.new_events, again.rows) == ("superuser", acme, 0, acme)
    assert first.days == (DAY,) and not first.left_out
    assert work.state(DAY).state is SliceState.PROVISIONAL  # until it is counted
    assert sum(stored(work.home).values()) == acme
    path.write_bytes(path.read_bytes()[:-40])
    with Ledger.open(work.home, command="test") as ledger, pytest.raises(BadExport, match="gzip"):
        import_file(ledger, work.settings, "main", path)


def _finished(quay: Any, export_id: str) -> dict[str, Any]:
    for _ in range(200):
        for job in quay.control("exports")["jobs"]:
            if job["export_id"] == export_id and job["calls"]:
                return dict(job)
    raise AssertionError("the export was never done")
