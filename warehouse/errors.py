"""The warehouse's errors: one family; each message says what happened, where, and what to do next."""

from __future__ import annotations

from datetime import datetime

import msgspec


class LockHolder(msgspec.Struct, frozen=True):
    """Who holds a ledger: the process, its host, the command it runs, and since when (UTC)."""

    pid: int
    host: str
    command: str
    since: datetime


class WarehouseError(Exception):
    """Root of the family; raised itself only for what none of the others names."""


class LedgerBusy(WarehouseError):
    """Another process has the live ledger open. `holder` is None where that process is not one of ours."""

    def __init__(self, message: str, holder: LockHolder | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class LedgerTooNew(WarehouseError):
    """The ledger was written by a newer version, whose tables this one does not know."""


class LedgerCorrupt(WarehouseError):
    """A file of the ledger is damaged or is no ledger at all."""


class LedgerMissing(WarehouseError):
    """The live file is gone though other files of the ledger are there."""


class DamagedFile(LedgerMissing):
    """A file of closed days is missing or damaged, so what is new of its days cannot be told."""


class DiskFull(WarehouseError):
    """The disk took no more; what was being written was rolled back."""


class NotPublished(WarehouseError):
    """No copy for readers has been published yet."""


class TookTooLong(WarehouseError):
    """A question was not answered within the time that it was given."""
