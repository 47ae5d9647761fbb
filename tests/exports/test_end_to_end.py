"""Exports end to end: a stand-in Quay with its worker, our receiver, a real ledger; and all that goes wrong between them."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from quayledger.collector.exports import ask
from quayledger.collector.exports.export_file import BadExport
from quayledger.collector.exports.import_file import ask_by_mail, import_file
from quayledger.collector.log.days import utc_now
from quayledger.collector.quay.scopes import Scope
from quayledger.collector.sync import SyncRequest, sync
from quayledger.service.jobs import sync_and_publish
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
    quay = start_simulator(
        "--scenario", "steady:5", "--events", "1200", "--days", "1", "--end", str(DAY), "--precision", "second"
    )
    # Without an older event nothing would prove that the day has not begun to rotate away.
    older = f"{DAY - timedelta(days=20)}T09:00:00+00:00"
    quay.control("insert", rows=[{"namespace": name, "datetime": older} for name in ("acme", "globex")])
    return quay


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
    assert by_pages.state is SliceState.SHORT and by_pages.stored_events < 1080
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
    pages_alone = 1200 / 20
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
    # A callback that is lost is waited for in vain; any other may take as long as the machine needs.
    work = bench(busy.url, busy.tokens["superuser"], scopes=ACME, timeout_minutes=0.03 if "lose" in plan else 1)
    (outcome,) = work.export(DAY)
    assert outcome.state == "loaded", outcome.reason
    row = work.state(DAY)
    assert (row.stored_events, row.expected_events) == (len(of(busy, "acme")),) * 2
    assert row.sealed_at is not None


@pytest.mark.parametrize(
    ("plan", "rules", "state", "says"),
    [
        ({"truncate": 0.6}, {}, "unusable", "cut off"),
        ({"storage": "local"}, {}, "refused", "LocalStorage"),
        ({"namespace": "globex"}, {}, "unusable", "it is of 'globex', asked for was 'acme'"),
        ({"redirect_to": "http://127.0.0.1:1/elsewhere"}, {}, "unusable", "redirects"),
        ({"copies": 4}, {"max_file_bytes": 1 << 20}, "blocked", "larger than callbacks.max_file_bytes"),
        ({"address": "http://192.0.2.7/file"}, {}, "blocked", "192.0.2.7:80"),
        ({"address": "http://[::1"}, {}, "unusable", "valid http"),
        ({}, {"allowed_storage_hosts": ()}, "blocked", "allowed_storage_hosts"),
        ({"no_file": True}, {}, "lost", "404"),
        ({"url_seconds": 0}, {}, "lost", "403"),
        ({"failures": 3}, {}, "failed", "says 'timedout'"),
        ({"lose": 9}, {}, "lost", "no callback"),
    ],
    ids=str,
)
def test_what_cannot_be_trusted_is_refused_with_its_reason_and_changes_nothing(
    busy: Any, bench: Callable[..., Bench], plan: dict[str, Any], rules: dict[str, Any], state: str, says: str
) -> None:
    busy.control("exports", **plan)
    more = {"timeout_minutes": 0.03, "retry_seconds": 0.3, "attempts": 1, **rules}
    work = bench(busy.url, busy.tokens["superuser"], scopes=ACME, **more)
    (outcome,) = work.export(DAY)
    assert (outcome.state, outcome.loaded) == (state, None)
    assert says in outcome.reason and says in " ".join(work.notes)
    assert work.state(DAY).stored_events == 0
    busy.control("exports")
    assert work.export(DAY) == []  # it is left alone for a while
    assert "no export is asked for: the last one was " + state in " ".join(work.notes)


def own(path: str) -> dict[str, Any]:
    """A callback that names something else on the Quay's own host."""
    return {"exported_data_url": f"QUAY{path}"}


@pytest.mark.parametrize(
    "before",
    [
        [own("/api/v1/discovery")],
        [own(f"/static/{number}") for number in range(20)],
        [{"export_id": f"forged-{number}"} for number in range(60)],
        [
            {"status": status, "exported_data_url": None}
            for status in ("failed", "timedout", "invalidrequest", "\u202e")
        ],
        [{"exported_data_url": url} for url in ("http://[::1", "http://a..b/x", "https://s3.evil.example/x", "/")],
        [{"namespace": "globex"}, {"status": "success", "exported_data_url": None}],
    ],
    ids=["junk on its own host", "a flood of it", "other exports", "failures", "addresses", "others"],
)
def test_no_other_callback_stops_the_true_one_or_locks_exports(
    busy: Any, bench: Callable[..., Bench], before: list[dict[str, Any]]
) -> None:
    forged = [
        {key: value.replace("QUAY", busy.url) if isinstance(value, str) else value for key, value in one.items()}
        for one in before
    ]
    failed = [{"status": "failed", "exported_data_url": None}]
    busy.control("exports", before=forged, after=failed, late_seconds=0.4)
    work = bench(busy.url, busy.tokens["superuser"], scopes=ACME, retry_seconds=0, timeout_minutes=0.2)
    (outcome,) = work.export(DAY)
    assert outcome.state == "loaded", outcome.reason
    assert work.state(DAY).stored_events == len(of(busy, "acme"))


