"""Invalidation: searches the events that came since the last time for what they made stale, and notes it. I/O: the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import polars as pl

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.stale import ChangedObject, StaleTarget, narrow, rename_of, stale_targets
from quayledger.collector.inventory.targets import Targets
from quayledger.warehouse.catalog import QUERY, Query
from quayledger.warehouse.catalog.event_effects import EFFECTS
from quayledger.warehouse.catalog.queries import repository_of
from quayledger.warehouse.inventory import held_objects, store
from quayledger.warehouse.inventory.changed_objects import changed_objects_since
from quayledger.warehouse.inventory.store import Stale

PAGE_ROWS = 100
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
    "client_id": "client_id",
    "old_name": "old_name",
    "new_name": "new_name",
}
_Changes = list[tuple[ChangedObject, datetime, int]]


class _Newest:
    """The newest event that makes a target stale."""

    def __init__(self) -> None:
        self.cause, self.at, self.events = "", _LONG_AGO, 0

    def note(self, cause: str, at: datetime, events: int) -> None:
        """So many events of this kind did, the newest of them then."""
        if at >= self.at:
            self.cause, self.at = cause, at
        self.events += events


def invalidate(run: InventoryRun, targets: Targets) -> int:
    """Notes what events of readings since the last time made stale; how many targets that is. The first time notes only
    where to begin: everything is read then anyway."""
    begun = store.cursor(run.ledger, run.source_id)
    if begun is None:
        _, newest = changed_objects_since(run.ledger, run.source_id, 0, (), None)
        store.mark_stale(run.ledger, run.source_id, (), newest, run.now())
        return 0
    frame, newest = changed_objects_since(
        run.ledger, run.source_id, begun, tuple(EFFECTS), run.now() - max(2 * run.period, _LONGEST_LOOK_BACK)
    )
    # What happened before anything was read is seen by whatever is read first.
    since = held_objects.first_fetch_at(run.ledger, run.source_id)
    changes = [
        (_changed(row), row["occurred_at"], row["events"])
        for row in frame.iter_rows(named=True)
        if since is None or row["occurred_at"] >= since
    ]
    _note_renames(run, changes)
    stale = _stale(run, changes, targets)
    store.mark_stale(run.ledger, run.source_id, stale, newest, run.now())
    return len(stale)


def _changed(row: dict[str, object]) -> ChangedObject:
    texts = {field: str(row[column] or "") for field, column in _TEXTS.items()}
    return ChangedObject(kind=str(row["kind"]), **texts)


def _note_renames(run: InventoryRun, changes: Iterable[tuple[ChangedObject, datetime, int]]) -> None:
    for changed, at, _ in changes:
        if (rename := rename_of(changed)) is not None:
            store.note_rename(
                run.ledger,
                run.source_id,
                rename.account_kind,
                rename.old_name,
                rename.new_name,
                at,
                changed.kind,
                run.run_id,
            )


def _stale(run: InventoryRun, changes: _Changes, targets: Targets) -> list[Stale]:
    current = held_objects.current_names(run.ledger, run.source_id)
    builds = _builds(run, {changed.build for changed, _, _ in changes if changed.build})
    found: dict[StaleTarget, _Newest] = defaultdict(_Newest)
    # Of queries that can be narrowed to one tag: the tags that events name, by query and repository.
    named: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    newest: dict[tuple[str, str], _Newest] = defaultdict(_Newest)
    for changed, at, events in changes:
        for one in stale_targets(changed, current, builds):
            query = QUERY[one.query]
            if not _applies(run, query) or _is_known(run, query, one.target, at):
                continue
            if query.narrowed_by:
                named[query.name][one.target].add(changed.tag)
                newest[query.name, one.target].note(changed.kind, at, events)
            else:
                found[one].note(changed.kind, at, events)
    for name, tags in named.items():
        for one in narrow(QUERY[name], tags, targets.rows_held.get(QUERY[name].paged_by, {}), PAGE_ROWS):
            found[one] = newest[name, one.target if one.query == name else one.target.rpartition(":")[0]]
    return [Stale(one.query, one.target, by.cause, by.at, by.events) for one, by in sorted(found.items())]


def _applies(run: InventoryRun, query: Query) -> bool:
    reachable = query.access in ("any", run.access) or query.anyone_on_event
    return reachable and query.name not in run.settings.leave_out


def _is_known(run: InventoryRun, query: Query, target: str, at: datetime) -> bool:
    """Whether what an event changed was read since: by the same query, or a wider one."""
    wider = [(one.query, repository_of(target) if one.part else "") for one in query.wider if one.whole]
    fetches = (run.known.get(place) for place in ((query.name, target), *wider))
    return any(one is not None and one.ok_at is not None and one.ok_at > at for one in fetches)


def _builds(run: InventoryRun, uuids: set[str]) -> dict[str, str]:
    """Which repository each build is of, as far as it is held."""
    if not uuids:
        return {}
    held = store.held(run.ledger, "builds", run.source_id)
    wanted = held.filter(pl.col("build_id").is_in(list(uuids)))
    return {row["build_id"]: f"{row['namespace']}/{row['repository']}" for row in wanted.iter_rows(named=True)}
