"""Publishes read-only copies of the live file for readers, and the pointer to the newest. I/O.

A copy is complete, on disk and in place before the pointer names it, so a crash at any point leaves the previous copy
valid. Copies have mode 0444 and their SHA-256 is in the pointer: a client that opens one for writing (DuckDB's default)
would lock out every reader, or change what all of them see.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec

from quayledger.warehouse.duckdb_errors import translated
from quayledger.warehouse.durable_files import sync_folder, write_whole
from quayledger.warehouse.errors import DiskFull, NotPublished, WarehouseError
from quayledger.warehouse.ledger import PUBLISHED_FOLDER, Cursor, Ledger

POINTER = "CURRENT"
_SEQUENCE = re.compile(r"(\d{6,})\.duckdb")
_CHECKPOINT_TRIES = 50
_CHECKPOINT_PAUSE_S = 0.02
_FULL_CODE = 28
_IDLE_SHARE = 20  # a timed publication waits this many times as long as the last copy took
_UNFINISHED = ".unfinished"
# DuckDB's own name for the folder into which a client spills that opens a copy without our settings.
_CLIENT_SPILL = ".tmp"
# A process of its own: were the live file opened and closed here a second time, POSIX would drop DuckDB's lock on it.
_COPY = """
import errno, fcntl, hashlib, os, shutil, sys
try:
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
        try:
            fcntl.ioctl(target.fileno(), 0x40049409, source.fileno())
        except OSError:
            shutil.copyfileobj(source, target, 4 << 20)
        target.flush()
        os.fchmod(target.fileno(), 0o444)
        os.fsync(target.fileno())
    with open(sys.argv[2], "rb") as copy:
        print(hashlib.file_digest(copy, "sha256").hexdigest())
except OSError as error:
    sys.stderr.write(str(error))
    sys.exit(28 if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else 1)
"""


class Published(msgspec.Struct, frozen=True):
    """A copy for readers. `published_at`: it holds the ledger as of this time (UTC). `sha256` is empty for copies of
    older versions; `mtime_ns` spares hashing a file that nobody touched."""

    path: Path
    published_at: datetime
    sequence: int
    sha256: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0


class _Pointer(msgspec.Struct, frozen=True):
    file: str
    published_at: datetime
    sequence: int
    sha256: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0

    def published(self, folder: Path) -> Published:
        return Published(
            folder / self.file, self.published_at, self.sequence, self.sha256, self.size_bytes, self.mtime_ns
        )


def publish(ledger: Ledger, *, keep: int, now: datetime) -> Published:
    """Copies the ledger for readers and keeps the newest `keep` copies. Where nothing was written since the last copy,
    that copy is dated `now`. Raises DiskFull, WarehouseError; earlier copies stay valid."""
    folder = ledger.home / PUBLISHED_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with ledger.quiescent() as cursor, translated(folder):
        _sweep(folder)
        held = _read_pointer(folder)
        if held is not None and ledger.published_writes == ledger.writes and is_intact(held.published(folder)):
            pointer = msgspec.structs.replace(held, published_at=now)
        else:
            sequence = 1 + max([held.sequence if held else 0, *(number for number, _ in _copies(folder))])
            target = folder / f"{sequence:06d}.duckdb"
            ledger.trim_commits(cursor)
            _checkpoint(cursor)
            sha256 = _copy(ledger.live, target)
            stat = target.stat()
            pointer = _Pointer(target.name, now, sequence, sha256, stat.st_size, stat.st_mtime_ns)
        _point(folder, pointer)
        ledger.published_writes = ledger.writes
    _remove_old(folder, keep, pointer.file)
    ended = time.monotonic()
    ledger.publish_next_at = ended + _IDLE_SHARE * (ended - began)
    return pointer.published(folder)


def is_soon(ledger: Ledger) -> bool:
    """Whether the last copy is so recent, compared with what it cost, that a timed publication can wait. Where a source is
    polled every few seconds, a large ledger would otherwise do little but copy itself."""
    return time.monotonic() < ledger.publish_next_at


def is_any(home: Path) -> bool:
    """Whether anything has been published yet."""
    return (home / PUBLISHED_FOLDER / POINTER).exists()


def newest(home: Path) -> Published:
    """The newest copy. Raises NotPublished where there is none."""
    folder = home / PUBLISHED_FOLDER
    pointer = _read_pointer(folder)
    if pointer is None:
        raise NotPublished(f"nothing has been published in {folder} yet: run `quayledger sync` first")
    return pointer.published(folder)


def is_intact(published: Published) -> bool:
    """Whether a copy is there and is still what was published, by its digest on record. Hashes the file only where its
    size or time differ from the record, as after the folder was copied, and then once per process."""
    try:
        stat = published.path.stat()
    except FileNotFoundError:
        return False
    log = published.path.with_name(published.path.name + ".wal")
    if log.exists() and log.stat().st_size:
        return False
    if not published.sha256 or (stat.st_size, stat.st_mtime_ns) == (published.size_bytes, published.mtime_ns):
        return True
    key = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if _hashed.get(key) is None:
        with published.path.open("rb") as file:
            _hashed[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _hashed[key] == published.sha256


_hashed: dict[tuple[int, int, int, int], str] = {}


def _read_pointer(folder: Path) -> _Pointer | None:
    try:
        return msgspec.json.decode((folder / POINTER).read_bytes(), type=_Pointer)
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        raise WarehouseError(f"{folder / POINTER} is a folder. Remove it and run `quayledger sync`") from None
    except (msgspec.DecodeError, msgspec.ValidationError):
        # The pointer is always replaced whole, so only an edit or a failing disk can have done this.
        raise WarehouseError(
            f"{folder / POINTER} is damaged. Remove it and run `quayledger sync` to publish a new copy"
        ) from None


def _copies(folder: Path) -> list[tuple[int, Path]]:
    """What has the name of a copy, by sequence, oldest first."""
    found = ((_SEQUENCE.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)


def _sweep(folder: Path) -> None:
    """Removes what an interrupted publication left. Everything else in the folder may be somebody's and is left alone:
    a client's spill folder, for one, which goes with its copy."""
    for path in (*folder.glob(f".*{_UNFINISHED}"), *folder.glob("*.tmp")):
        if path.is_file():
            path.unlink(missing_ok=True)


