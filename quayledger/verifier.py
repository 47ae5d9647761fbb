"""Checks a ledger of quayledger against its sealed log. One file, which an auditor reads and runs alone:

    python verifier.py LEDGER --public-key KEY [--expect-head FILE]
    python verifier.py --proof FILE --public-key KEY

It needs Python 3.11, `duckdb` and `cryptography`, imports nothing of quayledger, sends nothing anywhere and only reads.
What it proves: that the events, counts and states of the sealed days are those that were sealed when the key signed the
head. What it does not prove: that Quay recorded everything, nor, without an earlier head from elsewhere (--expect-head),
that somebody with the key did not write the whole log anew.

How: `seals/checkpoint` is a signed note (C2SP tlog-checkpoint, Ed25519) with the size and the root of a log (RFC 6962,
laid out as C2SP tlog-tiles). Its entries are manifests: JSON, one or more for each source and UTC day, with a root over the
events of each kind. The leaf of an event is SHA-256(0x00, salt, canonical form); see CANONICAL_SQL below.

Exit codes: 0 all is as it was sealed; 2 wrong arguments; 8 the ledger cannot be read; 20 events, states or files are not
as they were sealed; 21 the log is damaged; 22 the head is not to be trusted (wrong key, wrong signature, fork, cut).
"""

# ruff: noqa: S608, T201 - SQL of our own names and bound values; this file is a program that prints

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WHOLE, USAGE, UNREADABLE, EVENTS, LOG, HEAD = 0, 2, 8, 20, 21, 22
_SEALED_FORMAT, _EVENT_FORMAT, _PROOF_FORMAT = "quayledger-day/1", "quayledger-event/1", "quayledger-event-proof/1"
_TILE = 256
_MAX_FILE_BYTES = 64 << 20
_MEMORY = "300MB"
_COLUMNS = [
    "source_id",
    "day",
    "event_no",
    "scope",
    "reading_id",
    "occurred_at",
    "kind",
    "namespace",
    "namespace_kind",
    "performer",
    "performer_kind",
    "ip",
    "repository",
    "repository_namespace",
    "tag",
    "digest",
    "user_agent",
    "metadata",
    "extra",
]
_TEXT = {
    "day": "strftime(day, '%Y-%m-%d')",
    "event_no": "CAST(event_no AS VARCHAR)",
    "reading_id": "CAST(reading_id AS VARCHAR)",
    "occurred_at": "CAST(epoch_us(occurred_at) AS VARCHAR)",
}
CANONICAL_SQL = (
    f"CAST(json_array('{_EVENT_FORMAT}', {', '.join(_TEXT.get(name, name) for name in _COLUMNS)}) AS VARCHAR)"
)
# Files of closed days hold what readers see; where Quay said something else, `said_x` has it: `-` for nothing, `=` and the text.
_SAID = {
    name: f"CASE WHEN said_{name} IS NULL THEN {name} WHEN said_{name} <> '-' THEN substr(said_{name}, 2) END AS {name}"
    for name in ("namespace", "ip", "repository", "tag", "digest", "user_agent")
}


@dataclass(frozen=True)
class Damage:
    """Something that is not as it was sealed. `what` is one of the words in the documentation of integrity."""

    code: int
    what: str
    text: str
    source: str = ""
    day: str = ""


