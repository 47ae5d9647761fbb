"""Landing: the raw pages of a chain on disk, from the moment they come until their slice holds them. I/O on files.

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


class Heading(msgspec.Struct, frozen=True):
    """What a chain asks: the first line of its file."""

    source_id: str
    scope: str
    part: str
    day: date
    run_id: int
    started_at: datetime


class PageMark(msgspec.Struct, frozen=True):
    """What is known of one landed page: its place in the chain and the token that leads on (None: the end)."""

    number: int
    rows: int
    next_page: str | None
    served_at: datetime | None
    landed_at: datetime
    rows_digest: str
    size_bytes: int


class Landed(msgspec.Struct, frozen=True):
    """One page as it landed."""

    mark: PageMark
    body: bytes


class ChainLog:
    """The file of one chain, open for appending."""

    def __init__(self, path: Path, heading: Heading, marks: list[PageMark], file: IO[bytes]) -> None:
        self.path = path
        self.heading = heading
        self.marks = marks
        self._file = file
        self._synced = time.monotonic()

    @classmethod
    def begin(cls, home: Path, heading: Heading) -> ChainLog:
        """A new, empty chain."""
        path = _path(home, heading)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb")
        file.write(msgspec.json.encode(heading) + b"\n")
        file.flush()
        return cls(path, heading, [], file)

    @classmethod
    def resume(cls, path: Path) -> ChainLog | None:
        """The chain that a run left behind, cut after its last whole page; None where not even the heading is whole."""
        with path.open("rb") as file:
            heading = _heading(file)
            if heading is None:
                return None
            marks, end = [], file.tell()
            for landed in _pages(file):
                marks.append(landed.mark)
                end = file.tell()
        again = path.open("r+b")
        again.truncate(end)
        again.seek(end)
        return cls(path, heading, marks, again)

    def append(self, mark: PageMark, body: bytes) -> None:
        """One more page. On disk for sure within about a second, and before `finish` returns."""
        self._file.write(msgspec.json.encode(mark) + b"\n" + body + b"\n")
        self._file.flush()
        self.marks.append(mark)
        if time.monotonic() - self._synced >= _SYNC_EVERY_S:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def pages(self) -> Iterator[Landed]:
        """All pages, from the file, oldest landing first."""
        with self.path.open("rb") as file:
            if _heading(file) is not None:
                yield from _pages(file)

    def close(self) -> None:
        """Keeps the file for a later run."""
        self._file.close()

    def remove(self) -> None:
        """The slice holds the rows now."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def left_behind(home: Path, source_id: str) -> list[Path]:
    """The chain files of a source that an earlier run did not finish."""
    return sorted((home / FOLDER / _slug(source_id)).glob(f"*{_SUFFIX}"))


def digest(rows: tuple[msgspec.Raw, ...]) -> str:
    """What tells one page's rows from another's; tokens differ in every answer and are left out."""
    told = hashlib.blake2b(digest_size=12)
    for row in rows:
        told.update(bytes(row))
        told.update(b"\n")
    return told.hexdigest()


def _path(home: Path, heading: Heading) -> Path:
    asked = f"{heading.scope}\n{heading.part}"
    name = f"{heading.day.isoformat()}-{_slug(heading.scope)[:40]}-{hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()}"
    return home / FOLDER / _slug(heading.source_id) / f"{name}{_SUFFIX}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _heading(file: IO[bytes]) -> Heading | None:
    line = file.readline()
    if not line.endswith(b"\n"):
        return None  # what is written after it would stand on the same line
    try:
        return msgspec.json.decode(line, type=Heading)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _pages(file: IO[bytes]) -> Iterator[Landed]:
    while line := file.readline():
        try:
            mark = msgspec.json.decode(line, type=PageMark)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return
        body = file.read(mark.size_bytes + 1)
        if len(body) != mark.size_bytes + 1:
            return
        yield Landed(mark, body[:-1])
