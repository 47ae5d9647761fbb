"""Staging: a merge by stretches is the merge of the whole day; room, names and days are kept to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.warehouse import sources
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import close, slices
from quayledger.warehouse.log import staging as staging_module
from quayledger.warehouse.log.load import Reading, merge_reading
from quayledger.warehouse.log.staging import Staging, TooMany, last_reading, merge_staged
from quayledger.warehouse.schema import EVENT_SCHEMA, REJECT_SCHEMA, SliceState
from tests.properties import costly

DAY = date(2026, 11, 19)
MIDNIGHT = datetime(2026, 11, 19, tzinfo=UTC)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
NO_REJECTS = pl.DataFrame(schema=REJECT_SCHEMA)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    usual: dict[str, Any] = dict.fromkeys(EVENT_SCHEMA)
    usual |= {"occurred_at": MIDNIGHT, "kind": "pull_repo", "namespace": "acme", "namespace_kind": "org"}
    return pl.DataFrame([{**usual, **row} for row in rows], schema=EVENT_SCHEMA)


def reading(source_id: str = "main", scope: str = "superuser", **more: Any) -> Reading:
    told: dict[str, Any] = {
        "part": "",
        "method": "export",
        "run_id": 1,
        "started_at": NOW,
        "ended_at": NOW,
        "rows": 0,
        "requests": 1,
        "end_reason": "end",
        "complete": True,
        **more,
    }
    return Reading(source_id=source_id, scope=scope, **{"day": DAY, **told})


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger.open(tmp_path_factory.mktemp("ledger"), command="test") as opened:
        yield opened


def stored(ledger: Ledger, source_id: str) -> list[tuple[Any, ...]]:
    columns = ", ".join(EVENT_SCHEMA)
    return ledger.rows(f"SELECT event_no, {columns} FROM stg_events WHERE source_id = ? ORDER BY event_no", [source_id])


def staged(ledger: Ledger, source_id: str, batches: list[pl.DataFrame], **more: Any) -> Any:
    with Staging(ledger.home / "landing" / "test") as staging:
        for batch in batches:
            staging.add(batch)
        return merge_staged(ledger, reading(source_id), staging, NO_REJECTS, **more)


rows = st.lists(
    st.fixed_dictionaries(
        {
            "occurred_at": st.integers(0, 6).map(lambda n: MIDNIGHT + timedelta(seconds=n * 40)),
            "kind": st.sampled_from(["pull_repo", "push_repo"]),
            "performer": st.sampled_from([None, "a", "b"]),
            "namespace": st.sampled_from(["acme", "acme2"]),
            "tag": st.sampled_from([None, "v1"]),
        }
    ),
    max_size=14,
)


@given(first=rows, second=rows, most_rows=st.integers(1, 20), cut=st.integers(0, 14))
@costly(12)
def test_merging_by_stretches_is_merging_the_whole_day(
    ledger: Ledger, first: list[dict[str, Any]], second: list[dict[str, Any]], most_rows: int, cut: int
) -> None:
    run = test_merging_by_stretches_is_merging_the_whole_day.__dict__.setdefault("runs", Counter())
    run["n"] += 1
    whole, parts = f"whole{run['n']}", f"parts{run['n']}"
    for batch in (frame(first), frame(second)):
        expected = merge_reading(ledger, reading(whole), batch, NO_REJECTS)
        found = staged(ledger, parts, [batch[:cut], batch[cut:]], most_rows=most_rows)
        assert found == expected
    one, other = stored(ledger, whole), stored(ledger, parts)
    assert [row[0] for row in other] == list(range(1, len(one) + 1))
    # Which of two equal keys comes first is open; what is stored is not.
    assert Counter(row[1:] for row in one) == Counter(row[1:] for row in other)
    aliases = "SELECT scope, field, first_name, later_name, events FROM aliases WHERE source_id = ? ORDER BY ALL"
    assert ledger.rows(aliases, [whole]) == ledger.rows(aliases, [parts])


def test_more_than_there_is_room_for_is_taken_back_whole(ledger: Ledger) -> None:
    source = "room"
    batch = frame([{"occurred_at": MIDNIGHT + timedelta(minutes=n)} for n in range(10)])
    with pytest.raises(TooMany, match="pull_repo 1 too many") as told:
        staged(ledger, source, [batch], room={"pull_repo": 9}, most_rows=3)
    assert told.value.new_by_kind == {"pull_repo": 10}
    assert stored(ledger, source) == [] and last_reading(ledger, source, "export") is None
    assert staged(ledger, source, [batch], room={"pull_repo": 10}, most_rows=3).new_events == 10
    assert staged(ledger, source, [batch], room={}).new_events == 0


def test_a_namespaces_reading_is_merged_with_that_namespaces_events_under_all_its_names(ledger: Ledger) -> None:
    source = "names"
    login = {"kind": "login_success", "namespace": "globex"}
    merge_reading(ledger, reading(source), frame([login, {"namespace": "old"}]), NO_REJECTS)
    # The same deed in the same second in another namespace is another event.
    batch = frame([{**login, "namespace": "acme"}])
    assert staged(ledger, source, [batch], namespace="acme").new_events == 1
    # The list showed `old` under its later name once: then an export under that name brings nothing new.
    merge_reading(ledger, reading(source), frame([{"namespace": "acme"}]), NO_REJECTS)
    assert staged(ledger, source, [frame([{"namespace": "acme"}])], namespace="acme").new_events == 0
    assert len(stored(ledger, source)) == 3


def test_days_are_kept_apart_and_slices_made(ledger: Ledger) -> None:
    source = "days"
    next_day = frame([{"occurred_at": MIDNIGHT + timedelta(days=1, seconds=1)}] * 2)
    with Staging(ledger.home / "landing" / "test") as staging:
        staging.add(pl.concat([next_day, frame([{}])]))
        assert staging.days == (DAY, DAY + timedelta(days=1))
        assert (staging.rows(DAY), staging.kinds(DAY + timedelta(days=1))) == (1, {"pull_repo": 2})
        rejects = pl.DataFrame([{"kind": None, "reason": "no kind", "raw": "{}"}], schema=REJECT_SCHEMA)
        merge_staged(ledger, reading(source), staging, rejects)
        assert merge_staged(ledger, reading(source, day=DAY + timedelta(days=2)), staging, NO_REJECTS).new_events == 0
    found = slices.slices(ledger, source, DAY, DAY + timedelta(days=2))
    assert [(row.stored_events, row.rejected_rows, row.state) for row in found.values()] == [
        (1, 1, SliceState.PROVISIONAL),
        (0, 0, SliceState.PROVISIONAL),
    ]
    assert not (ledger.home / "landing" / "test").exists()


def test_a_final_months_file_is_never_touched(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, command="test") as ledger:
        sources.register_source(ledger, "main", "main", "https://quay.example.com", NOW)
        merge_reading(ledger, reading(), frame([{}]), NO_REJECTS)
        slices.set_state(
            ledger, "main", DAY, 1, SliceState.VERIFIED, expected_events=1, note="", now=NOW, counted_at=NOW
        )
        assert close.close_days(ledger, date(2027, 2, 1), 10)
        assert staged(ledger, "main", [frame([{}, {"tag": "late"}])]).new_events == 1
        assert ledger.rows("SELECT count(*) FROM corrections") == [(1,)]
        assert [row[0] for row in stored(ledger, "main")] == [1, 2]


def test_the_ledger_has_its_memory_back_after_a_merge(ledger: Ledger) -> None:
    sql = "SELECT current_setting('memory_limit')"
    staged(ledger, "settings", [frame([{}])])
    after_one = ledger.rows(sql)
    staged(ledger, "settings", [frame([{}])])
    assert ledger.rows(sql) == after_one  # no smaller each time
    assert "GiB" in after_one[0][0]


def test_where_the_small_allowance_of_memory_is_too_small_the_merge_takes_more(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging_module, "_MEMORY", "8MB")
    batch = frame([{"occurred_at": MIDNIGHT + timedelta(seconds=n), "metadata": f"{n}" * 40} for n in range(30_000)])
    assert staged(ledger, "memory", [batch]).new_events == 30_000
    assert len(stored(ledger, "memory")) == 30_000
