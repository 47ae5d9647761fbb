"""Syncing from a stand-in Quay, over real HTTP into a real ledger: everything that is there, once, and said where not."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from quayledger.collector.log.counts import MOST_PROBES
from quayledger.collector.quay.redaction import redact
from quayledger.collector.sync import SourceOutcome, SyncOutcome, SyncRequest
from quayledger.service.jobs import sync_and_publish
from quayledger.settings import CollectSettings, Settings, SourceSettings
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events, quay_json
from quayledger.warehouse.log.close import close_days, event_file_list
from quayledger.warehouse.log.completeness import completeness
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot

END = "2026-11-20"
DAYS = 6
PROVEN = {"rotated": 1, "verified": DAYS - 1}  # nothing older is held, so nothing proves the first day whole


def settings(url: str, token: str, **more: Any) -> Settings:
    source = SourceSettings(
        url=url, token=SecretStr(token), requests_per_second=1000, chains=4, **{"retries": 2, **more}
    )
    empty = Settings.model_construct()
    return empty.model_copy(update={"sources": {"main": source}, "collect": CollectSettings(settle_seconds=0)})


def collect(home: Path, chosen: Settings, first: date | None = None, last: date | None = None) -> SyncOutcome:
    with Ledger.open(home, command="test") as ledger:
        return asyncio.run(sync_and_publish(ledger, chosen, SyncRequest(first, last), command="test"))


def everything() -> tuple[date, date]:
    last = date.fromisoformat(END)
    return last - timedelta(days=DAYS - 1), last


def held(home: Path) -> Counter[str]:
    with Snapshot.open(home) as snapshot:
        frame = events.events(snapshot, events.EventFilter(since=None, until=None), limit=0)
        return Counter(canonical(json.loads(line)) for line in quay_json.to_quay(frame))


def canonical(event: dict[str, Any]) -> str:
    """An event without avatars, secrets cut as the client cuts them, in one order."""
    cut = msgspec.json.decode(redact(msgspec.json.encode(event)))
    for name in ("performer", "namespace"):
        if isinstance(cut.get(name), dict):
            cut[name].pop("avatar", None)
    return json.dumps(cut, sort_keys=True)


def truth(quay: Any) -> Counter[str]:
    return Counter(canonical(event) for event in quay.truth())


@pytest.fixture(scope="module")
def quay(start_simulator: Any) -> Any:
    return start_simulator("--events", "1200", "--days", str(DAYS), "--end", END, "--precision", "microsecond")


def test_a_superuser_gets_every_event_once_and_every_day_verified(quay: Any, tmp_path: Path) -> None:
    chosen = settings(quay.url, quay.tokens["superuser"])
    outcome = collect(tmp_path, chosen, *everything()).sources[0]
    assert outcome.failure is None
    assert held(tmp_path) == truth(quay)
    assert outcome.states == PROVEN
    # A probe, a count, a look for older rows, and the pages: the floor is one for twenty events and one broken page a day.
    assert outcome.requests <= 1200 / 20 + DAYS + 2 + MOST_PROBES
    again = collect(tmp_path, chosen, *everything()).sources[0]
    assert again.events_new == 0
    assert again.requests <= 1 + MOST_PROBES, "only the first day, which nothing proves, is counted again: it was named"
    assert held(tmp_path) == truth(quay)


def test_a_read_only_superuser_gets_the_same(quay: Any, tmp_path: Path) -> None:
    collect(tmp_path, settings(quay.url, quay.tokens["readonly_superuser"]), *everything())
    assert held(tmp_path) == truth(quay)


def test_the_wrong_token_stops_the_source_and_is_said(quay: Any, tmp_path: Path) -> None:
    outcome = collect(tmp_path, settings(quay.url, "nonsense"), *everything()).sources[0]
    assert "expired or revoked" in outcome.error
    assert outcome.events_new == 0


def test_an_organisation_administrator_collects_what_the_account_may_read(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--scenario", "org-admin-only", "--events", "600", "--days", str(DAYS), "--end", END)
    outcome = collect(tmp_path, settings(quay.url, quay.tokens["org_admin"]), *everything()).sources[0]
    assert outcome.failure is None
    with Snapshot.open(tmp_path) as snapshot:
        cover = events.kind_coverage(snapshot, *everything())
        scopes = set(cover["scope"].to_list())
    assert scopes and all(scope.startswith(("organization:", "user:")) for scope in scopes)
    namespaces = {scope.partition(":")[2] for scope in scopes}
    hidden = "service_key_"
    expected = Counter(
        canonical(event)
        for event in quay.truth()
        if event.get("namespace", {}).get("name") in namespaces
        and not (event["namespace"]["kind"] == "user" and event["kind"].startswith(hidden))
    )
    assert held(tmp_path) == expected
    assert outcome.states == PROVEN


def test_one_repository_and_one_user_can_be_a_cover(quay: Any, tmp_path: Path) -> None:
    pushed = Counter(
        (event["metadata"]["namespace"], event["metadata"]["repo"])
        for event in quay.truth()
        if event["kind"] == "push_repo"
    )
    (namespace, name), _ = pushed.most_common(1)[0]
    chosen = settings(quay.url, quay.tokens["superuser"], scopes=(f"repository:{namespace}/{name}",))
    outcome = collect(tmp_path, chosen, *everything()).sources[0]
    assert (outcome.failure, outcome.states) == (None, PROVEN)
    assert (
        sum(held(tmp_path).values())
        == outcome.events_new
        >= sum(1 for event in quay.truth() if event["kind"] == "push_repo" and event["metadata"]["repo"] == name)
    )


def test_whole_second_stamps_lose_nothing_without_it_being_said(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator(
        "--scenario", "steady:0.05", "--events", "1000", "--days", "1", "--end", END, "--precision", "second"
    )
    outcome = collect(tmp_path, settings(quay.url, quay.tokens["superuser"]), *everything()).sources[0]
    found, there = held(tmp_path), truth(quay)
    assert found <= there
    missing = sum(there.values()) - sum(found.values())
    with Snapshot.open(tmp_path) as snapshot:
        cover = events.kind_coverage(snapshot, *everything())
    assert cover["difference"].sum() == missing
    assert ("short" in outcome.states) is (missing > 0)


def test_an_open_day_is_followed_with_one_request_when_quiet(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "600", "--days", "2")
    chosen = settings(quay.url, quay.tokens["superuser"])
    collect(tmp_path, chosen)
    assert held(tmp_path) == truth(quay)
    today = datetime.now(UTC).date()
    quiet = collect(tmp_path, chosen, today, today).sources[0]
    assert (quiet.events_new, quiet.requests) == (0, 1)


def test_a_run_that_another_follows_soon_leaves_the_copy_to_it(quay: Any, tmp_path: Path) -> None:
    chosen = settings(quay.url, quay.tokens["superuser"])
    days = [date.fromisoformat(END) - timedelta(days=back) for back in (0, 1, 2)]
    with Ledger.open(tmp_path, command="test") as ledger:
        for day, next_at, expected in zip(days, (0.0, math.inf, 0.0), (1, 1, 3), strict=True):
            ledger.publish_next_at = next_at
            asyncio.run(sync_and_publish(ledger, chosen, SyncRequest(day, day), command="test", often=True))
            assert len({event["datetime"][:16] for event in map(json.loads, held(tmp_path))}) == expected


def test_rows_that_nobody_can_read_are_counted_and_shown(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--scenario", "unknown-kinds", "--events", "300", "--days", "2", "--end", END)
    outcome = collect(tmp_path, settings(quay.url, quay.tokens["superuser"]), *everything()).sources[0]
    with Snapshot.open(tmp_path) as snapshot:
        rejected = events.rejects(snapshot)
        totals = events.totals(snapshot, events.EventFilter(since=None, until=None)).row(0, named=True)
    assert rejected.height > 0
    assert totals["unknown_kinds"] > 0
    # Every row was seen, so the day is complete but for these, and no request is spent on them again.
    assert outcome.states.get("with rejects", 0) >= 1
    assert "short" not in outcome.states
    again = collect(tmp_path, settings(quay.url, quay.tokens["superuser"]), *everything()).sources[0]
    assert (again.events_new, again.states) == (0, outcome.states)
    with Snapshot.open(tmp_path) as snapshot:
        days = events.coverage(snapshot, date.fromisoformat(END) - timedelta(days=1), date.fromisoformat(END))
        lacking = completeness(snapshot, date.fromisoformat(END) - timedelta(days=1), date.fromisoformat(END))
        assert events.rejects(snapshot).height == rejected.height
    assert any("complete but for" in note and "could not be read" in note for note in days["note"])
    assert lacking["difference"].sum() == 0
    assert 0 < lacking["unreadable"].sum() <= rejected.height


def test_a_token_that_dies_keeps_what_came_and_the_next_run_goes_on(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "1000", "--days", str(DAYS), "--end", END)
    chosen = settings(quay.url, quay.tokens["superuser"])

    async def run() -> SyncOutcome:
        revoked = False

        def report(progress: Any) -> None:
            nonlocal revoked
            if progress.events_new > 200 and not revoked:
                revoked = True
                quay.control("revoke", token=quay.tokens["superuser"])

        with Ledger.open(tmp_path, command="test") as ledger:
            return await sync_and_publish(ledger, chosen, SyncRequest(*everything()), command="test", report=report)

    stopped = asyncio.run(run()).sources[0]
    assert "expired or revoked" in stopped.error
    assert 200 < stopped.events_new < 1000
    other = settings(quay.url, quay.tokens["readonly_superuser"])
    assert collect(tmp_path, other, *everything()).sources[0].failure is None
    assert held(tmp_path) == truth(quay)


def test_several_quays_live_in_one_ledger(quay: Any, start_simulator: Any, tmp_path: Path) -> None:
    other = start_simulator("--events", "300", "--days", "3", "--end", END, "--seed", "9", "--precision", "microsecond")
    chosen = settings(quay.url, quay.tokens["superuser"])
    second = settings(other.url, other.tokens["superuser"]).sources["main"]
    chosen = chosen.model_copy(update={"sources": {**chosen.sources, "second": second}})
    outcome = collect(tmp_path, chosen, *everything())
    assert {item.source_id: item.events_new for item in outcome.sources} == {"main": 1200, "second": 300}
    assert held(tmp_path) == truth(quay) + truth(other)
    chosen = chosen.model_copy(
        update={"sources": {**chosen.sources, "second": second.model_copy(update={"url": "http://127.0.0.1:9"})}}
    )
    first, last = everything()
    both = {item.source_id: item for item in collect(tmp_path, chosen, first - timedelta(days=1), last).sources}
    assert both["main"].failure is None, "one source in trouble does not stop another"
    assert "Check the address" in both["second"].error
    assert held(tmp_path) == truth(quay) + truth(other)


def recount(quay: Any, home: Path, chosen: Settings) -> SourceOutcome:
    """A run of the schedule more than a week later, when closed days are counted once more."""
    quay.control("clock", advance=8 * 86_400)
    now = datetime.fromisoformat(quay.control("clock")["now"])
    wanted = chosen.model_copy(update={"collect": CollectSettings(settle_seconds=0, backfill_days=90)})
    with Ledger.open(home, command="test") as ledger:
        work = sync_and_publish(ledger, wanted, SyncRequest(), command="test", now=lambda: now)
        return asyncio.run(work).sources[0]


def test_closed_months_give_quays_own_rows_and_a_damaged_file_stops_no_other_day(
    start_simulator: Any, tmp_path: Path
) -> None:
    quay = start_simulator("--events", "1200", "--days", str(DAYS), "--end", END, "--precision", "microsecond")
    chosen, (first, last) = settings(quay.url, quay.tokens["superuser"]), everything()
    collect(tmp_path, chosen, first, last)
    with Ledger.open(tmp_path, command="test") as ledger:
        files = event_file_list(ledger)
        assert [file.label for file in files] == [str(first + timedelta(days=back)) for back in range(DAYS)]
    assert held(tmp_path) == truth(quay)

    damaged, content = tmp_path / files[2].file, (tmp_path / files[2].file).read_bytes()
    damaged.write_bytes(content[:-1] + b"!")
    for day in (files[2].first_day, files[3].first_day):
        late = {"namespace": "platform", "datetime": f"{day}T12:00:00+00:00"}
        quay.control("insert", rows=[late])
    outcome = recount(quay, tmp_path, chosen)
    assert (outcome.failure, outcome.events_new) == (None, 1)
    assert any(f"{files[2].label} is left as it is" in note and "Put it back" in note for note in outcome.notes)
    assert sum(held(tmp_path).values()) == 1201 - files[2].rows

    damaged.write_bytes(content)
    assert recount(quay, tmp_path, chosen).events_new == 1
    found = held(tmp_path)
    assert (sum((found - truth(quay)).values()), truth(quay) - found) == (2, Counter())
    with Ledger.open(tmp_path, command="test") as ledger:
        close_days(ledger, last + timedelta(days=60), 10)
        assert [(file.label, file.rows) for file in event_file_list(ledger)] == [("2026-11", 1200)]
        publish(ledger, keep=2, now=datetime.now(UTC))
    assert held(tmp_path) == found, "from the month's file, and two late rows beside it"
