"""What the service that holds a ledger is about to do, for readers in other processes, and its sign of life for commands that
wait for it. I/O on one small file of the ledger's folder, replaced whole."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from pathlib import Path

import msgspec

from quayledger.warehouse.ledger import holder

STATUS_NAME = "service.json"


class ServiceStatus(msgspec.Struct, frozen=True):
    """What a running service says of itself. `since`: when it began to serve, after it took the ledger; `busy`: a job runs
    now; `next_runs`: by job, when it runs next. Times are aware UTC."""

    pid: int
    since: datetime
    busy: bool
    next_runs: dict[str, datetime]


def write(home: Path, status: ServiceStatus) -> None:
    """Replaces the status; readers see the one before or this one, never half of it. Raises OSError."""
    path = home / STATUS_NAME
    unfinished = path.with_name(f".{STATUS_NAME}.{os.getpid()}")
    try:
        unfinished.write_bytes(msgspec.json.encode(status))
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def beat(home: Path) -> None:
    """Says that the service still works: touches the file, which a full disk does not prevent. Raises OSError."""
    os.utime(home / STATUS_NAME)


def last_beat(home: Path) -> int:
    """A number that changes with each beat and each new status; 0 where there is none. Only its change means something: the
    two processes may not agree on the time."""
    try:
        return (home / STATUS_NAME).stat().st_mtime_ns
    except OSError:
        return 0


def read(home: Path) -> ServiceStatus | None:
    """The status of the service that holds the ledger now; None where there is none, it cannot be read, or the process that
    wrote it holds the ledger no more."""
    try:
        status = msgspec.json.decode((home / STATUS_NAME).read_bytes(), type=ServiceStatus)
        held = holder(home)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None
    # In containers every service is process 1: a status older than the hold is that of one before.
    if held is None or held.pid != status.pid or status.since.tzinfo is None or status.since < held.since:
        return None
    return status
