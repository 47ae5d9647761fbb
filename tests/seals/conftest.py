"""What the tests of seals share: a sealed, signed and published ledger, made once a module and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from quayledger.verifier import PublicKey
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.close import close_days
from quayledger.warehouse.publish import publish
from quayledger.warehouse.schema import SliceState
from quayledger.warehouse.seals.note import SigningKey
from quayledger.warehouse.seals.seal import seal_days
from tests.warehouse import sample

KEY = SigningKey("quayledger.test/log", bytes(range(32)))
PUBLIC = PublicKey.parse(str(KEY.verifier))
HOSTILE = 'a"\\\n\t\x1b\x01 é \U0001f9ed'
DAYS = [sample.DAY + timedelta(days=number) for number in range(4)]
TODAY = sample.NOW.date()


def fill(ledger: Ledger) -> None:
    """Three days of several kinds, one of them with hostile text, and one without events."""
    for day in DAYS[:3]:
        sample.store(ledger, sample.busy_day(day), day=day)
        sample.seal(ledger, day)
    sample.store(ledger, [sample.event(7, "create_repo", day=DAYS[1], tag=HOSTILE, metadata="{}")], day=DAYS[1])
    sample.seal(ledger, DAYS[1])
    sample.seal(ledger, DAYS[3], state=SliceState.VERIFIED)


@pytest.fixture(scope="module")
def sealed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that nobody may change."""
    home = tmp_path_factory.mktemp("sealed") / "ledger"
    with Ledger.open(home, command="test") as ledger:
        sample.begin(ledger)
        fill(ledger)
        # Sealed in the live file, then closed into a file; a late event of the first day is a correction with a manifest of its own.
        seal_days(ledger, None, sample.NOW)
        close_days(ledger, TODAY, 10)
        sample.store(ledger, [sample.event(50_000, "pull_repo", day=DAYS[0], ip="10.9.9.9")], day=DAYS[0])
        sample.seal(ledger, DAYS[0], state=SliceState.REPAIRED)
        seal_days(ledger, KEY, sample.NOW)
        publish(ledger, keep=2, now=sample.NOW)
    return home


@pytest.fixture
def sealed(sealed_once: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of that ledger."""
    home = tmp_path / "ledger"
    shutil.copytree(sealed_once, home)
    yield home
