"""Landing: the raw pages of a chain on disk, from their arrival until their slice holds them. I/O on files.

One file a chain, below `<home>/landing/<source>/`: a JSON line that says what is asked, then for each page a JSON line and
the page's bytes (secrets already cut out). A tail that a crash cut off is dropped when the file is opened again.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO

import msgspec

FOLDER = "landing"
_SYNC_EVERY_S = 1.0
_SUFFIX = ".pages"


class ChainHeader(msgspec.Struct, frozen=True):
    """Which list a chain reads: the first line of its file."""

    source_id: str
    scope: str
    part: str
    day: date
    run_id: int
    started_at: datetime


class PageMark(msgspec.Struct, frozen=True):
    """One landed page: its place in the chain and the token of the next page (None: the last)."""

    number: int
    rows: int
    next_page: str | None
    served_at: datetime | None
    landed_at: datetime
    rows_digest: str
    size_bytes: int


class LandedPage(msgspec.Struct, frozen=True):
    """One page as it landed."""

    mark: PageMark
    body: bytes


class LandingFile:
    """The file of one chain, open for appending."""

    def __init__(self, path: Path, header: ChainHeader, marks: list[PageMark], file: IO[bytes]) -> None:
        self.path = path
        self.header = header
        self.marks = marks
        self._file = file
        self._synced = time.monotonic()

    @classmethod
    def begin(cls, home: Path, header: ChainHeader) -> LandingFile:
        """A new file without pages; one of the same list that was there before is replaced."""
        path = _path(home, header)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb")
        file.write(msgspec.json.encode(header) + b"\n")
        file.flush()
        return cls(path, header, [], file)

    @classmethod
    def resume(cls, path: Path) -> LandingFile | None:
        """The file of an earlier run, cut after its last whole page: a crash may have written half of one. None where not even
        the header is whole."""
        with path.open("rb") as file:
            header = _header(file)
            if header is None:
                return None
            marks, end = [], file.tell()
            for landed in _pages(file):
                marks.append(landed.mark)
                end = file.tell()
        again = path.open("r+b")
        again.truncate(end)
        again.seek(end)
        return cls(path, header, marks, again)

    def append(self, mark: PageMark, body: bytes) -> None:
        """One more page. On disk for sure within about a second, and before `finish` returns."""
        self._file.write(msgspec.json.encode(mark) + b"\n" + body + b"\n")
        self._file.flush()
        self.marks.append(mark)
        if time.monotonic() - self._synced >= _SYNC_EVERY_S:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def pages(self) -> Iterator[LandedPage]:
        """All pages, from the file, oldest landing first."""
        with self.path.open("rb") as file:
            if _header(file) is not None:
                yield from _pages(file)

    def close(self) -> None:
        """Keeps the file for a later run."""
        self._file.close()

    def remove(self) -> None:
        """The slice holds the rows now."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def unfinished_files(home: Path, source_id: str) -> list[Path]:
    """The landing files of a source whose chains did not come to their end."""
    return sorted((home / FOLDER / _slug(source_id)).glob(f"*{_SUFFIX}"))


def digest(rows: tuple[msgspec.Raw, ...]) -> str:
    """What tells one page's rows from another's; tokens differ in every answer and are left out."""
    told = hashlib.blake2b(digest_size=12)
    for row in rows:
        told.update(bytes(row))
        told.update(b"\n")
    return told.hexdigest()


def _path(home: Path, header: ChainHeader) -> Path:
    asked = f"{header.scope}\n{header.part}"
    name = f"{header.day.isoformat()}-{_slug(header.scope)[:40]}-{hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()}"
    return home / FOLDER / _slug(header.source_id) / f"{name}{_SUFFIX}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _header(file: IO[bytes]) -> ChainHeader | None:
    line = file.readline()
    if not line.endswith(b"\n"):
        return None  # what is written after it would stand on the same line
    try:
        return msgspec.json.decode(line, type=ChainHeader)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _pages(file: IO[bytes]) -> Iterator[LandedPage]:
    while line := file.readline():
        try:
            mark = msgspec.json.decode(line, type=PageMark)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return
        body = file.read(mark.size_bytes + 1)
        if len(body) != mark.size_bytes + 1:
            return
        yield LandedPage(mark, body[:-1])
