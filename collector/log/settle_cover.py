"""Determines the cover that a run works under, and records a new one if it changed."""

from __future__ import annotations

from datetime import date

from quayledger.collector.log.cover import find_access, next_cover, parse_scopes, widen
from quayledger.collector.log.source_run import SourceRun
from quayledger.warehouse import sources
from quayledger.warehouse.log import slices


async def settle_cover(run: SourceRun, first: date) -> None:
    """Uses the scopes of the settings, else the cover on record, found anew in the first run of each UTC day."""
    run.state.covers = sources.covers(run.ledger, run.source_id)
    today = run.now().date()
    if run.source.scopes:
        scopes, reason = parse_scopes(run.source_id, run.source.scopes), "set"
    elif run.state.covers and not _may_grow(run, today):
        return
    else:
        access = await find_access(run.client, today)
        scopes, reason = widen(run.state.covers, access.scopes), "found"
    if row := next_cover(run.state.covers, scopes, today, first, reason):
        sources.add_cover(run.ledger, run.source_id, row)
        run.state.covers = sources.covers(run.ledger, run.source_id)
        run.state.notes.append(f"cover {row.version} from {row.from_day}: {', '.join(row.scopes)}")


def _may_grow(run: SourceRun, today: date) -> bool:
    """A superuser's cover cannot grow; any other may, when the account is given more."""
    if run.state.covers[-1].scopes == ("superuser",):
        return False
    return today not in slices.slices(run.ledger, run.source_id, today, today)
