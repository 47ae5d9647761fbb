"""`quayledger serve` whose wall clock somebody else sets: `python -m tests.hardship.clocked_serve HOME PORT OFFSET_FILE`.

The file holds seconds, added to the true time wherever the service, the collector or APScheduler asks what time it is.
"""

from __future__ import annotations

import faulthandler
import logging
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apscheduler.schedulers.base
import apscheduler.triggers.date

from quayledger import settings
from quayledger.service import scheduler


def main(home: Path, port: int, offset_file: Path) -> None:
    """Serves until SIGTERM."""

    def offset() -> timedelta:
        return timedelta(seconds=float(offset_file.read_text() or 0))

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + offset()

    for module in (apscheduler.schedulers.base, apscheduler.triggers.date):
        module.datetime = Shifted

    def on_start(service: scheduler.Service) -> None:
        signal.signal(signal.SIGTERM, lambda *_: service.stop())

    faulthandler.register(signal.SIGUSR1)  # where every thread is, when it hangs
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    for noisy in ("apscheduler", "httpx"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    scheduler.open_and_serve(
        home,
        settings.load(home),
        on_start,
        address="127.0.0.1",
        port=port,
        now=lambda: datetime.now(UTC) + offset(),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
