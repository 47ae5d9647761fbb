"""Translates DuckDB's and the disk's errors into the warehouse's error family. The only place that does."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from quayledger.warehouse.errors import DiskFull, LedgerBusy, LedgerCorrupt, LedgerMissing, LedgerTooNew, WarehouseError

_FULL = re.compile(r"no space left|disk quota exceeded|file too large|not enough space|out of disk", re.IGNORECASE)
_LOCKED = re.compile(r"could not set lock|conflicting lock|being used by another process", re.IGNORECASE)
_HELD_BY = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_NEWER = re.compile(r"newer (duckdb )?(version|storage)|storage version", re.IGNORECASE)
_NO_FILE = re.compile(r"no files found that match the pattern \"(?P<file>[^\"]+)\"", re.IGNORECASE)
_PARQUET = re.compile(r"(?P<file>/[^\"'\n]+\.parquet)(?![\w.])")
# Classes that a damaged file does not cause.
_OURS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConstraintException,
    duckdb.InterruptException,
    duckdb.OutOfMemoryException,
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.TransactionException,
)
_LOG = re.compile(r"\bwal\b|write-ahead log", re.IGNORECASE)
_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises errors of DuckDB or the disk about `path` as WarehouseErrors. An error in our own SQL passes unchanged."""
    try:
        yield
    except duckdb.Error as error:
        told = _translate(str(error), error, path)
        if told is None:
            raise
        raise told from error
    except OSError as error:
        if error.errno in _FULL_ERRNOS:
            raise _disk_full(path) from error
        raise
    except pl.exceptions.ComputeError as error:
        # What the disk says to polars' Parquet writer comes as text.
        if _FULL.search(str(error)):
            raise _disk_full(path) from error
        raise


def _translate(text: str, error: duckdb.Error, path: Path) -> WarehouseError | None:
    # A full disk shows as an I/O error, or as a fatal one that quotes it, so the text is looked at before the class.
    if is_full(error):
        return _disk_full(path)
    if found := _NO_FILE.search(text):
        return LedgerMissing(
            f"{found['file']} is missing, which holds stored events. Put it back from a backup; where the whole folder was "
            "moved, run `quayledger sync` to publish a copy that knows the new place"
        )
    if is_damage(error) and (found := _PARQUET.search(text)):
        return _damaged_file(found["file"], text)
    if isinstance(error, duckdb.IOException) and _LOCKED.search(text):
        return _busy(text, path)
    if isinstance(error, duckdb.IOException | duckdb.SerializationException) and _NEWER.search(text):
        return LedgerTooNew(f"{path} was written by a newer DuckDB: install the version of quayledger that wrote it")
    if isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.InternalException):
        return corrupt(path, text)
    if isinstance(error, duckdb.SerializationException):
        return corrupt(path, text)
    # What its Parquet reader says of bytes that make no sense has no class of its own.
    return _damaged_file("a file of closed days", text) if type(error) is duckdb.Error else None


def is_full(error: duckdb.Error) -> bool:
    """Whether DuckDB's error comes from a disk that took no more."""
    return bool(_FULL.search(str(error)))


def is_damage(error: duckdb.Error) -> bool:
    """Whether DuckDB's error can come from a file that is not what it should be: not from our SQL, and not from a limit."""
    return not isinstance(error, _OURS) and not is_full(error)


def _damaged_file(file: str, text: str) -> LedgerCorrupt:
    return LedgerCorrupt(
        f"{file} cannot be read ({_first_line(text)}). Run `quayledger verify`: it names each damaged file, and what it held"
    )


def corrupt(path: Path, text: str) -> LedgerCorrupt:
    """The error for a damaged file, with what to do about it."""
    return LedgerCorrupt(f"{path} cannot be read as a ledger ({_first_line(text)}). What to do: {_advice(path, text)}")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "no reason given"


def _advice(path: Path, text: str) -> str:
    if path.parent.name == "published":
        return "run `quayledger sync` to publish a new copy"
    log = path.with_name(path.name + ".wal")
    with_log = log.exists()
    if with_log and _LOG.search(text):
        # The live file is as of its last checkpoint, which is never before the newest published copy.
        return (
            f"stop all processes, move {log} to another folder, then run `quayledger sync`: the live file holds all up to "
            "its last checkpoint, and what came later is collected again"
        )
    both = f"{path} and {log}" if with_log else f"{path}"
    copies = sorted(path.resolve().parent.glob("published/*.duckdb"))
    if copies:
        return f"stop all processes, move {both} to another folder, copy {copies[-1]} to {path}, then run `quayledger sync`"
    return f"there is no published copy to restore: move {both} to another folder and run `quayledger sync` to collect again"


def _disk_full(path: Path) -> DiskFull:
    return DiskFull(
        f"no space is left for {path}. The step that was running was rolled back, and nothing that was stored is lost. "
        "Free some space in that file system, then run the same command again"
    )


def _busy(text: str, path: Path) -> LedgerBusy:
    found = _HELD_BY.search(text)
    who = f"{found['program']}, process {found['pid']}" if found else "another process"
    if path.parent.name == "published":
        return LedgerBusy(
            f"{path} is open for writing in {who}, which keeps all readers out. Close it there, and open published copies "
            "read-only (`duckdb -readonly`, `read_only=True`)"
        )
    return LedgerBusy(
        f"{path} is open in {who}, outside quayledger's own lock. Close it there; to look at the data, open the newest "
        f"file in {path.parent / 'published'} read-only instead"
    )
