"""Why a list of events is empty: derived from what was asked, what is held and what is known: that nothing
happened is said only where every day is verified and every name is one that the record knows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from quayledger.reports import formatting
from quayledger.reports.formatting import plural, visible
from quayledger.reports.log import recording
from quayledger.reports.log.coverage import Coverage, measure
from quayledger.reports.period import Period
from quayledger.warehouse.log import events, known_names
from quayledger.warehouse.log.event_filter import EventFilter
from quayledger.warehouse.log.known_names import NamedField
from quayledger.warehouse.snapshot import Snapshot

# The filter's names, what people call them, and whether they are looked for among the names of the record.
_NAMED: dict[NamedField, str] = {
    "namespace": "namespace",
    "repository": "repository",
    "actor": "user or robot",
    "tag": "tag",
}
_OTHERS = {"ip": "IP address", "digest": "digest", "client": "client", "credential": "credential"}
_MOST_COMPARED = 20_000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def explain(snapshot: Snapshot, flt: EventFilter) -> tuple[str, ...]:
    """Sentences that say why no event of the published copy matches a filter, the most certain first. Never empty. Errors:
    WarehouseError."""
    as_of = snapshot.published.published_at
    coverage = _coverage(snapshot, flt, as_of)
    names = [*_unknown_sources(snapshot, flt), *_unknown_kinds(snapshot, flt), *_unknown_names(snapshot, flt)]
    gaps = [*_outside(flt, coverage, as_of), *_gaps(coverage, flt), *_missing(flt, coverage)]
    gaps += recording.unrecorded(snapshot, flt.kinds, flt.source_ids)
    if names or gaps:
        return ("No events match.", *names, *gaps)
    if coverage.level != "good":
        return ("No events match.", f"{coverage.text.capitalize()}; the other days may still bring some.")
    return (
        f"No events match, and all {plural(coverage.days_total, 'day')} of the period are verified: Quay's log has none.",
    )


def _coverage(snapshot: Snapshot, flt: EventFilter, as_of: datetime) -> Coverage:
    """How complete the days are that were asked for; where no first day was given, those since the record begins."""
    since = flt.since
    if since is None:
        days = events.list_sources(snapshot)["first_day"].drop_nulls()
        first = days.min()
        since = datetime.combine(first, datetime.min.time(), UTC) if first is not None else _LONG_AGO  # type: ignore[arg-type]
    until = max(flt.until or as_of, since + timedelta(seconds=1))
    return measure(snapshot, Period(since, until), as_of, flt.source_ids)


def _unknown_sources(snapshot: Snapshot, flt: EventFilter) -> list[str]:
    known = events.list_sources(snapshot)["source_id"].to_list()
    return [
        f"There is no source '{visible(name[:60])}'. Sources: {', '.join(known)}."
        for name in flt.source_ids
        if name not in known
    ]


def _unknown_kinds(snapshot: Snapshot, flt: EventFilter) -> list[str]:
    if not flt.kinds:
        return []
    known = known_names.known_kinds(snapshot)
    return [
        f"'{visible(name[:60])}' is not a kind of event that Quay is known to write.{_meant(name, known)}"
        for name in flt.kinds
        if name not in known
    ]


def _unknown_names(snapshot: Snapshot, flt: EventFilter) -> list[str]:
    """Of each name or address that no event of the record holds, whatever its day: that it is so, and what is like it."""
    said = []
    alone = EventFilter(source_ids=flt.source_ids)
    for field, label in (*_NAMED.items(), *_OTHERS.items()):
        value = getattr(flt, field)
        if value is None or events.exists(snapshot, msgspec.structs.replace(alone, **{field: value})):
            continue
        near = known_names.names(snapshot, field, _MOST_COMPARED) if field in _NAMED else []
        said.append(f"No event held here names the {label} '{visible(value[:200])}'.{_meant(value, near)}")
    return said


def _meant(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.6)
    return f" Did you mean {', '.join(visible(one) for one in near)}?" if near else ""


def _outside(flt: EventFilter, coverage: Coverage, as_of: datetime) -> list[str]:
    if flt.since is not None and flt.since >= as_of:
        return [f"The period is in the future: the data is as of {formatting.moment(as_of)}."]
    if not coverage.days_total and coverage.days_before:
        return ["The period is before collection began: nothing is known about it."]
    return []


def _gaps(coverage: Coverage, flt: EventFilter) -> list[str]:
    said, lacking = [], {gap.kind for gap in coverage.missing_events}
    # A day that lacks events of other kinds only says nothing about this question.
    concerned = not flt.kinds or not lacking or bool(lacking & set(flt.kinds))
    for number, what in (
        (coverage.days_unreadable, "are in a file that is missing or damaged"),
        (coverage.days_missing, "were not collected"),
        (coverage.days_short if concerned else 0, "lack events that Quay reports"),
        (coverage.days_uncountable, "could not be checked against a count from Quay"),
        (coverage.days_open, "are not closed yet"),
        (coverage.days_before if coverage.days_total else 0, "are before collection began"),
    ):
        if number:
            verb = what if number > 1 else _singular(what)
            said.append(f"{plural(number, 'day')} of the period {verb}.")
    if coverage.rejected_rows:
        said.append(f"{plural(coverage.rejected_rows, 'row')} of the period could not be read as events.")
    return said


def _singular(what: str) -> str:
    for many, one in (("were ", "was "), ("are ", "is "), ("lack ", "lacks ")):
        if what.startswith(many):
            return one + what.removeprefix(many)
    return what


def _missing(flt: EventFilter, coverage: Coverage) -> list[str]:
    """What of the kinds that were asked for is known to be missing."""
    lacking = [gap for gap in coverage.missing_events if not flt.kinds or gap.kind in flt.kinds]
    if not lacking:
        return []
    named = ", ".join(f"{visible(gap.kind)} {gap.events:,}" for gap in lacking[:5])
    return [f"Reported by Quay, missing here: {named}. Some of these may be what you are looking for."]
