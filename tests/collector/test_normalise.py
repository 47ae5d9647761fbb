"""Normalising and `warehouse.quayform` are each other's reverse: nothing that Quay said gets lost, avatars aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.collector.log.normalise import DefaultNamespace, Event, Reject, event_frame, normalise
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log.quay_json import to_quay

NOWHERE = DefaultNamespace(None, None)
STAMP = "Sun, 22 Nov 2026 23:59:54 -0000"
RECORDED = sorted((Path(__file__).parent.parent / "recordings").glob("*superuser_logs*.json"))


def without_avatars(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_avatars(item) for key, item in value.items() if key != "avatar"}
    return value


def round_trip(row: dict[str, Any]) -> dict[str, Any]:
    event = normalise(msgspec.json.encode(row), NOWHERE)
    assert isinstance(event, Event), event
    (line,) = to_quay(event_frame([event]))
    return dict(json.loads(line))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_every_recorded_event_comes_back(path: Path) -> None:
    rows = json.loads(path.read_text())["body"]["logs"]
    for row in rows:
        expected = {**row, "performer": without_avatars(row["performer"])} if "performer" in row else dict(row)
        if "namespace" in row:
            expected["namespace"] = without_avatars(row["namespace"])
        assert round_trip(row) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
METADATA_KEYS = st.sampled_from(["repo", "namespace", "tag", "manifest_digest", "user-agent", "username", "x"])
ROWS = st.fixed_dictionaries(
    {"kind": st.text(min_size=1, max_size=10), "datetime": st.just(STAMP)},
    optional={
        "metadata": st.dictionaries(METADATA_KEYS, JSON, max_size=5) | JSON,
        "ip": st.none() | st.text(max_size=5) | JSON,
        "performer": st.fixed_dictionaries(
            {"kind": st.just("user"), "name": st.text(max_size=5), "is_robot": st.booleans()}
        )
        | JSON,
        "namespace": st.fixed_dictionaries({"kind": st.sampled_from(["org", "user"]), "name": st.text(max_size=5)})
        | JSON,
        "repository_id": JSON,
    },
)


@given(ROWS)
def test_whatever_an_event_says_comes_back(row: dict[str, Any]) -> None:
    assert round_trip(row) == row


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 22 Nov 2026 23:59:54 +0000",
        "Mon, 22 Nov 2026 23:59:54 -0000",
        "Sun, 31 Nov 2026 23:59:54 -0000",
        "Sun, 22 Nov 2026 24:00:00 -0000",
        "Sun, 22 Nov 2026 23:59:٥4 -0000",
        "2026-11-22T23:59:54Z",
        "",
    ],
)
def test_a_time_that_is_not_quays_is_a_reject_with_its_kind(text: str) -> None:
    found = normalise(msgspec.json.encode({"kind": "pull_repo", "datetime": text, "metadata": {}}), NOWHERE)
    assert isinstance(found, Reject)
    assert found.kind == "pull_repo"


@pytest.mark.parametrize("raw", [b"[]", b"{", b'{"datetime": "x"}', b'{"kind": 5}', b"\xff"])
def test_what_is_no_event_is_a_reject(raw: bytes) -> None:
    assert isinstance(normalise(raw, NOWHERE), Reject)


@pytest.mark.parametrize(
    ("scope", "place"),
    [
        (Scope("superuser"), DefaultNamespace(None, None)),
        (Scope("organization", "acme"), DefaultNamespace("acme", "org")),
        (Scope("user", "alice"), DefaultNamespace("alice", "user")),
        (Scope("repository", "acme/team/app"), DefaultNamespace("acme", "org")),
    ],
)
def test_a_scope_says_the_namespace_where_the_answer_does_not(scope: Scope, place: DefaultNamespace) -> None:
    event = normalise(msgspec.json.encode({"kind": "pull_repo", "datetime": STAMP}), DefaultNamespace.of(scope))
    assert isinstance(event, Event)
    assert (event.namespace, event.namespace_kind) == place
