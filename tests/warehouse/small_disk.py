"""Run in a mount namespace of its own: closes days, joins a month and publishes on a real file system with ever less space.

Prints, for each amount of free space, what was raised; ends with an error where an event is lost, doubled or stays behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from quayledger.warehouse.errors import DiskFull
from quayledger.warehouse.event_files import USAGE_SUFFIX
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.check_files import check_files
from quayledger.warehouse.log.close import close_day, close_days, event_file_list
from quayledger.warehouse.publish import newest, publish
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse.sample import NOW, SOURCE, begin, busy_day, seal, store

_DAYS = (date(2026, 9, 29), date(2026, 9, 30), date(2026, 10, 1))
_TODAY = date(2026, 10, 12)
_HELD = "SELECT * FROM stg_events ORDER BY source_id, day, event_no"


def main(disk: Path, template: Path, amounts: list[int]) -> None:
    """`disk`: a mount point; `template`: a folder outside it; `amounts`: KiB that are free at each step."""
    fill(template)
    for free_kib in amounts:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(disk)], check=True)
        try:
            print(free_kib, *attempt(disk, template, free_kib))  # noqa: T201 - what the test reads
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(template: Path) -> None:
    with Ledger.open(template, command="fill") as ledger:
        begin(ledger)
        for day in _DAYS:
            store(ledger, busy_day(day), day=day)
            seal(ledger, day)
        publish(ledger, keep=1, now=NOW)


def attempt(disk: Path, template: Path, free_kib: int) -> list[str]:
    home, ballast = disk / "ledger", disk / "ballast"
    shutil.copytree(template, home)
    raised = []
    with Ledger.open(home, command="full") as ledger:
        before = ledger.rows(_HELD)
        steps: dict[str, Callable[[], object]] = {
            "close": lambda: close_day(ledger, SOURCE, _DAYS[0], _TODAY),
            "join": lambda: close_days(ledger, _TODAY, 10),
            "check": lambda: break_rollup_and_check(ledger),
            "publish": lambda: publish(ledger, keep=1, now=NOW + timedelta(days=1)),
        }
        for name, step in steps.items():
            fill_disk(ballast, disk, free_kib)
            first = newest(home).sequence
            try:
                step()
            except DiskFull:
                raised.append(name)
                assert newest(home).sequence == first
                ballast.unlink()
                assert ledger.rows(_HELD) == before, f"{name} with {free_kib} KiB"
                step()
            ballast.unlink(missing_ok=True)
            assert ledger.rows(_HELD) == before, f"{name} after {free_kib} KiB"
        assert [file.label for file in event_file_list(ledger)] == ["2026-09", "2026-10-01"]
        assert not list(home.rglob("*.tmp")), "nothing is left half written"
        publish(ledger, keep=1, now=NOW + timedelta(days=2))
    with Snapshot.open(home) as snapshot:
        assert (snapshot.faults, snapshot.rows(_HELD)) == ([], before)
        assert len(snapshot.rolled_files) == 2
    return raised


def break_rollup_and_check(ledger: Ledger) -> None:
    for file in event_file_list(ledger):
        (ledger.home / file.beside(USAGE_SUFFIX)).unlink(missing_ok=True)
    check_files(ledger, NOW)


def fill_disk(ballast: Path, disk: Path, free_kib: int) -> None:
    free = shutil.disk_usage(disk).free - free_kib * 1024
    with ballast.open("wb") as file:
        for _ in range(max(free, 0) // 4096):
            file.write(bytes(4096))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [int(amount) for amount in sys.argv[3:]])
