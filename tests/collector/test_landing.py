"""Landing: a chain's file gives back every whole page, wherever a crash cut it off."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quayledger.collector.log.landing import ChainHeader, LandingFile, PageMark, digest, unfinished_files

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HEADER = ChainHeader("main", "organization:acme", "", date(2026, 11, 21), 7, NOW)


def mark(number: int, body: bytes) -> PageMark:
    return PageMark(number, 2, f"token{number}", NOW, NOW, "d", len(body))


def landed(home: Path, bodies: list[bytes]) -> Path:
    log = LandingFile.begin(home, HEADER)
    for number, body in enumerate(bodies):
        log.append(mark(number, body), body)
    log.close()
    return log.path


def test_pages_come_back_as_they_landed(tmp_path: Path) -> None:
    bodies = [b'{"logs":[1,\n2]}', b"", b"\n\n"]
    path = landed(tmp_path, bodies)
    log = LandingFile.resume(path)
    assert log is not None
    assert (log.header, [page.body for page in log.pages()]) == (HEADER, bodies)
    assert unfinished_files(tmp_path, "main") == [path]
    log.remove()
    assert unfinished_files(tmp_path, "main") == []


@given(st.lists(st.binary(max_size=60), max_size=4), st.integers(0, 5000))
@example([], len(msgspec.json.encode(HEADER)))
def test_a_cut_file_gives_a_prefix_and_can_be_written_on(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], cut: int
) -> None:
    path = landed(tmp_path_factory.mktemp("landing"), bodies)
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole))])
    log = LandingFile.resume(path)
    if log is None:
        assert cut < len(msgspec.json.encode(HEADER)) + 1
        return
    kept = [page.body for page in log.pages()]
    assert kept == bodies[: len(kept)]
    log.append(mark(9, b"more"), b"more")
    assert [page.body for page in log.pages()] == [*kept, b"more"]
    log.close()


def test_scopes_and_parts_do_not_share_a_file(tmp_path: Path) -> None:
    names = set()
    for scope, part in (("repository:a/b_c", ""), ("repository:a/b/c", ""), ("repository:a/b/c", "performer=x")):
        log = LandingFile.begin(tmp_path, msgspec.structs.replace(HEADER, scope=scope, part=part))
        names.add(log.path)
        log.close()
    assert len(names) == 3


def test_a_digest_tells_rows_apart_and_not_tokens() -> None:
    one, other = msgspec.Raw(b'{"a":1}'), msgspec.Raw(b'{"a":2}')
    assert digest((one, other)) != digest((other, one))
    assert digest((one,)) == digest((msgspec.Raw(b'{"a":1}'),))
