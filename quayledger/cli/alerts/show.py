"""Show one alert: its evidence and every change."""

from __future__ import annotations

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import out, print_json
from quayledger.cli.alerts._desk import Number, open_desk, show_line
from quayledger.collector.log.days import utc_now
from quayledger.reports.desk import alerts
from quayledger.reports.formatting import visible


def command(number: Number, home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Raises BadDecision, DeskError."""
    with open_desk(home) as desk:
        alert = alerts.find_alert(desk, number, utc_now())
        events, changes = alerts.evidence(desk, number), alerts.history(desk, number)
    if as_json:
        print_json({"alert": alert, "evidence": events, "changes": changes})
        return
    show_line(alert)
    lines = [
        f"Subject   {alert.subject}",
        f"Events    {alert.events} from {alert.first_at:%Y-%m-%d %H:%M:%S} to {alert.last_at:%Y-%m-%d %H:%M:%S} UTC",
        f"Related   {', '.join(alert.related) or 'nothing'}",
        *([f"Caveat    {alert.caveat}"] if alert.caveat else []),
        *(
            f"Change    {one.changed_at:%Y-%m-%d %H:%M} {one.by_whom}: {one.what} {one.old} → {one.new} {one.note}"
            for one in changes
        ),
        f"Evidence  {' '.join(events) or 'no events'}",
    ]
    for line in lines:
        out.print(visible(line), markup=False, emoji=False)
