"""Seals days: hashes the events of every judged day, appends the day's manifest to the ledger's log, and signs the head. I/O.

The live file is the truth of the log; tiles and checkpoint in `seals/` are written from it once a transaction has made it
durable, so a crash at any moment leaves a log that is whole, at most without its newest files. What was signed once is
never signed otherwise: where the log no longer begins as the last checkpoint says, nothing is signed, and that is said.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from quayledger import __version__
from quayledger.warehouse import event_files
from quayledger.warehouse.duckdb_errors import translated
from quayledger.warehouse.durable_files import write_whole
from quayledger.warehouse.errors import WarehouseError
from quayledger.warehouse.ledger import Cursor, Ledger, utc
from quayledger.warehouse.schema import SliceState
from quayledger.warehouse.seals import canonical, merkle, tiles
from quayledger.warehouse.seals.manifest import MAX_ENTRY_BYTES, DayFacts, DayManifest, KindSeal
from quayledger.warehouse.seals.note import BadNote, Checkpoint, SigningKey, parse_checkpoint, split_note

_BATCH_DAYS = 64
_FETCH_ROWS = 20_000
_UNSETTLED = (SliceState.OPEN, SliceState.PROVISIONAL)

# Judged days whose newest manifest does not say what is known now.
_DUE = """
WITH newest AS (
    SELECT source_id, day, max(sequence) AS sequence, max(last_event_no) AS last_event_no,
        arg_max(leaf_index, sequence) AS leaf_index, arg_max(state, sequence) AS state,
        arg_max(coalesce(expected_events, -1), sequence) AS expected_events,
        arg_max(stored_events, sequence) AS stored_events, arg_max(rejected_rows, sequence) AS rejected_rows
    FROM day_seals GROUP BY source_id, day
)
SELECT slices.source_id, coalesce(sources.url, ''), slices.day, coalesce(newest.sequence + 1, 0), newest.leaf_index,
    slices.state, slices.expected_events, slices.stored_events, slices.rejected_rows, slices.counted_at,
    slices.cover_version, coalesce(newest.last_event_no, 0)
FROM slices
LEFT JOIN sources ON sources.source_id = slices.source_id
LEFT JOIN newest ON newest.source_id = slices.source_id AND newest.day = slices.day
WHERE slices.day < $today AND NOT list_contains($unsettled, slices.state)
    AND (newest.sequence IS NULL OR newest.state <> slices.state OR newest.stored_events <> slices.stored_events
        OR newest.expected_events <> coalesce(slices.expected_events, -1)
        OR newest.rejected_rows <> slices.rejected_rows)
