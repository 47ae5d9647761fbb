"""The object report: what one object is, who may do what with it, and its history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from quayledger.reports import formatting
from quayledger.reports.inventory import accounts, organizations, repositories, tags
from quayledger.reports.inventory.accounts import Found
from quayledger.reports.inventory.inventory_query import TICK, Asked, Drawn, fetch_states_by, moment_of
from quayledger.reports.inventory.kinds import Fate, KindParam, Subject, find, kind_of, parse
from quayledger.reports.inventory.kinds import names as names_of
from quayledger.reports.inventory.knowledge import explain, summed_up
from quayledger.reports.model import Note, Parameter, Report, Table
from quayledger.reports.period import AsOf
from quayledger.reports.spec import AsOfParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.inventory.renames import renames
from quayledger.warehouse.log import events as sources
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "inventory"
TITLE = "Inventory of an object"
_BUILDERS: dict[str, Callable[[Asked, Subject, Sequence[Fate]], Found]] = {
    "user": accounts.user,
    "robot": accounts.robot,
    "team": organizations.team,
    "repository": repositories.repository,
    "organization": organizations.organization,
    "tag": tags.tag,
}


class ObjectParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked about one object."""

    kind: KindParam
    name: Annotated[
        str, Meta(description="alice, acme+ci, acme/developers, acme/web, acme or acme/web:latest, by the kind.")
    ]
    as_of: AsOfParam = None
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: ObjectParams, *, now: datetime | None = None) -> Report:
    """One object as it was at the end of a UTC day (None or today: now). An object that was deleted before then is shown
    in its last state.

    Tables by kind; each says in its `note` what of it is unknown, since when and why. Raises UnknownObject with the nearest
    names, BadPeriod, WarehouseError."""
    now = now or datetime.now(UTC)
    name, source_ids = params.name, params.sources
    subject = parse(params.kind, name)
    period, at = moment_of(snapshot, params.as_of, now)
    fates = find(snapshot, subject, source_ids, at)
    asked = asked_about(snapshot, period, at, fates, several=_are_several(snapshot, source_ids), top=params.top)
    metrics, drawn = _BUILDERS[subject.kind.name](asked, subject, fates)
    fate = _fate_notes(asked, subject, fates)
    return Report(
        id=REPORT_ID,
        title=subject.title,
        generated_at=now,
        as_of=snapshot.published.published_at,
        period=period,
        compared_with=None,
        parameters=(
            Parameter("State", period.label),
            Parameter(subject.kind.title, name),
            Parameter("Source", ", ".join(asked.source_ids)),
        ),
        trust=summed_up([part for one in drawn for part in one.parts]).trust,
        metrics=tuple(metrics),
        tables=_tables(drawn, fate),
        charts=(),
        notes=(*fate, *_notes(asked, drawn)),
    )


def asked_about(
    snapshot: Snapshot, period: AsOf, at: datetime | None, fates: Sequence[Fate], *, several: bool, top: int
) -> Asked:
    """The question; of what is there no more, as of the last instant of its life."""
    ends = [fate.gone_at for fate in fates if fate.gone_at]
    if len(ends) == len(fates):
        at = max(ends) - TICK
    found_in = tuple(fate.source_id for fate in fates)
    return Asked(snapshot, period, at, found_in, several, fetch_states_by(snapshot, at, found_in), top)


def names(
    snapshot: Snapshot,
    kind: str,
    *,
    as_of: date | None = None,
    source_ids: tuple[str, ...] = (),
    limit: int = 0,
    now: datetime | None = None,
) -> list[str]:
    """The names that may be asked for: of the objects of a kind at the end of a UTC day; at most `limit` (0: all). Raises
    UnknownObject for another kind, BadPeriod, WarehouseError."""
    _, at = moment_of(snapshot, as_of, now or datetime.now(UTC))
    return names_of(snapshot, kind_of(kind), at, source_ids, limit)


def _tables(drawn: Sequence[Drawn], fate: Sequence[Note]) -> tuple[Table, ...]:
    """The tables; the first says what became of the object."""
    first, *others = (one.table for one in drawn)
    told = [note.text for note in fate if note.level == "warning"]
    note = " ".join([*told, *([first.note] if first.note else [])])
    return (msgspec.structs.replace(first, note=note), *others)


def _are_several(snapshot: Snapshot, source_ids: Sequence[str]) -> bool:
    return len(source_ids) != 1 and sources.list_sources(snapshot).height > 1


def _fate_notes(asked: Asked, subject: Subject, fates: Sequence[Fate]) -> list[Note]:
    """Whether it was there at the moment, and what else it is or was called."""
    notes = [_fate(asked, fate) for fate in fates]
    for rename in renames(asked.snapshot, asked.source_ids):
        when = formatting.moment(rename.renamed_at)
        if rename.old_name == subject.namespace:
            now_called = rename.now_called + subject.name[len(rename.old_name) :]
            notes.append(
                Note("warning", f"{rename.old_name} was renamed to {rename.new_name} on {when}: see {now_called}.")
            )
        elif rename.new_name == subject.namespace:
            notes.append(Note("info", f"{rename.new_name} was called {rename.old_name} until {when}."))
    return [note for note in notes if note is not None]


def _fate(asked: Asked, fate: Fate) -> Note | None:
    where = f"{fate.source_id}: " if asked.several else ""
    if fate.gone_at:
        after = f", after {formatting.moment(fate.gone_after_at)}" if fate.gone_after_at else ""
        shown = " This is its last state." if fate.gone_at > asked.moment else ""
        return Note("warning", f"{where}Removed {formatting.moment(fate.gone_at)}{after}.{shown}")
    if fate.begun_at and fate.begun_at > asked.moment:
        after = (
            f"it was added after {formatting.moment(fate.begun_after_at)}" if fate.begun_after_at else "it may be older"
        )
        return Note(
            "warning",
            f"{where}First seen {formatting.moment(fate.begun_at)}, after the requested day: {after}.",
        )
    return None


def _notes(asked: Asked, drawn: Sequence[Drawn]) -> list[Note]:
    """What is unknown, once each; and how to read the rest."""
    told = dict.fromkeys(explain(part, asked.several) for one in drawn for part in one.parts)
    notes = [Note("warning", sentence) for sentence in told if sentence]
    notes.append(
        Note("info", "Since: when a thing is first known to have held; what the first reading found may be older.")
    )
    notes.append(
        Note(
            "info",
            "The registry is read part by part: a change is dated between the two readings that it lies between.",
        )
    )
    return notes


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="One object: what it is, who may do what with it, when it was last used, its history, and what is unknown.",
    audience=("security", "compliance"),
    params=ObjectParams,
    build=build,
    page="inventory",
)
