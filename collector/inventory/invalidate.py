"""Causing: looks through the events that came since the last time, and notes which looks they ask for. I/O: the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import polars as pl

from quayledger.collector.inventory.event_effects import (
    EFFECTS,
    TOLD_BY,
    Asked,
    Cause,
    asked_by,
    narrow_tags,
    rename_of,
)
from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.queries import LOOK, repository_of
from quayledger.collector.inventory.targets import Universe, current_names
from quayledger.warehouse.inventory import store
from quayledger.warehouse.inventory.changed_objects import causes_since
from quayledger.warehouse.inventory.store import Wanted

TAG_PAGE_ROWS = 100
_LONGEST_LOOK_BACK = timedelta(days=62)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS = {
    "namespace": "namespace",
    "named": "named",
    "repository": "repository",
    "tag": "tag",
    "digest": "digest",
    "team": "team",
    "robot": "robot",
    "username": "username",
    "build": "build_uuid",
    "old_name": "old_name",
    "new_name": "new_name",
}


class _Newest:
    """The newest event that asks for a look."""

    def __init__(self) -> None:
        self.cause, self.at, self.events = "", _LONG_AGO, 0

    def note(self, cause: str, at: datetime, events: int) -> None:
        """So many events of this kind asked, the newest of them then."""
        if at >= self.at:
            self.cause, self.at = cause, at
        self.events += events


def note_causes(run: InventoryRun, universe: Universe) -> int:
    """Notes what events of readings since the last time ask for; how many looks that is. The first time notes only where
    to begin: everything is read then anyway."""
    begun = store.cursor(run.ledger, run.source_id)
    if begun is None:
        _, newest = causes_since(run.ledger, run.source_id, 0, (), None)
        store.want_looks(run.ledger, run.source_id, (), newest, run.now())
        return 0
    frame, newest = causes_since(
        run.ledger, run.source_id, begun, tuple(EFFECTS), run.now() - max(2 * run.period, _LONGEST_LOOK_BACK)
    )
    # What happened before the first look is seen by whatever look comes first.
    since = _first_look(run)
    causes = [
        (_cause(row), row["occurred_at"], row["events"])
        for row in frame.iter_rows(named=True)
        if since is None or row["occurred_at"] >= since
    ]
    _note_renames(run, causes)
    wanted = _wanted(run, causes, universe)
    store.want_looks(run.ledger, run.source_id, wanted, newest, run.now())
    return len(wanted)


def _cause(row: dict[str, object]) -> Cause:
    texts = {field: str(row[column] or "") for field, column in _TEXTS.items()}
    return Cause(kind=str(row["kind"]), **texts)


def _note_renames(run: InventoryRun, causes: Iterable[tuple[Cause, datetime, int]]) -> None:
    for cause, at, _ in causes:
        if (rename := rename_of(cause)) is not None:
            store.note_rename(
                run.ledger,
                run.source_id,
                rename.account_kind,
                rename.old_name,
                rename.new_name,
                at,
                cause.kind,
                run.run_id,
            )


def _wanted(run: InventoryRun, causes: list[tuple[Cause, datetime, int]], universe: Universe) -> list[Wanted]:
    current = current_names(run.ledger, run.source_id)
    builds = _builds(run, {cause.build for cause, _, _ in causes if cause.build})
    found: dict[Asked, _Newest] = defaultdict(_Newest)
    tags: dict[str, set[str]] = defaultdict(set)
    newest_tag: dict[str, _Newest] = defaultdict(_Newest)
    for cause, at, events in causes:
        for asked in asked_by(cause, current, builds):
            if not _applies(run, asked.look) or _is_told(run, asked, at):
                continue
            if asked.look == "tags":
                tags[asked.target].add(cause.tag)
                newest_tag[asked.target].note(cause.kind, at, events)
            else:
                found[asked].note(cause.kind, at, events)
    for asked in narrow_tags(tags, universe.tag_rows, TAG_PAGE_ROWS):
        found[asked] = newest_tag[asked.target if asked.look == "tags" else asked.target.rpartition(":")[0]]
    return [Wanted(one.look, one.target, by.cause, by.at, by.events) for one, by in sorted(found.items())]


def _applies(run: InventoryRun, look: str) -> bool:
    kind = LOOK[look]
    # A superuser's list is the whole registry's: one namespace of it is read by its own list.
    reachable = kind.access in ("any", run.access) or look == "namespace_repositories"
    return reachable and look not in run.settings.leave_out


def _is_told(run: InventoryRun, asked: Asked, at: datetime) -> bool:
    """Whether a look since the event has seen what it changed: the same one, or a wider one."""
    wider = [(look, repository_of(asked.target) if part else "") for look, part in TOLD_BY.get(asked.look, ())]
    known = (run.known.get(place) for place in ((asked.look, asked.target), *wider))
    return any(one is not None and one.ok_at is not None and one.ok_at > at for one in known)


def _first_look(run: InventoryRun) -> datetime | None:
    rows = run.ledger.rows(
        "SELECT min(first_ok_at) FROM looks WHERE source_id = ? AND first_ok_at IS NOT NULL", [run.source_id]
    )
    return rows[0][0] if rows else None


def _builds(run: InventoryRun, uuids: set[str]) -> dict[str, str]:
    """Which repository each build is of, as far as it is held."""
    if not uuids:
        return {}
    held = store.held(run.ledger, "builds", run.source_id)
    wanted = held.filter(pl.col("build_id").is_in(list(uuids)))
    return {row["build_id"]: f"{row['namespace']}/{row['repository']}" for row in wanted.iter_rows(named=True)}
