"""Proofs of single events: files (C2SP tlog-proof) that show offline that an event is in the log that was signed. I/O."""

from __future__ import annotations

import base64
import json
import re
from datetime import date

from quayledger.warehouse.errors import WarehouseError
from quayledger.warehouse.seals import canonical, merkle
from quayledger.warehouse.snapshot import Snapshot

FORMAT = "quayledger-event-proof/1"
_EVENT_ID = re.compile(r"(?P<source>.+)-(?P<day>\d{8})-(?P<number>\d+)")
_EVENTS = f"""
SELECT kind, event_no, {canonical.ALMOST_CANONICAL_SQL} FROM stg_events
WHERE source_id = ? AND day = ? AND event_no BETWEEN ? AND ? ORDER BY event_no
"""  # noqa: S608 - our own expression


class NotSealed(WarehouseError):
    """There is no proof of the event: it is not held, or not sealed yet; the text says which."""


def event_proof(snapshot: Snapshot, event_id: str) -> str:
    """The text of a `.tlog-proof` of one event: its salt, its canonical form and the hashes that lead from it to its kind,
    its day, its manifest and the signed head. Reveals nothing of other events but their hashes. Raises NotSealed."""
    match = _EVENT_ID.fullmatch(event_id)
    if match is None:
        raise NotSealed(
            f"{event_id!r} is not the ID of an event. IDs are in the column event_id of `quayledger events`"
        )
    source, number = match["source"], int(match["number"])
    try:
        day = date(int(match["day"][:4]), int(match["day"][4:6]), int(match["day"][6:]))
    except ValueError:
        raise NotSealed(f"{event_id!r} is not the ID of an event: there is no such day") from None
    found = snapshot.rows(
        "SELECT first_event_no, last_event_no, leaf_index, secret FROM day_seals JOIN seal_secrets USING (source_id, day, sequence) "
        "WHERE source_id = ? AND day = ? AND ? BETWEEN first_event_no AND last_event_no",
        [source, day, number],
    )
    if not found:
        raise NotSealed(f"{event_id} is not sealed: its day is not judged yet, or there is no such event")
    first, last, index, secret = found[0]
    return _proof(snapshot, (source, day, first, last, number), int(index), bytes.fromhex(secret))


def _proof(snapshot: Snapshot, where: tuple[str, date, int, int, int], index: int, secret: bytes) -> str:
    source, day, first, last, number = where
    kinds: dict[str, list[bytes]] = {}
    wanted = None
    for kind, event_no, almost in snapshot.rows(_EVENTS, [source, day, first, last], snapshot.files_between(day, day)):
        leaves = kinds.setdefault(kind, [])
        if event_no == number:
            wanted = (kind, len(leaves), canonical.canonical(almost).decode())
        leaves.append(canonical.event_leaf(secret, event_no, almost))
    if wanted is None:
        raise NotSealed(f"event {number} of {day} of {source} is sealed, but not held any more")
    kind, place, event = wanted
    names = sorted(kinds, key=str.encode)
    entries = [canonical.kind_entry(name, len(kinds[name]), merkle.root(kinds[name])) for name in names]
    of_day = [merkle.leaf_hash(entry) for entry in entries]
    log = snapshot.rows("SELECT leaf FROM log_entries ORDER BY leaf_index")
    note, size = _head(snapshot)
    if size <= index:
        raise NotSealed(f"{day} of {source} is sealed, but the head that covers it is not signed yet")
    ((manifest,),) = snapshot.rows("SELECT entry FROM log_entries WHERE leaf_index = ?", [index])
    extra = {
        "format": FORMAT,
        "event": event,
        "salt": canonical.salt(secret, number).hex(),
        "kind_index": place,
        "kind_proof": [step.hex() for step in merkle.inclusion_proof(kinds[kind], place)],
        "kind_entry": entries[names.index(kind)].decode(),
        "day_index": names.index(kind),
        "day_size": len(names),
        "day_proof": [step.hex() for step in merkle.inclusion_proof(of_day, names.index(kind))],
        "manifest": manifest,
    }
    leaves = [bytes.fromhex(leaf) for (leaf,) in log[:size]]
    lines = [
        "c2sp.org/tlog-proof@v1",
        "extra " + base64.b64encode(json.dumps(extra, ensure_ascii=False, separators=(",", ":")).encode()).decode(),
        f"index {index}",
        *(base64.b64encode(step).decode() for step in merkle.inclusion_proof(leaves, index)),
    ]
    return "\n".join(lines) + "\n\n" + note


def _head(snapshot: Snapshot) -> tuple[str, int]:
    found = snapshot.rows("SELECT note, size FROM log_heads ORDER BY size DESC, signed_at DESC LIMIT 1")
    if not found:
        raise NotSealed("the log of this ledger is not signed: there is no key (setting seal.key_file)")
    return str(found[0][0]), int(found[0][1])
