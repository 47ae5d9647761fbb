"""The help: of every command, quick because nothing is loaded for it, and completion that needs no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

import quayledger
from quayledger.cli._main import app
from tests.cli.conftest import ROOT, Run

LOADED = {"quayledger", "quayledger.cli", "quayledger.cli._main", "quayledger.cli._tree"}
HEAVY = {"apscheduler", "duckdb", "httpx", "msgspec", "polars", "pyarrow", "pydantic", "rich", "starlette", "streamlit"}


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, TyperGroup):
        context = Context(command)
        for name in command.list_commands(context):
            yield from commands(command.resolve_command(context, [name])[1], (*words, name))


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--version",), ()], ids=" ".join)
def test_help_loads_the_command_line_alone(words: tuple[str, ...]) -> None:
    code = (
        "import atexit, sys; from quayledger.cli._main import main; "
        "atexit.register(lambda: print('loaded:', *sys.modules)); main()"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
    names = set(done.stdout.partition("loaded:")[2].split())
    assert {name for name in names if name.partition(".")[0] == "quayledger"} == LOADED
    assert HEAVY & names == set()


def test_every_command_has_a_help_that_fits_80_columns(run: Run) -> None:
    found = list(commands(get_command(app)))
    assert ("inventory", "list") in found
    assert ("report", "usage") in found
    for words in found:
        shown = run(*words, "-h", env={"COLUMNS": "80"})
        assert shown.returncode == 0, words
        assert max(map(len, shown.stdout.splitlines())) <= 80, words
        assert not re.search(r"[a-z,;]\.\.\.$", shown.stdout, re.MULTILINE), f"a first sentence is cut: {words}"


def test_the_version_is_the_package_s(run: Run) -> None:
    assert run("--version").stdout == f"quayledger {quayledger.__version__}\n"


def test_a_shell_completes_commands_without_running_them() -> None:
    asked = {"_QUAYLEDGER_COMPLETE": "complete_bash", "COMP_WORDS": "quayledger inventory s", "COMP_CWORD": "2"}
    command = [sys.executable, "-m", "quayledger"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | asked, capture_output=True, text=True)
    assert done.stdout.split() == ["show", "sync"]
