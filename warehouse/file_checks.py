"""Digests of the files of closed days and of their rollups, each computed once per state of the file. I/O.

Size, time and inode say whether a file was touched since its SHA-256 was computed; a disk that rots changes none of them, so
a digest is also computed anew after some days. The record of it is a cache: whoever may not write it computes again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

CHECKS_NAME = "file_checks.json"
RECHECK_AFTER = timedelta(days=7)
_AT_ONCE_BYTES = 256 << 20


class FileCheck(msgspec.Struct, frozen=True):
    """The SHA-256 that a file had at a moment (aware UTC), and the state of the file then."""

    size_bytes: int
    mtime_ns: int
    inode: int
    sha256: str
    checked_at: datetime

    def is_of(self, stat: os.stat_result) -> bool:
        """Whether nobody touched the file since."""
        return (stat.st_size, stat.st_mtime_ns, stat.st_ino) == (self.size_bytes, self.mtime_ns, self.inode)


Checks = Mapping[str, FileCheck]


# What this process computed, by the ledger's folder: for those who may not write the record.
_computed: dict[Path, dict[str, FileCheck]] = {}


def read_checks(home: Path) -> dict[str, FileCheck]:
    """The digests that are known, by path relative to the ledger's folder; {} where there is no record that can be read."""
    try:
        found = msgspec.json.decode((home / CHECKS_NAME).read_bytes(), type=dict[str, FileCheck])
    except (OSError, msgspec.DecodeError):
        found = {}
    for file, computed in _computed.get(home, {}).items():
        if file not in found or found[file].checked_at < computed.checked_at:
            found[file] = computed
    return found


def _write_checks(home: Path, checks: Checks) -> None:
    """Replaces the record. A folder that takes no file is no error: the digests are computed again next time."""
    unfinished = home / f".{CHECKS_NAME}.{os.getpid()}"
    with contextlib.suppress(OSError):
        try:
            unfinished.write_bytes(msgspec.json.encode(dict(checks)))
            unfinished.replace(home / CHECKS_NAME)
        finally:
            unfinished.unlink(missing_ok=True)


def check(home: Path, file: Path, now: datetime) -> FileCheck:
    """Reads a file whole and returns its digest. Raises OSError."""
    with (home / file).open("rb") as opened:
        stat = os.fstat(opened.fileno())
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    return FileCheck(stat.st_size, stat.st_mtime_ns, stat.st_ino, sha256, now)


def known_sha256(checks: Checks, home: Path, file: Path) -> str | None:
    """The digest of a file as it is now, if it was computed; None where it is not known, or the file is missing."""
    found = checks.get(str(file))
    if found is None:
        return None
    try:
        return found.sha256 if found.is_of((home / file).stat()) else None
    except OSError:
        return None


def check_touched(home: Path, files: Iterable[Path], now: datetime) -> dict[str, FileCheck]:
    """The digests that are known, those of files that were touched since included: DuckDB reads most flipped bits without
    complaint. Where more was touched than is read in a moment, as after a copy of the folder, that is left to the service and
    to `quayledger verify`."""
    checks = read_checks(home)
    touched = [file for file in files if known_sha256(checks, home, file) is None]
    if touched and sum(_size(home / file) for file in touched) <= _AT_ONCE_BYTES:
        return compute_digests(home, touched, now, 0)[0]
    return checks


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def compute_digests(
    home: Path, files: Iterable[Path], now: datetime, most_bytes: int | None = None
) -> tuple[dict[str, FileCheck], int]:
    """Brings the record of digests up to date: of these files, those that were touched since, and of the others those that were
    read longest ago, up to `most_bytes` (None: every file is read). Returns the record, and how many files were left for
    later."""
    checks, touched, untouched = read_checks(home), list[Path](), list[Path]()
    for file in files:
        if known_sha256(checks, home, file) is None:
            touched.append(file)
        elif most_bytes is None or checks[str(file)].checked_at + RECHECK_AFTER <= now:
            untouched.append(file)
    untouched.sort(key=lambda file: checks[str(file)].checked_at)
    computed = _check_all(home, touched, now)
    left, waiting = most_bytes, 0
    for file in untouched:
        if left is not None and (left := left - checks[str(file)].size_bytes) < 0:
            waiting += 1
            continue
        computed |= _check_all(home, [file], now)
    if computed:
        _computed[home] = _computed.get(home, {}) | computed
        checks = {file: found for file, found in (checks | computed).items() if (home / file).exists()}
        _write_checks(home, checks)
    return checks, waiting


def _check_all(home: Path, files: Iterable[Path], now: datetime) -> dict[str, FileCheck]:
    found = {}
    for file in files:
        with contextlib.suppress(OSError):  # one that is missing, or cannot be read, has no digest
            found[str(file)] = check(home, file, now)
    return found
