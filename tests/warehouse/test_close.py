"""Closed days and final months: every event in the live file or in one file, in exactly one, whatever ends the process."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from quayledger.warehouse import migrate
from quayledger.warehouse.errors import LedgerMissing, WarehouseError
from quayledger.warehouse.event_files import SEEN_SUFFIX, USAGE_SUFFIX
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import close
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.log.check_files import check_files
from quayledger.warehouse.log.close import close_day, close_days, event_file_list
from quayledger.warehouse.log.event_filter import EventFilter
from quayledger.warehouse.log.slices import held_by_day, slices
from quayledger.warehouse.publish import publish
from quayledger.warehouse.schema import SliceState
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse import child, old_ledger
from tests.warehouse.sample import NOW, SOURCE, begin, busy_day, event, seal, store

_DAYS = (date(2026, 9, 29), date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 2))
_TODAY = date(2026, 10, 12)
_STORED = "SELECT * FROM stg_events ORDER BY source_id, day, event_no"
_SHOWN = "SELECT * FROM events ORDER BY source_id, day, event_no"
_DIE = """
import os, signal, sys
from datetime import date
from pathlib import Path
from quayledger.warehouse.log import close as room
from quayledger.warehouse.ledger import Ledger
name, when = sys.argv[2:]
real = getattr(room, name)
def dying(*arguments):
    if when == "after":
        real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(room, name, dying)
with Ledger.open(Path(sys.argv[1]), command="test") as ledger:
    if name == "_join":
        room.close_day(ledger, "main", date(2026, 9, 29), date(2026, 10, 12))
    room.close_days(ledger, date(2026, 10, 12), 10)
"""
_Held = list[list[tuple[object, ...]]]


def held(ledger: Ledger) -> _Held:
    """All events, as stored and as shown."""
    return [ledger.rows(_STORED), ledger.rows(_SHOWN)]


def odd_day(day: date) -> list[dict[str, object]]:
    """Events whose interpretation says something else than Quay."""
    return [
        *busy_day(day),
        event(7, "pull_repo", day=day, repository="api", repository_namespace="gone", tag="-", ip=""),
        event(8, "login_success", day=day, namespace="=bob", namespace_kind="user"),
        event(9, "pull_repo", day=day, metadata='{"username":"acme+ci"}', user_agent=""),
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days that are judged and still in the live file."""
    home = tmp_path_factory.mktemp("close")
    with Ledger.open(home, command="fill") as ledger:
        begin(ledger)
        for day in _DAYS:
            store(ledger, odd_day(day), day=day)
            seal(ledger, day)
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "ledger"))


@pytest.fixture
def opened(home: Path) -> Iterator[Ledger]:
    with Ledger.open(home, command="test") as ledger:
        yield ledger


def files(home: Path) -> list[str]:
    """What lies in the folders of events, without what is hidden."""
    found = [path for folder in ("days", "months") for path in (home / folder).rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(home)) for path in found if not path.name.startswith("."))


