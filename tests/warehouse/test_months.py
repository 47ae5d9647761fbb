"""Final months: every event in the live file or in a month's file, in exactly one, whatever ends the process."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from quayledger.warehouse.errors import LedgerMissing, WarehouseError
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.log.events import EventFilter
from quayledger.warehouse.log.months import finalise, month_files
from quayledger.warehouse.log.slices import held_by_day, slices
from quayledger.warehouse.publish import publish
from quayledger.warehouse.schema import SliceState
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse import child
from tests.warehouse.sample import NOW, SOURCE, busy_day, event, fill, seal, store

_DAYS = (date(2026, 9, 29), date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 2))
_TODAY = date(2026, 10, 12)
_EVERYTHING = "SELECT * FROM stg_events ORDER BY source_id, day, event_no"
_DIE = """
import os, signal, sys
from datetime import date
from pathlib import Path
from quayledger.warehouse.log import months as room
from quayledger.warehouse.ledger import Ledger
name, when = sys.argv[2:]
real = getattr(room, name)
def dying(*arguments):
    if when == "after":
        real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(room, name, dying)
with Ledger.open(Path(sys.argv[1]), command="test") as ledger:
    room.finalise(ledger, date(2026, 10, 12), 10)
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("months")
    fill(home, _DAYS)
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "ledger"))


@pytest.fixture
def opened(home: Path) -> Iterator[Ledger]:
    with Ledger.open(home, command="test") as ledger:
        yield ledger


def test_a_final_month_moves_and_no_event_changes(opened: Ledger) -> None:
    before = opened.rows(_EVERYTHING)
    counts = held_by_day(opened, SOURCE, _DAYS[0], _DAYS[-1])
    (made,) = finalise(opened, _TODAY, 10)
    assert (made.source_id, made.month, made.rows) == (SOURCE, "2026-09", 80)
    assert made.sha256 == hashlib.sha256(made.file.read_bytes()).hexdigest()
    assert opened.rows(_EVERYTHING) == before
    assert held_by_day(opened, SOURCE, _DAYS[0], _DAYS[-1]) == counts
    assert opened.rows("SELECT min(day) FROM event_rows") == [(_DAYS[2],)]
    stamps = [row[0] for row in opened.rows(f"SELECT occurred_at FROM read_parquet('{made.file}')")]
    assert stamps == sorted(stamps)
    assert finalise(opened, _TODAY, 10) == []
    assert month_files(opened) == [made]


def test_a_month_waits_for_its_days_to_be_sealed_and_for_its_time(opened: Ledger) -> None:
    assert finalise(opened, _TODAY - timedelta(days=2), 10) == []
    seal(opened, _DAYS[0], state=SliceState.SHORT)
    assert finalise(opened, _TODAY, 10) == []
    seal(opened, _DAYS[0], state=SliceState.REPAIRED)
    assert len(finalise(opened, _TODAY - timedelta(days=1), 10)) == 1


def test_late_rows_of_a_final_month_are_corrections_and_numbers_go_on(opened: Ledger) -> None:
    (made,) = finalise(opened, _TODAY, 10)
    day = _DAYS[0]
    late = [*busy_day(day), event(5, "delete_tag", day=day)]
    merged = store(opened, late, day=day)
    assert (merged.new_events, merged.known_events) == (1, 40)
    assert store(opened, late, day=day).new_events == 0
    assert opened.rows("SELECT event_no, kind FROM corrections") == [(41, "delete_tag")]
    assert opened.rows("SELECT count(*), count(DISTINCT event_id) FROM events WHERE day = ?", [day]) == [(41, 41)]
    assert hashlib.sha256(made.file.read_bytes()).hexdigest() == made.sha256
    seal(opened, day)
    assert slices(opened, SOURCE, day, day)[day].stored_events == 41


def test_copies_made_before_and_after_show_the_same_events(opened: Ledger) -> None:
    publish(opened, keep=5, now=NOW)
    with Snapshot.open(opened.home) as before:
        finalise(opened, _TODAY, 10)
        publish(opened, keep=5, now=NOW)
        with Snapshot.open(opened.home) as after:
            shown = [reader.events(copy, EventFilter(), limit=0) for copy in (before, after)]
            assert shown[0].equals(shown[1])
            assert shown[0].height == 160


