"""Ways in which data leaves a command: standard output is data, standard error is narration."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:  # help and errors need no DuckDB
    from quayledger.warehouse.snapshot import Snapshot

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)
COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}


def warn_of_broken_files(snapshot: Snapshot) -> None:
    """Says of each file of closed days that is missing or changed what it holds: no answer has these events."""
    for fault in snapshot.faults:
        err.print(f"[yellow]warning[/] {escape(fault.describe(snapshot.home))}")


def print_json(value: object) -> None:
    """Writes a value as JSON to standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def write_out(pieces: Iterator[bytes], output: Path | None) -> None:
    """Writes to standard output, or to a file that appears complete or not at all."""
    if output is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            file.writelines(pieces)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    err.print(f"[green]written[/] {escape(str(output))}")
