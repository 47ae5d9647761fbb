"""Who pushed what: the event that began a tag's stretch, and how sure that is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from quayledger.warehouse.inventory import reader
from quayledger.warehouse.inventory.store import note_rename, record_fetches
from quayledger.warehouse.ledger import Ledger
from tests.warehouse.looking import brought, fetch, published
from tests.warehouse.sample import SOURCE, event, store


def _second(second: float) -> datetime:
    moment: datetime = event(0)["occurred_at"]
    return moment + timedelta(seconds=second)


def _act(
    second: int, kind: str, actor: str, tag: str | None, digest: str | None = None, **values: Any
) -> dict[str, Any]:
    place = {"namespace": "acme", "repository": "web", "repository_namespace": "acme"}
    told = {"tag": tag, "digest": digest, "performer": actor, "performer_kind": "user", "ip": f"10.0.0.{second % 250}"}
    return event(second, kind, **(place | told | values))


_EVENTS = [
    _act(100, "push_repo", "alice", "v1"),
    _act(300, "push_repo", "alice", "v1"),
    _act(303, "push_repo", "bob", "v1"),
    _act(500, "push_repo", "carol", "v2", ip="10.9.9.9"),
    _act(503, "push_repo", "carol", "v2", ip="10.9.9.9"),
    _act(700, "move_tag", "dave", "v1", "sha256:d"),
    _act(702, "push_repo", "alice", "v1"),
    _act(900, "revert_tag", "erin", "v1", "sha256:a", repository_namespace=None),
    _act(1100, "create_tag", "frank", "v3", "sha256:x"),
    _act(1300, "push_repo", "grace", None, "sha256:g"),
    _act(1306, "push_repo", "heidi", "v4"),
    _act(1500, "pull_repo", "ivan", "v5"),
]
# tag, began, ended, digest
_TAGS: list[tuple[str, int, int | None, str]] = [
    ("v1", 99, 301, "sha256:a"),
    ("v1", 301, 600, "sha256:b"),
    ("v1", 700, 899, "sha256:d"),
    ("v1", 899, None, "sha256:a"),
    ("v2", 501, None, "sha256:c"),
    ("v3", 1100, None, "sha256:y"),
    ("v4", 1300, None, "sha256:g"),
    ("v5", 1500, None, "sha256:h"),
]
_EXPECTED = {
    ("v1", 99): ("by window", "alice", 1, None, False),
    ("v1", 301): ("ambiguous", None, 2, "sha256:a", True),
    ("v1", 700): ("exact", "dave", 1, "sha256:b", False),
    ("v1", 899): ("exact", "erin", 1, "sha256:d", True),
    ("v2", 501): ("ambiguous", "carol", 2, None, False),
    ("v3", 1100): ("unknown", None, 0, None, False),
    ("v4", 1300): ("exact", "grace", 1, None, False),
    ("v5", 1500): ("unknown", None, 0, None, False),
}


def _tags(ledger: Ledger, hours: float, namespace: str, *, state: Any = "ok") -> None:
    rows = [
        (namespace, "web", tag, _second(began), digest, 0, None if ended is None else _second(ended))
        for tag, began, ended, digest in _TAGS
    ]
    place = {"namespace": namespace, "repository": "web"}
    record_fetches(ledger, 1, [fetch(hours, brought("tags", place, rows), target=f"{namespace}/web", state=state)])


def test_each_stretch_of_a_tag_is_told_with_its_event_and_how_sure_that_is(ledger: Ledger) -> None:
    store(ledger, _EVENTS)
    _tags(ledger, 0, "acme")
    with published(ledger) as snapshot:
        found = reader.pushers(snapshot)
        told = {
            (row["tag"], int((row["started_at"] - _second(0)).total_seconds())): (
                row["confidence"],
                row["actor"],
                row["candidates"],
                row["previous_digest"],
                row["overwritten"],
            )
            for row in found.iter_rows(named=True)
        }
        assert told == _EXPECTED
        assert found["started_at"].is_sorted(descending=True)
        ambiguous = found.filter(tag="v2").row(0, named=True)
        assert (ambiguous["event_id"], ambiguous["pushed_at"], ambiguous["ip"]) == (None, None, "10.9.9.9")
        first = found.filter(tag="v1").row(-1, named=True)
        assert (first["event_id"], first["pushed_at"]) == (f"{SOURCE}-20261005-1", _second(100))
        assert reader.pushers(snapshot, digest="sha256:a", since=_second(200))["actor"].to_list() == ["erin"]
        assert reader.pushers(snapshot, tag="v1", limit=2)["digest"].to_list() == ["sha256:a", "sha256:d"]
        assert reader.pushers(snapshot, namespace="globex").is_empty()
        wide = reader.pushers(snapshot, tag="v4", digest="sha256:g", window_s=10)
        assert wide.select("confidence", "actor").rows() == [("exact", "grace")]


def test_a_renamed_organisations_tags_are_told_once_with_the_events_of_its_old_name(ledger: Ledger) -> None:
    store(ledger, _EVENTS)
    _tags(ledger, 0, "acme")
    note_rename(ledger, SOURCE, "organization", "acme", "apex", _second(86_400 * 50), "org_change_name", 1)
    _tags(ledger, 24 * 40, "acme", state="gone")
    _tags(ledger, 24 * 41, "apex")
    with published(ledger) as snapshot:
        found = reader.pushers(snapshot, namespace="apex")
        assert found.height == len(_TAGS)
        assert found.filter(tag="v1")["actor"].to_list() == ["erin", "dave", None, "alice"]
        assert reader.pushers(snapshot, namespace="acme").is_empty()
