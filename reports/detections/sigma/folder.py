"""A folder of Sigma rules: read file by file, so that a broken one is named with its line and its reason and the others run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from quayledger.reports.detections.model import Fixture, Rule, Severity
from quayledger.reports.detections.sigma.judge import judge_correlation, judge_rule

MOST_FILES, MOST_BYTES = 2_000, 1_000_000
_SUFFIXES = (".yml", ".yaml")
_LEVELS = {
    "informational": Severity.INFO,
    "low": Severity.LOW,
    "medium": Severity.MEDIUM,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}
_TACTIC = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)")


class Problem(msgspec.Struct, frozen=True):
    """Why a rule of a file is not judged. `line`: 1 is the first; 0: not known."""

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.reason}"


class NoParams(msgspec.Struct, frozen=True):
    """A Sigma rule says all in its file."""


class Folder(msgspec.Struct, frozen=True):
    """The rules of a folder or file, and what of it cannot be judged."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    files: int


def read(path: Path) -> Folder:
    """Reads all `.yml` and `.yaml` files of a folder and those below it, or one file. Nothing of it is fetched from anywhere."""
    # pySigma takes half a second to load, and most installations have no such rules.
    from quayledger.reports.detections.sigma import parse

    problems: list[Problem] = []
    documents: list[parse.Document] = []
    files = list(_files(path, problems))
    for file in files:
        found, broken = parse.documents(file)
        documents += found
        problems += [Problem(file, line, reason) for line, reason in broken]
    made, broken_rules = parse.rules(documents)
    problems += [Problem(one.document.path, one.line, one.reason) for one in broken_rules]
    rules = tuple(_rule(one) for one in made)
    return Folder(rules, tuple(sorted(problems, key=lambda one: (str(one.path), one.line))), len(files))


def _files(path: Path, problems: list[Problem]) -> Iterator[Path]:
    if not path.exists():
        problems.append(Problem(path, 0, "there is no such file or folder"))
        return
    found = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.suffix.lower() in _SUFFIXES)
    if len(found) > MOST_FILES:
        problems.append(Problem(path, 0, f"more than {MOST_FILES:,} files; those after them are left out"))
    for file in found[:MOST_FILES]:
        try:
            size = file.stat().st_size
        except OSError as error:
            problems.append(Problem(file, 0, f"it cannot be read: {error.strerror}"))
            continue
        if size > MOST_BYTES:
            problems.append(Problem(file, 0, f"it is larger than {MOST_BYTES:,} bytes"))
        else:
            yield file


def _rule(one: Any) -> Rule:
    """A parsed rule as the engine knows rules."""
    judge = judge_rule if one.correlation is None else judge_correlation
    asked = one.condition if one.correlation is None else one.correlation
    return Rule(
        id=one.id,
        name=one.name,
        version=one.version,
        title=one.title,
        severity=_LEVELS[one.level],
        techniques=tuple(sorted({found[1].upper() for tag in one.tags if (found := _TACTIC.fullmatch(tag))})),
        kinds=(),
        params=NoParams,
        detect=lambda _inputs, _params: (),
        ask=partial(judge, asked, one.title, one.subject),
        description=one.description,
        false_positives="; ".join(one.false_positives),
        runbook="",
        fixtures=_NO_FIXTURES,
        lookback=timedelta(seconds=one.correlation.seconds if one.correlation else 0),
        origin=str(one.path),
    )


_NO_FIXTURES: tuple[Fixture, ...] = ()
