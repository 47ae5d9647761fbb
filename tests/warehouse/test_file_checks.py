"""Files of closed days that lie: bytes that flipped, another ledger's file, rollups that disagree, a disk that is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from quayledger.reports.log.coverage import measure
from quayledger.reports.period import Period
from quayledger.warehouse import file_checks
from quayledger.warehouse.errors import LedgerCorrupt
from quayledger.warehouse.event_files import SEEN_SUFFIX, SIDECAR_SUFFIXES, USAGE_SUFFIX, EventFile
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.log.check_files import check_files
from quayledger.warehouse.log.close import close_days, event_file_list
from quayledger.warehouse.log.event_filter import EventFilter
from quayledger.warehouse.log.find import find
from quayledger.warehouse.log.verify_files import verify_files
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse import child
from tests.warehouse.sample import NOW, begin, busy_day, seal, store

_DAYS = (date(2026, 9, 29), date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 2))
_TODAY = date(2026, 10, 12)
_ALL, _WITHOUT = 160, 120  # events in all, and without one day's file


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger whose days are all in files, one of a month and two of days, and published."""
    home = tmp_path_factory.mktemp("checks")
    fill(home)
    return home


def fill(home: Path) -> None:
    with Ledger.open(home, command="fill") as ledger:
        begin(ledger)
        for day in _DAYS:
            store(ledger, busy_day(day), day=day)
            seal(ledger, day)
        close_days(ledger, _TODAY, 10)
        publish(ledger, keep=2, now=NOW)


@pytest.fixture
def home(closed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(closed, tmp_path / "ledger"))


@pytest.fixture
def opened(home: Path) -> Iterator[Ledger]:
    with Ledger.open(home, command="test") as ledger:
        yield ledger


def file_of(home: Path, label: str) -> EventFile:
    with Snapshot.open(home) as snapshot:
        return next(file for file in snapshot.files if file.label == label)


def flip(path: Path, *, keep_time: bool = False, at: float = 0.3) -> None:
    """Changes one bit; `keep_time`: as a disk does that rots."""
    stat = path.stat()
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def later(days: int = 8) -> datetime:
    """When files that were read now are due to be read, and compared with their rollups, again."""
    return datetime.now(UTC) + timedelta(days=days)


def number(home: Path) -> int:
    with Snapshot.open(home) as snapshot:
        return reader.count_events(snapshot, EventFilter())


def test_a_flipped_bit_is_not_believed(home: Path) -> None:
    assert number(home) == _ALL
    flip(home / file_of(home, "2026-10-01").file)
    with Snapshot.open(home) as snapshot:
        (fault,) = snapshot.faults
        assert "is altered" in fault.describe(home)
        assert reader.count_events(snapshot, EventFilter()) == _WITHOUT
        assert reader.totals(snapshot, EventFilter())["events"].to_list() == [_WITHOUT]
        assert find(snapshot, "acme", exact_only=True)["events"].sum() < _ALL
        period = Period(datetime(2026, 9, 29, tzinfo=UTC), datetime(2026, 10, 3, tzinfo=UTC))
        coverage = measure(snapshot, period, NOW)
    assert (coverage.days_total, coverage.days_verified, coverage.days_unreadable) == (4, 3, 1)
    assert coverage.trust.level == "bad"
    assert coverage.trust.text == "3 of 4 days verified, 1 in a missing or damaged file"
    assert [detail.label for detail in coverage.trust.details] == ["verified", "file damaged"]


def test_a_bit_that_flips_where_nobody_touches_the_file_is_found_in_time(home: Path) -> None:
    path = home / file_of(home, "2026-10-01").file
    now = datetime.now(UTC)  # whoever opens a copy reads what was touched, at the time of the clock
    with Ledger.open(home, command="test") as ledger:
        assert check_files(ledger, now).faults == ()
        flip(path, keep_time=True)
        assert check_files(ledger, now + timedelta(days=1)).faults == ()
        report = check_files(ledger, now + timedelta(days=8))
        assert [fault.fault for fault in report.faults] == ["altered"]
        assert ledger.rows("SELECT count(*) FROM events") == [(_WITHOUT,)]
    assert number(home) == _WITHOUT


