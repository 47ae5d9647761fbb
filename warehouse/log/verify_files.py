"""Reads every file of closed days of a published copy and compares it with the record. Changes nothing but the record of
digests."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from quayledger.warehouse.event_files import SIDECAR_SUFFIXES, FileFault
from quayledger.warehouse.log.close import unrecorded_files
from quayledger.warehouse.snapshot import Snapshot


class Verified(msgspec.Struct, frozen=True):
    """How many files and events are on record, and what is not as recorded. `unrecorded`: files that nothing reads."""

    files: int
    events: int
    faults: tuple[FileFault, ...]
    damaged_rollups: tuple[Path, ...]
    unrecorded: tuple[Path, ...]

    def summary(self, home: Path) -> dict[str, Any]:
        """The same for machines."""
        return {
            "files": self.files,
            "events": self.events,
            "damaged": [
                {
                    "file": str(fault.file.file),
                    "fault": fault.fault,
                    "source_id": fault.file.source_id,
                    "first_day": fault.file.first_day,
                    "last_day": fault.file.last_day,
                    "events": fault.file.rows,
                    "events_by_kind": dict(fault.kinds),
                    "sha256": fault.file.sha256,
                    "message": fault.describe(home),
                }
                for fault in self.faults
            ],
            "damaged_rollups": [str(file) for file in self.damaged_rollups],
            "unrecorded": [str(file) for file in self.unrecorded],
        }


def verify_files(snap: Snapshot, now: datetime) -> Verified:
    """Computes every digest anew. A file of a newer copy is not on record in this one, so the newest should be given. Raises
    WarehouseError."""
    snap.check_files(now)
    known = {str(file.file) for file in snap.files} | {
        file for (file,) in snap.rows("SELECT file FROM superseded_files")
    }
    rolled = [file for file in snap.whole_files if file.has_rollups and file.rules == snap.rules]
    return Verified(
        files=len(snap.files),
        events=sum(file.rows for file in snap.files),
        faults=tuple(snap.faults),
        damaged_rollups=tuple(
            sorted(
                file.beside(suffix)
                for file in rolled
                for suffix in SIDECAR_SUFFIXES
                if not snap.is_whole(file.beside(suffix))
            )
        ),
        unrecorded=tuple(path.relative_to(snap.home) for path in unrecorded_files(snap.home, known)),
    )
