"""What the command line's tests share: a command as its user starts it, and its environment."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from quayledger.cli import _output
from quayledger.cli._main import main

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(home: Path, url: str = "", token: str = "", **more: str) -> dict[str, str]:
    """The caller's environment without settings of ours, and then these."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("QUAYLEDGER_")}
    own = {"XDG_CONFIG_HOME": str(home.parent / "config")}  # `init` writes a key there
    given = {"QUAYLEDGER_HOME": str(home), "COLUMNS": "160", "PYTHONPATH": str(ROOT), **own, **more}
    if url:
        given["QUAYLEDGER_SOURCES__MAIN__URL"] = url
        given["QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND"] = "1000"
        given["QUAYLEDGER_SOURCES__MAIN__RETRIES"] = "1"
    if token:
        given["QUAYLEDGER_SOURCES__MAIN__TOKEN"] = token
    return {**kept, **given}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("status", "--json", url=…, token=…)`: the command in this process, in an empty folder, with its exit code and what it
    wrote; the ledger is `tmp_path / "ledger"`."""

    def start(*words: str, url: str = "", token: str = "", home: Path | None = None, **more: Any) -> Any:
        settings = environment(home or tmp_path / "ledger", url, token, **more.pop("env", {}))
        _output.out.width = _output.err.width = int(
            settings["COLUMNS"]
        )  # the consoles read it once, when they are made
        told, said = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
        with (
            mock.patch.dict(os.environ, settings, clear=True),
            mock.patch.object(sys, "argv", ["quayledger", *words]),
            mock.patch.object(sys, "stdin", io.StringIO(more.pop("input", ""))),
            contextlib.chdir(tmp_path),
            contextlib.redirect_stdout(told),
            contextlib.redirect_stderr(said),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        return subprocess.CompletedProcess(words, int(ended.value.code or 0), _text(told), _text(said))

    return start


def _text(written: io.TextIOWrapper) -> str:
    written.flush()
    written.seek(0)
    return written.read()


def sources(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one source in a `--json` answer."""
    (source,) = json.loads(result.stdout)["sources"]
    return dict(source)