def test_a_file_that_a_setting_refuses_is_told_at_once_and_mending_the_setting_lifts_it(
    busy: Any, bench: Callable[..., Bench]
) -> None:
    short = {"timeout_minutes": 0.02, "retry_seconds": 0.1}
    careless = bench(busy.url, busy.tokens["superuser"], scopes=ACME, allowed_storage_hosts=(), **short)
    (outcome,) = careless.export(DAY)
    assert outcome.state == "blocked"
    told = [alert for alert in dict.fromkeys(careless.alerts) if alert]
    assert "allowed_storage_hosts is empty" in told[0]  # before it is asked
    assert "localhost:" in told[1] and "add it to that setting" in told[1]
    asked = len(busy.control("exports")["jobs"])
    assert careless.export(DAY) == []
    assert "localhost:" in careless.notes[-1] and "when a setting under [callbacks] changes" in careless.notes[-1]
    (again,) = careless.export(DAY, named=True)
    assert again.state == "blocked"
    mended = bench(busy.url, busy.tokens["superuser"], scopes=ACME)
    assert [outcome.state for outcome in mended.export(DAY)] == ["loaded"]
    assert len(busy.control("exports")["jobs"]) == asked + 2


def test_a_sync_without_days_tries_again_once_the_setting_is_mended(busy: Any, bench: Callable[..., Bench]) -> None:
    short = {"timeout_minutes": 0.02, "retry_seconds": 0.1, "attempts": 1, "allowed_storage_hosts": ()}
    careless = bench(busy.url, busy.tokens["superuser"], **short)
    since = (utc_now().date() - DAY).days + 1
    span = careless.settings.collect.model_copy(update={"backfill_days": since, "repair_requests": 0})
    mended = bench(busy.url, busy.tokens["superuser"])
    states = []
    for work in (careless, careless, mended):
        chosen = work.settings.model_copy(update={"collect": span})
        with Ledger.open(work.home, command="test") as ledger:
            asyncio.run(sync_and_publish(ledger, chosen, SyncRequest(), command="test"))
        states.append(work.state(DAY).state)
    assert states == [SliceState.SHORT, SliceState.SHORT, SliceState.REPAIRED]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"allow_private_addresses": False}, "set callbacks.allow_private_addresses"),
        ({"allow_private_addresses": False, "allowed_storage_hosts": ("127.0.0.1:9000",)}, "private network"),
        ({"address": "0.0.0.0"}, "callbacks.public_url is not set"),  # noqa: S104 - not listened on for others
    ],
)
def test_what_the_settings_would_refuse_is_not_asked_for(
    busy: Any, bench: Callable[..., Bench], rules: dict[str, Any], says: str
) -> None:
    before = len(busy.control("exports")["jobs"])
    work = bench(busy.url, busy.tokens["superuser"], scopes=ACME, **rules)
    assert work.export(DAY) == []
    assert says in work.notes[-1]
    assert len(busy.control("exports")["jobs"]) == before


def test_where_the_first_exports_bring_nothing_no_more_are_asked_for(
    busy: Any, bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "_SIDE_BY_SIDE", 1)
    work = bench(busy.url, busy.tokens["superuser"], timeout_minutes=0.005, retry_seconds=0, attempts=1)
    before = len(busy.control("exports")["jobs"])
    busy.control("exports", lose=99)
    assert [outcome.state for outcome in work.export(DAY)] == ["lost"]
    assert "further export(s) were not asked for" in " ".join(work.notes)
    assert len(busy.control("exports")["jobs"]) == before + 1


def test_a_port_that_is_taken_costs_exports_and_no_page(busy: Any, bench: Callable[..., Bench]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        work = bench(busy.url, busy.tokens["superuser"], exports="repair", port=port)
        unmended = work.settings.collect.model_copy(update={"repair_requests": 0})
        chosen = work.settings.model_copy(update={"collect": unmended})
        with Ledger.open(work.home, command="test") as ledger:
            (outcome,) = asyncio.run(sync_and_publish(ledger, chosen, SyncRequest(DAY, DAY), command="test")).sources
    assert outcome.events_new > 0 and outcome.failure is None
    (note,) = [note for note in outcome.notes if "no export is asked for" in note]
    assert f"port {port} on 127.0.0.1" in note and "callbacks.port" in note


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
