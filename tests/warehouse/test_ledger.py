"""The live file: one writer, tables that only go forward, and faults that say what to do."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import duckdb
import pytest

from quayledger.warehouse import migrate
from quayledger.warehouse.errors import LedgerBusy, LedgerCorrupt, LedgerMissing, LedgerTooNew, WarehouseError
from quayledger.warehouse.ledger import LIVE_NAME, LOCK_NAME, Ledger, holder
from quayledger.warehouse.publish import newest, publish
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse import child
from tests.warehouse.sample import DAY, NOW, begin, busy_day, event, store

_HOLD = """
import sys
from pathlib import Path
from quayledger.warehouse.ledger import Ledger
with Ledger.open(Path(sys.argv[1]), command="serve"):
    print("held", flush=True)
    sys.stdin.readline()
"""
_FULL = """
import resource, sys
from pathlib import Path
from tests.warehouse.sample import DAY, NOW, event, store
from quayledger.warehouse.errors import DiskFull
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
home = Path(sys.argv[1])
ledger = Ledger.open(home, command="test")
step = sys.argv[2]
size = ledger.live.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2 if step == "publish" else size + 300_000,) * 2)
try:
    if step == "publish":
        publish(ledger, keep=2, now=NOW)
    else:
        store(ledger, [event(n % 86_400, tag=f"{n * n * 7919:x}" * 4) for n in range(60_000)])
except DiskFull as error:
    print("full:", error, flush=True)
import os
os._exit(0)
"""


def test_a_second_process_is_told_who_holds_the_ledger(tmp_path: Path) -> None:
    other = child.start(_HOLD, tmp_path)
    try:
        assert other.stdout and other.stdout.readline() == "held\n"
        found = holder(tmp_path)
        assert found is not None
        assert (found.pid, found.command) == (other.pid, "serve")
        with pytest.raises(LedgerBusy, match=rf"`serve`, process {other.pid} on .*Wait until it ends") as told:
            Ledger.open(tmp_path, command="sync")
        assert told.value.holder == found
    finally:
        other.kill()
        other.communicate()
    assert holder(tmp_path) is None
    Ledger.open(tmp_path, command="sync").close()


def test_closing_lets_the_next_one_in_and_looking_does_not_lock(tmp_path: Path) -> None:
    for _ in range(2):
        with Ledger.open(tmp_path, command="sync") as opened:
            found = holder(tmp_path)
            assert found is not None
            assert found.pid == os.getpid()
            opened.close()
        assert holder(tmp_path) is None
        assert (tmp_path / LOCK_NAME).read_bytes() == b""


def test_another_program_that_has_the_file_open_is_named(tmp_path: Path) -> None:
    Ledger.open(tmp_path, command="sync").close()
    other = child.start(
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()",
        tmp_path / LIVE_NAME,
    )
    try:
        assert other.stdout and other.stdout.readline() == "held\n"
        with pytest.raises(LedgerBusy, match=rf"process {other.pid}.*outside quayledger's own lock") as told:
            Ledger.open(tmp_path, command="sync")
        assert told.value.holder is None
    finally:
        other.kill()
        other.communicate()
    assert holder(tmp_path) is None


def test_every_table_comes_from_a_recorded_step(ledger: Ledger) -> None:
    steps = migrate.migrations()
    assert [step.version for step in steps] == list(range(1, len(steps) + 1))
    assert ledger.rows("SELECT version, name, sha256 FROM schema_migrations ORDER BY version") == [
        (step.version, step.name, step.sha256) for step in steps
    ]
    found = ledger.rows(
        "SELECT table_name FROM duckdb_constraints() WHERE constraint_type <> 'NOT NULL' "
        "UNION ALL SELECT index_name FROM duckdb_indexes() UNION ALL SELECT sequence_name FROM duckdb_sequences()"
    )
    assert found == []


def test_reopening_changes_nothing_that_is_stored(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, command="one") as opened:
        begin(opened)
        store(opened, busy_day(DAY))
        held = opened.rows("SELECT * FROM stg_events ORDER BY event_no")
        kinds = opened.rows("SELECT count(*), count(DISTINCT kind) FROM log_kinds")
    with Ledger.open(tmp_path, command="two") as opened:
        assert opened.rows("SELECT * FROM stg_events ORDER BY event_no") == held
        assert opened.rows("SELECT count(*), count(DISTINCT kind) FROM log_kinds") == kinds == [(146, 146)]
        assert opened.rows("SELECT count(*) FROM schema_migrations") == [(len(migrate.migrations()),)]


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, command="new") as opened, opened.transaction() as cursor:
        cursor.execute("INSERT INTO schema_migrations VALUES (9999, 'later', ?, '')", [NOW])
    with pytest.raises(LedgerTooNew, match=r"version 9999.*install the version"):
        Ledger.open(tmp_path, command="old")
    assert holder(tmp_path) is None


@pytest.mark.parametrize("damage", ["text", "torn", "zeros"])
def test_a_damaged_file_names_the_copy_to_restore_and_that_copy_works(tmp_path: Path, damage: str) -> None:
    with Ledger.open(tmp_path, command="one") as opened:
        begin(opened)
        store(opened, busy_day(DAY))
        publish(opened, keep=2, now=NOW)
    live = tmp_path / LIVE_NAME
    if damage == "text":
        live.write_text("no ledger")
    else:
        with live.open("r+b") as file:
            file.seek(0 if damage == "zeros" else 4096)
            file.write(bytes(12_288) if damage == "zeros" else os.urandom(8_192))
    copy = newest(tmp_path).path
    with pytest.raises(LedgerCorrupt, match=re.escape(f"copy {copy}")):
        Ledger.open(tmp_path, command="two")
    shutil.copy(copy, live)
    with Ledger.open(tmp_path, command="three") as opened:
        assert opened.rows("SELECT count(*) FROM stg_events") == [(40,)]


_CRASH = """
import os, sys
from pathlib import Path
from tests.warehouse.sample import DAY, begin, busy_day, event, store
from quayledger.warehouse.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]), command="test")
for second in range(3):
    store(ledger, [event(second, tag=sys.argv[2])])