def _checkpoint(cursor: Cursor) -> None:
    """Writes all that is committed into the file. Concurrent reads may be in the way for a moment, so it is retried."""
    for left in reversed(range(_CHECKPOINT_TRIES)):
        try:
            cursor.execute("CHECKPOINT")
        except duckdb.TransactionException:
            if not left:
                raise
            time.sleep(_CHECKPOINT_PAUSE_S)
        else:
            return


def _copy(live: Path, target: Path) -> str:
    """Copies the live file, read-only and fsynced, to `target`; returns its SHA-256."""
    log = live.with_name(live.name + ".wal")
    if log.exists() and log.stat().st_size:
        raise WarehouseError(f"{log} still holds changes after a checkpoint. Run `quayledger sync` again")
    unfinished = target.with_name(f".{target.name}{_UNFINISHED}")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _COPY, str(live), str(unfinished)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        told = f"{target.name} could not be written to {target.parent} ({done.stderr.strip()[-200:]})"
        if done.returncode == _FULL_CODE:
            raise DiskFull(f"{told}. Free some space there and run `quayledger sync`; the previous copy stays in use")
        raise WarehouseError(f"{told}. Fix that and run `quayledger sync`; the previous copy stays in use")
    unfinished.rename(target)
    sync_folder(target.parent)
    return done.stdout.strip()


def _point(folder: Path, pointer: _Pointer) -> None:
    write_whole(folder / POINTER, msgspec.json.encode(pointer))


def _remove_old(folder: Path, keep: int, current: str) -> None:
    copies = [path for _, path in _copies(folder) if path.is_file()]
    for path in copies[: -max(keep, 1)]:
        if path.name != current:
            # A reader that has it open keeps it until done; on file systems where that is refused, the next time will do.
            with contextlib.suppress(PermissionError):
                path.unlink(missing_ok=True)
                path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
                shutil.rmtree(path.with_name(path.name + _CLIENT_SPILL), ignore_errors=True)
