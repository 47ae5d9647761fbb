"""What the terminal's tests share: the command as its user starts it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(home: Path, url: str = "", token: str = "", **more: str) -> dict[str, str]:
    """The caller's environment without settings of ours, and then these."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("QUAYLEDGER_")}
    given = {"QUAYLEDGER_HOME": str(home), "COLUMNS": "160", "PYTHONPATH": str(ROOT), **more}
    if url:
        given["QUAYLEDGER_SOURCES__MAIN__URL"] = url
        given["QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND"] = "1000"
        given["QUAYLEDGER_SOURCES__MAIN__RETRIES"] = "1"
    if token:
        given["QUAYLEDGER_SOURCES__MAIN__TOKEN"] = token
    return {**kept, **given}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("status", "--json", url=…, token=…)` in an empty folder; the ledger is `tmp_path / "ledger"`."""

    def start(*words: str, url: str = "", token: str = "", home: Path | None = None, **more: Any) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "quayledger", *words],
            env=environment(home or tmp_path / "ledger", url, token, **more.pop("env", {})),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            **more,
        )

    return start


def sources(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one source in a `--json` answer."""
    (source,) = json.loads(result.stdout)["sources"]
    return dict(source)
