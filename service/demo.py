"""The demo: a stand-in Quay in a process of its own, and the settings to collect from it. Needs no network and no Quay."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec
from pydantic import SecretStr

from quayledger.settings import (
    CollectSettings,
    InventorySettings,
    SealSettings,
    Settings,
    SourceSettings,
    explain_os_error,
)
from quayledger.warehouse.ledger import holder

_READY_WAIT_S = 90.0
_MARK = "demo"
_OLDER_DAYS = 2


class DemoError(Exception):
    """The demo cannot start; the message says why and what to do."""


class StandIn(msgspec.Struct, frozen=True):
    """A running stand-in: its address and its tokens by role."""

    url: str
    tokens: dict[str, str]


def fresh_home(home: Path) -> None:
    """Makes an empty folder for the demo, since every stand-in is a new registry. Empties only a folder that a demo made.

    Raises DemoError for any other folder that is not empty, and for one in which a demo still runs."""
    if home.exists() and any(home.iterdir()):
        if not (home / _MARK).exists():
            raise DemoError(f"{home} is not empty and was not made by the demo. Choose another folder with --home")
        if (held_by := holder(home)) is not None:
            raise DemoError(
                f"a demo is still running in {home} (process {held_by.pid}). Stop it, or choose another folder with --home"
            )
        shutil.rmtree(home)
        key_file_of(home).unlink(missing_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    (home / _MARK).touch()


@contextlib.contextmanager
def stand_in(events: int, days: int, seed: int, now: datetime) -> Iterator[StandIn]:
    """Starts a stand-in whose clock shows `now`, waits until it listens, and stops it at the end. `days` are collected; the
    stand-in has older ones too, like any registry that is not brand-new, so that the first collected day can be proven complete."""
    with tempfile.TemporaryDirectory(prefix="quayledger-demo-") as folder:
        ready = Path(folder) / "ready.json"
        arguments = ["--port", "0", "--events", str(events), "--days", str(days + _OLDER_DAYS), "--seed", str(seed)]
        arguments += ["--now", now.isoformat()]
        process = subprocess.Popen(
            [sys.executable, "-m", "quayledger.simulator", *arguments, "--with-parent", "--ready-file", str(ready)],
            stdout=subprocess.DEVNULL,
        )
        try:
            yield _wait(process, ready)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def plant_changes(quay: StandIn, since: datetime, until: datetime) -> int:
    """Changes the stand-in's registry as people change one (accounts, permissions, tags, policies), spread over a period.
    Returns how many objects changed. Raises DemoError."""
    return len(_control(quay, "changes", {"since": since.isoformat(), "until": until.isoformat()}))


def set_clock(quay: StandIn, now: datetime) -> None:
    """Sets the stand-in's clock. Raises DemoError."""
    _control(quay, "clock", {"now": now.isoformat()})


def _control(quay: StandIn, what: str, wish: dict[str, str]) -> Any:
    request = Request(  # noqa: S310 - the stand-in on loopback
        f"{quay.url}/__simulator__/{what}", json.dumps(wish).encode(), {"content-type": "application/json"}
    )
    try:
        with urlopen(request, timeout=_READY_WAIT_S) as reply:  # noqa: S310 - the stand-in on loopback
            return json.load(reply)
    except (OSError, ValueError) as error:
        why = explain_os_error(error) if isinstance(error, OSError) else str(error)
        raise DemoError(f"the stand-in Quay did not accept a control call: {why}") from None


def key_file_of(home: Path) -> Path:
    """Where a demo keeps the key that signs its log: beside its folder, because a key inside would prove nothing."""
    return home.resolve().with_name(home.resolve().name + ".key")


def demo_settings(quay: StandIn, days: int, key_file: Path | None = None) -> Settings:
    """Settings for the stand-in: the superuser's log of the whole registry, at a rate that no real Quay should be given."""
    source = SourceSettings(
        url=quay.url,
        name="Demo registry",
        token=SecretStr(quay.tokens["superuser"]),
        requests_per_second=500,
        chains=4,
    )
    return Settings.model_construct(
        **{
            **dict(Settings.model_construct()),
            "sources": {"demo": source},
            "collect": CollectSettings(backfill_days=days, settle_seconds=0),
            "inventory": InventorySettings(settle_hours=0),
            "seal": SealSettings(key_file=key_file),
        }
    )


def _wait(process: subprocess.Popen[bytes], ready: Path) -> StandIn:
    deadline = time.monotonic() + _READY_WAIT_S
    while time.monotonic() < deadline:
        if ready.exists():
            described = json.loads(ready.read_text(encoding="utf-8"))
            return StandIn(described["url"], described["tokens"])
        if process.poll() is not None:
            raise DemoError(f"the stand-in Quay exited at once with code {process.returncode}")
        time.sleep(0.05)
    raise DemoError(f"the stand-in Quay was not ready within {_READY_WAIT_S:.0f} s")
