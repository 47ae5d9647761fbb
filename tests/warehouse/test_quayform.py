"""The way back to Quay's form, for every shape that the columns, the residual and `extra` can hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.log import quay_json
from quayledger.warehouse.log.slices import merge_reading
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse.sample import NO_REJECTS, NOW, event, frame, reading

_PLAIN: dict[str, Any] = {"namespace": "acme", "namespace_kind": "org"}
_CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"metadata": {}, "ip": None}),
    (_PLAIN, {"metadata": {}, "ip": None, "namespace": {"kind": "org", "name": "acme"}}),
    (
        {"performer": "acme+ci", "performer_kind": "robot", "ip": "10.0.0.1", "repository": "web", "tag": "latest"},
        {
            "metadata": {"repo": "web", "tag": "latest"},
            "ip": "10.0.0.1",
            "performer": {"kind": "user", "name": "acme+ci", "is_robot": True},
        },
    ),
    (
        {
            "repository_namespace": "acme",
            "digest": "sha256:0",
            "user_agent": "skopeo/1",
            "metadata": '{"resolved_ip":{"continent":null},"tag":5}',
        },
        {
            "metadata": {
                "namespace": "acme",
                "manifest_digest": "sha256:0",
                "user-agent": "skopeo/1",
                "resolved_ip": {"continent": None},
                "tag": 5,
            },
            "ip": None,
        },
    ),
    ({"extra": '{"_absent":["ip"]}'}, {"metadata": {}}),
    ({"extra": '{"_absent":["ip","metadata"]}'}, {}),
    ({"extra": '{"metadata":["odd"]}'}, {"metadata": ["odd"], "ip": None}),
    (
        {"extra": '{"performer":null,"new_field":{"a":1}}'},
        {"metadata": {}, "ip": None, "performer": None, "new_field": {"a": 1}},
    ),
    (
        {"performer": "x", "performer_kind": "user", "extra": '{"performer":{"name":"x"}}'},
        {"metadata": {}, "ip": None, "performer": {"name": "x"}},
    ),
    (
        {"namespace": "acme", "extra": '{"namespace":{"kind":7,"name":"acme"}}'},
        {"metadata": {}, "ip": None, "namespace": {"kind": 7, "name": "acme"}},
    ),
]


@pytest.mark.parametrize(("columns", "expected"), _CASES)
def test_what_was_received_is_given_back(columns: dict[str, Any], expected: dict[str, Any]) -> None:
    (line,) = quay_json.to_quay(frame([event(3661, **columns)]))
    assert json.loads(line) == {"kind": "pull_repo", "datetime": "Mon, 05 Oct 2026 01:01:01 -0000"} | expected


def test_the_view_of_the_events_gives_back_the_same(ledger: Ledger) -> None:
    events = frame(event(second, **columns) for second, (columns, _) in enumerate(_CASES))
    merge_reading(ledger, reading(), events, NO_REJECTS)
    publish(ledger, keep=2, now=NOW)
    with Snapshot.open(ledger.home) as snapshot:
        shown = reader.events(snapshot, reader.EventFilter(), limit=0, newest_first=False)
    assert [json.loads(line) for line in quay_json.to_quay(shown)] == [
        json.loads(line) for line in quay_json.to_quay(events)
    ]
