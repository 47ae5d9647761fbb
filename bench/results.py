"""The bench's notebook: tables on the terminal, and the same tables in `bench/RESULTS.md`, a section a bench."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bench.measure import busy, machine

FILE = Path(__file__).with_name("RESULTS.md")
_HEAD = """# Results of the benches

Written by `python -m bench [NAME …]`; each section is the newest run of that bench. Read the ratios: both sides of each were
measured in one run, one after the other, on one machine. Absolute times are no promise; they depend on the machine and on
what else it does.
"""


class Table(NamedTuple):
    """One table: its title, the heads of its columns, its rows as they are shown, and what to know about it."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def show(table: Table) -> None:
    """Prints a table in columns."""
    lines = [list(table.heads), *(list(row) for row in table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.heads))]
    print(f"\n{table.title}")
    for line in lines:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    for note in table.notes:
        print(f"  - {note}")


def record(name: str, intro: str, tables: Sequence[Table], file: Path = FILE) -> None:
    """Prints the tables and writes them as the section of that bench, in the place of its older one."""
    for table in tables:
        show(table)
    sections = _sections(file)
    sections[name] = _section(name, intro, tables)
    file.write_text(_HEAD + "".join(f"\n{sections[key]}" for key in sorted(sections)), encoding="utf-8")


def _sections(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    _, *parts = re.split(r"(?m)^(?=## )", file.read_text(encoding="utf-8"))
    return {part.splitlines()[0].removeprefix("## "): part.rstrip() + "\n" for part in parts}


def _section(name: str, intro: str, tables: Sequence[Table]) -> str:
    lines = [f"## {name}", "", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {machine()}; {busy()}.", "", intro]
    for table in tables:
        lines += ["", f"**{table.title}**", "", _row(table.heads), _row(["---"] * len(table.heads))]
        lines += [_row(row) for row in table.rows]
        lines += [""] * bool(table.notes) + [f"- {note}" for note in table.notes]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
