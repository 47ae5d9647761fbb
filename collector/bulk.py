"""Normalising in bulk: the rows of an export by the thousand, with the same outcome as `collector.normalise` row by row.

A log says the same few things again and again. So what of a row repeats (its metadata, its performer, its time to the second)
is looked through for secrets and taken apart once, and found again by its bytes. A row of any unusual shape goes the long way.
"""

from __future__ import annotations

import re

import msgspec

from collector.normalise import Event, Parts, Place, Reject, normalise, stamp_seconds, take_apart
from collector.quay import redaction

_MOST_KEPT = 20_000  # of each cache; at about 1 kB each the caches stay below 50 MB
_PLAIN = re.compile(r"[A-Za-z0-9_.:]*")
_SECOND_US = 1_000_000

Performer = tuple[str | None, str | None]


class UsualRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The shape of nearly every row of an export."""

    kind: str
    metadata: msgspec.Raw
    ip: str | None
    datetime: str
    performer: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


Rows = list[UsualRow] | list[msgspec.Raw]

_decode_usual = msgspec.json.Decoder(list[UsualRow]).decode
_decode_one = msgspec.json.Decoder(UsualRow).decode
_decode_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode


def split(block: bytes | bytearray) -> Rows:
    """The rows of a JSON list; as they are where any is unusual. Raises msgspec.DecodeError where it is no JSON list."""
    try:
        return _decode_usual(block)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_raw(block)


class Bulk:
    """Normalises rows of one place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._parts: dict[bytes, Parts | None] = {}
        self._performers: dict[bytes, Performer | None] = {}
        self._stamps: dict[str, int | None] = {}
        self._plain: set[str | None] = {None}

    def normalise(self, block: bytes, rows: Rows) -> tuple[list[Event], list[Reject]]:
        """The events and the rejects of a block's rows, each in their order."""
        events: list[Event] = []
        rejects: list[Reject] = []
        raws: list[msgspec.Raw] | None = None
        for number, row in enumerate(rows):
            if type(row) is UsualRow:
                event = self._usual(row)
                if event is not None:
                    events.append(event)
                    continue
                raws = raws or _decode_raw(block)
                found = self._long(raws[number])
            else:
                found = self._any(row)  # type: ignore[arg-type]
            (events if type(found) is Event else rejects).append(found)  # type: ignore[arg-type]
        return events, rejects

    def _any(self, raw: msgspec.Raw) -> Event | Reject:
        try:
            event = self._usual(_decode_one(raw))
        except (msgspec.DecodeError, UnicodeDecodeError):
            event = None
        return event or self._long(raw)

    def _long(self, raw: msgspec.Raw) -> Event | Reject:
        try:
            return normalise(redaction.redact(bytes(raw)), self._place)
        except RecursionError:
            return Reject(None, "nested too deeply", "")

    def _usual(self, row: UsualRow) -> Event | None:
        """The event, where everything about the row is usual."""
        performer = self._performer(row.performer)
        parts = self._take_apart(row.metadata)
        stamp = self._stamp(row.datetime)
        plain = self._plain
        if performer is None or parts is None or stamp is None:
            return None
        if (row.kind not in plain and not self._is_plain(row.kind)) or not row.kind:
            return None
        if row.ip not in plain and not self._is_plain(row.ip):
            return None
        return Event(stamp, row.kind, *self._place, *performer, row.ip, *parts, None)

    def _stamp(self, text: str) -> int | None:
        try:
            return self._stamps[text]
        except KeyError:
            seconds = stamp_seconds(text)
            found = None if seconds is None else seconds * _SECOND_US
            _keep(self._stamps, text, found)
            return found

    def _take_apart(self, raw: msgspec.Raw) -> Parts | None:
        held = bytes(raw)
        try:
            return self._parts[held]
        except KeyError:
            found = _parts(held)
            _keep(self._parts, held, found)
            return found

    def _performer(self, raw: msgspec.Raw | msgspec.UnsetType) -> Performer | None:
        if raw is msgspec.UNSET:
            return None, None
        held = bytes(raw)
        try:
            return self._performers[held]
        except KeyError:
            found = _performer(held)
            _keep(self._performers, held, found)
            return found

    def _is_plain(self, text: str | None) -> bool:
        """Whether the text is of a shape in which no secret hides."""
        if text is None or not _PLAIN.fullmatch(text):
            return False
        if len(self._plain) >= _MOST_KEPT:
            self._plain = {None}
        self._plain.add(text)
        return True


def _keep(cache: dict, key: object, value: object) -> None:  # type: ignore[type-arg]
    if len(cache) >= _MOST_KEPT:
        cache.clear()
    cache[key] = value


def _parts(held: bytes) -> Parts | None:
    """Metadata taken apart, secrets cut out; None where it is no JSON object."""
    try:
        metadata = _decode(redaction.redact(held))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return take_apart(metadata) if type(metadata) is dict else None


def _performer(held: bytes) -> Performer | None:
    """Name and kind of a usual performer, as the long way finds them."""
    row = b'{"kind":"x","metadata":{},"ip":null,"datetime":"Thu, 01 Jan 1970 00:00:00 -0000","performer":%b}' % held
    try:
        event = normalise(redaction.redact(row), Place(None, None))
    except RecursionError:
        return None
    if type(event) is not Event or event.extra is not None:
        return None
    return event.performer, event.performer_kind