ORDER BY slices.day, slices.source_id
"""
_EVENTS = f"""
SELECT kind, event_no, {canonical.ALMOST_CANONICAL_SQL} FROM stg_events
WHERE source_id = ? AND day = ? AND event_no > ? ORDER BY event_no
"""  # noqa: S608 - our own expression
_COUNTS = """
SELECT counts.kind, CAST(sum(counts.latest_events) AS BIGINT) FROM counts
JOIN covers ON covers.source_id = counts.source_id AND covers.version = ? AND list_contains(covers.scopes, counts.scope)
WHERE counts.source_id = ? AND counts.day = ? AND counts.kind <> '' AND counts.latest_events > 0 GROUP BY counts.kind
"""
_REQUESTS = "SELECT CAST(coalesce(sum(requests), 0) AS BIGINT) FROM readings WHERE source_id = ? AND day = ?"


class LogForked(WarehouseError):
    """The log does not begin as the checkpoint says that was signed last; nothing is signed."""


class SealOutcome(msgspec.Struct, frozen=True):
    """What a sealing did. `days_waiting`: days that are sealed next time. `days_unreadable`: days whose file is missing or
    damaged. `is_signed`: the head in `seals/` covers all manifests."""

    days_sealed: int
    days_waiting: int
    days_unreadable: int
    log_size: int
    is_signed: bool


class _Due(DayFacts, frozen=True):
    """A day that needs a manifest. `sealed_to`: the number of the last event that is sealed."""

    sealed_to: int


def seal_days(ledger: Ledger, key: SigningKey | None, now: datetime, *, most_seconds: float = 60.0) -> SealOutcome:
    """Seals what was judged or changed before today (UTC of `now`), oldest days first, for about `most_seconds`; the rest
    waits for the next call. `key` None: the log grows, unsigned. Raises LogForked, DiskFull, WarehouseError; every manifest
    that was made durable stays."""
    with translated(ledger.home):
        waiting, unreadable = _readable(ledger, _due(ledger, now.date()))
        sealed, until = 0, time.monotonic() + most_seconds
        while sealed < len(waiting) and (not sealed or time.monotonic() < until):
            batch = waiting[sealed : sealed + _BATCH_DAYS]
            sealed += _append(ledger, batch, now, until)
        size, is_signed = _publish_log(ledger, key, now)
        return SealOutcome(sealed, len(waiting) - sealed, unreadable, size, is_signed)


def _due(ledger: Ledger, today: date) -> list[_Due]:
    found = ledger.rows(_DUE, {"today": today, "unsettled": [state.value for state in _UNSETTLED]})
    return [msgspec.structs.replace(due, counted_at=utc(due.counted_at)) for due in (_Due(*row) for row in found)]


def _readable(ledger: Ledger, due: Sequence[_Due]) -> tuple[list[_Due], int]:
    """The days whose events can be read, and how many others there are: a file that is missing holds up no other day."""
    with ledger.quiescent() as cursor:
        faults = event_files.find_faults(ledger.home, event_files.recorded_files(cursor))
    lost = [(fault.file.source_id, fault.file.first_day, fault.file.last_day) for fault in faults]
    readable = [
        day
        for day in due
        if not any(source == day.source_id and first <= day.day <= last for source, first, last in lost)
    ]
    return readable, len(due) - len(readable)


def _append(ledger: Ledger, batch: Sequence[_Due], now: datetime, until: float) -> int:
    """Seals days in one transaction, until the time is over; returns how many, at least one."""
    with ledger.transaction() as cursor:
        files = event_files.recorded_files(cursor)
        ledger_id, index = ledger.ledger_id, _number(cursor, "SELECT count(*) FROM log_entries")
        for done, due in enumerate(batch):
            if done and time.monotonic() > until:
                return done
            secret = secrets.token_bytes(32)
            _read_only_its_file(cursor, ledger, files, due)
            made = _manifest(cursor, ledger_id, due, secret, now)
            entry = made.encode()
            if len(entry) > MAX_ENTRY_BYTES:
                raise WarehouseError(f"the manifest of {due.day} of {due.source_id} is too large to be sealed")
            _record(cursor, made, entry, index + done, secret)
        return len(batch)


def _read_only_its_file(cursor: Cursor, ledger: Ledger, files: Sequence[event_files.EventFile], due: _Due) -> None:
    """Lets the views read the files that can hold this day alone: a ledger of years has hundreds."""
    needed = [file for file in files if file.source_id == due.source_id and file.first_day <= due.day <= file.last_day]
    rules = event_files.current_rules(cursor)
    event_files.set_views(cursor, ledger.home, files, rules, needed)


def _manifest(cursor: Cursor, ledger_id: str, due: _Due, secret: bytes, now: datetime) -> DayManifest:
    key = [due.source_id, due.day]
    leaves: dict[str, list[bytes]] = {}
    first = last = 0
    cursor.execute(_EVENTS, [*key, due.sealed_to])
    for kind, event_no, almost in _fetched(cursor):
        leaves.setdefault(kind, []).append(canonical.event_leaf(secret, event_no, almost))
        first, last = first or event_no, event_no
    return DayManifest(
        ledger_id=ledger_id,
        facts=due,
        counts=dict(cursor.execute(_COUNTS, [due.cover_version, *key]).fetchall()),
        requests=_number(cursor, _REQUESTS, key),
        first_event_no=first or due.sealed_to + 1,
        last_event_no=last or due.sealed_to,
        kinds={kind: KindSeal(len(hashes), merkle.root(hashes)) for kind, hashes in leaves.items()},
        sealed_at=now,
        version=__version__,
    )


def _record(cursor: Cursor, made: DayManifest, entry: bytes, index: int, secret: bytes) -> None:
    leaf = merkle.leaf_hash(entry).hex()
    cursor.execute("INSERT INTO log_entries VALUES (?, ?, ?, ?)", [index, entry.decode(), leaf, made.sealed_at])
    facts = made.facts
    key = [facts.source_id, facts.day, facts.sequence]
    cursor.execute(
        "INSERT INTO day_seals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *key,
            index,
            facts.state,
            facts.expected_events,
            facts.stored_events,
            facts.rejected_rows,
            made.first_event_no,
            made.last_event_no,
            made.root.hex(),
            made.sealed_at,
        ],
    )
    cursor.execute("INSERT INTO seal_secrets VALUES (?, ?, ?, ?)", [*key, secret.hex()])


def _publish_log(ledger: Ledger, key: SigningKey | None, now: datetime) -> tuple[int, bool]:
    """Writes the tiles that are missing and, with a key, signs the head; returns the log's size, and whether it is signed."""
    folder = ledger.home / tiles.SEALS_FOLDER
    leaves = [bytes.fromhex(leaf) for (leaf,) in ledger.rows("SELECT leaf FROM log_entries ORDER BY leaf_index")]
    if not leaves:
        return 0, False
    signed = _signed_before(ledger)
    if signed is not None and (signed.size > len(leaves) or merkle.root(leaves[: signed.size]) != signed.root):
        raise LogForked(
            f"the log of {ledger.home} does not begin as its last signed checkpoint says ({signed.size:,} entries, now "
            f"{len(leaves):,}): the ledger was probably restored from an older copy. Nothing is signed, because that would be "
            f"a fork. Restore the newest copy; or move {folder} away to begin a log that those who hold the old head will refuse"
        )
    tiles.write_tiles(folder, leaves, lambda first, to: _entries(ledger, first, to))
    if key is None:
        if signed is None:
            tiles.remove_outgrown(folder, len(leaves))
        return len(leaves), False
    head = Checkpoint(key.name, len(leaves), merkle.root(leaves))
    if signed != head or not _is_signed_by(ledger, key):
        note = head.signed([key])
        with ledger.transaction() as cursor:
            cursor.execute("INSERT INTO log_heads VALUES (?, ?, ?, ?)", [head.size, head.root.hex(), note, now])
        write_whole(folder / tiles.PUBLIC_KEY_NAME, f"{key.verifier}\n".encode())
        write_whole(folder / tiles.CHECKPOINT_NAME, note.encode())
        tiles.remove_outgrown(folder, head.size)
    return len(leaves), True


