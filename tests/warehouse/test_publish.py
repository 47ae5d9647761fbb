"""Copies for readers: whole or not there, whatever ends the process, and open to any DuckDB client."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from quayledger.warehouse import publish as publishing
from quayledger.warehouse.errors import (
    LedgerBusy,
    LedgerCorrupt,
    LedgerMissing,
    LedgerTooNew,
    NotPublished,
    WarehouseError,
)
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.limits import Limits
from quayledger.warehouse.publish import newest, publish
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse import child
from tests.warehouse.sample import DAY, NOW, busy_day, event, store

_DIE = """
import os, signal, sys
from pathlib import Path
from tests.warehouse.sample import NOW, event, store
from quayledger.warehouse import publish as room
from quayledger.warehouse.ledger import Ledger
name, when = sys.argv[2:]
real = getattr(room, name)
def dying(*arguments):
    if when == "after":
        real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(room, name, dying)
with Ledger.open(Path(sys.argv[1]), command="test") as ledger:
    store(ledger, [event(1), event(2), event(3)])
    room.publish(ledger, keep=2, now=NOW)
"""


def counted(home: Path) -> int:
    with Snapshot.open(home) as snapshot:
        return int(snapshot.rows("SELECT count(*) FROM events")[0][0])


@pytest.mark.parametrize(
    ("name", "when", "published"),
    [("_checkpoint", "before", 1), ("_copy", "before", 1), ("_point", "before", 1), ("_point", "after", 3)],
)
def test_a_kill_leaves_the_copy_before_or_the_new_one(ledger: Ledger, name: str, when: str, published: int) -> None:
    home = ledger.home
    store(ledger, [event(1)])
    publish(ledger, keep=2, now=NOW)
    ledger.close()
    assert child.run(_DIE, home, name, when).returncode == -9
    assert counted(home) == published
    (home / "published" / "000009.duckdb.tmp").write_bytes(b"half")
    with Ledger.open(home, command="again") as opened:
        made = publish(opened, keep=2, now=NOW)
    assert counted(home) == 3
    names = sorted(path.name for path in (home / "published").iterdir())
    assert names[-1] == "CURRENT"
    assert made.path.name in names
    assert not [name for name in names if name.endswith(".tmp")]


def test_readers_keep_what_they_opened_while_newer_copies_come_and_go(ledger: Ledger) -> None:
    store(ledger, [event(1)])
    first = publish(ledger, keep=2, now=NOW)
    with Snapshot.open(ledger.home) as snapshot:
        for second in (2, 3, 4):
            store(ledger, [event(second)])
            publish(ledger, keep=2, now=NOW)
        assert not first.path.exists()
        assert snapshot.rows("SELECT count(*) FROM events") == [(1,)]
    assert counted(ledger.home) == 4
    assert len(list((ledger.home / "published").glob("*.duckdb"))) == 2


def test_a_publication_without_changes_only_says_that_it_is_as_of_now(ledger: Ledger) -> None:
    first = publish(ledger, keep=2, now=NOW)
    again = publish(ledger, keep=2, now=NOW + timedelta(hours=1))
    assert (again.path, again.sequence) == (first.path, first.sequence)
    assert newest(ledger.home).published_at == NOW + timedelta(hours=1)
    store(ledger, [event(1)])
    assert publish(ledger, keep=2, now=NOW).sequence == first.sequence + 1


def test_any_duckdb_client_reads_the_copy_in_any_time_zone(ledger: Ledger) -> None:
    store(ledger, busy_day(DAY))
    path = publish(ledger, keep=2, now=NOW).path
    ledger.close()
    told = child.run(
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); c.execute(\"SET TimeZone = 'Asia/Tokyo'\"); "
        "print(c.execute('SELECT count(*), min(event_id), max(day) FROM events').fetchone())",
        path,
    )
    assert told.stdout.strip() == "(40, 'main-20261005-1', datetime.date(2026, 10, 5))"
    with pytest.raises(duckdb.Error), duckdb.connect(str(path), read_only=True) as client:
        client.execute("DELETE FROM event_rows")


def test_publishing_while_others_read_and_write_gives_whole_readings(ledger: Ledger) -> None:
    def write() -> None:
        for start in range(0, 200, 20):
            store(ledger, [event(second) for second in range(start, start + 20)])

    def read() -> None:
        while writer.is_alive():
            ledger.rows("SELECT count(*) FROM events")

    writer = threading.Thread(target=write)
    reader = threading.Thread(target=read)
    writer.start()
    reader.start()
    seen = set()
    while writer.is_alive():
        publish(ledger, keep=2, now=NOW)
        seen.add(counted(ledger.home))
    writer.join()
    reader.join()
    assert all(number % 20 == 0 for number in seen)
    publish(ledger, keep=2, now=NOW)
    assert counted(ledger.home) == 200


def test_what_is_missing_or_damaged_says_what_to_do(ledger: Ledger) -> None:
    with pytest.raises(NotPublished, match="run `quayledger sync` first"):
        Snapshot.open(ledger.home)
    with ledger.transaction() as cursor:
        cursor.execute("INSERT INTO schema_migrations VALUES (9999, 'later', ?, '')", [NOW])
    path = publish(ledger, keep=2, now=NOW).path
    with pytest.raises(LedgerTooNew):
        Snapshot.open(ledger.home)
    path.unlink()
    with pytest.raises(LedgerMissing, match="publish a new copy"):
        Snapshot.open(ledger.home)
    pointer = ledger.home / "published" / publishing.POINTER
    assert json.loads(pointer.read_bytes())["file"] == path.name
    pointer.write_bytes(b"{")
    with pytest.raises(WarehouseError, match=r"damaged\. Remove it"):
        newest(ledger.home)


def test_a_copy_is_read_only_and_one_that_was_changed_is_refused_and_replaced(ledger: Ledger) -> None:
    store(ledger, busy_day(DAY))
    path = publish(ledger, keep=2, now=NOW).path
    assert path.stat().st_mode & 0o777 == 0o444
    moment = path.stat()
    path.chmod(0o644)
    with duckdb.connect(str(path)) as client:
        client.execute("DELETE FROM event_rows")
    with pytest.raises(LedgerCorrupt, match=r"changed after it was published.*quayledger sync"):
        Snapshot.open(ledger.home)
    os.utime(path, ns=(moment.st_atime_ns, moment.st_mtime_ns - 5))
    with pytest.raises(LedgerCorrupt, match="SHA-256"):
        Snapshot.open(ledger.home)
    assert publish(ledger, keep=2, now=NOW).path != path, "although nothing was written since"
    assert counted(ledger.home) == 40


def test_a_copied_folder_keeps_its_copy(ledger: Ledger, tmp_path: Path) -> None:
    store(ledger, busy_day(DAY))
    publish(ledger, keep=2, now=NOW)
    ledger.close()
    there = Path(shutil.copytree(ledger.home, tmp_path / "100% there", copy_function=shutil.copyfile))
    assert counted(there) == 40


def test_a_copy_that_is_open_for_writing_elsewhere_says_where(ledger: Ledger) -> None:
    path = publish(ledger, keep=2, now=NOW).path
    other = child.start(
        "import duckdb, os, sys; os.chmod(sys.argv[1], 0o644); c = duckdb.connect(sys.argv[1]); "
        "print('held', flush=True); sys.stdin.readline()",
        path,
    )
    try:
        assert other.stdout and other.stdout.readline() == "held\n"
        with pytest.raises(LedgerBusy, match=rf"000001.duckdb is open for writing in .*{other.pid}"):
            Snapshot.open(ledger.home)
    finally:
        other.kill()
        other.communicate()


def test_a_reader_spills_beside_the_copies_and_nothing_there_stops_a_publication(ledger: Ledger) -> None:
    home = ledger.home
    published = home / "published"
    store(ledger, [event(1)])
    made = publish(ledger, keep=2, now=NOW)
    with Snapshot.open(home, Limits(memory_mb=20, spill_gb=1)) as snapshot:
        sql = "SELECT count(*) FROM (SELECT DISTINCT md5(CAST(range AS VARCHAR)) FROM range(1500000))"
        assert snapshot.rows(sql) == [(1_500_000,)]
        assert list((home / "spill").iterdir())
        assert sorted(path.name for path in published.iterdir()) == [made.path.name, "CURRENT"]
    assert list((home / "spill").iterdir()) == []
    # What clients with DuckDB's own settings leave, and what people do.
    (published / f"{made.path.name}.tmp").mkdir()
    (published / f"{made.path.name}.tmp" / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"spilled")
    (published / "CURRENT.tmp").mkdir()
    (published / "000002.duckdb").mkdir()
    (published / "notes.txt").write_text("mine")
    for second in (2, 3, 4):
        store(ledger, [event(second)])
        publish(ledger, keep=1, now=NOW)
    assert counted(home) == 4
    assert (published / "notes.txt").exists()
    assert not (published / f"{made.path.name}.tmp").exists(), "it goes with its copy"


def test_spill_of_a_killed_process_is_removed_after_a_day(tmp_path: Path) -> None:
    for name, age_s in (("old", 90_000), ("new", 60)):
        folder = tmp_path / "spill" / name
        folder.mkdir(parents=True)
        (folder / "part.tmp").write_bytes(b"x")
        for path in (folder / "part.tmp", folder):
            os.utime(path, (time.time() - age_s,) * 2)
    Ledger.open(tmp_path, command="test").close()
    assert [path.name for path in (tmp_path / "spill").iterdir()] == ["new"]