@dataclass
class Verification:
    """What a check found."""

    head: str = ""
    manifests: int = 0
    days: int = 0
    events: int = 0
    damages: list[Damage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """The exit code: that of the gravest damage."""
        return max((damage.code for damage in self.damages), default=WHOLE)


class Unreadable(Exception):
    """The check cannot be made at all; the text says why."""


class BadHead(Exception):
    """A checkpoint, key or proof that is not to be trusted; the text says why."""


# RFC 6962 ------------------------------------------------------------------------------------------------------------


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree, by the hashes of its leaves."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]


def root_by_proof(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root to which an inclusion proof leads (RFC 9162, 2.1.3.2). Raises BadHead."""
    if not 0 <= index < size:
        raise BadHead(f"a tree of {size} leaves has no leaf {index}")
    at, last, found = index, size - 1, leaf
    for step in proof:
        if not last:
            raise BadHead("a proof is too long")
        if at & 1 or at == last:
            found = hashlib.sha256(b"\x01" + step + found).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + step).digest()
        at, last = at >> 1, last >> 1
    if last:
        raise BadHead("a proof is too short")
    return found


# C2SP signed-note and tlog-checkpoint ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class PublicKey:
    """A verifier key of the form NAME+ID+KEY."""

    name: str
    key_id: bytes
    key: bytes

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Raises BadHead."""
        parts = text.strip().split("+", 2)
        try:
            data = base64.b64decode(parts[2], validate=True)
            key_id = bytes.fromhex(parts[1])
        except (IndexError, ValueError):
            raise BadHead("the public key is not of the form NAME+ID+KEY") from None
        wanted = hashlib.sha256(parts[0].encode() + b"\n" + data).digest()[:4]
        if len(data) != 33 or data[0] != 1 or key_id != wanted:
            raise BadHead("the public key is not an Ed25519 key, or does not match its ID: it was changed or cut")
        return cls(parts[0], key_id, data[1:])


@dataclass(frozen=True)
class LogHead:
    """A checkpoint: the size of a log and its root."""

    origin: str
    size: int
    root: bytes


def open_head(note: str, keys: Iterable[PublicKey]) -> LogHead:
    """The checkpoint in a note, if one of the keys signed it. Raises BadHead."""
    text, separator, lines = note.rpartition("\n\n")
    found = re.fullmatch(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)((?:\n[^\n]+)*)", text)
    if not separator or found is None:
        raise BadHead("it is not a checkpoint, or its end is missing")
    signed = text.encode() + b"\n"
    names = []
    good = False
    for line in lines.splitlines():
        match = re.fullmatch(r"— (\S+) ([A-Za-z0-9+/]+=*)", line)
        if match is None:
            raise BadHead("a line of its signatures is malformed")
        names.append(match[1])
        try:
            signature = base64.b64decode(match[2], validate=True)
        except binascii.Error:
            raise BadHead("a signature is not base64") from None
        for key in keys:
            if (key.name, key.key_id) == (match[1], signature[:4]):
                try:
                    Ed25519PublicKey.from_public_bytes(key.key).verify(signature[4:], signed)
                except InvalidSignature:
                    raise BadHead("its signature is wrong: it was altered, or another key made it") from None
                good = True
    if not good:
        raise BadHead(f"it is signed by {', '.join(names) or 'nobody'} with another key than the one given")
    return LogHead(found[1], int(found[2]), base64.b64decode(found[3]))


# The log -------------------------------------------------------------------------------------------------------------


def _tile_path(level: str, index: int, width: int) -> Path:
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = Path("tile", level, *(f"x{part}" for part in parts[:-1]), parts[-1])
    return path if width == _TILE else path.with_name(f"{path.name}.p") / str(width)


def read_entries(folder: Path, size: int) -> Iterator[bytes | None]:
    """The entries of a log, one after another; None for one that is missing or cut, after which a missing file ends them."""
    for index in range(-(-size // _TILE)):
        width = min(_TILE, size - index * _TILE)
        try:
            data = _read(folder / _tile_path("entries", index, width))
        except OSError:
            yield None
            return
        at = 0
        for _ in range(width):
            length = int.from_bytes(data[at : at + 2], "big")
            whole = at + 2 <= len(data) and at + 2 + length <= len(data)
            yield data[at + 2 : at + 2 + length] if whole else None
            at = at + 2 + length if whole else len(data)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_FILE_BYTES)


# The ledger ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DayJob:
    """One day to check: its manifests, with the secrets of their salts, and where its events may be."""

    database: str
    home: str
    source: str
    day: str
    files: tuple[tuple[str, int], ...]
    manifests: tuple[dict[str, Any], ...]
    secrets: tuple[str, ...]


def check(
    home: Path, keys: Sequence[PublicKey], expected: Sequence[str], jobs: int, *, hash_files: bool = True
) -> Verification:
    """Checks all of a ledger. `expected`: notes with heads that were kept elsewhere. `hash_files`: also that event files are
    byte by byte those on record; each event in them is checked either way. Raises Unreadable."""
    verdict = Verification()
    entries = _check_head(home, keys, expected, verdict)
    database = _database(home)
    with _connect(database) as connection:
        tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if "log_entries" not in tables:
            raise Unreadable(f"{database} was written by a version that seals nothing")
        known = _check_manifests(connection, entries, verdict)
        work = _day_jobs(connection, home, database, known, verdict, hash_files=hash_files)
        _check_states(connection, known, verdict)
    _check_days(work, jobs, verdict)
    return verdict


def _check_head(
    home: Path, keys: Sequence[PublicKey], expected: Sequence[str], verdict: Verification
) -> list[bytes | None]:
    """Checks the head, and that the log leads to it; returns the entries."""
    folder = home / "seals"
    try:
        note = _read(folder / "checkpoint").decode()
    except OSError:
        raise Unreadable(f"{folder / 'checkpoint'} is missing: nothing of this ledger was sealed and signed") from None
    except UnicodeDecodeError:
        note = ""
    try:
        head = open_head(note, keys)
    except BadHead as error:
        verdict.damages.append(Damage(HEAD, "head", f"{folder / 'checkpoint'} is not to be trusted: {error}"))
        head = _unsigned(note)
    verdict.head = f"{head.size:,} manifests, root {base64.b64encode(head.root).decode()}"
    entries = list(read_entries(folder, head.size))
    leaves = [leaf_hash(entry) if entry is not None else b"" for entry in entries]
    there = sum(entry is not None for entry in entries)
    if there < head.size:
        text = f"{head.size - there:,} of {head.size:,} manifests are missing, the first is {entries.index(None)}"
        verdict.damages.append(Damage(LOG, "manifest missing", text))
    elif root_of(leaves) != head.root:
        verdict.damages.append(Damage(LOG, "log altered", "the manifests do not lead to the root that was signed"))
    for kept in expected:
        _check_expected(kept, keys, head, leaves, verdict)
    return entries


def _unsigned(note: str) -> LogHead:
    found = re.match(r"([^\n]+)\n(0|[1-9][0-9]{0,8})\n([A-Za-z0-9+/]{43}=)\n", note)
    return LogHead(found[1], int(found[2]), base64.b64decode(found[3])) if found else LogHead("", 0, root_of([]))


def _check_expected(
    kept: str, keys: Sequence[PublicKey], head: LogHead, leaves: list[bytes], verdict: Verification
) -> None:
    try:
        earlier = open_head(kept, keys)
    except BadHead as error:
        verdict.damages.append(Damage(HEAD, "expected head", f"the expected head is not to be trusted: {error}"))
        return
    if earlier.size > head.size:
        text = f"the log has {head.size:,} manifests, but {earlier.size:,} were signed before: it was cut, or an old copy put back"
        verdict.damages.append(Damage(HEAD, "log cut", text))
    elif root_of(leaves[: earlier.size]) != earlier.root:
        text = (
            f"the log does not go on from the expected head of {earlier.size:,} manifests: it is another log, or a fork"
        )
        verdict.damages.append(Damage(HEAD, "fork", text))
    else:
        verdict.notes.append(f"It goes on from the expected head of {earlier.size:,} manifests.")


def _database(home: Path) -> Path:
    """The live file where nobody writes to it, else the newest published copy."""
    live, copies = home / "live.duckdb", sorted((home / "published").glob("*.duckdb"))
    for path in (live, *reversed(copies)):
        if path.exists():
            try:
                with _connect(path):
                    return path
            except duckdb.Error:
                continue
    raise Unreadable(f"there is no ledger in {home} that can be opened")


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path), read_only=True, config={"memory_limit": _MEMORY, "threads": "1"})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@lru_cache(maxsize=1)
def _connected(path: Path) -> duckdb.DuckDBPyConnection:
    return _connect(path)


def _check_manifests(
    connection: duckdb.DuckDBPyConnection, entries: Sequence[bytes | None], verdict: Verification
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Compares the log's entries with the ledger's own copies; returns the manifests by source and day."""
    held = connection.execute("SELECT leaf_index, entry FROM log_entries ORDER BY leaf_index").fetchall()
    copies = {index: entry.encode() for index, entry in held}
    if sorted(copies) != list(range(len(copies))):
        verdict.damages.append(Damage(LOG, "ledger's manifests", "the ledger's own list of manifests has gaps"))
    if len(copies) < len(entries):
        verdict.notes.append(
            f"{len(entries) - len(copies):,} newest manifests are not checked: the copy that can be read is older than the log."
        )
    differing = [
        index for index, entry in enumerate(entries) if entry is not None and copies.get(index, entry) != entry
    ]
    if differing and sorted(copies.values()) == sorted(entry for entry in entries if entry is not None):
        verdict.damages.append(Damage(LOG, "log reordered", "the manifests are in another order than in the ledger"))
    elif differing:
        text = f"{len(differing):,} manifests differ from the ledger's own copies, the first is {differing[0]}"
        verdict.damages.append(Damage(LOG, "manifest changed", text))
    if len(copies) > len(entries):
        verdict.notes.append(f"{len(copies) - len(entries):,} manifests are newer than the signed head.")
    known: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for index, entry in enumerate(entries[: len(copies)]):
        made = _manifest(entry)
        if made is None:
            verdict.damages.append(Damage(LOG, "manifest changed", f"manifest {index} cannot be read"))
            continue
        verdict.manifests += 1
        known.setdefault((made["source"], made["day"]), []).append(made)
    return known


def _manifest(entry: bytes | None) -> dict[str, Any] | None:
    try:
        made = json.loads(entry or b"")
    except ValueError:
        return None
    is_known = (
        isinstance(made, dict) and made.get("format") == _SEALED_FORMAT and made.get("canonical") == _EVENT_FORMAT
    )
    needed = (
        "source",
        "day",
        "sequence",
        "state",
        "stored_events",
        "first_event_no",
        "last_event_no",
        "events",
        "root",
        "kinds",
    )
    return made if is_known and all(name in made for name in needed) else None


def _day_jobs(
    connection: duckdb.DuckDBPyConnection,
    home: Path,
    database: Path,
    known: dict[tuple[str, str], list[dict[str, Any]]],
    verdict: Verification,
    *,
    hash_files: bool,
) -> list[DayJob]:
    files = connection.execute(
        "SELECT source_id, CAST(first_day AS VARCHAR), CAST(last_day AS VARCHAR), file, layout, rows, sha256, size_bytes FROM event_files"
    ).fetchall()
    whole = []
    for source, first, last, name, layout, rows, sha256, size in files:
        fault = _file_fault(home / name, sha256 if hash_files else "", size)
        if fault:
            text = f"{name} is {fault}; it held {rows:,} events of {first} to {last}"
            verdict.damages.append(Damage(EVENTS, f"file {fault}", text, source, first))
        if fault not in ("missing", "cut"):
            whole.append((source, first, last, name, layout))
    secrets = {
        (source, day, sequence): secret
        for source, day, sequence, secret in connection.execute(
            "SELECT source_id, CAST(day AS VARCHAR), sequence, secret FROM seal_secrets"
        ).fetchall()
    }
    work = []
    for (source, day), manifests in sorted(known.items()):
        manifests.sort(key=lambda made: int(made["sequence"]))
        if [made["sequence"] for made in manifests] != list(range(len(manifests))):
            verdict.damages.append(Damage(LOG, "manifest missing", "a manifest of the day is missing", source, day))
        of_day = tuple(
            (name, layout) for owner, first, last, name, layout in whole if owner == source and first <= day <= last
        )
        of_seals = tuple(secrets.get((source, day, made["sequence"]), "") for made in manifests)
        work.append(DayJob(str(database), str(home), source, day, of_day, tuple(manifests), of_seals))
    return work


def _file_fault(path: Path, sha256: str, size: int) -> str:
    try:
        if path.stat().st_size != size:
            return "cut" if path.stat().st_size < size else "replaced"
        if not sha256:
            return ""
        with path.open("rb") as file:
            return "" if hashlib.file_digest(file, "sha256").hexdigest() == sha256 else "replaced"
    except OSError:
        return "missing"


def _check_states(
    connection: duckdb.DuckDBPyConnection, known: dict[tuple[str, str], list[dict[str, Any]]], verdict: Verification
) -> None:
    """Compares what the ledger says of each day with its newest manifest."""
    judged = connection.execute(
        "SELECT source_id, CAST(day AS VARCHAR), state, stored_events, expected_events FROM slices "
        "WHERE state NOT IN ('open', 'provisional')"
    ).fetchall()
    unsealed = 0
    for source, day, state, stored, expected in judged:
        newest = max(known.get((source, day), []), key=lambda made: int(made["sequence"]), default=None)
        if newest is None:
            unsealed += 1
        elif (state, stored, expected) != (newest["state"], newest["stored_events"], newest["expected_events"]):
            text = (
                f"the ledger says {state} with {stored} events of {expected}; sealed was {newest['state']} with "
                f"{newest['stored_events']} of {newest['expected_events']}"
            )
            verdict.damages.append(Damage(EVENTS, "state changed", text, source, day))
    for source, day in sorted(known.keys() - {(source, day) for source, day, *_ in judged}):
        verdict.damages.append(
            Damage(EVENTS, "day removed", "it was sealed, but the ledger does not know it", source, day)
        )
    if unsealed:
        verdict.notes.append(
            f"{unsealed:,} judged days are not sealed yet, or only in manifests that could not be read."
        )


def _check_days(work: Sequence[DayJob], jobs: int, verdict: Verification) -> None:
    if jobs > 1 and len(work) > 1:
        with ProcessPoolExecutor(jobs) as pool:
            results = list(pool.map(check_day, work, chunksize=max(1, min(16, len(work) // jobs))))
    else:
        results = [check_day(job) for job in work]
        _connected.cache_clear()
    for events, damages in results:
        verdict.days += 1
        verdict.events += events
        verdict.damages += damages


def check_day(job: DayJob) -> tuple[int, list[Damage]]:
    """Hashes the events of one day and compares them with its manifests; returns their number, and what is wrong."""
    found: list[dict[str, list[bytes]]] = [{} for _ in job.manifests]
    secrets = [bytes.fromhex(secret) for secret in job.secrets]
    ends = [int(made["last_event_no"]) for made in job.manifests]
    part, events, beyond = 0, 0, 0
    try:
        for kind, number, text in _events(job):
            events += 1
            while part < len(ends) and number > ends[part]:
                part += 1
            if part == len(ends):
                beyond += 1
                continue
            data = hashlib.sha256(secrets[part] + number.to_bytes(8, "big")).digest() + canonical(text)
            found[part].setdefault(kind, []).append(leaf_hash(data))
    except duckdb.Error as error:
        text = f"its events cannot be read: {str(error).splitlines()[0]}"
        return 0, [Damage(EVENTS, "events unreadable", text, job.source, job.day)]
    damages = []
    if beyond:
        text = f"{beyond:,} events are beyond what was sealed"
        damages.append(Damage(EVENTS, "events added", text, job.source, job.day))
    for made, leaves, secret in zip(job.manifests, found, secrets, strict=True):
        damages += _compare(job, made, leaves, has_secret=bool(secret))
    return events, damages


def _compare(
    job: DayJob, made: dict[str, Any], leaves: dict[str, list[bytes]], *, has_secret: bool
) -> Iterator[Damage]:
    """What differs between the events that are there and those that a manifest sealed."""
    there = {kind: (len(hashes), root_of(hashes)) for kind, hashes in leaves.items()}
    entries = [kind_entry(kind, *there[kind]) for kind in sorted(there, key=str.encode)]
    if root_of([leaf_hash(entry) for entry in entries]).hex() == made["root"]:
        return
    if not has_secret and made["events"]:
        yield Damage(
            EVENTS, "secret missing", "the secret of its salts is missing: it cannot be checked", job.source, job.day
        )
        return
    sealed = made["kinds"]
    if sealed is None:
        number = sum(count for count, _ in there.values())
        yield _difference(job, "events", number, int(made["events"]))
        return
    faults = []
    for kind in sorted(sealed.keys() | there.keys()):
        count, root = there.get(kind, (0, b""))
        wanted = sealed.get(kind, {"events": 0, "root": ""})
        if (count, root.hex()) != (int(wanted["events"]), wanted["root"]):
            faults.append(_difference(job, kind, count, int(wanted["events"])))
    if not faults:
        yield Damage(LOG, "manifest changed", "its root is not that of its kinds", job.source, job.day)
    yield from faults


def _difference(job: DayJob, kind: str, count: int, sealed: int) -> Damage:
    if count == sealed:
        return Damage(
            EVENTS, "events changed", f"{kind}: of {sealed:,} events, some are not as sealed", job.source, job.day
        )
    what = "events removed" if count < sealed else "events added"
    return Damage(EVENTS, what, f"{kind}: {count:,} events, sealed were {sealed:,}", job.source, job.day)


def _events(job: DayJob) -> Iterator[tuple[str, int, str]]:
    """The events of a day by their number: (kind, number, canonical form)."""
    plain = ", ".join(_COLUMNS)
    parts = [
        f"SELECT {plain} FROM {table} WHERE source_id = $source AND day = $day"
        for table in ("event_rows", "corrections")
    ]
    for name, layout in job.files:
        path = str(Path(job.home).resolve() / name)
        path = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path).replace("'", "''")
        columns = plain if layout == 0 else ", ".join(_SAID.get(column, column) for column in _COLUMNS)
        parts.append(f"SELECT {columns} FROM read_parquet('{path}') WHERE source_id = $source AND day = $day")
    # One connection for all days of a process: opening the ledger costs more than a quiet day.
    connection = _connected(Path(job.database)).cursor()
    try:
        connection.execute(
            f"SELECT kind, event_no, {CANONICAL_SQL} FROM ({' UNION ALL '.join(parts)}) ORDER BY event_no",
            {"source": job.source, "day": job.day},
        )
        while rows := connection.fetchmany(20_000):
            yield from rows
    finally:
        connection.close()


def canonical(text: str) -> bytes:
    """JSON as in RFC 8785: DuckDB writes the digits of escaped control characters in capitals."""
    if "\\u00" in text:
        text = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def kind_entry(kind: str, events: int, root: bytes) -> bytes:
    """What a kind adds to the root of its day."""
    return json.dumps([kind, str(events), root.hex()], ensure_ascii=False, separators=(",", ":")).encode()


# Proofs of one event -----------------------------------------------------------------------------------------------------


def check_proof(text: str, keys: Sequence[PublicKey]) -> dict[str, Any]:
    """Checks a C2SP tlog-proof of one event; returns the event, its manifest and the head. Raises BadHead."""
    above, _, note = text.partition("\n\n")
    lines = above.split("\n")
    if len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra "):
        raise BadHead("it is not a proof of an event")
    try:
        extra = json.loads(base64.b64decode(lines[1].removeprefix("extra "), validate=True))
        index = int(lines[2].removeprefix("index "))
        proof = [base64.b64decode(line, validate=True) for line in lines[3:]]
        salt, of_kind, of_day = (_from_hex(extra[name]) for name in ("salt", "kind_proof", "day_proof"))
        event, manifest, entry = extra["event"].encode(), extra["manifest"].encode(), json.loads(extra["kind_entry"])
        fields, made = json.loads(event), json.loads(manifest)
        places = [int(extra[name]) for name in ("kind_index", "day_index", "day_size")]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadHead("it is malformed") from None
    if extra.get("format") != _PROOF_FORMAT or fields[:1] != [_EVENT_FORMAT] or made.get("format") != _SEALED_FORMAT:
        raise BadHead("it is of another version")
    if entry[0] != fields[1 + _COLUMNS.index("kind")] or (made["source"], made["day"]) != (fields[1], fields[2]):
        raise BadHead("the event is not of the day or the kind that the proof is about")
    root = root_by_proof(leaf_hash(salt[0] + event), places[0], int(entry[1]), of_kind)
    if root.hex() != entry[2]:
        raise BadHead("the event is not among those that were sealed, or was altered")
    if root_by_proof(leaf_hash(extra["kind_entry"].encode()), places[1], places[2], of_day).hex() != made["root"]:
        raise BadHead("the event's kind does not lead to the root of its day")
    head = open_head(note, keys)
    if root_by_proof(leaf_hash(manifest), index, head.size, proof) != head.root:
        raise BadHead("the manifest of its day is not in the log that was signed")
    return {
        "event": dict(zip(_COLUMNS, fields[1:], strict=True)),
        "manifest": made,
        "log_size": head.size,
        "origin": head.origin,
    }


def _from_hex(value: str | list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in ([value] if isinstance(value, str) else value)]


# The program -----------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the check; returns the exit code."""
    parser = argparse.ArgumentParser(description="Checks a ledger of quayledger against its sealed log.")
    parser.add_argument("ledger", nargs="?", type=Path, help="folder of the ledger")
    parser.add_argument("--proof", type=Path, help="check the proof of one event instead of a ledger")
    parser.add_argument(
        "--public-key", action="append", required=True, metavar="KEY", help="NAME+ID+KEY, or a file with it"
    )
    parser.add_argument(
        "--expect-head", action="append", default=[], type=Path, metavar="FILE", help="a checkpoint kept elsewhere"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each CPU)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    if (given.ledger is None) == (given.proof is None):
        parser.error("name a ledger, or a proof with --proof")
    try:
        keys = [PublicKey.parse(text_or_file(text)) for text in given.public_key]
        if given.proof is not None:
            _print_proof(check_proof(_read(given.proof).decode(), keys), as_json=given.json)
            return WHOLE
        verdict = check(given.ledger, keys, [_read(path).decode() for path in given.expect_head], given.jobs)
    except BadHead as error:
        print(f"Not proven: {error}.", file=sys.stderr)
        return HEAD
    except (Unreadable, OSError, UnicodeDecodeError, duckdb.Error) as error:
        print(f"Cannot be checked: {error}", file=sys.stderr)
        return UNREADABLE
    print_verdict(verdict, as_json=given.json)
    return verdict.exit_code


def text_or_file(text: str) -> str:
    """A key as it was given, or from the file of that name."""
    return text if "+" in text and not Path(text).exists() else _read(Path(text)).decode()


def print_verdict(verdict: Verification, *, as_json: bool) -> None:
    """Prints what was found: text, or one JSON object."""
    if as_json:
        print(json.dumps({**asdict(verdict), "exit_code": verdict.exit_code}, indent=2))
        return
    print(f"Head: {verdict.head}")
    print(f"Checked: {verdict.manifests:,} manifests, {verdict.days:,} days, {verdict.events:,} events")
    for note in verdict.notes:
        print(f"Note: {note}")
    for damage in verdict.damages:
        where = f"{damage.source} {damage.day}: " if damage.day else ""
        print(visible(f"DAMAGED: {where}{damage.what}: {damage.text}"))
    print("Everything is as it was sealed." if not verdict.damages else f"{len(verdict.damages):,} damages found.")


def _print_proof(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for name, value in found["event"].items():
        if value is not None:
            print(visible(f"{name}: {value}"))
    print(
        f"Proven: it is in the log of {visible(found['origin'])} ({found['log_size']:,} manifests), sealed {found['manifest']['sealed_at']}."
    )


def visible(text: str) -> str:
    """Text from a registry, without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


if __name__ == "__main__":
    sys.exit(main())
