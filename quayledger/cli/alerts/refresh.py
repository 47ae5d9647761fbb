"""Judge the days that are new or changed, and raise alerts."""

from __future__ import annotations

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import err, out, print_json
from quayledger.collector.log.days import utc_now
from quayledger.reports.desk import watch


def command(home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Raises WarehouseError, DeskError."""
    with err.status("judging new and changed days"):
        done = watch.watch(home, utc_now())
    if as_json:
        print_json(done)
        return
    raised, grown = len(done.recorded.raised), len(done.recorded.grown)
    out.print(
        f"{done.days} day{'s' if done.days != 1 else ''} judged; {raised} new alert{'s' if raised != 1 else ''}, {grown} grew."
    )
