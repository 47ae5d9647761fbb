"""Check your own Sigma rules and the settings of all rules.

Ends with exit code 1 where a rule cannot be judged: each is named with its file, line and reason. Nothing is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import out, print_json
from quayledger.reports.detections import rulebook
from quayledger.reports.detections.sigma.folder import read


def command(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="A file or folder of Sigma rules (default: `detections.sigma`)."),
    ] = None,
    home: Home = settings_room.DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Raises ConfigError."""
    book = rulebook.with_settings({}, read(path)) if path is not None else rulebook.of_home(home)
    problems = rulebook.problems(book)
    if as_json:
        found = [{"path": str(one.path), "line": one.line, "reason": one.reason} for one in book.sigma.problems]
        print_json({"rules": [rule.id for rule in book.sigma.rules], "problems": found, "settings": dict(book.broken)})
    else:
        for text in problems:
            out.print(text, markup=False, soft_wrap=True)
        rules, files = len(book.sigma.rules), book.sigma.files
        out.print(
            f"{files} file{'' if files == 1 else 's'}, {rules} Sigma rule{'' if rules == 1 else 's'}, "
            f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        )
    if problems:
        raise typer.Exit(1)
