"""Who did what from where, in ordinary rows of every kind: the account, the client, the digest and the address of an event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.collector.log.normalise import DefaultNamespace, Event, event_frame, normalise
from quayledger.collector.quay.redaction import MARK, redact
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events, quay_json
from quayledger.warehouse.log.addresses import addresses_of, is_within, network_of
from quayledger.warehouse.log.event_filter import EventFilter
from quayledger.warehouse.log.slices import merge_reading
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse.sample import NO_REJECTS, NOW, begin, reading

DIGEST = "sha256:" + "ab" * 32
# As Quay writes them: kind, metadata, ip, performer; and what is to be read of it.
ROWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "delete": (
        {"kind": "delete_tag", "metadata": {"repo": "web", "namespace": "acme", "digest": DIGEST, "username": "alice"}},
        {"digest": DIGEST, "actor": "alice", "actor_type": "user"},
    ),
    "login": (
        {
            "kind": "login_success",
            "metadata": {"type": "quayauth", "useragent": "Mozilla/5.0"},
            "ip": "::ffff:10.0.0.1",
        },
        {"user_agent": "Mozilla/5.0", "client": "browser", "ip": "10.0.0.1", "actor": "acme"},
    ),
    "service key": (
        {"kind": "service_key_create", "metadata": {"kid": "x", "user_agent": "quay-init"}, "ip": "None"},
        {"user_agent": "quay-init", "ip": None, "actor": None, "actor_type": "system"},
    ),
    "failed login": (
        {"kind": "login_failure", "metadata": {"username": "bob", "useragent": "curl/8"}, "ip": "2001:DB8:0:0::1"},
        {"actor": "bob", "actor_type": "user", "outcome": "failure", "user_agent": "curl/8"},
    ),
    "failed robot": (
        {"kind": "login_failure", "metadata": {"kind": "robot", "username": "acme+ci"}},
        {"actor": "acme+ci", "actor_type": "robot"},
    ),
    "password": (
        {"kind": "login_failure", "metadata": {"username": "Passw0rd!"}},
        {"actor": None, "actor_type": "anonymous", "metadata": json.dumps({"username": MARK}, separators=(",", ":"))},
    ),
    "token": (
        {
            "kind": "pull_repo",
            "metadata": {"repo": "web", "namespace": "acme", "token": "Builder"},
            "ip": "10.1.2.3, 192.0.2.7",
        },
        {"credential": "access token Builder", "actor": None, "actor_type": "token"},
    ),
    "anonymous": (
        {"kind": "pull_repo", "metadata": {"repo": "web", "namespace": "acme"}, "ip": ""},
        {"credential": None, "actor": None, "actor_type": "anonymous", "ip": None},
    ),
    "robot on Splunk": (
        {"kind": "pull_repo", "metadata": {}, "performer": {"kind": "user", "name": "acme+old", "is_robot": None}},
        {"actor": "acme+old", "actor_type": "robot"},
    ),
    "user": (
        {"kind": "pull_repo", "metadata": {}, "performer": {"kind": "user", "name": "carol", "is_robot": False}},
        {"actor": "carol", "actor_type": "user", "performer": "carol"},
    ),
}


def whole(row: dict[str, Any], number: int) -> dict[str, Any]:
    stamp = f"Mon, 05 Oct 2026 00:00:{number:02d} -0000"
    namespace = {"kind": "org", "name": "acme"}
    return {"ip": "10.0.0.7", "namespace": namespace, "datetime": stamp, **row}


@pytest.fixture(scope="module")
def received() -> list[bytes]:
    return [redact(json.dumps(whole(row, number)).encode()) for number, (row, _) in enumerate(ROWS.values())]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory, received: list[bytes]) -> Iterator[Snapshot]:
    home: Path = tmp_path_factory.mktemp("who")
    found = [normalise(raw, DefaultNamespace(None, None)) for raw in received]
    with Ledger.open(home, command="test") as ledger:
        begin(ledger)
        merge_reading(ledger, reading(), event_frame(event for event in found if isinstance(event, Event)), NO_REJECTS)
        publish(ledger, keep=2, now=NOW)
    with Snapshot.open(home) as opened:
        yield opened


def chosen(snapshot: Snapshot, flt: EventFilter) -> set[str]:
    names = list(ROWS)
    return {names[row["occurred_at"].second] for row in events.events(snapshot, flt, limit=0).iter_rows(named=True)}


@pytest.mark.parametrize("name", ROWS)
def test_an_event_says_who_and_what(snapshot: Snapshot, name: str) -> None:
    rows = events.events(snapshot, EventFilter(), limit=0, newest_first=False).rows(named=True)
    row, expected = rows[list(ROWS).index(name)], ROWS[name][1]
    assert {key: row[key] for key in expected} == expected


def test_what_was_received_is_given_back_whatever_is_read_of_it(snapshot: Snapshot, received: list[bytes]) -> None:
    shown = events.events(snapshot, EventFilter(), limit=0, newest_first=False)
    given = [json.loads(line) for line in quay_json.to_quay(shown)]
    assert given == [json.loads(raw) for raw in received]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("10.0.0.1", {"login"}),
        ("::FFFF:10.0.0.1", {"login"}),
        ("::ffff:a00:1", {"login"}),
        ("2001:db8::1", {"failed login"}),
        ("2001:0db8:0000::0001", {"failed login"}),
        ("192.0.2.7", {"token"}),
        ("10.1.0.0/16", {"token"}),
        ("2001:db8::/32", {"failed login"}),
        ("10.0.0.0/8", set(ROWS) - {"service key", "failed login", "anonymous"}),
        ("None", set()),
        ("10.0.0", set()),
    ],
)
def test_addresses_are_compared_as_addresses(snapshot: Snapshot, asked: str, found: set[str]) -> None:
    assert chosen(snapshot, EventFilter(ip=asked)) == found
    assert events.count_events(snapshot, EventFilter(ip=asked)) == len(found)


def test_a_failed_login_is_found_by_its_user(snapshot: Snapshot) -> None:
    assert chosen(snapshot, EventFilter(actor="bob")) == {"failed login"}
    assert chosen(snapshot, EventFilter(digest=DIGEST)) == {"delete"}
    assert chosen(snapshot, EventFilter(actor_type="token")) == {"token"}
    assert chosen(snapshot, EventFilter(user_agent="curl")) == {"failed login"}


@given(st.ip_addresses())
def test_every_spelling_of_an_address_is_that_address(address: Any) -> None:
    network = network_of(str(address))
    assert network is not None
    spellings = [str(address), address.exploded, address.exploded.upper(), f" {address} ", f"10.9.9.9, {address}"]
    if address.version == 4:
        spellings += [f"::ffff:{address}", f"{address}:4711"]
    else:
        spellings += [f"[{address}]:4711", f"[{address}]", f"{address}%eth0"]
    assert all(is_within(text, network) for text in spellings)


@pytest.mark.parametrize("text", ["None", "", "unknown", "10.0.0", "1.2.3.4/33", ":::", "1.2.3.4.5"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert addresses_of(text) == []
    assert network_of(text) is None
