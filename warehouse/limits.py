"""How much memory and disk DuckDB may take, and where it spills. I/O: the settings file, the ledger's folder.

DuckDB's default is to spill beside the file it opened, without a limit: a reader would fill `published/`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

import duckdb
import msgspec

from quayledger.settings import SettingsError, load

SPILL_FOLDER = "spill"
_PROCESS = uuid.uuid4().hex[:8]
_STALE_S = 86_400


class Limits(msgspec.Struct, frozen=True):
    """Limits of one process: main memory, and bytes spilled to disk."""

    memory_mb: int = 1024
    spill_gb: int = 20


def limits_of(home: Path) -> Limits:
    """The limits in the settings of the ledger in `home`; the defaults where the settings cannot be read, since a reader
    need not stop for a fault in them."""
    try:
        found = load(home).duckdb
    except (SettingsError, OSError):
        return Limits()
    return Limits(found.memory_mb, found.spill_gb)


def connection_config(home: Path) -> dict[str, str | bool | int | float | list[str]]:
    """The configuration of every connection of this process; DuckDB refuses two of one file that differ."""
    # Air-gapped hosts: an extension that is not built in is an error, never something to download.
    return {"autoinstall_known_extensions": "false", "temp_directory": str(_spill_folder(home))}


def apply(connection: duckdb.DuckDBPyConnection, limits: Limits) -> None:
    """Sets the limits for the whole database instance."""
    connection.execute(f"SET GLOBAL memory_limit = '{limits.memory_mb}MiB'")
    connection.execute(f"SET GLOBAL max_temp_directory_size = '{limits.spill_gb}GiB'")


def remove_stale_spill(home: Path) -> None:
    """Removes what processes that were killed have spilled. DuckDB removes its own folder when it closes; a folder that
    was not written for a day is nobody's any more."""
    for path in (home / SPILL_FOLDER).glob("*"):
        with contextlib.suppress(OSError):
            newest = max((item.stat().st_mtime for item in (path, *path.glob("*"))), default=0.0)
            if newest < time.time() - _STALE_S:
                shutil.rmtree(path, ignore_errors=True)


def _spill_folder(home: Path) -> Path:
    """A folder of this process alone: DuckDB's file names are the same in each. A reader who may not write in the ledger's
    folder spills into the system's temporary folder."""
    name = f"{os.getpid()}-{_PROCESS}"
    folder = home.resolve() / SPILL_FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir())
        name = f"quayledger-spill-{name}"
    return folder / name