def test_verify_reads_everything_and_changes_nothing(home: Path) -> None:
    assert number(home) == _ALL
    day, month = file_of(home, "2026-10-01"), file_of(home, "2026-09")
    flip(home / day.file, keep_time=True)
    flip(home / month.beside(SEEN_SUFFIX), keep_time=True)
    (home / "days" / "stranger.parquet").write_bytes(b"PAR1 nothing PAR1")
    with Snapshot.open(home) as snapshot:
        found = verify_files(snapshot, NOW)
    assert [fault.file.label for fault in found.faults] == ["2026-10-01"]
    assert found.damaged_rollups == (month.beside(SEEN_SUFFIX),)
    assert found.unrecorded == (Path("days/stranger.parquet"),)
    told = found.summary(home)["damaged"][0]
    assert (told["events"], sum(told["events_by_kind"].values())) == (40, 40)


def test_a_file_that_is_put_back_counts_again(home: Path) -> None:
    path = home / file_of(home, "2026-10-01").file
    content = path.read_bytes()
    flip(path)
    with Ledger.open(home, command="test") as ledger:
        assert len(check_files(ledger, NOW).faults) == 1
        assert ledger.rows("SELECT count(*) FROM events") == [(_WITHOUT,)]
        path.write_bytes(content)
        assert check_files(ledger, NOW).faults == ()
        assert ledger.rows("SELECT count(*) FROM events") == [(_ALL,)]
    assert number(home) == _ALL


def test_a_file_of_another_ledger_is_recognised(home: Path, tmp_path: Path) -> None:
    fill(tmp_path / "other")
    other = file_of(tmp_path / "other", "2026-10-01")
    shutil.copy(tmp_path / "other" / other.file, home / file_of(home, "2026-10-01").file)
    with Snapshot.open(home) as snapshot:
        assert [fault.fault for fault in snapshot.faults] == ["from another ledger"]
        assert reader.count_events(snapshot, EventFilter()) == _WITHOUT


def test_a_file_that_breaks_while_it_is_read_is_left_out(home: Path) -> None:
    path = home / file_of(home, "2026-10-01").file
    with Snapshot.open(home) as snapshot:
        content = path.read_bytes()
        path.write_bytes(content[:4] + bytes(len(content) - 8) + content[-4:])
        assert reader.events(snapshot, EventFilter(), limit=0).height == _WITHOUT
        assert [fault.fault for fault in snapshot.faults] == ["altered"]
        assert reader.count_events(snapshot, EventFilter()) == _WITHOUT


def test_a_rollup_that_breaks_while_it_is_read_is_named_and_gone_round(home: Path) -> None:
    path = home / file_of(home, "2026-10-01").beside(SEEN_SUFFIX)
    with Snapshot.open(home) as snapshot:
        content = path.read_bytes()
        path.write_bytes(content[:4] + bytes(len(content) - 8) + content[-4:])
        with pytest.raises(LedgerCorrupt, match="Ask again"):
            find(snapshot, "acme")
        assert find(snapshot, "acme").height
    with Snapshot.open(home) as snapshot:
        assert find(snapshot, "acme").height


@pytest.mark.parametrize("suffix", SIDECAR_SUFFIXES)
@pytest.mark.parametrize("fault", ["missing", "cut", "flipped", "not on record", "disagrees"])
def test_rollups_are_made_anew_and_it_is_said(opened: Ledger, suffix: str, fault: str) -> None:
    """`disagrees`: whole and on record, as a fault of ours would leave it."""
    home = opened.home
    month = next(file for file in event_file_list(opened) if file.label == "2026-09")
    path = home / month.beside(suffix)
    before = pl.read_parquet(path)
    if fault == "missing":
        path.unlink()
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    elif fault == "flipped":
        flip(path)
    elif fault == "not on record":
        with opened.transaction() as cursor:
            cursor.execute("DELETE FROM event_file_sidecars WHERE sidecar = ?", [str(month.beside(suffix))])
    else:
        before.with_columns(pl.col("events") + 1).write_parquet(path)
        sha256 = file_checks.check(home, month.beside(suffix), NOW).sha256
        with opened.transaction() as cursor:
            cursor.execute(
                "UPDATE event_file_sidecars SET sha256 = ?, size_bytes = ? WHERE sidecar = ?",
                [sha256, path.stat().st_size, str(month.beside(suffix))],
            )
    reasons = {"cut": "is damaged", "flipped": "is damaged", "disagrees": "disagrees with its events"}
    expected = reasons.get(fault, "is missing" if fault == "missing" else "has no digest on record")
    assert check_files(opened, later()).rebuilt == ((month.beside(suffix), expected),)
    keys = [name for name in before.columns if name not in ("events", "am", "pm", "days")]
    assert pl.read_parquet(path).sort(keys).equals(before.sort(keys))
    assert check_files(opened, later(30)).rebuilt == ()


