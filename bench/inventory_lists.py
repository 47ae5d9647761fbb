"""The bench of the inventory's lists: what `inventory list` costs with 10,000 repositories and 500,000 tags. Written with SQL, as
reading so many from a stand-in would take hours."""

# ruff: noqa: S608 - SQL is put together from the constants below

from __future__ import annotations

import contextlib
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import run_child
from bench.results import Table, record

REPOSITORIES, TAGS = 10_000, 500_000
_NOW = "TIMESTAMPTZ '2026-11-01 00:00:00+00'"
_INTRO = (
    f"A ledger with {REPOSITORIES:,} repositories and {TAGS:,} tags, each of which stands; `quayledger inventory list` as people run it, "
    "in a process of its own. The bar for a list of tags is 300 MB."
)
_INTERVAL = f"{_NOW}, NULL, {_NOW}, 1, NULL, NULL, NULL, NULL, NULL"
_ROWS = (
    f"INSERT INTO organizations_history (source_id, organization, from_at, first_seen_at, from_run) "
    f"SELECT 'main', 'team' || n, {_NOW}, {_NOW}, 1 FROM range(200) AS r (n)",
    f"INSERT INTO repositories_history SELECT 'main', 'team' || n % 200, 'service-' || n, 'image', 'NORMAL', n % 9 = 0, '', {_INTERVAL} "
    f"FROM range({REPOSITORIES}) AS r (n)",
    f"INSERT INTO tags_history SELECT 'main', 'team' || (n % {REPOSITORIES}) % 200, 'service-' || n % {REPOSITORIES}, "
    f"'v1.' || n // {REPOSITORIES} || '.' || hash(n) % 90, {_NOW} - to_hours(CAST(n % 9000 AS INTEGER)), 'sha256:' || sha256(CAST(n // 2 AS VARCHAR)), 1, "
    f"NULL, false, n % 20 = 0, hash(n) % 900000000, n % 50 = 0, {_INTERVAL} FROM range({TAGS}) AS r (n)",
    f"INSERT INTO looks (source_id, look, target, state, reason, tried_at, first_ok_at, ok_at, rows, rejected_rows, requests, run_id) SELECT 'main', look, target, 'ok', '', {_NOW}, {_NOW}, {_NOW}, 1, 0, 1, 1 FROM ("
    f"SELECT unnest(['tags', 'repository']) AS look, 'team' || n % 200 || '/service-' || n AS target FROM range({REPOSITORIES}) AS r (n) "
    "UNION ALL SELECT unnest(['repositories', 'organizations', 'users']), '')",
    "INSERT INTO looks_history SELECT source_id, look, target, state, reason, tried_at, NULL, run_id FROM looks",
)


def main() -> None:
    """Fills a ledger and measures the commands."""
    with tempfile.TemporaryDirectory() as made:
        home, out = Path(made) / "ledger", Path(made) / "out"
        run_child([sys.executable, "-m", "bench.inventory_lists", "fill", str(home)])
        rows = []
        for kind, *more in (
            ("tag",),
            ("tag", "--by", "size_bytes"),
            ("tag", "--top", "0", "--format", "csv"),
            ("tag", "--top", "0", "--format", "json"),
            ("repository",),
            ("repository", "--top", "0", "--format", "csv"),
        ):
            command = ["quayledger", "inventory", "list", kind, *more]
            # Into a file: what this process held of it would count as the next child's peak.
            cost = run_child([sys.executable, "-m", *command, "--home", str(home), "--output", str(out)]).cost
            rows.append((" ".join(command[1:]), f"{cost.cpu_s:.1f}", f"{cost.peak_mb:.0f}", f"{out.stat().st_size:,}"))
    table = Table(f"{TAGS:,} tags", ("command", "CPU s", "peak MB", "bytes out"), rows, [])
    record("inventory_lists", _INTRO, [table])


def fill(home: Path) -> None:
    """Writes the inventory as a round over the registry would leave it."""
    from quayledger.warehouse.ledger import Ledger
    from quayledger.warehouse.publish import publish
    from quayledger.warehouse.sources import register_source

    now = datetime.now(UTC)
    with contextlib.closing(Ledger.open(home, command="bench")) as ledger:
        register_source(ledger, "main", "Main", "https://quay.example.com", now)
        for sql in _ROWS:
            with ledger.transaction() as cursor:
                cursor.execute(sql)
        publish(ledger, keep=1, now=now)


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        fill(Path(sys.argv[2]))
    else:
        main()
