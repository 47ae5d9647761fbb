"""Exit codes: one number for each kind of end, the same for every command. `docs/cli.md` is made from this table."""

from __future__ import annotations

import errno
from enum import IntEnum

from quayledger.collector.errors import BadCover, CollectorError, NothingReadable, UnknownSource
from quayledger.collector.inventory.on_demand import BadQuestion
from quayledger.collector.quay.errors import (
    BadCredential,
    Forbidden,
    NotAQuay,
    ProviderFailure,
    QuayError,
    Throttled,
    TlsFailure,
    Unauthenticated,
    Unreachable,
    WrongAccount,
)
from quayledger.reports.delivery.notify_targets import NotTaken
from quayledger.reports.desk.alerts import BadDecision
from quayledger.reports.desk.store import DeskBusy, DeskError, DeskFull
from quayledger.reports.errors import ReportError
from quayledger.service.demo import DemoError
from quayledger.service.http_server import PortUnavailable
from quayledger.service.inbox import NoAnswer
from quayledger.settings import SettingsError
from quayledger.warehouse.errors import DiskFull, LedgerBusy, NotPublished, WarehouseError
from quayledger.warehouse.seals.keys import KeyUnusable


class Exit(IntEnum):
    """What a command's end means."""

    DONE = 0
    BUG = 1
    USAGE = 2
    SETTINGS = 3
    REFUSED = 4
    UNREACHABLE = 5
    REPLY = 6
    BUSY = 7
    LEDGER = 8
    DISK_FULL = 9
    NOTHING_YET = 10
    ALTERED_EVENTS = 20
    ALTERED_LOG = 21
    UNTRUSTED_HEAD = 22
    INTERRUPTED = 130


MEANING: dict[Exit, str] = {
    Exit.DONE: "Done. Incomplete days are named on standard error and in `status`.",
    Exit.BUG: "A fault of quayledger's own; nothing collected is lost.",
    Exit.USAGE: "The command line is wrong: an unknown option, a day that does not exist.",
    Exit.SETTINGS: "A setting is missing, malformed or contradicts another.",
    Exit.REFUSED: "The token is unknown, expired, or may not read what was requested.",
    Exit.UNREACHABLE: "No connection, a TLS failure, the server is not a Quay, or a notification was not taken.",
    Exit.REPLY: "The source answers with errors, or with replies that cannot be trusted.",
    Exit.BUSY: "Another process holds the ledger and took no work over, or a port cannot be opened.",
    Exit.LEDGER: "The ledger or the desk is corrupt or of a newer version, or a file or folder cannot be used.",
    Exit.DISK_FULL: "The disk is full; what was collected before stays.",
    Exit.NOTHING_YET: "Nothing has been collected yet.",
    Exit.ALTERED_EVENTS: "Sealed events, states or files are not as they were sealed (`verify`).",
    Exit.ALTERED_LOG: "The log of seals is damaged (`verify`).",
    Exit.UNTRUSTED_HEAD: "The head of the log is not to be trusted: wrong key, wrong signature, fork, cut (`verify`).",
    Exit.INTERRUPTED: "Stopped by Ctrl-C or a signal; the next run goes on from here.",
}

_TABLE: tuple[tuple[type[Exception], Exit], ...] = (
    (UnknownSource, Exit.USAGE),
    (BadQuestion, Exit.USAGE),
    (ReportError, Exit.USAGE),
    (BadDecision, Exit.USAGE),
    (NotTaken, Exit.UNREACHABLE),
    (DeskBusy, Exit.BUSY),
    (DeskFull, Exit.DISK_FULL),
    (DeskError, Exit.LEDGER),
    (DemoError, Exit.USAGE),
    (BadCover, Exit.SETTINGS),
    (SettingsError, Exit.SETTINGS),
    (NothingReadable, Exit.REFUSED),
    (Unauthenticated, Exit.REFUSED),
    (Forbidden, Exit.REFUSED),
    (BadCredential, Exit.REFUSED),
    (WrongAccount, Exit.REFUSED),
    (ProviderFailure, Exit.UNREACHABLE),
    (Unreachable, Exit.UNREACHABLE),
    (TlsFailure, Exit.UNREACHABLE),
    (NotAQuay, Exit.UNREACHABLE),
    (Throttled, Exit.REPLY),
    (QuayError, Exit.REPLY),
    (CollectorError, Exit.REPLY),
    (LedgerBusy, Exit.BUSY),
    (NoAnswer, Exit.BUSY),
    (PortUnavailable, Exit.BUSY),
    (DiskFull, Exit.DISK_FULL),
    (NotPublished, Exit.NOTHING_YET),
    (KeyUnusable, Exit.SETTINGS),
    (WarehouseError, Exit.LEDGER),
)
EXPECTED: tuple[type[Exception], ...] = tuple(kind for kind, _ in _TABLE)


def describe(error: BaseException) -> str:
    """An expected error as a sentence: errors of ours say it themselves, the system's are named with their file."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error) or type(error).__name__
    return f"{error.strerror}: {error.filename}" if error.filename is not None else error.strerror


def exit_of(error: BaseException) -> Exit:
    """The exit code of an error of ours; BUG for anything else."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Exit.DISK_FULL
    if isinstance(error, OSError) and error.errno is not None:
        return Exit.LEDGER
    return next((code for kind, code in _TABLE if isinstance(error, kind)), Exit.BUG)
