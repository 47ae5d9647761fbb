"""Carrying: what is known of an image by its digest alone stays known when its namespace is renamed. I/O: the ledger.

A manifest never changes under its digest, and a scan is the digest's: neither is asked for again by the new name. Labels
and referrers are the repository's and may differ by now: those are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import polars as pl

from quayledger.collector.inventory.due import Known
from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.queries import namespace_of
from quayledger.collector.inventory.results import Row, brought
from quayledger.collector.inventory.targets import current_names, read_known, read_universe
from quayledger.warehouse.catalog import FAMILY
from quayledger.warehouse.inventory.store import Brought, Look, record_looks

_MANIFESTS = FAMILY["manifests"]


def carry_over(run: InventoryRun) -> None:
    """Notes of every image of a renamed namespace, as looks without a request, what was known of it by a former name."""
    former = {new: old for old, new in current_names(run.ledger, run.source_id).items()}
    if not former:
        return
    universe = read_universe(run.ledger, run.source_id, run.access, run.now())
    known = read_known(run.ledger, run.source_id)
    scans = list(_carried("scan", universe.scans, former, known))
    manifests = list(_carried("manifest", universe.digests, former, known))
    rows = _rows(run, {namespace_of(old) for _, old, _ in manifests})
    # What a scan found is held by digest and stays; it is as old as it was.
    looks = [_look(run, "scan", target, ok_at) for target, _, ok_at in scans]
    looks += [
        _look(run, "manifest", target, run.now(), _manifest(target, rows[old]))
        for target, old, _ in manifests
        if old in rows
    ]
    run.tally.opened += record_looks(run.ledger, run.run_id, looks).opened


def _carried(
    look: str, targets: Iterable[str], former: dict[str, str], known: dict[tuple[str, str], Known]
) -> Iterator[tuple[str, str, datetime]]:
    """Of the targets that were never looked at: the target, what it was called when it was, and when that was."""
    for target in targets:
        if (look, target) in known:
            continue
        for name in _names_before(namespace_of(target), former):
            old = f"{name}/{target.partition('/')[2]}"
            before = known.get((look, old))
            if before is not None and before.ok_at is not None:
                yield target, old, before.ok_at
                break


def _names_before(name: str, former: dict[str, str]) -> Iterator[str]:
    seen = {name}
    while (name := former.get(name, "")) and name not in seen:
        seen.add(name)
        yield name


def _rows(run: InventoryRun, namespaces: set[str]) -> dict[str, Row]:
    """The newest that was held of the manifests of these namespaces, by target."""
    found = run.ledger.frame(
        f"SELECT {', '.join(_MANIFESTS.schema)} FROM {_MANIFESTS.table} WHERE source_id = ? "  # noqa: S608 - declared
        "AND namespace IN (SELECT unnest(CAST(? AS VARCHAR[]))) "
        "QUALIFY row_number() OVER (PARTITION BY namespace, repository, digest ORDER BY from_at DESC) = 1",
        [run.source_id, sorted(namespaces)],
    )
    targets = found.select(pl.format("{}/{}@{}", "namespace", "repository", "digest")).to_series()
    return dict(zip(targets, found.iter_rows(), strict=True))


def _manifest(target: str, row: Row) -> Brought:
    now = (namespace_of(target), *row[1:])
    authority = {name: str(value) for name, value in zip(_MANIFESTS.key, now, strict=False)}
    return brought("manifests", authority, [now])


def _look(run: InventoryRun, look: str, target: str, at: datetime, *parts: Brought) -> Look:
    return Look(
        source_id=run.source_id,
        look=look,
        target=target,
        state="ok",
        reason="",
        looked_at=at,
        requests=0,
        rejected_rows=0,
        caused_at=None,
        brought=parts,
    )
