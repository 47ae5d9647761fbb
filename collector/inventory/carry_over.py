"""Carry-over: what is known of an image by its digest stays known when its namespace is renamed. I/O: the ledger.

A manifest never changes under its digest, and a scan is the digest's: neither is asked for again by the new name. Labels
and referrers are the repository's and may differ by now: those are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from quayledger.collector.inventory.due import LastFetch
from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.results import family_rows
from quayledger.collector.inventory.targets import Targets, read_last_fetches, read_targets
from quayledger.warehouse.catalog import QUERIES, Query
from quayledger.warehouse.catalog.queries import namespace_of
from quayledger.warehouse.inventory import held_objects
from quayledger.warehouse.inventory.store import FamilyRows, Fetch, record_fetches


def carry_over(run: InventoryRun) -> None:
    """Notes of every image of a renamed namespace, as fetches without a request, what was known of it by a former name."""
    former = {new: old for old, new in held_objects.current_names(run.ledger, run.source_id).items()}
    if not former:
        return
    targets = read_targets(run.ledger, run.source_id, run.access, run.now())
    known = read_last_fetches(run.ledger, run.source_id)
    fetches: list[Fetch] = []
    for query in QUERIES:
        if query.carried == "as_read":
            # Its rows are held by digest and stay; they are as old as they were.
            fetches += [
                _fetch(run, query, target, ok_at) for target, _, ok_at in _carried(query, targets, former, known)
            ]
        elif query.carried == "copied":
            fetches += _copied(run, query, list(_carried(query, targets, former, known)))
    run.tally.opened += record_fetches(run.ledger, run.run_id, fetches).opened


def _carried(
    query: Query, targets: Targets, former: dict[str, str], known: dict[tuple[str, str], LastFetch]
) -> Iterator[tuple[str, str, datetime]]:
    """Of the targets that were never read: the target, what it was called when it was, and when that was."""
    for target in targets.sets.get(query.target_set, ()):
        if (query.name, target) in known:
            continue
        for name in _names_before(namespace_of(target), former):
            old = f"{name}/{target.partition('/')[2]}"
            before = known.get((query.name, old))
            if before is not None and before.ok_at is not None:
                yield target, old, before.ok_at
                break


def _names_before(name: str, former: dict[str, str]) -> Iterator[str]:
    seen = {name}
    while (name := former.get(name, "")) and name not in seen:
        seen.add(name)
        yield name


def _copied(run: InventoryRun, query: Query, carried: list[tuple[str, str, datetime]]) -> Iterator[Fetch]:
    """The manifests' rows as they were, under the new name."""
    held = held_objects.newest_manifests(
        run.ledger, run.source_id, sorted({namespace_of(old) for _, old, _ in carried})
    )
    rows = {f"{row['namespace']}/{row['repository']}@{row['digest']}": row for row in held.iter_rows(named=True)}
    for target, old, _ in carried:
        if old in rows:
            row = rows[old] | {"namespace": namespace_of(target)}
            key = {name: str(row[name]) for name in ("namespace", "repository", "digest")}
            yield _fetch(run, query, target, run.now(), family_rows("manifests", key, (row,)))


def _fetch(run: InventoryRun, query: Query, target: str, at: datetime, *parts: FamilyRows) -> Fetch:
    return Fetch(
        source_id=run.source_id,
        query=query.name,
        target=target,
        state="ok",
        reason="",
        fetched_at=at,
        requests=0,
        rejected_rows=0,
        caused_at=None,
        families=parts,
    )