def test_counts_on_record_that_disagree_are_made_anew(opened: Ledger) -> None:
    rows = "SELECT source_id, day, scope, kind, events FROM filed_counts ORDER BY ALL"
    before = opened.rows(rows)
    with opened.transaction() as cursor:
        cursor.execute("UPDATE filed_counts SET events = events + 1 WHERE day = ? AND kind = 'pull_repo'", [_DAYS[2]])
    (rebuilt,) = check_files(opened, later()).rebuilt
    assert rebuilt[0].name.startswith("2026-10-01")
    assert opened.rows(rows) == before


def test_what_is_no_file_of_ours_stops_nothing(opened: Ledger) -> None:
    for name in ("days/junk.parquet", "months/main/2026-08.parquet"):
        (opened.home / name).write_bytes(b"PAR1 no parquet at all PAR1")
    pl.DataFrame({"a": [1]}).write_parquet(opened.home / "days" / "other.parquet")
    store(opened, busy_day(date(2026, 10, 5)), day=date(2026, 10, 5))
    seal(opened, date(2026, 10, 5))
    assert [file.label for file in close_days(opened, _TODAY, 10)] == ["2026-10-05"]
    assert (opened.home / "days/junk.parquet").exists()


def test_a_damaged_file_keeps_no_other_day_from_closing(home: Path) -> None:
    flip(home / file_of(home, "2026-10-01").file)
    with Ledger.open(home, command="test") as ledger:
        check_files(ledger, NOW)
        for number_ in range(5, 31):
            day = date(2026, 10, number_)
            store(ledger, busy_day(day), day=day)
            seal(ledger, day)
        made = close_days(ledger, date(2026, 11, 24), 10)
        assert len(made) == 26, "the month waits for its damaged day, the days do not"
        assert ledger.rows("SELECT count(*) FROM event_rows") == [(0,)]


def test_a_record_of_digests_that_is_damaged_is_made_anew(home: Path) -> None:
    assert number(home) == _ALL
    record = home / file_checks.CHECKS_NAME
    assert record.exists()
    for content in (b"", b"[]", b'{"days/x": 1}', b"\xff"):
        record.write_bytes(content)
        assert number(home) == _ALL
    flip(home / file_of(home, "2026-10-01").beside(USAGE_SUFFIX))
    with Snapshot.open(home) as snapshot:
        assert len(snapshot.rolled_files) == 2


def test_a_disk_that_fills_up_at_any_step_loses_nothing_and_work_goes_on(tmp_path: Path) -> None:
    """On a real small file system, in one process that is never started anew: DuckDB gives up a database whose checkpoint failed."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("nobody may mount here; limits on file sizes are tried in test_ledger.py and cli/test_bad_input.py")
    (tmp_path / "disk").mkdir()
    amounts = ["0", "8", "24", "48", "49152"]
    command = ["unshare", "-rm", sys.executable, "-m", "tests.warehouse.small_disk"]
    done = subprocess.run(
        [*command, tmp_path / "disk", tmp_path / "template", *amounts],
        cwd=child.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    raised = [line.split()[1:] for line in done.stdout.splitlines()]
    assert raised[0] == ["close", "join", "check", "publish"]
    assert raised[-1] == []
    assert len(raised) == len(amounts)
