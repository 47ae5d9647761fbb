"""Sealing: every judged day once, what comes later in a manifest of its own, whole after a crash, never a fork."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from quayledger import verifier
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.schema import SliceState
from quayledger.warehouse.seals.keys import KeyUnusable, create_key, read_key
from quayledger.warehouse.seals.note import SigningKey
from quayledger.warehouse.seals.seal import LogForked, seal_days
from tests.seals.conftest import DAYS, KEY, PUBLIC, fill
from tests.warehouse import sample


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger", command="test") as opened:
        sample.begin(opened)
        fill(opened)
        yield opened


def _manifests(ledger: Ledger) -> list[dict[str, object]]:
    return [json.loads(entry) for (entry,) in ledger.rows("SELECT entry FROM log_entries ORDER BY leaf_index")]


def test_each_judged_day_is_sealed_once_and_changes_are_appended(ledger: Ledger) -> None:
    assert seal_days(ledger, KEY, sample.NOW).days_sealed == 4
    assert seal_days(ledger, KEY, sample.NOW + timedelta(hours=1)).days_sealed == 0
    first = _manifests(ledger)
    assert [(made["day"], made["state"], made["events"]) for made in first][-1] == (str(DAYS[3]), "verified", 0)
    sample.store(ledger, [sample.event(50_000, day=DAYS[0])], day=DAYS[0])
    sample.seal(ledger, DAYS[0], state=SliceState.SHORT)
    assert seal_days(ledger, KEY, sample.NOW).days_sealed == 1
    *before, late = _manifests(ledger)
    assert before == first
    assert (late["day"], late["sequence"], late["previous"], late["events"], late["state"]) == (
        str(DAYS[0]),
        1,
        0,
        1,
        "short",
    )


def test_days_that_are_not_over_or_not_judged_are_not_sealed(ledger: Ledger) -> None:
    for day, state in (
        (sample.NOW.date(), SliceState.OPEN),
        (sample.NOW.date() - timedelta(days=1), SliceState.PROVISIONAL),
    ):
        sample.store(ledger, [sample.event(1, day=day)], day=day)
        sample.seal(ledger, day, state=state)
    seal_days(ledger, KEY, sample.NOW)
    assert {made["day"] for made in _manifests(ledger)} == {str(day) for day in DAYS}


def test_what_is_not_sealed_in_time_waits(ledger: Ledger) -> None:
    outcome = seal_days(ledger, KEY, sample.NOW, most_seconds=0)
    assert (outcome.days_sealed, outcome.days_waiting, outcome.is_signed) == (1, 3, True)
    while outcome.days_waiting:
        outcome = seal_days(ledger, KEY, sample.NOW, most_seconds=0)
    assert outcome.log_size == 4
    _is_whole(ledger)


def test_a_log_without_a_key_grows_and_is_signed_later(ledger: Ledger) -> None:
    assert not seal_days(ledger, None, sample.NOW).is_signed
    assert not (ledger.home / "seals/checkpoint").exists()
    assert seal_days(ledger, KEY, sample.NOW).is_signed
    _is_whole(ledger)


def test_files_that_a_crash_left_out_are_written_at_the_next_sealing(ledger: Ledger) -> None:
    seal_days(ledger, KEY, sample.NOW)
    shutil.rmtree(ledger.home / "seals")
    seal_days(ledger, KEY, sample.NOW)
    _is_whole(ledger)


def test_a_ledger_put_back_from_an_older_copy_signs_nothing(ledger: Ledger) -> None:
    seal_days(ledger, KEY, sample.NOW)
    kept = (ledger.home / "seals/checkpoint").read_bytes()
    with ledger.transaction() as cursor:
        for table in ("log_entries", "log_heads", "day_seals", "seal_secrets"):
            cursor.execute(f"DELETE FROM {table}")
    with pytest.raises(LogForked, match="older copy"):
        seal_days(ledger, KEY, sample.NOW)
    assert (ledger.home / "seals/checkpoint").read_bytes() == kept


def test_a_new_key_signs_the_same_log(ledger: Ledger) -> None:
    seal_days(ledger, KEY, sample.NOW)
    new = SigningKey.create(KEY.name)
    seal_days(ledger, new, sample.NOW)
    ledger.close()
    assert verifier.check(ledger.home, [verifier.PublicKey.parse(str(new.verifier))], [], jobs=1).damages == []
    assert verifier.check(ledger.home, [PUBLIC], [], jobs=1).exit_code == verifier.HEAD


def test_a_log_of_many_manifests_has_the_tiles_of_the_standard(ledger: Ledger) -> None:
    with ledger.transaction() as cursor:
        cursor.execute(
            "INSERT INTO slices SELECT slices.* REPLACE (day - CAST(number AS INTEGER) - 10 AS day) FROM slices, range(300) AS days(number) "
            "WHERE day = ?",
            [DAYS[3]],
        )
    seal_days(ledger, KEY, sample.NOW)
    earlier = (ledger.home / "seals/checkpoint").read_text()
    sample.seal(ledger, DAYS[3] + timedelta(days=1))
    seal_days(ledger, KEY, sample.NOW)
    tiles = ledger.home / "seals/tile"
    assert (tiles / "0/000").stat().st_size == 8192
    assert (tiles / "0/001.p/49").stat().st_size == 49 * 32
    assert (tiles / "1/000.p/1").stat().st_size == 32
    # What the fuller tiles hold too is gone, and an earlier head is still checked.
    files = sorted(str(path.relative_to(tiles)) for path in tiles.rglob("*") if path.is_file())
    assert files == ["0/000", "0/001.p/49", "1/000.p/1", "entries/000", "entries/001.p/49"]
    _is_whole(ledger)
    assert verifier.check(ledger.home, [PUBLIC], [earlier], jobs=1).damages == []


def _is_whole(ledger: Ledger) -> None:
    ledger.close()
    assert verifier.check(ledger.home, [PUBLIC], [], jobs=1).damages == []


def test_a_key_file_is_its_owner_s_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys/seal.key"
    made = create_key(path, "quayledger.test/log")
    assert path.stat().st_mode & 0o777 == 0o600
    assert str(read_key(path).verifier) == str(made.verifier)
    with pytest.raises(KeyUnusable, match="exists"):
        create_key(path, "quayledger.test/log")
    path.chmod(0o644)
    with pytest.raises(KeyUnusable, match="chmod"):
        read_key(path)
    path.chmod(0o600)
    path.write_bytes(b"PRIVATE+KEY+rubbish\xff")
    with pytest.raises(KeyUnusable) as refused:
        read_key(path)
    assert "rubbish" not in str(refused.value)
    with pytest.raises(KeyUnusable, match="cannot be read"):
        read_key(tmp_path / "none")
    with pytest.raises(KeyUnusable, match="name"):
        create_key(tmp_path / "other", "two words")
