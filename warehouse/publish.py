"""The warehouse's publisher: read-only copies of the live file for readers, and the pointer to the newest. I/O.

A copy is complete, on disk and in place before the pointer names it, so a crash anywhere leaves the copy before it valid.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec

from quayledger.warehouse.duckdb_errors import translated
from quayledger.warehouse.errors import DiskFull, NotPublished, WarehouseError
from quayledger.warehouse.ledger import PUBLISHED_FOLDER, Cursor, Ledger

POINTER = "CURRENT"
_SEQUENCE = re.compile(r"(\d{6,})\.duckdb")
_CHECKPOINT_TRIES = 50
_CHECKPOINT_PAUSE_S = 0.02
_FULL_CODE = 28
_IDLE_SHARE = 20  # so many times as long as a copy took, no other is made for the time's sake
# A process of its own: were the live file opened and closed here a second time, POSIX would drop DuckDB's lock on it.
_COPY = """
import errno, fcntl, os, shutil, sys
try:
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
        try:
            fcntl.ioctl(target.fileno(), 0x40049409, source.fileno())
        except OSError:
            shutil.copyfileobj(source, target, 4 << 20)
        target.flush()
        os.fsync(target.fileno())
except OSError as error:
    sys.stderr.write(str(error))
    sys.exit(28 if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else 1)
"""


class Published(msgspec.Struct, frozen=True):
    """A copy for readers; `published_at`: the record as of then (UTC)."""

    path: Path
    published_at: datetime
    sequence: int


class _Pointer(msgspec.Struct, frozen=True):
    file: str
    published_at: datetime
    sequence: int


def publish(ledger: Ledger, *, keep: int, now: datetime) -> Published:
    """Gives readers what the ledger holds now and keeps the newest `keep` copies. Where nothing was written since the last
    copy, that copy is said to be as of `now`. Raises DiskFull, WarehouseError; the copies before stay valid."""
    folder = ledger.home / PUBLISHED_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with ledger.quiescent() as cursor, translated(folder):
        _sweep(folder)
        held = _read_pointer(folder)
        if held is not None and ledger.published_writes == ledger.writes and (folder / held.file).exists():
            pointer = _Pointer(held.file, now, held.sequence)
        else:
            sequence = 1 + max([held.sequence if held else 0, *(number for number, _ in _copies(folder))])
            pointer = _Pointer(f"{sequence:06d}.duckdb", now, sequence)
            _checkpoint(cursor)
            _copy(ledger.live, folder / pointer.file)
        _point(folder, pointer)
        ledger.published_writes = ledger.writes
    _remove_old(folder, keep, pointer.file)
    ended = time.monotonic()
    ledger.publish_next_at = ended + _IDLE_SHARE * (ended - began)
    return Published(folder / pointer.file, pointer.published_at, pointer.sequence)


def is_soon(ledger: Ledger) -> bool:
    """Whether the copy before was made so short a while ago, for what it took, that another can wait. Where a source is
    looked at every few seconds, a large ledger would else do little but copy itself."""
    return time.monotonic() < ledger.publish_next_at


def is_any(home: Path) -> bool:
    """Whether readers have a copy at all."""
    return (home / PUBLISHED_FOLDER / POINTER).exists()


def newest(home: Path) -> Published:
    """The newest copy. Raises NotPublished where there is none."""
    folder = home / PUBLISHED_FOLDER
    pointer = _read_pointer(folder)
    if pointer is None:
        raise NotPublished(f"nothing has been published in {folder} yet: run `quayledger sync` first")
    return Published(folder / pointer.file, pointer.published_at, pointer.sequence)


def _read_pointer(folder: Path) -> _Pointer | None:
    try:
        return msgspec.json.decode((folder / POINTER).read_bytes(), type=_Pointer)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, msgspec.ValidationError):
        # Only a hand or a failing disk can have done this: the pointer is always swapped whole.
        raise WarehouseError(
            f"{folder / POINTER} is damaged: remove it and run `quayledger sync` to publish a new copy"
        ) from None


def _copies(folder: Path) -> list[tuple[int, Path]]:
    """The copies by sequence, oldest first."""
    found = ((_SEQUENCE.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)


def _sweep(folder: Path) -> None:
    for path in folder.glob("*.tmp"):
        path.unlink(missing_ok=True)


def _checkpoint(cursor: Cursor) -> None:
    """Brings all that is committed into the file. Reads that happen to run may stand in the way for a moment."""
    for left in reversed(range(_CHECKPOINT_TRIES)):
        try:
            cursor.execute("CHECKPOINT")
        except duckdb.TransactionException:
            if not left:
                raise
            time.sleep(_CHECKPOINT_PAUSE_S)
        else:
            return


def _copy(live: Path, target: Path) -> None:
    log = live.with_name(live.name + ".wal")
    if log.exists() and log.stat().st_size:
        raise WarehouseError(f"{log} still holds changes after a checkpoint: run `quayledger sync` again")
    unfinished = target.with_name(target.name + ".tmp")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _COPY, str(live), str(unfinished)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        told = f"{target.name} could not be written to {target.parent} ({done.stderr.strip()[:200]})"
        if done.returncode == _FULL_CODE:
            raise DiskFull(f"{told}: free some space there and run `quayledger sync`; the copy before stays in use")
        raise WarehouseError(f"{told}: mend that and run `quayledger sync`; the copy before stays in use")
    unfinished.rename(target)
    sync_folder(target.parent)


def _point(folder: Path, pointer: _Pointer) -> None:
    unfinished = folder / f"{POINTER}.tmp"
    with unfinished.open("wb") as file:
        file.write(msgspec.json.encode(pointer))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / POINTER)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder as durable as the files' contents."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_old(folder: Path, keep: int, current: str) -> None:
    for _, path in _copies(folder)[: -max(keep, 1)]:
        if path.name != current:
            # A reader that has it open keeps it until done; on file systems where that is refused, the next time will do.
            with contextlib.suppress(PermissionError):
                path.unlink(missing_ok=True)
