"""Finds anything that events name: who, what, repository, tag, digest, address, client; exactly or as a part. Takes a
`Snapshot`.

Closed days answer from the index of their distinct values (`seen`), the rest from the events. A digest is found by its
beginning, with or without `sha256:`, and not by what is in the middle of it: so that one of millions is found at once.
"""

# ruff: noqa: S608 - SQL is put together from our own names; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec
import polars as pl

from quayledger.warehouse.log.rollups import Rollups, days_within, find_rollups, raw_relation
from quayledger.warehouse.log.seen import DIGESTS_SECTION, FIELDS, NAMES, NAMES_SECTION, PLAIN_DIGEST, TEXTS_SECTION
from quayledger.warehouse.snapshot import Snapshot

_ALGORITHMS = ("", "sha256:", "sha512:")
_TEXT_END = chr(0x10FFFF)


def digest_matches(column: str, text: str) -> str:
    """SQL: whether a digest begins with a text (lower case SQL); one of another form than Quay's, whether it contains it."""
    begins = " OR ".join(f"starts_with({column}, '{algorithm}' || {text})" for algorithm in _ALGORITHMS)
    return f"CASE WHEN {PLAIN_DIGEST.format(column)} THEN {begins} ELSE contains(lower({column}), {text}) END"


def text_matches(columns: Sequence[str], text: str) -> str:
    """SQL: whether any of an event's columns contains a text (lower case SQL)."""
    return " OR ".join(
        digest_matches(column, text) if column == "digest" else f"contains(lower({column}), {text})"
        for column in columns
    )


def find(snap: Snapshot, text: str, *, exact_only: bool = False, limit: int = 50) -> pl.DataFrame:
    """One row per source, field and value that is or contains `text`, whatever the case; exact ones first, then the latest:
    field (actor, kind, namespace, repository, tag, digest, ip, user_agent), value, source_id, is_exact, events, days (UTC
    days on which it occurred), first_at, last_at (UTC). `limit` 0: all."""
    rollups = find_rollups(snap, None, None)
    # Where little is indexed, everything is read.
    parts, values, files = [], dict[str, object](), []
    if rollups is None:
        parts.append(_of_events("events", exact_only))
    else:
        matches = _MATCHES[exact_only]
        values |= {"seen_files": [str(piece.seen) for piece in rollups.pieces]} | ({} if exact_only else _ranges(text))
        parts.append(
            "SELECT source_id, field, value, month, days, events, make_timestamp(first_us) AS first_at, "
            f"make_timestamp(first_us + lasted_us) AS last_at FROM read_parquet($seen_files) WHERE {matches}"
        )
        if rollups.files or snap.has_unfiled_events:
            relation, more = raw_relation(snap, rollups, _RAW_COLUMNS, "true")
            parts.append(_of_events(f"{relation} AS raw", exact_only))
            values |= more
            files = rollups.files
    return snap.frame(
        f"""WITH by_month AS (
            SELECT source_id, field, value, month, bit_or(days) AS days, sum(events) AS events, min(first_at) AS first_at,
                max(last_at) AS last_at
            FROM ({" UNION ALL BY NAME ".join(parts)}) AS held GROUP BY ALL
        )
        SELECT field, value, source_id, value = $text AS is_exact, CAST(sum(events) AS BIGINT) AS events,
            CAST(sum(bit_count(days)) AS BIGINT) AS days, timezone('UTC', min(first_at)) AS first_at,
            timezone('UTC', max(last_at)) AS last_at
        FROM by_month GROUP BY source_id, field, value
        ORDER BY is_exact DESC, last_at DESC, field, value, source_id {"LIMIT $limit" if limit else ""}""",
        values | {"text": text} | ({"limit": limit} if limit else {}),
        None if rollups is None else files,
    )


_RAW_COLUMNS = ", ".join(NAMES)
_BEGINS = " OR ".join(f"(value >= $from_{n} AND value < $to_{n})" for n in range(len(_ALGORITHMS)))
# By whether only exactly it is meant.
_MATCHES = {
    True: f"section < {TEXTS_SECTION} AND value = $text",
    False: (
        f"(section = {NAMES_SECTION} AND contains(lower(value), lower($text)) "
        f"OR section = {DIGESTS_SECTION} AND ({_BEGINS}))"
    ),
}


def _ranges(text: str) -> dict[str, object]:
    """Where in a sorted index the digests are that begin with a text."""
    found: dict[str, object] = {}
    for number, algorithm in enumerate(_ALGORITHMS):
        begin = algorithm + text.lower()
        found |= {f"from_{number}": begin, f"to_{number}": begin + _TEXT_END}
    return found


def _of_events(relation: str, exact_only: bool) -> str:
    """The values in events, as the index has them."""

    def matches(field: str, value: str) -> str:
        if exact_only:
            return f"{value} = $text"
        if field == "digest":
            return f"({digest_matches(value, 'lower($text)')})"
        return f"contains(lower({value}), lower($text))"

    named = ", ".join(f"{{'field': '{field}', 'value': {value}}}" for field, value in FIELDS.items())
    # Few events are left before each becomes a row for each of its fields.
    any_field = " OR ".join(matches(field, value) for field, value in FIELDS.items())
    of_field = " OR ".join(f"(field = '{field}' AND {matches(field, 'value')})" for field in FIELDS)
    return (
        "SELECT source_id, field, value, CAST(date_trunc('month', day) AS DATE) AS month, "
        "bit_or(CAST(1 AS INTEGER) << CAST(day(day) - 1 AS INTEGER)) AS days, count(*) AS events, "
        "timezone('UTC', min(occurred_at)) AS first_at, timezone('UTC', max(occurred_at)) AS last_at "
        f"FROM (SELECT source_id, day, occurred_at, unnest([{named}], recursive := true) FROM {relation} "
        f"WHERE {any_field}) AS named WHERE {of_field} GROUP BY source_id, field, value, month"
    )


class Occurrence(msgspec.Struct, frozen=True):
    """Where values occur that meet a condition: UTC days, and how many events at most on such a day, about (None: not known)."""

    days: frozenset[date]
    events_a_day: float | None


def occurrence(
    snap: Snapshot, rollups: Rollups, condition: str, values: dict[str, object], *, knows_events: bool = True
) -> Occurrence:
    """Where values of the index occur, in rolled days; `condition`: SQL over the columns of `seen.py`."""
    if not rollups.pieces:
        return Occurrence(frozenset(), 0.0)
    rows = snap.rows(
        f"SELECT month, bit_or(days), sum(events), bool_or(value IS NULL) FROM read_parquet($seen_files) WHERE {condition} "
        "GROUP BY month",
        values | {"seen_files": [str(piece.seen) for piece in rollups.pieces]},
        [],
    )
    days, events, unknown = set[date](), 0, not knows_events
    for month, mask, number, has_unknown in rows:
        mask &= days_within(month, rollups.first, rollups.last)
        days |= {month.replace(day=n + 1) for n in range(31) if mask >> n & 1}
        events, unknown = events + int(number), unknown or has_unknown
    return Occurrence(frozenset(days), None if unknown else events / max(1, len(days)))


def text_occurrence(snap: Snapshot, rollups: Rollups, text: str) -> Occurrence:
    """Where names, digests or metadata contain a text, in rolled days."""
    condition = (
        f"({_MATCHES[False]} OR section = {TEXTS_SECTION} AND (value IS NULL OR contains(lower(value), lower($text))))"
    )
    return occurrence(snap, rollups, condition, {"text": text} | _ranges(text))
