"""One process at a time does a round of deliveries; another that comes meanwhile leaves it to that one. I/O."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def sole_process(lock: Path) -> Iterator[bool]:
    """Whether this process is the only one that holds the lock file; the system lets go of it when the process ends, however it
    ends. Raises OSError."""
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