os._exit(0)
"""


def _crashed(home: Path, tag: str) -> Path:
    """A ledger whose process died, so that its newest transactions are in the write-ahead log alone; that log."""
    with Ledger.open(home, command="one") as opened:
        begin(opened)
        store(opened, busy_day(DAY))
        publish(opened, keep=2, now=NOW)
    assert child.run(_CRASH, home, tag).returncode == 0
    return home / f"{LIVE_NAME}.wal"


def _refused(home: Path) -> str:
    with pytest.raises(LedgerCorrupt) as told:
        Ledger.open(home, command="two")
    return str(told.value)


def test_the_write_ahead_log_of_a_process_that_died_is_taken(tmp_path: Path) -> None:
    assert _crashed(tmp_path, "x").stat().st_size
    with Ledger.open(tmp_path, command="two") as opened:
        assert opened.rows("SELECT count(*) FROM stg_events") == [(43,)]


def test_a_write_ahead_log_of_another_ledger_or_another_time_is_not_taken(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    log, foreign = _crashed(ours, "ours"), _crashed(other, "foreign")
    kept = log.read_bytes()
    shutil.copy(foreign, log)
    assert f"{log} holds the newest transactions of another ledger" in _refused(ours)
    log.write_bytes(kept)
    Ledger.open(ours, command="takes it").close()
    log.write_bytes(kept)
    told = _refused(ours)
    assert "another state of this ledger" in told
    assert f"move {log} to another folder" in told
    log.rename(tmp_path / "aside.wal")
    with Ledger.open(ours, command="three") as opened:
        assert opened.rows("SELECT count(*) FROM stg_events") == [(43,)]
        assert opened.rows("SELECT count(*) FROM stg_events WHERE tag = 'foreign'") == [(0,)]


@pytest.mark.parametrize("damaged", ["log", "both"])
def test_advice_about_a_damaged_write_ahead_log_works_to_the_letter(tmp_path: Path, damaged: str) -> None:
    log = _crashed(tmp_path, "x")
    live = tmp_path / LIVE_NAME
    with log.open("r+b") as file:
        file.seek(log.stat().st_size // 3)
        file.write(os.urandom(64))
    if damaged == "both":
        with live.open("r+b") as file:
            file.write(bytes(12_288))
    told = _refused(tmp_path)
    if damaged == "both":
        copy = newest(tmp_path).path
        assert f"move {live} and {log} to another folder, copy {copy} to {live}" in told
        live.rename(tmp_path / "aside")
        shutil.copy(copy, live)
    else:
        assert f"move {log} to another folder" in told
    log.rename(tmp_path / "aside.wal")
    with Ledger.open(tmp_path, command="three") as opened:
        assert opened.rows("SELECT count(*) FROM stg_events") == [(40,)]
        assert store(opened, [event(9)]).new_events == 1
        publish(opened, keep=2, now=NOW)


def test_a_home_with_odd_characters_works_or_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "50% [a] *'s"
    with Ledger.open(home, command="one") as opened:
        begin(opened)
        store(opened, busy_day(DAY))
        publish(opened, keep=2, now=NOW)
    with Snapshot.open(home) as snapshot:
        assert snapshot.rows("SELECT count(*) FROM events") == [(40,)]
    with pytest.raises(WarehouseError, match="question mark"):
        Ledger.open(tmp_path / "what?", command="one")
    assert not (tmp_path / "what?").exists()


def test_a_live_file_that_is_gone_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, command="one") as opened:
        publish(opened, keep=2, now=NOW)
    (tmp_path / LIVE_NAME).unlink()
    with pytest.raises(LedgerMissing, match=r"Copy .*000001\.duckdb"):
        Ledger.open(tmp_path, command="two")
    assert not (tmp_path / LIVE_NAME).exists()


@pytest.mark.parametrize("step", ["merge", "publish"])
def test_a_full_disk_loses_nothing(tmp_path: Path, step: str) -> None:
    with Ledger.open(tmp_path, command="one") as opened:
        begin(opened)
        store(opened, busy_day(DAY))
        publish(opened, keep=2, now=NOW)
    before = newest(tmp_path)
    ended = child.run(_FULL, tmp_path, step)
    assert ended.stdout.startswith("full: "), ended.stderr[-2000:]
    assert "free some space" in ended.stdout.lower()
    assert newest(tmp_path) == before
    with Ledger.open(tmp_path, command="two") as opened:
        assert opened.rows("SELECT count(*), max(event_no) FROM stg_events") == [(40, 40)]
        assert store(opened, [*busy_day(DAY), event(7)]).new_events == 1
        publish(opened, keep=2, now=NOW)


def test_a_wrong_query_of_ours_is_not_told_as_a_fault_of_the_disk(ledger: Ledger) -> None:
    with pytest.raises(duckdb.CatalogException):
        ledger.rows("SELECT * FROM no_such_table")