def test_a_large_day_leaves_the_live_file_when_it_is_found_complete(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quayledger.warehouse.log.slices.CLOSE_AT_ONCE_EVENTS", 43)
    store(ledger, odd_day(_DAYS[0]), day=_DAYS[0])
    before = held(ledger)
    seal(ledger, _DAYS[0])
    assert ledger.rows("SELECT count(*) FROM event_rows") == [(0,)]
    assert held(ledger) == before
    (made,) = event_file_list(ledger)
    assert (made.rows, made.label, made.size_bytes) == (43, "2026-09-29", (ledger.home / made.file).stat().st_size)
    assert made.sha256 == hashlib.sha256((ledger.home / made.file).read_bytes()).hexdigest()
    assert str(made.file) == f"days/main/2026/2026-09-29.{made.sha256[:8]}.parquet"
    stamps = pl.read_parquet(ledger.home / made.file)["occurred_at"]
    assert stamps.is_sorted()
    assert close_day(ledger, SOURCE, _DAYS[0], _TODAY) is None, "it is there already"
    seal(ledger, _DAYS[0], state=SliceState.REPAIRED)
    assert event_file_list(ledger) == [made]


def test_days_wait_until_they_are_settled(ledger: Ledger) -> None:
    for day in _DAYS:
        store(ledger, busy_day(day), day=day)
    seal(ledger, _DAYS[2], state=SliceState.SHORT)
    seal(ledger, _DAYS[3], state=SliceState.OPEN)
    assert close_days(ledger, _DAYS[2] + timedelta(days=10), 10) == []
    (made,) = close_days(ledger, _DAYS[2] + timedelta(days=11), 10)
    assert made.label == "2026-10-01", "what stays short is settled after ten days"
    assert ledger.rows("SELECT DISTINCT day FROM event_rows ORDER BY day") == [(_DAYS[0],), (_DAYS[1],), (_DAYS[3],)]


@pytest.mark.parametrize("filed_before", [0, 1, 2])
def test_a_final_month_becomes_one_file_and_no_event_changes(opened: Ledger, filed_before: int) -> None:
    before = held(opened)
    days = [close_day(opened, SOURCE, day, _TODAY) for day in _DAYS[:filed_before]]
    assert all(days)
    counts = held_by_day(opened, SOURCE, _DAYS[0], _DAYS[-1])
    made = close_days(opened, _TODAY, 10)
    assert {file.label for file in made} >= {"2026-09", "2026-10-01", "2026-10-02"}
    (month,) = (file for file in made if file.label == "2026-09")
    assert [file.label for file in event_file_list(opened)] == ["2026-09", "2026-10-01", "2026-10-02"]
    assert month.rows == 86
    assert pl.read_parquet(opened.home / month.file)["occurred_at"].is_sorted()
    assert held(opened) == before
    assert held_by_day(opened, SOURCE, _DAYS[0], _DAYS[-1]) == counts
    assert opened.rows("SELECT count(*) FROM event_rows") == [(0,)]
    assert close_days(opened, _TODAY, 10) == []


def test_a_month_waits_for_all_its_days_and_for_its_time(opened: Ledger) -> None:
    def labels(today: date) -> list[str]:
        return [file.label for file in close_days(opened, today, 10)]

    seal(opened, _DAYS[0], state=SliceState.SHORT)
    assert "2026-09" not in labels(_TODAY)
    seal(opened, _DAYS[0], state=SliceState.REPAIRED)
    assert "2026-09" not in labels(_TODAY - timedelta(days=3))
    assert labels(_TODAY - timedelta(days=1)) == ["2026-09"]


def test_late_rows_are_corrections_and_numbers_go_on(opened: Ledger) -> None:
    made = close_days(opened, _TODAY, 10)[0]
    day = _DAYS[0]
    late = [*odd_day(day), event(5, "delete_tag", day=day)]
    merged = store(opened, late, day=day)
    assert (merged.new_events, merged.known_events) == (1, 43)
    assert store(opened, late, day=day).new_events == 0
    assert opened.rows("SELECT event_no, kind FROM corrections") == [(44, "delete_tag")]
    assert opened.rows("SELECT count(*), count(DISTINCT event_id) FROM events WHERE day = ?", [day]) == [(44, 44)]
    assert hashlib.sha256((opened.home / made.file).read_bytes()).hexdigest() == made.sha256
    seal(opened, day)
    assert slices(opened, SOURCE, day, day)[day].stored_events == 44


def test_copies_made_before_and_after_show_the_same_events(opened: Ledger) -> None:
    for day in _DAYS:
        close_day(opened, SOURCE, day, _TODAY)
    publish(opened, keep=5, now=NOW)
    with Snapshot.open(opened.home) as before:
        close_days(opened, _TODAY, 10)
        publish(opened, keep=5, now=NOW)
        close_days(opened, _TODAY, 10)
        with Snapshot.open(opened.home) as after:
            shown = [reader.events(copy, EventFilter(), limit=0) for copy in (before, after)]
            assert shown[0].equals(shown[1])
            assert shown[0].height == 172


def test_files_that_were_joined_go_when_no_copy_names_them(opened: Ledger) -> None:
    for day in _DAYS:
        close_day(opened, SOURCE, day, _TODAY)
    publish(opened, keep=1, now=NOW)
    close_days(opened, _TODAY, 10)
    assert sum(name.startswith("days/main/2026/2026-09") for name in files(opened.home)) == 6
    publish(opened, keep=1, now=NOW)
    with opened.transaction() as cursor:
        cursor.execute("UPDATE superseded_files SET superseded_at = superseded_at - INTERVAL 2 DAY")
    close_days(opened, _TODAY, 10)
    assert [name.split(".")[0] for name in files(opened.home) if name.endswith(USAGE_SUFFIX)] == [
        "days/main/2026/2026-10-01",
        "days/main/2026/2026-10-02",
        "months/main/2026-09",
    ]


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("_write", "after"),
        ("_seal", "after"),
        ("_roll_up", "after"),
        ("_swap", "before"),
        ("_swap", "after"),
        ("_join", "before"),
    ],
)
def test_a_kill_neither_loses_nor_doubles_an_event(home: Path, name: str, when: str) -> None:
    with Ledger.open(home, command="before") as ledger:
        before = held(ledger)
    assert child.run(_DIE, home, name, when).returncode == -9
    with Ledger.open(home, command="after") as ledger:
        assert held(ledger) == before
        close_days(ledger, _TODAY, 10)
        assert held(ledger) == before
        assert [file.label for file in event_file_list(ledger)] == ["2026-09", "2026-10-01", "2026-10-02"]
        superseded = {file for (file,) in ledger.rows("SELECT file FROM superseded_files")}
        recorded = {str(file.file) for file in event_file_list(ledger)}
    events = {path for path in files(home) if not path.endswith((USAGE_SUFFIX, SEEN_SUFFIX))}
    assert events == recorded | superseded, "nothing is left over"


