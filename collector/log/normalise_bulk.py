"""Normalises the rows of an export by the thousand, with the same result as `normalise` row by row.

The rows of a log repeat the same few values. So the repeating parts of a row (metadata, performer, time to the second) are
redacted and taken apart once and then looked up by their bytes. A row of any unusual shape is normalised by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import polars as pl

from quayledger.collector.log.normalise import (
    DefaultNamespace,
    Event,
    Parts,
    Reject,
    event_frame,
    normalise,
    stamp_seconds,
    take_apart,
)
from quayledger.collector.quay import lenient_json, redaction
from quayledger.collector.quay.lenient_json import UNREADABLE, is_deep
from quayledger.warehouse.schema import EVENT_SCHEMA

_MOST_KEPT = 4_000  # of each cache; at about 1 kB each they stay small
_PLAIN = re.compile(r"[A-Za-z0-9_.:]+")
_SECOND_US = 1_000_000
_PERFORMER_COLUMNS = ("performer", "performer_kind")
_PART_COLUMNS = ("repository", "repository_namespace", "tag", "digest", "user_agent", "metadata")

Performer = tuple[str | None, str | None]
K = TypeVar("K")
V = TypeVar("V")


class UsualRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The shape of nearly every row of an export."""

    kind: str
    metadata: msgspec.Raw
    ip: str | None
    datetime: str
    performer: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ExportRows(NamedTuple):
    """The rows of a block: all of them usual, or all as they are."""

    usual: list[UsualRow]
    raw: list[msgspec.Raw]


_decode_usual = msgspec.json.Decoder(list[UsualRow]).decode
_decode_one = msgspec.json.Decoder(UsualRow).decode
_decode_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode


def split(block: bytes | bytearray) -> ExportRows:
    """The rows of a JSON list; not decoded if any is unusual. Raises msgspec.DecodeError if it is not a JSON list."""
    try:
        return ExportRows(_decode_usual(block), [])
    except UNREADABLE:
        return ExportRows([], _decode_raw(block))


def split_leniently(block: bytes | bytearray) -> ExportRows:
    """The same for a list in which a row is not valid JSON, at the speed of Python. Raises msgspec.DecodeError if it is not
    a list, or is incomplete."""
    return ExportRows([], [msgspec.Raw(row) for row in lenient_json.items(bytes(block))])


class _Numbered(Generic[V]):
    """A column of few distinct values: each of them once, and their numbers row by row."""

    def __init__(self) -> None:
        self.values: list[V] = []
        self.numbers: list[int] = []
        self._known: dict[bytes, int] = {}

    def extend(self, keys: list[bytes], values: list[V]) -> None:
        """Adds rows by what tells their values apart."""
        known = self._known
        for key, value in dict(zip(keys, values, strict=True)).items():
            if key not in known:
                known[key] = len(self.values)
                self.values.append(value)
        self.numbers += [known[key] for key in keys]


class _Gathered:
    """Columns of usual rows."""

    def __init__(self) -> None:
        self.stamps: list[int | None] = []
        self.kinds: list[str] = []
        self.ips: list[str | None] = []
        self.performers: _Numbered[Performer | None] = _Numbered()
        self.parts: _Numbered[Parts | None] = _Numbered()
        self.odd: list[Event] = []


