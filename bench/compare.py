"""The bench's check: what a collector holds, event for event, against all that the stand-in holds. Run as a process.

python -m bench.compare URL KIND PATH     (KIND: ours | plain | dlt; prints one JSON object)
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import polars as pl

from quayledger.warehouse.log import events
from quayledger.warehouse.snapshot import Snapshot

Key = tuple[int, str, str | None, str | None, str | None]
_FIRST, _LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def main() -> None:
    """Counts by what every collector keeps of an event: its second, kind, address, repository and tag."""
    url, kind, path = sys.argv[1:4]
    with urlopen(f"{url}/__simulator__/truth") as reply:  # noqa: S310 - loopback
        truth = Counter(_key(row) for row in json.load(reply))
    held = Counter({"ours": _ours, "plain": _plain, "dlt": _dlt}[kind](Path(path)))
    lost = sum((truth - held).values())
    named = _named(Path(path)) if kind == "ours" else 0
    print(
        json.dumps(
            {
                "true": sum(truth.values()),
                "held": sum(held.values()),
                "lost": lost,
                "named": named,
                "silent": max(0, lost - named),
                "twice": sum((held - truth).values()),
            }
        )
    )


def _key(row: dict[str, Any]) -> Key:
    """Of an event as Quay answers it; one without a readable time gets the time 0."""
    told = row.get("metadata")
    metadata = told if isinstance(told, dict) else {}
    stamp = row.get("datetime")
    moment = parsedate_to_datetime(stamp).replace(tzinfo=UTC) if stamp else _FIRST
    return (
        int(moment.timestamp()),
        row["kind"],
        row.get("ip"),
        _text(metadata.get("repo")),
        _text(metadata.get("tag")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _plain(path: Path) -> Iterable[Key]:
    with path.open("rb") as file:
        for line in file:
            yield _key(json.loads(line))


def _dlt(path: Path) -> Iterable[Key]:
    for file in sorted((path / "files").rglob("logs/**/*.parquet")):
        for text in pl.read_parquet(file, columns=["event"])["event"]:
            yield _key(json.loads(text))


def _ours(home: Path) -> Iterable[Key]:
    columns = (pl.col("occurred_at").dt.epoch("s"), "kind", "ip", "repository", "tag")
    with Snapshot.open(home) as snapshot:
        for batch in events.event_batches(snapshot, events.EventFilter()):
            yield from batch.select(columns).iter_rows()


def _named(home: Path) -> int:
    """How many events the ledger itself says are missing: counted at the source beyond what is stored, by day and kind."""
    with Snapshot.open(home) as snapshot:
        span = events.list_sources(snapshot)
        first, last = span["first_day"].min() or _FIRST.date(), span["last_day"].max() or _LAST.date()
        kinds = events.kind_coverage(snapshot, first, last)  # type: ignore[arg-type]
    return int(kinds.filter(pl.col("difference") > 0)["difference"].sum())


if __name__ == "__main__":
    main()