@pytest.mark.parametrize(
    ("name", "when"), [("_write", "after"), ("_seal", "before"), ("_swap", "before"), ("_swap", "after")]
)
def test_a_kill_neither_loses_nor_doubles_an_event(home: Path, name: str, when: str) -> None:
    with Ledger.open(home, command="before") as ledger:
        before = ledger.rows(_EVERYTHING)
    assert child.run(_DIE, home, name, when).returncode == -9
    with Ledger.open(home, command="after") as ledger:
        assert ledger.rows(_EVERYTHING) == before
        assert len(finalise(ledger, _TODAY, 10)) == 1
        assert ledger.rows(_EVERYTHING) == before
    assert [path.name for path in (home / "months" / SOURCE).iterdir()] == ["2026-09.parquet"]


def test_a_file_that_reads_back_wrong_is_not_trusted(opened: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened.rows(_EVERYTHING)
    monkeypatch.setattr("quayledger.warehouse.log.months._COLUMNS", "* REPLACE ('x' AS tag)")
    with pytest.raises(WarehouseError, match="does not read back"):
        finalise(opened, _TODAY, 10)
    assert opened.rows(_EVERYTHING) == before
    assert opened.rows("SELECT * FROM months") == []
    monkeypatch.undo()
    assert len(finalise(opened, _TODAY, 10)) == 1


def test_the_file_is_small(tmp_path: Path) -> None:
    """About what an installation sees: few repositories and clients, many digests and addresses."""
    day = date(2026, 9, 1)
    events = [
        event(
            number * 4,
            day=day,
            namespace="acme",
            namespace_kind="org",
            performer=f"user{number % 90}",
            performer_kind="user",
            ip=f"10.{number * 7 % 40}.{number * 13 % 200}.1",
            repository=f"repo{number * 31 % 200}",
            repository_namespace="acme",
            digest="sha256:" + hashlib.sha256(str(number * 17 % 900).encode()).hexdigest(),
            user_agent=f"docker/24.0.{number % 5} go/go1.20.10 git-commit/311b9ff kernel/5.14.0 os/linux arch/amd64",
            metadata=f'{{"mediaType":"application/vnd.oci.image.manifest.v1+json","username":"user{number % 90}"}}',
        )
        for number in range(20_000)
    ]
    with Ledger.open(tmp_path, command="test") as ledger:
        store(ledger, events, day=day)
        seal(ledger, day)
        (made,) = finalise(ledger, _TODAY, 10)
    assert made.size_bytes / made.rows < 45


def test_a_month_that_is_gone_is_named_and_putting_it_back_is_enough(home: Path) -> None:
    with Ledger.open(home, command="one") as ledger:
        before = ledger.rows(_EVERYTHING)
        (made,) = finalise(ledger, _TODAY, 10)
        publish(ledger, keep=2, now=NOW)
    away = made.file.rename(home / "away")
    with pytest.raises(LedgerMissing, match=r"2026-09\.parquet is missing.*from a backup"):
        Ledger.open(home, command="two")
    with Snapshot.open(home) as snapshot, pytest.raises(LedgerMissing, match="Put it back"):
        reader.events(snapshot, EventFilter(), limit=1)
    away.rename(made.file)
    with Ledger.open(home, command="three") as ledger:
        assert ledger.rows(_EVERYTHING) == before


def test_a_folder_that_was_moved_works_once_it_is_published_again(home: Path, tmp_path: Path) -> None:
    with Ledger.open(home, command="one") as ledger:
        finalise(ledger, _TODAY, 10)
        publish(ledger, keep=2, now=NOW)
    moved = home.rename(tmp_path / "moved 'here'")
    with Ledger.open(moved, command="two") as ledger:
        publish(ledger, keep=2, now=NOW)
    with Snapshot.open(moved) as snapshot:
        assert reader.count_events(snapshot, EventFilter()) == 160
