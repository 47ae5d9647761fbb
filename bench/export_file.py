"""The bench of export files: from a large file to closed days, in events a CPU second and memory; against `duckdb.read_json`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench.measure import Cost, run_child
from bench.results import Table, record
from bench.stand_in import made_events

EVENTS, SMALL, DAY = 1_200_000, 60_000, date(2026, 9, 30)
NOW = datetime(2026, 10, 5, tzinfo=UTC)
_KIND = b'{"kind": "'
_NAMESPACE = b', "namespace": {'
_HEAD = (
    '{\n      "export_id": "bench",\n      "details": {"start_time": "Wed, 30 Sep 2026 00:00:00 -0000", "end_time": '
    '"Thu, 01 Oct 2026 23:59:59 -0000", "namespace": "acme", "repository": null},\n      "logs": [\n    '
)


def main() -> None:
    """`export_file.py FOLDER` measures, each side in a process of its own; other words are those processes."""
    match sys.argv[1:]:
        case ["ours", file, home]:
            _ours(Path(file), Path(home))
        case ["duckdb", file, home]:
            _duckdb(Path(file), Path(home))
        case ["start"]:
            _imports()
        case [folder]:
            _measure(Path(folder))


def _measure(folder: Path) -> None:
    lines = made_events(folder, events=EVENTS, days=1, end=DAY)
    large, small = folder / "export.json", folder / "export-small.json"
    _write(large, lines, EVENTS)
    _write(small, lines, SMALL)
    start = run_child([sys.executable, "-m", "bench.export_file", "start"]).cost
    ours = _child("ours", large)
    again = [(name, _child(name, small)) for name in ("ours", "duckdb")]
    rows = [_row(f"whole file of {large.stat().st_size / 1e6:,.0f} MB (ours)", ours, EVENTS)]
    rows += [_row(f"{small.stat().st_size / 1e6:,.0f} MB ({name})", cost, SMALL) for name, cost in again]
    rows.append(["only starting and importing (ours)", "", f"{start.cpu_s:.2f}", f"{start.peak_mb:.0f}"])
    ratio = (again[1][1].cpu_s) / again[0][1].cpu_s
    told = f"duckdb.read_json takes {ratio:.1f} × our CPU on the small file, and {again[1][1].peak_mb:.0f} MB"
    record(
        "export_file",
        f"{EVENTS:,} believable events of one day, from the file into an empty ledger: streamed, secrets cut out, checked, "
        "merged, compared with the count, and the ledger closed. `duckdb.read_json` only reads and unpacks into a table: no "
        "check, no merge, no secrets cut. Aim: 100,000 events a CPU second, below 350 MB.",
        [Table("From file to closed days", ["what", "events/CPU s", "CPU s", "peak MB"], rows, [told])],
    )


def _child(name: str, file: Path) -> Cost:
    with tempfile.TemporaryDirectory() as home:
        return run_child([sys.executable, "-m", "bench.export_file", name, str(file), home]).cost


def _row(name: str, cost: Cost, events: int) -> list[str]:
    return [name, f"{events / cost.cpu_s:,.0f}", f"{cost.cpu_s:.2f}", f"{cost.peak_mb:.0f}"]


def _write(file: Path, lines: Path, events: int) -> None:
    """The first events as a Quay exports them: without their namespace, which stands last."""
    counted: Counter[str] = Counter()
    with lines.open("rb") as source, file.open("wb") as out:
        out.write(_HEAD.encode())
        for _, line in zip(range(events), source, strict=False):
            counted[line[len(_KIND) : line.index(b'"', len(_KIND))].decode()] += 1
            out.write(line[: line.rindex(_NAMESPACE)] + b"},")
        out.write(b'\n        {"terminator": true}]\n      }')
    _counts(file).write_text(json.dumps(counted))


def _imports() -> None:
    pass


def _ours(file: Path, home: Path) -> None:
    from pydantic import SecretStr

    from quayledger.collector.exports.import_file import import_file
    from quayledger.settings import Settings, SourceSettings
    from quayledger.warehouse import runs, sources
    from quayledger.warehouse.ledger import Ledger
    from quayledger.warehouse.log import slices
    from quayledger.warehouse.schema import SliceState

    source = SourceSettings(url="https://quay.example.com", token=SecretStr("x" * 40))
    chosen = Settings.model_construct().model_copy(update={"sources": {"main": source}})
    with Ledger.open(home, command="bench") as ledger:
        sources.register_source(ledger, "main", "main", source.url, NOW)
        sources.add_cover(ledger, "main", sources.CoverRow(1, DAY, ("organization:acme",), (), "bench"))
        run_id = runs.start_run(ledger, "sync", "bench", NOW)
        counted = {DAY: json.loads(_counts(file).read_text())}
        slices.record_counts(ledger, run_id, "main", "organization:acme", counted, NOW)
        imported = import_file(ledger, chosen, "main", file, now=lambda: NOW + timedelta(minutes=1))
        state = slices.slices(ledger, "main", DAY, DAY)[DAY].state
    # No older row is counted, so nothing proves that the source still had the whole day: its events are those counted.
    if imported.new_events != sum(counted[DAY].values()) or state not in (SliceState.REPAIRED, SliceState.ROTATED):
        raise RuntimeError(f"{imported.new_events} events, the day is {state}: {imported.left_out}")


def _counts(file: Path) -> Path:
    return file.with_suffix(".counts.json")


def _duckdb(file: Path, home: Path) -> None:
    import duckdb

    with duckdb.connect(str(home / "plain.duckdb")) as connection:
        connection.execute("SET memory_limit = '8GB'")
        connection.execute(
            "CREATE TABLE events AS SELECT unnest(logs, recursive := false) AS event FROM read_json(?, "
            "maximum_object_size = 2000000000, columns = {logs: 'JSON[]'})",
            [str(file)],
        )
        connection.execute(
            "CREATE TABLE parts AS SELECT event ->> '$.kind' AS kind, event ->> '$.ip' AS ip, "
            "strptime(event ->> '$.datetime', '%a, %d %b %Y %H:%M:%S %z') AS occurred_at, event ->> '$.performer.name' "
            "AS performer, event -> '$.metadata' AS metadata FROM events"
        )


if __name__ == "__main__":
    main()