class Bulk:
    """Gathers normalised rows of one namespace until they are taken away as a frame."""

    def __init__(self, default: DefaultNamespace) -> None:
        self._default = default
        self._stamps: dict[str, int | None] = {}
        self._parts: dict[bytes, Parts | None] = {}
        self._performers: dict[bytes, Performer | None] = {}
        self._plain: set[str | None] = {None}
        self._held = _Gathered()

    def __len__(self) -> int:
        return len(self._held.stamps) + len(self._held.odd)

    def take(self, block: bytes, rows: ExportRows) -> list[Reject]:
        """Gathers the events of a block's rows; gives what is none."""
        if rows.usual:
            odd = self._gather(rows.usual)
            raws = _decode_raw(block) if odd else []
            return self._take_odd([raws[number] for number in odd])
        usual, known, odd_raws = [], [], []
        for raw in rows.raw:
            try:
                usual.append(_decode_one(raw))
                known.append(raw)
            except UNREADABLE:
                odd_raws.append(raw)
        return self._take_odd(odd_raws + [known[number] for number in self._gather(usual)])

    def frame(self) -> pl.DataFrame:
        """What was gathered (EVENT_SCHEMA), in no certain order; gathering begins anew."""
        held, self._held = self._held, _Gathered()
        by_performer = _table(_PERFORMER_COLUMNS, held.performers.values)
        by_parts = _table(_PART_COLUMNS, held.parts.values)
        frame = pl.DataFrame(
            [
                pl.Series("occurred_at", held.stamps, pl.Int64).cast(EVENT_SCHEMA["occurred_at"]),
                pl.Series("kind", held.kinds, pl.String),
                pl.Series("ip", held.ips, pl.String),
                *by_performer[pl.Series(held.performers.numbers, dtype=pl.UInt32)],
                *by_parts[pl.Series(held.parts.numbers, dtype=pl.UInt32)],
            ]
        ).with_columns(
            pl.lit(self._default.namespace, pl.String).alias("namespace"),
            pl.lit(self._default.namespace_kind, pl.String).alias("namespace_kind"),
            pl.lit(None, pl.String).alias("extra"),
        )
        return pl.concat([frame.select(EVENT_SCHEMA.keys()), event_frame(held.odd)])

    def _gather(self, rows: Sequence[UsualRow]) -> list[int]:
        """Gathers usual rows; gives the numbers of those that are not."""
        texts = [row.datetime for row in rows]
        metadata = [bytes(row.metadata) for row in rows]
        performers = [b"" if row.performer is msgspec.UNSET else bytes(row.performer) for row in rows]
        kinds, ips = [row.kind for row in rows], [row.ip for row in rows]
        stamps = _look_up(self._stamps, texts, _stamps)
        found_parts = _look_up(self._parts, metadata, _parts)
        found_performers = _look_up(self._performers, performers, _performers)
        odd = _without(stamps) | _without(found_parts) | _without(found_performers)
        odd |= self._not_plain(kinds) | self._not_plain(ips)
        # What is redacted in these depends on the kind, which their metadata alone does not tell.
        odd |= {number for number, kind in enumerate(kinds) if kind == "login_failure"}
        held = self._held
        held.stamps += _all_but(odd, stamps)
        held.kinds += _all_but(odd, kinds)
        held.ips += _all_but(odd, ips)
        held.performers.extend(_all_but(odd, performers), _all_but(odd, found_performers))
        held.parts.extend(_all_but(odd, metadata), _all_but(odd, found_parts))
        return sorted(odd)

    def _not_plain(self, texts: Sequence[str | None]) -> set[int]:
        """The numbers of the texts in which a secret might hide."""
        plain = self._plain
        new = set(texts) - plain
        if not new:
            return set()
        if len(plain) + len(new) > _MOST_KEPT:
            plain = self._plain = {None}
        plain.update(text for text in set(texts) if text and _PLAIN.fullmatch(text))
        return {number for number, text in enumerate(texts) if text not in plain}

    def _take_odd(self, raws: list[msgspec.Raw]) -> list[Reject]:
        rejects = []
        for raw in raws:
            found = self._long(raw)
            if isinstance(found, Event):
                self._held.odd.append(found)
            else:
                rejects.append(found)
        return rejects

    def _long(self, raw: msgspec.Raw) -> Event | Reject:
        return normalise(redaction.redact(bytes(raw)), self._default)


def _look_up(cache: dict[K, V], keys: list[K], make: Callable[[list[K]], Iterable[V]]) -> list[V]:
    """A value for each key; those that are not there yet are made, all at once."""
    distinct = set(keys)
    new = [key for key in distinct if key not in cache]
    if new and len(cache) + len(new) > _MOST_KEPT:
        cache.clear()
        new = list(distinct)
    if new:
        cache.update(zip(new, make(new), strict=True))
    return [cache[key] for key in keys]


def _without(values: list[V]) -> set[int]:
    """The numbers of those that are None."""
    return {number for number, value in enumerate(values) if value is None} if None in values else set()


def _all_but(odd: set[int], items: list[V]) -> list[V]:
    return [item for number, item in enumerate(items) if number not in odd] if odd else items


def _table(columns: tuple[str, ...], rows: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _stamps(texts: list[str]) -> list[int | None]:
    found = [stamp_seconds(text) for text in texts]
    return [None if seconds is None else seconds * _SECOND_US for seconds in found]


def _parts(texts: list[bytes]) -> list[Parts | None]:
    """Metadata taken apart and redacted; None if it must be normalised with its row."""
    # Looking through all of them at once usually spares looking through each.
    if redaction.may_hold_secrets(b"\n".join(texts)):
        return [_part(text, redaction.redact) for text in texts]
    return [_part(text, bytes) for text in texts]


def _part(text: bytes, clean: Callable[[bytes], bytes]) -> Parts | None:
    if b'"token"' in text or is_deep(text):
        return None
    try:
        metadata = _decode(clean(text))
    except UNREADABLE:
        return None
    return take_apart(metadata) if type(metadata) is dict else None


def _performers(texts: list[bytes]) -> list[Performer | None]:
    return [_performer(text) for text in texts]


def _performer(text: bytes) -> Performer | None:
    """Name and kind of a usual performer, as the long way finds them; b"": there is none."""
    if not text:
        return None, None
    row = b'{"kind":"x","metadata":{},"ip":null,"datetime":"Thu, 01 Jan 1970 00:00:00 -0000","performer":%b}' % text
    event = normalise(redaction.redact(row), DefaultNamespace(None, None))
    if type(event) is not Event or event.extra is not None:
        return None
    return event.performer, event.performer_kind
