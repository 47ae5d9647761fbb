"""What reports on single events have in common: reading the events, and building the report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from quayledger.reports.formatting import visible
from quayledger.reports.log import period_view
from quayledger.reports.log.period_view import PeriodView
from quayledger.reports.model import Chart, Column, Metric, Note, Report, Table
from quayledger.reports.period import Period
from quayledger.warehouse.log import detection_inputs
from quayledger.warehouse.snapshot import Snapshot

TIME = Column("occurred_at", "Time", "time")
ACCOUNT = (Column("actor", "Account", "text"), Column("actor_type", "Type", "text"))
ORIGIN = (
    Column("ip", "IP address", "text"),
    Column("credential", "Credential", "text", "what the account used to sign in"),
    Column("user_agent", "User agent", "text"),
    Column("source_id", "Source", "text"),
    Column("event_id", "Event", "text"),
)
# How Quay names a value before a change, in its metadata.
_BEFORE = ("old_", "previous_", "original_")


def read_period(snapshot: Snapshot, period: Period, namespace: str | None, sources: tuple[str, ...]) -> PeriodView:
    """The period with its coverage; nothing is compared."""
    return period_view.read(snapshot, period, namespace=namespace, source_ids=sources, compare=False)


def events_of(view: PeriodView, kinds: Sequence[str]) -> pl.DataFrame:
    """The events of these kinds in the view's period, namespace and sources, newest first: the columns of
    `detection_inputs.events_of_kinds`."""
    period = view.period
    found = detection_inputs.events_of_kinds(view.snapshot, kinds, period.since, period.until, view.source_ids)
    if view.namespace is not None:
        found = found.filter(pl.col("namespace") == view.namespace)
    return found.sort("occurred_at", "event_id", descending=True)


def text(*names: str) -> pl.Expr:
    """The first of these fields of the metadata that is there, as text."""
    return pl.coalesce(pl.col("metadata").str.json_path_match(f"$['{name}']") for name in names)


def parsed(metadata: str | None) -> dict[str, Any]:
    """An event's metadata; {} where it is no JSON object."""
    try:
        found = json.loads(metadata or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def change_of(metadata: dict[str, Any]) -> tuple[str | None, str | None]:
    """What a change was from and to, as far as the event says: `old_name: a` and `new_name: b` are ("a", "b"); of several
    values each is named."""
    before: dict[str, Any] = {}
    for name, value in metadata.items():
        prefix = next((prefix for prefix in _BEFORE if name.startswith(prefix)), None)
        if prefix is not None and value is not None:
            before[name.removeprefix(prefix)] = value
    after = {name: metadata.get(f"new_{name}", metadata.get(name)) for name in before}
    return _said(before), _said({name: value for name, value in after.items() if value is not None})


def _said(values: dict[str, Any]) -> str | None:
    if len(values) == 1:
        return str(next(iter(values.values())))
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(values.items())) or None


def table(name: str, title: str, columns: Sequence[Column], rows: pl.DataFrame, top: int, *, empty: str) -> Table:
    """Rows under these columns; `top`: how many (0: all)."""
    frame = rows.select(column.name for column in columns)
    return Table(name, title, tuple(columns), frame.head(top) if top else frame, frame.height, empty=empty)


def nothing(view: PeriodView, what: str) -> str:
    """What an empty table means: that there was none is said only where the period is complete."""
    if view.coverage.level == "good":
        return f"No {what}: every day of the period is verified."
    return f"No {what} held for this period, but it is not complete: {view.coverage.text}."


def report(
    spec_id: str,
    title: str,
    view: PeriodView,
    *,
    metrics: Iterable[Metric],
    tables: Iterable[Table],
    notes: Iterable[Note],
    now: datetime | None,
    charts: Iterable[Chart] = (),
) -> Report:
    """A report on events of the view's period."""
    return Report(
        id=spec_id,
        title=title,
        generated_at=now or datetime.now(UTC),
        as_of=view.as_of,
        period=view.period,
        compared_with=None,
        parameters=tuple(one for one in view.parameters if one.label != "Compared with"),
        trust=view.coverage.trust,
        metrics=tuple(metrics),
        tables=tuple(tables),
        charts=tuple(charts),
        notes=(*view.notes, *notes),
    )


def unrecorded(snapshot: Snapshot, kinds: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Those of these kinds of which no event is held at all, whatever the period."""
    held = detection_inputs.kinds_held(snapshot, sources)
    return [kind for kind in kinds if kind not in held]


def named(kinds: Sequence[str]) -> str:
    """Kinds in a sentence."""
    return ", ".join(visible(kind) for kind in kinds)
