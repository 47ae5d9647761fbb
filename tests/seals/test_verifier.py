"""The verifier says of each kind of tampering what it is, where, and with which code; and of an honest ledger, nothing."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from quayledger import verifier
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.seals.note import SigningKey, parse_checkpoint, split_note
from quayledger.warehouse.seals.seal import seal_days
from tests.seals.conftest import KEY, PUBLIC
from tests.warehouse import sample

ROOT = Path(__file__).resolve().parents[2]


def test_an_honest_ledger_is_as_it_was_sealed(sealed: Path) -> None:
    found = verifier.check(sealed, [PUBLIC], [], jobs=1)
    assert found.damages == []
    assert (found.manifests, found.days, found.exit_code) == (5, 4, 0)
    assert found.events > 100


def test_the_verifier_runs_alone_and_beside_the_service(sealed: Path, tmp_path: Path) -> None:
    """As an auditor runs it: the one file, in a folder of its own, isolated from our package; and while the ledger is open."""
    script = tmp_path / "verifier.py"
    script.write_text(Path(verifier.__file__).read_text(encoding="utf-8"), encoding="utf-8")

    def run() -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-I", str(script), str(sealed), "--public-key", str(KEY.verifier), "--json"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return dict(json.loads(done.stdout))

    alone = run()
    with Ledger.open(sealed, command="serve") as ledger:
        with ledger.transaction() as cursor:
            cursor.execute("UPDATE slices SET note = 'at work'")
        assert run() == alone


def _sql(home: Path, *statements: str) -> None:
    """What somebody does who can write the ledger's files, but does not have the key."""
    for name in sorted((home / "published").glob("*.duckdb")):
        name.chmod(0o644)
        name.unlink()
    with duckdb.connect(str(home / "live.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def _rewrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def _entries(home: Path) -> list[bytes]:
    return [entry for entry in verifier.read_entries(home / "seals", 5) if entry is not None]


def _bundle(home: Path, entries: list[bytes]) -> None:
    data = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    _rewrite(home / "seals/tile/entries/000.p/5", data)


def _event_file(home: Path) -> Path:
    return next(path for path in sorted((home / "months").rglob("2026-10.*.parquet")) if path.name.count(".") == 2)


def _edit_file(home: Path, sql: str, *, forget: bool) -> None:
    """Replaces an event file by one with other rows; `forget`: also what the ledger says of the file."""
    path = _event_file(home)
    target = home / "edited.parquet"
    with duckdb.connect() as connection:
        rows = f"read_parquet('{path}')"
        connection.execute(f"COPY ({sql.format(rows=rows)}) TO '{target}' (FORMAT parquet)")
    _rewrite(path, target.read_bytes())
    target.unlink()
    if forget:
        digest, size = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size
        name = path.relative_to(home)
        _sql(home, f"UPDATE event_files SET sha256 = '{digest}', size_bytes = {size} WHERE file = '{name}'")


def _swap_first_two(home: Path) -> None:
    one, two, *rest = _entries(home)
    _bundle(home, [two, one, *rest])


def _lie_in_a_manifest(home: Path) -> None:
    first, *rest = _entries(home)
    _bundle(home, [first.replace(b'"verified"', b'"repaired"'), *rest])


def _sign_with_another_key(home: Path) -> None:
    head = parse_checkpoint(split_note((home / "seals/checkpoint").read_text())[0])
    _rewrite(home / "seals/checkpoint", head.signed([SigningKey(KEY.name, bytes(32))]).encode())


def _change_head(home: Path) -> None:
    note = (home / "seals/checkpoint").read_text()
    _rewrite(home / "seals/checkpoint", note.replace("\n5\n", "\n4\n").encode())


# What was done -> the words and the exit code of the verifier.
TAMPERING: dict[str, tuple[Callable[[Path], None], str, int]] = {
    "an address changed in the live file": (
        lambda home: _sql(home, "UPDATE corrections SET ip = '10.1.1.1' WHERE day = '2026-10-05'"),
        "events changed",
        20,
    ),
    "a late event removed": (lambda home: _sql(home, "DELETE FROM corrections"), "events removed", 20),
    "an event added at the end": (
        lambda home: _sql(
            home, "INSERT INTO corrections SELECT * REPLACE (event_no + 1000 AS event_no) FROM corrections"
        ),
        "events added",
        20,
    ),
    "an event given twice": (
        lambda home: _sql(home, "INSERT INTO corrections SELECT * FROM corrections"),
        "events added",
        20,
    ),
    "an event moved to another day": (
        lambda home: _sql(home, "UPDATE corrections SET day = '2026-10-08'"),
        "events removed",
        20,
    ),
    "an event of another kind": (
        lambda home: _sql(home, "UPDATE corrections SET kind = 'push_repo'"),
        "events removed",
        20,
    ),
    "a time changed by a microsecond": (
        lambda home: _sql(home, "UPDATE corrections SET occurred_at = occurred_at + INTERVAL 1 MICROSECOND"),
        "events changed",
        20,
    ),
    "a null that became an empty text": (
        lambda home: _sql(home, "UPDATE corrections SET tag = ''"),
        "events changed",
        20,
    ),
    "a file of events deleted": (lambda home: _event_file(home).unlink(), "file missing", 20),
    "a file of events cut": (
        lambda home: _rewrite(_event_file(home), _event_file(home).read_bytes()[:-9]),
        "file cut",
        20,
    ),
    "a byte of a file of events turned": (
        lambda home: _rewrite(
            _event_file(home), bytes([_event_file(home).read_bytes()[0] ^ 1]) + _event_file(home).read_bytes()[1:]
        ),
        "file replaced",
        20,
    ),
    "a file without one event": (
        lambda home: _edit_file(home, "SELECT * FROM {rows} WHERE event_no <> 2", forget=False),
        "file",
        20,
    ),
    "a file without one event, and the ledger's word of it": (
        lambda home: _edit_file(home, "SELECT * FROM {rows} WHERE event_no <> 2", forget=True),
        "events removed",
        20,
    ),
    "a file with another actor, and the ledger's word of it": (
        lambda home: _edit_file(home, "SELECT * REPLACE ('mallory' AS performer) FROM {rows}", forget=True),
        "events changed",
        20,
    ),
    "a file taken off the list": (
        lambda home: _sql(home, "DELETE FROM event_files"),
        "events removed",
        20,
    ),
    "a day's state embellished": (
        lambda home: _sql(home, "UPDATE slices SET state = 'verified' WHERE day = '2026-10-05'"),
        "state changed",
        20,
    ),
    "a day's count changed": (
        lambda home: _sql(home, "UPDATE slices SET expected_events = 1 WHERE day = '2026-10-06'"),
        "state changed",
        20,
    ),
    "a day forgotten": (lambda home: _sql(home, "DELETE FROM slices WHERE day = '2026-10-08'"), "day removed", 20),
    "a secret exchanged": (
        lambda home: _sql(home, f"UPDATE seal_secrets SET secret = '{'00' * 32}' WHERE day = '2026-10-06'"),
        "events changed",
        20,
    ),
    "a secret deleted": (
        lambda home: _sql(home, "DELETE FROM seal_secrets WHERE day = '2026-10-06'"),
        "secret missing",
        20,
    ),
    "a manifest changed in the files": (_lie_in_a_manifest, "manifest changed", 21),
    "a manifest changed in the ledger": (
        lambda home: _sql(home, "UPDATE log_entries SET entry = replace(entry, 'verified', 'repaired')"),
        "manifest changed",
        21,
    ),
    "manifests reordered": (_swap_first_two, "log reordered", 21),
    "a manifest cut off": (lambda home: _bundle(home, _entries(home)[:-1]), "manifest missing", 21),
    "all manifests deleted": (lambda home: shutil.rmtree(home / "seals/tile"), "manifest missing", 21),
    "rubbish for manifests": (
        lambda home: _bundle(home, [b"\xff\x00{", b"[]", b"null", b"{}", b"1"]),
        "log altered",
        21,
    ),
    "a head of fewer manifests": (_change_head, "head", 22),
    "a head signed by another key": (_sign_with_another_key, "head", 22),
    "a head of rubbish": (lambda home: _rewrite(home / "seals/checkpoint", b"\xff\n\n"), "head", 22),
}


@pytest.mark.parametrize("done", TAMPERING)
def test_every_kind_of_tampering_is_named(sealed: Path, done: str) -> None:
    tamper, words, code = TAMPERING[done]
    tamper(sealed)
    found = verifier.check(sealed, [PUBLIC], [], jobs=1)
    assert any(damage.what.startswith(words) for damage in found.damages), found.damages
    assert found.exit_code == code


def test_a_fork_and_a_cut_are_seen_against_a_head_that_was_kept(sealed: Path, tmp_path: Path) -> None:
    kept = (sealed / "seals/checkpoint").read_text()
    assert verifier.check(sealed, [PUBLIC], [kept], jobs=1).damages == []
    # Somebody with the key begins anew, with one day less.
    other = tmp_path / "other"
    with Ledger.open(other, command="test") as ledger:
        sample.begin(ledger)
        sample.seal(ledger, sample.DAY)
        seal_days(ledger, KEY, sample.NOW)
    assert verifier.check(other, [PUBLIC], [], jobs=1).damages == []
    assert [damage.what for damage in verifier.check(other, [PUBLIC], [kept], jobs=1).damages] == ["log cut"]
    own = (other / "seals/checkpoint").read_text()
    assert [damage.what for damage in verifier.check(sealed, [PUBLIC], [own], jobs=1).damages] == ["fork"]


@pytest.mark.parametrize("key", ["", "a+b", "quayledger.test/log+00000000+AQ==", str(KEY.verifier)[:-2]])
def test_a_key_that_is_none_is_refused(sealed: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verifier.main([str(sealed), "--public-key", key or "+"]) == verifier.HEAD
    assert "Not proven" in capsys.readouterr().err


def test_a_ledger_that_nobody_sealed_is_said_to_be_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verifier.main([str(tmp_path), "--public-key", str(KEY.verifier)]) == verifier.UNREADABLE
    assert "nothing of this ledger was sealed" in capsys.readouterr().err


def test_every_damage_and_exit_code_is_documented() -> None:
    page = (ROOT / "docs/integrity.md").read_text(encoding="utf-8")
    words = set(
        re.findall(r'Damage\(\s*(?:EVENTS|LOG|HEAD), "([^"]+)"', Path(verifier.__file__).read_text(encoding="utf-8"))
    )
    assert len(words) > 10
    assert [word for word in sorted(words) if f"`{word}`" not in page] == []
    for code in (verifier.WHOLE, verifier.USAGE, verifier.UNREADABLE, verifier.EVENTS, verifier.LOG, verifier.HEAD):
        assert f"| {code} |" in page