def test_a_file_that_is_not_recorded_stays_where_it_holds_the_only_events(opened: Ledger) -> None:
    day = _DAYS[0]
    made = close_day(opened, SOURCE, day, _TODAY)
    assert made is not None
    with opened.transaction() as cursor:  # as in a ledger that was restored from a copy made before the day was read
        cursor.execute("DELETE FROM event_files")
        migrate.install_views(cursor, opened.home)
    close_days(opened, _TODAY, 10)
    assert (opened.home / made.file).exists()


def test_a_file_that_reads_back_wrong_is_not_trusted(opened: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    before = held(opened)
    monkeypatch.setattr(close, "_SAID", close._SAID.replace("scope", "'x' AS scope"))
    with pytest.raises(WarehouseError, match="does not read back"):
        close_days(opened, _TODAY, 10)
    assert held(opened) == before
    assert event_file_list(opened) == []
    monkeypatch.undo()
    assert len(close_days(opened, _TODAY, 10)) == 3


def test_a_file_of_older_rules_is_written_anew_and_shows_what_the_new_ones_say(
    opened: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_days(opened, _TODAY, 10)
    stored = opened.rows(_STORED)
    real = migrate.view_sql
    changed = real("stg_interpreted_events").replace("'anonymous'", "'nobody'")
    monkeypatch.setattr(migrate, "view_sql", lambda name: changed if name == "stg_interpreted_events" else real(name))
    with opened.transaction() as cursor:
        migrate.install_views(cursor, opened.home)
    nobody = "SELECT count(*), count(DISTINCT day) FROM events WHERE actor_type = 'nobody'"
    assert opened.rows("SELECT count(*) FROM stg_stale_files") == [(172,)]
    expected = opened.rows(nobody)
    assert expected[0][1] == 4
    assert [file.label for file in close_days(opened, _TODAY, 10)] == ["2026-09", "2026-10-01", "2026-10-02"]
    assert opened.rows("SELECT count(*) FROM stg_stale_files") == [(0,)]
    assert opened.rows(nobody) == expected
    assert opened.rows(_STORED) == stored


@pytest.mark.parametrize("version", [1, *range(5, migrate.migrations()[-1].version)])
def test_a_ledger_of_an_earlier_version_is_brought_over(tmp_path: Path, version: int) -> None:
    old_ledger.make(tmp_path, _DAYS[2:], _DAYS[:2], version=version)
    (month_file,) = (tmp_path / "months").rglob("*.parquet")
    digest = hashlib.sha256(month_file.read_bytes()).hexdigest()
    with duckdb.connect(str(tmp_path / "live.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        month = f"SELECT * FROM read_parquet('{tmp_path}/months/*/*.parquet') UNION ALL BY NAME FROM event_rows"
        before = connection.execute(f"SELECT * FROM ({month}) ORDER BY source_id, day, event_no").fetchall()
    with Ledger.open(tmp_path, command="new") as ledger:
        assert ledger.rows("SELECT max(version) FROM schema_migrations") == [(migrate.migrations()[-1].version,)]
        assert ledger.rows(_STORED) == before
        assert [(file.rows, file.sha256) for file in event_file_list(ledger)] == [(80, digest)]
        assert check_files(ledger, NOW).faults == ()
        # A count proves nothing of the oldest day that holds events; earlier versions thought so.
        states = {
            day: (row.state, row.stored_events) for day, row in slices(ledger, SOURCE, _DAYS[0], _DAYS[-1]).items()
        }
        assert states == {_DAYS[0]: ("rotated", 40)} | dict.fromkeys(_DAYS[1:], ("verified", 40))
        shown = ledger.rows(_SHOWN)
        counts = held_by_day(ledger, SOURCE, _DAYS[0], _DAYS[-1])
        assert [file.label for file in close_days(ledger, _TODAY, 10)] == ["2026-09", "2026-10-01", "2026-10-02"]
        assert held(ledger) == [before, shown]
        assert held_by_day(ledger, SOURCE, _DAYS[0], _DAYS[-1]) == counts
        publish(ledger, keep=2, now=NOW)
    with Snapshot.open(tmp_path) as snapshot:
        assert reader.count_events(snapshot, EventFilter()) == 160


@pytest.mark.parametrize("fault", ["missing", "cut", "altered"])
def test_a_broken_file_is_named_and_the_rest_goes_on(home: Path, fault: str) -> None:
    with Ledger.open(home, command="one") as ledger:
        before = held(ledger)
        close_days(ledger, _TODAY, 10)
        (month, *_) = event_file_list(ledger)
        publish(ledger, keep=2, now=NOW)
    path = home / month.file
    content = path.read_bytes()
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if fault == "cut" else content + b"!")
    with Snapshot.open(home) as snapshot:
        (found,) = snapshot.faults
        told = found.describe(home)
        assert f"{path} is {fault}; on record it holds 86 events of main, 2026-09: " in told
        assert f"(SHA-256 {month.sha256})" in told
        assert "Put it back from a backup" in told
        assert reader.count_events(snapshot, EventFilter()) == 86
    with Ledger.open(home, command="two") as ledger:
        assert ledger.rows("SELECT count(*) FROM stg_events") == [(86,)]
        assert store(ledger, [event(1, day=_DAYS[2])], day=_DAYS[2]).new_events == 1
        with pytest.raises(LedgerMissing, match=f"is {fault}"):
            store(ledger, [event(1, day=_DAYS[0])], day=_DAYS[0])
        assert close_days(ledger, _TODAY, 10) == []
    path.write_bytes(content)
    with Ledger.open(home, command="three") as ledger:
        assert [len(rows) - 1 for rows in held(ledger)] == [len(rows) for rows in before]


def test_a_folder_that_was_moved_works_at_once(home: Path, tmp_path: Path) -> None:
    with Ledger.open(home, command="one") as ledger:
        close_days(ledger, _TODAY, 10)
        publish(ledger, keep=2, now=NOW)
    moved = home.rename(tmp_path / "moved 'here' [1] *")
    with Snapshot.open(moved) as snapshot:
        assert reader.count_events(snapshot, EventFilter()) == 172
        assert snapshot.rows("SELECT count(*) FROM events", files=snapshot.files_between(_DAYS[2], _DAYS[2])) == [(43,)]
        assert snapshot.rows("SELECT count(*) FROM events", files=[]) == [(0,)]
    with Ledger.open(moved, command="two") as ledger:
        assert ledger.rows("SELECT count(*) FROM events") == [(172,)]


def test_any_duckdb_client_reads_closed_days(opened: Ledger) -> None:
    close_days(opened, _TODAY, 10)
    path = publish(opened, keep=2, now=NOW).path
    told = child.run(
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); "
        "print(c.execute('SELECT count(*), count(DISTINCT actor) FROM events').fetchone())",
        path,
    )
    assert told.stdout.strip() == "(172, 3)", told.stderr


def test_the_file_is_small(ledger: Ledger) -> None:
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
    store(ledger, events, day=day)
    seal(ledger, day)
    (made,) = event_file_list(ledger)
    assert made.size_bytes / made.rows < 45
    bloom = ledger.rows(
        "SELECT path_in_schema FROM parquet_metadata(?) WHERE bloom_filter_length > 0", [str(ledger.home / made.file)]
    )
    assert {"tag", "digest", "ip", "repository", "actor"} - {"tag"} <= {name for (name,) in bloom}
    assert os.path.getsize(ledger.home / made.beside(USAGE_SUFFIX)) > 0  # noqa: PTH202
