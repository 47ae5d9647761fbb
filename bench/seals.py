"""The bench of seals: what sealing a day costs, and how long an auditor's check of a whole ledger takes."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench import believable, frames
from bench.measure import run_child, timed
from bench.results import Table, record
from quayledger import verifier
from quayledger.warehouse import publish
from quayledger.warehouse.log import close
from quayledger.warehouse.seals.note import SigningKey
from quayledger.warehouse.seals.seal import seal_days

EVENTS = int(os.environ.get("BENCH_EVENTS", "1_000_000"))
DAYS, END = 30, date(2026, 9, 30)
KEY = SigningKey.create("quayledger.bench/log")


def main() -> None:
    """Measures sealing in this process and checking in one of its own; a folder for the ledger is given."""
    folder = Path(sys.argv[1])
    home = folder / "seals"
    now = datetime.now(UTC)
    with frames.begin(home) as ledger:
        made = believable.lines(events=EVENTS, days=DAYS, end=END, seed=7)
        days = frames.by_day(frames.frame_of([line.encode() for line in made]))
        frames.load(ledger, days)
        frames.seal(ledger, days)
        close.close_days(ledger, END + timedelta(days=1), 10)
        began = time.process_time()
        outcome = seal_days(ledger, KEY, now, most_seconds=3600)
        sealing_s = time.process_time() - began
        events = ledger.rows("SELECT CAST(sum(stored_events) AS BIGINT) FROM slices")[0][0]
        files = [home / file.file for file in close.event_file_list(ledger)]
        publish.publish(ledger, keep=2, now=now)
    program = [sys.executable, verifier.__file__, str(home), "--public-key", str(KEY.verifier)]
    checks = {f"verifier.py, {jobs} process(es)": run_child([*program, "--jobs", str(jobs)]).cost for jobs in (1, 2)}
    digests = timed(lambda: [hashlib.sha256(file.read_bytes()).hexdigest() for file in files], 3)
    rows = [
        (name, f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{cost.cpu_s / events * 1e6:.2f}", f"{cost.peak_mb:.0f}")
        for name, cost in checks.items()
    ]
    rows.append(
        (
            "SHA-256 of the files alone",
            f"{digests.wall_s:.1f}",
            f"{digests.cpu_s:.1f}",
            f"{digests.cpu_s / events * 1e6:.2f}",
            "–",
        )
    )
    intro = (
        f"{events:,} events of {DAYS} days ({believable.REPOSITORIES:,} repositories, {believable.ACTORS:,} actors, "
        f"{believable.ADDRESSES:,} addresses), closed. Sealing all of them took {sealing_s:.1f} s of CPU in "
        f"{outcome.days_sealed} manifests: {sealing_s / events * 1e4:.3f} s for 10,000 events (aim 0.05). Checking: aim 20 s for 10 million, below "
        "500 MB. The alternative shows that files were replaced, but not which event."
    )
    record("seals", intro, [Table("Checking the whole ledger", ("way", "s", "CPU s", "µs an event", "peak MB"), rows)])


if __name__ == "__main__":
    main()
