"""Judge the days that are new or changed, raise alerts, and notify.

While `quayledger serve` runs, it does this by itself."""

from __future__ import annotations

from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import err, out, print_json
from quayledger.collector.log.days import utc_now
from quayledger.reports.delivery import deliver
from quayledger.reports.desk import watch
from quayledger.reports.formatting import plural, visible


def command(home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Raises WarehouseError, DeskError."""
    settings = settings_room.load(home)
    deliver.begin(home, settings)
    with err.status("judging new and changed days"):
        done = watch.watch(home, utc_now())
    with err.status("notifying"):
        told = deliver.deliver(home, settings, utc_now)
    for target_id, failure in {**told.failures, **told.away}.items():
        err.print(f"[yellow]warning[/] {escape(target_id)}: {escape(visible(failure))}; it is tried again later")
    if as_json:
        print_json(done)
        return
    raised, grown = len(done.recorded.raised), len(done.recorded.grown)
    out.print(
        f"{done.days} day{'s' if done.days != 1 else ''} judged; {raised} new alert{'s' if raised != 1 else ''}, {grown} grew."
        + (f" {plural(told.sent, 'notification')} sent." if told.sent else "")
    )
