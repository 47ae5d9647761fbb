"""Who may do what, as one table, for a report that is about more than the inventory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from quayledger.reports.inventory.common import access
from quayledger.reports.inventory.kinds import find, parse
from quayledger.reports.inventory.object_report import asked_about
from quayledger.reports.inventory.repositories import access_to
from quayledger.reports.model import Table
from quayledger.reports.period import AsOf
from quayledger.warehouse.snapshot import Snapshot


def access_table(
    snapshot: Snapshot, kind: str, name: str, *, source_ids: Sequence[str], several: bool, top: int, now: datetime
) -> Table:
    """What a user or robot may do now, whatever the way, or who may do what with a repository. What of it is unknown is in the
    table's `note`. Raises UnknownObject, NotPublished (the copy is older than the inventory), WarehouseError."""
    subject = parse(kind, name)
    fates = find(snapshot, subject, source_ids, None)
    asked = asked_about(snapshot, AsOf.at(now), None, fates, several=several, top=top)
    drawn = access_to(asked, subject) if kind == "repository" else access(asked, kind, name)
    return drawn.table
