"""List the targets of notifications: what they take, what waits, and how the last message ended."""

from __future__ import annotations

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import out, print_json
from quayledger.cli.alerts._desk import open_desk
from quayledger.reports.delivery.notify_targets import TargetLine, target_lines
from quayledger.reports.formatting import moment, plural, visible


def command(home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Raises DeskError."""
    settings = settings_room.load(home)
    with open_desk(home) as desk:
        lines = target_lines(desk, settings)
    if as_json:
        print_json(lines)
        return
    for line in lines:
        _show(line)
    if not lines:
        out.print("No targets are set; docs/notifications.md says how.")


def _show(line: TargetLine) -> None:
    told = [f"{line.target}  {line.service}, {line.takes}"]
    told.append(
        f"    {plural(line.waiting, 'alert')} waiting, {line.sent:,} sent; last sent {moment(line.last_sent_at)}"
    )
    if line.last_failure:
        told.append(f"    failed {plural(line.failures, 'time')} in a row: {visible(line.last_failure)}")
        told.append(f"    next try {moment(line.next_try_at)}")
    out.print("\n".join(told), markup=False, emoji=False)