def _signed_before(ledger: Ledger) -> Checkpoint | None:
    """The newest head that was signed: of the file, or of the live file where a crash came between the two."""
    heads = []
    for note in _notes(ledger):
        try:
            heads.append(parse_checkpoint(split_note(note)[0]))
        except BadNote as error:
            raise LogForked(
                f"{ledger.home / tiles.SEALS_FOLDER / tiles.CHECKPOINT_NAME} is damaged: {error}. Restore it from a backup, or "
                "delete it: the head is written again from the ledger"
            ) from None
    return max(heads, key=lambda head: head.size, default=None)


def _is_signed_by(ledger: Ledger, key: SigningKey) -> bool:
    try:
        note = (ledger.home / tiles.SEALS_FOLDER / tiles.CHECKPOINT_NAME).read_text(encoding="utf-8")
    except OSError:
        return False
    return (key.name, key.verifier.key_id) in [who for who, _ in split_note(note)[1]]


def _notes(ledger: Ledger) -> Iterator[str]:
    path = ledger.home / tiles.SEALS_FOLDER / tiles.CHECKPOINT_NAME
    if path.exists():
        yield path.read_text(encoding="utf-8", errors="replace")
    for (note,) in ledger.rows("SELECT note FROM log_heads ORDER BY size DESC LIMIT 1"):
        yield note


def _entries(ledger: Ledger, first: int, to: int) -> list[bytes]:
    found = ledger.rows(
        "SELECT entry FROM log_entries WHERE leaf_index >= ? AND leaf_index < ? ORDER BY leaf_index", [first, to]
    )
    return [entry.encode() for (entry,) in found]


def _fetched(cursor: Cursor) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(_FETCH_ROWS):
        yield from rows


def _number(cursor: Cursor, sql: str, values: Sequence[object] = ()) -> int:
    row = cursor.execute(sql, list(values)).fetchone()
    return int(row[0]) if row else 0
