"""Reads events: the events, how complete they are, and their counts. Takes a `Snapshot`.

Every value is bound, never written into SQL: what people search for and what a registry wrote is text, not a query.
Times in frames are UTC unless a column says otherwise; counts are 64-bit integers. Errors: WarehouseError.
"""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Literal

import msgspec
import polars as pl

from quayledger.warehouse.event_files import EventFile
from quayledger.warehouse.log import rolled_figures
from quayledger.warehouse.log.addresses import network_of, texts_within
from quayledger.warehouse.log.event_filter import EQUAL, EXCLUDABLE, RenamedAccount
from quayledger.warehouse.log.event_filter import EventFilter as EventFilter  # who asks for events names them by it
from quayledger.warehouse.log.find import Occurrence, occurrence, text_matches, text_occurrence
from quayledger.warehouse.log.former_names import AlsoNamed, also_named, former_names
from quayledger.warehouse.log.rolled_figures import ROLLED_COLUMNS, RolledQuestion, named_columns, utc_day
from quayledger.warehouse.log.rollups import Rollups, find_rollups
from quayledger.warehouse.log.seen import DIGESTS_SECTION, FIELDS, NAMES_SECTION
from quayledger.warehouse.schema import EVENT_COLUMNS, FULL_NAME
from quayledger.warehouse.snapshot import Snapshot

UsageKey = Literal["namespace", "repository", "actor", "robot", "client", "kind", "source"]
Bucket = Literal["hour", "day", "week", "month"]
NOT_COLLECTED = "not collected"
BEFORE_START = "before start"
# The first UTC day that collection was set to begin with, or that was collected anyway, per source.
BEGUN = """SELECT source_id, min(day) AS first_day FROM (
    SELECT source_id, from_day AS day FROM covers UNION ALL SELECT source_id, day FROM slices
) GROUP BY source_id"""

_COLUMNS = ", ".join(EVENT_COLUMNS)
_SEARCHED = (
    *("kind", "namespace", "repository", "tag", "digest", "actor", "ip", "user_agent"),
    *("metadata", "extra"),
)
# A failed login is found by the name that was typed, but a typed name is not an active account. Of each key: its expression, and what an event must be to have one.
_KEYS: dict[str, tuple[str, str]] = {
    "namespace": ("namespace", "true"),
    "repository": (FULL_NAME, "true"),
    "actor": ("actor", "actor_type = 'user' AND kind <> 'login_failure'"),
    "robot": ("actor", "actor_type = 'robot' AND kind <> 'login_failure'"),
    "client": ("client", "true"),
    "kind": ("kind", "true"),
    "source": ("source_id", "true"),
}
_DELETES = "kind IN ('delete_tag', 'permanently_delete_tag', 'autoprune_tag_delete', 'delete_repo')"
_OTHER = "kind NOT IN ('pull_repo', 'push_repo', 'delete_tag', 'permanently_delete_tag', 'autoprune_tag_delete', 'delete_repo')"


def _number(condition: str = "true") -> str:
    """How many events of a relation meet a condition; its rows stand for `events` events each."""
    return f"CAST(coalesce(sum(events) FILTER ({condition}), 0) AS BIGINT)"


_SUMS = f"""
    {_number("kind = 'pull_repo'")} AS pulls,
    {_number("kind = 'push_repo'")} AS pushes,
    {_number(_DELETES)} AS deletes,
    {_number(_OTHER)} AS other,
    {_number()} AS events"""
_ACTORS = "count(DISTINCT actor) FILTER (kind <> 'login_failure') AS actors"
_IS_ANONYMOUS_PULL = "kind = 'pull_repo' AND actor_type = 'anonymous'"
_ANONYMOUS_PULLS = f"{_number(_IS_ANONYMOUS_PULL)} AS anonymous_pulls"


class _Where(msgspec.Struct, frozen=True):
    """A filter in SQL, what that binds, and the texts under which the address is stored that it names (None: it names none)."""

    sql: str
    values: dict[str, object]
    ips: tuple[str, ...] | None = None


# Fields that name an account, or what belongs to one, which may have several names.
_NAMES = {"namespace": "namespace", "actor": "actor", "repository": f"({FULL_NAME})"}
_AMONG = {"source_ids": "source_id", "kinds": "kind", "categories": "category"}


def _where(snap: Snapshot, flt: EventFilter) -> _Where:
    parts, values = _period(flt)
    spellings: list[str] | None = None
    for field, column in _AMONG.items():
        if chosen := getattr(flt, field):
            names = [f"{field}_{index}" for index in range(len(chosen))]
            parts.append(f"{column} IN ({', '.join('$' + name for name in names)})")
            values |= dict(zip(names, chosen, strict=True))
    for column in EQUAL:
        if (wanted := getattr(flt, column)) is not None:
            parts.append(f"{column} = ${column}")
            values[column] = wanted
    if flt.ip is not None:
        # Addresses are compared as addresses and not as text; there are few distinct ones, so that is done here.
        spellings = _spellings(snap, flt.ip, flt)
        condition, bound = _listed("ips", spellings)
        parts.append(f"ip {condition}")
        values |= bound
    if flt.user_agent is not None:
        parts.append("contains(lower(user_agent), lower($user_agent))")
        values["user_agent"] = flt.user_agent
    if flt.text is not None:
        parts.append(f"({text_matches(_SEARCHED, '$text')})")
        values["text"] = flt.text.lower()
    found = [
        *(_is_named(snap, field, wanted, field) for field in _NAMES if (wanted := getattr(flt, field)) is not None),
        *(_unlike(snap, flt, field, value, f"excluded_{number}") for number, (field, value) in enumerate(flt.excluded)),
    ]
    for condition, bound in found:
        parts.append(condition)
        values |= bound
    return _Where(" AND ".join(parts), values, None if spellings is None else tuple(spellings))


def _unlike(snap: Snapshot, flt: EventFilter, field: str, value: str, key: str) -> tuple[str, dict[str, object]]:
    """The condition that a field has another value or none, and what it binds under names that begin with `key`."""
    if field not in EXCLUDABLE:
        raise ValueError(f"events cannot be excluded by {field}")
    if field == "ip":
        return f"NOT coalesce(list_contains(${key}, ip), false)", {key: _spellings(snap, value, flt)}
    if field in _NAMES:
        condition, bound = _is_named(snap, field, value, key)
        return f"NOT coalesce({condition}, false)", bound
    if field == "user_agent":
        return f"NOT coalesce(contains(lower(user_agent), lower(${key})), false)", {key: value}
    return f"{field} IS DISTINCT FROM ${key}", {key: value}


def _is_named(snap: Snapshot, field: str, wanted: str, key: str) -> tuple[str, dict[str, object]]:
    """The condition that a field of _NAMES is a name, or on its days another name of the same account; and what it binds under
    names that begin with `key`."""
    sql, bound = _NAMES[field], dict[str, object]({key: wanted})
    choices = [f"{sql} = ${key}", *([f"repository = ${key}"] if field == "repository" else [])]
    for number, one in enumerate(_other_names(snap, field, wanted)):
        name, source, first, last = (f"{key}_{number}{part}" for part in ("", "_source", "_first", "_last"))
        choices.append(f"({sql} = ${name} AND source_id = ${source} AND day BETWEEN ${first} AND ${last})")
        bound |= {name: one.name, source: one.source_id, first: one.first_day, last: one.last_day}
    return choices[0] if len(choices) == 1 else f"({' OR '.join(choices)})", bound


def _other_names(snap: Snapshot, field: str, wanted: str) -> list[AlsoNamed]:
    """The other names of what a field of _NAMES names; a repository's are those of its namespace."""
    if field != "repository":
        return also_named(former_names(snap), wanted)
    namespace, slash, own = wanted.partition("/")
    others = also_named(former_names(snap), namespace) if slash else []
    return [msgspec.structs.replace(one, name=f"{one.name}/{own}") for one in others]


def _listed(name: str, values: Sequence[str]) -> tuple[str, dict[str, object]]:
    """`IN` some values. Of few, each is bound by itself: DuckDB then looks for them in the statistics of files."""
    if 0 < len(values) <= _FEW_VALUES:
        bound: dict[str, object] = {f"{name}_{number}": value for number, value in enumerate(values)}
        return f"IN ({', '.join('$' + one for one in bound)})", bound
    return f"IN (SELECT unnest(CAST(${name} AS VARCHAR[])))", {name: list(values)}


_FEW_VALUES = 100


def _period(flt: EventFilter) -> tuple[list[str], dict[str, object]]:
    parts, values = ["true"], dict[str, object]()
    if flt.since is not None:
        # The day says it again, so that other days' rows and months' files are not even opened.
        parts.append("occurred_at >= $since AND day >= $since_day")
        values |= {"since": flt.since, "since_day": utc_day(flt.since)}
    if flt.until is not None:
        parts.append("occurred_at < $until AND day <= $until_day")
        values |= {"until": flt.until, "until_day": utc_day(flt.until)}
    return parts, values


def _spellings(snap: Snapshot, wanted: str, flt: EventFilter) -> list[str]:
    """The texts under which an address, or those of a network, are stored; the text itself if it is neither."""
    network = network_of(wanted)
    if network is None:
        return [wanted]
    of_period = EventFilter(since=flt.since, until=flt.until, source_ids=flt.source_ids)
    return texts_within(_values_of(snap, "ip", of_period), network)


def _question(snap: Snapshot, flt: EventFilter) -> RolledQuestion | None:
    """The filter for rollups; None where there are none for its period, or it asks for what they do not know."""
    if not named_columns(flt) <= ROLLED_COLUMNS or _has_other_names(snap, flt):
        return None
    rollups = find_rollups(snap, flt.since, flt.until)
    where = _where(snap, flt)
    return RolledQuestion(snap, flt, where.sql, where.values, rollups) if rollups else None


def _has_other_names(snap: Snapshot, flt: EventFilter) -> bool:
    """Whether the filter names an account that had several names, each on its days, which rollups of months do not tell apart."""
    named = [(field, getattr(flt, field)) for field in _NAMES] + list(flt.excluded)
    return any(_other_names(snap, field, wanted) for field, wanted in named if field in _NAMES and wanted is not None)


def _files(snap: Snapshot, flt: EventFilter) -> list[EventFile]:
    """The files that may hold events of the filter's period."""
    return snap.files_between(
        None if flt.since is None else utc_day(flt.since), None if flt.until is None else utc_day(flt.until)
    )


def _values_of(snap: Snapshot, field: Literal["namespace", "ip"], flt: EventFilter) -> list[str]:
    """The values that a field has in events of the filter's sources and period, by name."""
    question = _question(snap, flt)
    if question is None:
        where = _where(snap, flt)
        sql = f"SELECT DISTINCT {field} FROM events WHERE {where.sql} AND {field} IS NOT NULL ORDER BY {field}"
        return [value for (value,) in snap.rows(sql, where.values, _files(snap, flt))]
    part = "address" if field == "ip" else "who"
    found = question.rows(part, [field], condition=f"{field} IS NOT NULL")[field]
    return sorted(found.drop_nulls().unique().cast(pl.String).to_list())


def events(snap: Snapshot, flt: EventFilter, *, limit: int, offset: int = 0, newest_first: bool = True) -> pl.DataFrame:
    """The events that match, EVENT_COLUMNS, in an order that is the same each time. `limit` 0: all."""
    where = _where(snap, flt)
    if not limit:
        sql = f"SELECT {_COLUMNS} FROM events WHERE {where.sql} ORDER BY {_order(newest_first)} OFFSET $offset"
        return snap.frame(sql, where.values | {"offset": offset}, _files(snap, flt))
    return _page(snap, where, flt, limit, offset, newest_first=newest_first)


def _page(
    snap: Snapshot, where: _Where, flt: EventFilter, limit: int, offset: int, *, newest_first: bool
) -> pl.DataFrame:
    """Goes through the days that can hold matching events, in the order wanted, until there are enough; within a day through
    stretches of it, as long as what is known of the number of events lets expect enough in them."""
    candidates = _candidates(snap, where, flt)
    left, found = offset + limit, list[pl.DataFrame]()
    wide = left <= _WIDE_ROWS
    for since, until, days in _stretches_of_time(candidates, left, newest_first=newest_first):
        if since >= until:
            continue
        relation = "events" if candidates.unfiled & set(days) else _FILED
        columns = _COLUMNS if wide else "source_id, day, event_no"
        rows = snap.frame(
            f"SELECT {columns} FROM {relation} AS held WHERE {where.sql} AND day BETWEEN $first AND $last "
            f"AND occurred_at >= $from AND occurred_at < $to ORDER BY {_order(newest_first)} LIMIT $left",
            where.values | {"first": min(days), "last": max(days), "from": since, "to": until, "left": left},
            _files_of(snap, days),
        )
        found.append(rows)
        left -= rows.height
        if left <= 0:
            break
    rows = pl.concat(found).slice(offset, limit) if found else pl.DataFrame()
    return rows if wide and found else _fetch(snap, rows, newest_first=newest_first)


# More rows than these are sorted by their keys first, and their other columns fetched for those that are wanted.
_WIDE_ROWS = 2_000
# What readers see of an event in a file: as in the view `events`, for days that have events nowhere else.
_FILED = (
    "(SELECT concat(source_id, '-', strftime(day, '%Y%m%d'), '-', event_no) AS event_id, "
    "COLUMNS(name -> NOT starts_with(name, 'said_')), "
    + ", ".join(
        f"CASE WHEN said_{name} IS NULL THEN {name} WHEN said_{name} <> '-' THEN substr(said_{name}, 2) END AS stored_{name}"
        for name in ("ip", "user_agent", "digest")
    )
    + " FROM stg_current_files)"
)


class _Candidates(msgspec.Struct, frozen=True):
    """The UTC days that can hold matching events, how many there are a day at most, about, and the days that have events outside
    of files."""

    days: list[date]
    events_a_day: float
    unfiled: set[date]


def _stretches_of_time(
    candidates: _Candidates, wanted: int, *, newest_first: bool
) -> Iterator[tuple[datetime, datetime, list[date]]]:
    """Stretches of time (aware UTC, half-open) and their days, which follow each other: parts of the first days where many events
    are expected in a day, more of it each time that they were not found, in the end many days at once."""
    days = sorted(candidates.days, reverse=newest_first)
    share = min(1.0, _MARGIN * wanted / max(1.0, candidates.events_a_day))
    # As many days at once as would do on average.
    place, number = 0, min(_DAYS_AT_ONCE, max(1, ceil(wanted / max(1.0, candidates.events_a_day))))
    while place < len(days):
        if share < _WHOLE_SHARE:
            begin, done = datetime.combine(days[place], time.min, tzinfo=UTC), 0.0
            while done < 1.0:
                part = min(1.0, done + share) if done + share < _WHOLE_SHARE else 1.0
                span = (1.0 - part, 1.0 - done) if newest_first else (done, part)
                yield begin + _DAY * span[0], begin + _DAY * span[1], [days[place]]
                done, share = part, share * _GROWTH
            place += 1
            continue
        some = days[place : place + number]
        first, last = min(some), max(some)
        yield (
            datetime.combine(first, time.min, tzinfo=UTC),
            datetime.combine(last, time.min, tzinfo=UTC) + _DAY,
            some,
        )
        place, number = place + number, number * 2


_DAY = timedelta(days=1)
# Three times as long a stretch as would do on average; eight times as long where that was too little.
_MARGIN, _GROWTH, _WHOLE_SHARE = 3, 8, 0.5
_DAYS_AT_ONCE = 32


def by_ids(snap: Snapshot, event_ids: Sequence[str]) -> pl.DataFrame:
    """The events of these ids, EVENT_COLUMNS, newest first; an id that names none is left out."""
    keys = [key for one in event_ids if (key := _key_of(one))]
    schema = {"source_id": pl.String, "day": pl.Date, "event_no": pl.Int64}
    return _fetch(snap, pl.DataFrame(keys, schema=schema, orient="row").unique(), newest_first=True)


_EVENT_ID = re.compile(r"(.+)-(\d{8})-(\d{1,15})", re.DOTALL)


def _key_of(event_id: str) -> tuple[str, date, int] | None:
    """Source, UTC day and number that an event's id is made of."""
    match = _EVENT_ID.fullmatch(event_id)
    try:
        return (match[1], date.fromisoformat(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def _fetch(snap: Snapshot, wanted: pl.DataFrame, *, newest_first: bool) -> pl.DataFrame:
    """The events of these keys (source_id, day, event_no)."""
    order = _order(newest_first)
    if wanted.is_empty():
        return snap.frame(f"SELECT {_COLUMNS} FROM events LIMIT 0", (), [])
    sql = (
        f"SELECT {_COLUMNS} FROM events SEMI JOIN (SELECT unnest($sources) AS source_id, unnest($days) AS day, "
        f"unnest($numbers) AS event_no) AS wanted USING (source_id, day, event_no) "
        f"WHERE list_contains($among, day) ORDER BY {order}"
    )
    values: dict[str, object] = {"sources": wanted["source_id"].to_list(), "days": wanted["day"].to_list()}
    among = sorted(set(wanted["day"].to_list()))
    values |= {"numbers": wanted["event_no"].to_list(), "among": among}
    return snap.frame(sql, values, _files_of(snap, among))


def _files_of(snap: Snapshot, days: Sequence[date]) -> list[EventFile]:
    return [file for file in snap.files if any(file.first_day <= day <= file.last_day for day in days)]


def _candidates(snap: Snapshot, where: _Where, flt: EventFilter) -> _Candidates:
    """By the index of closed days; all days with events outside of it can hold some."""
    first = date.min if flt.since is None else utc_day(flt.since)
    last = date.max if flt.until is None else utc_day(flt.until)
    bounds: dict[str, object] = {"first": first, "last": last}
    within = "WHERE day BETWEEN $first AND $last"
    outside = f"SELECT day FROM event_rows {within} UNION SELECT day FROM corrections {within}"
    unfiled: set[date] = {day for (day,) in snap.rows(outside, bounds, [])}
    counted = snap.rows(f"SELECT day, sum(stored_events) FROM slices {within} GROUP BY day", bounds, [])
    days = {day for day, _ in counted} | unfiled
    most = float(max((number or 0 for _, number in counted), default=0))
    rollups = find_rollups(snap, None, None)
    if rollups is None or rollups.pieces == ():
        return _Candidates(sorted(days), most, days)
    unrolled = {day for day in days for file in rollups.unrolled if file.first_day <= day <= file.last_day}
    # Files of an older version are read through the view alone.
    unfiled |= unrolled
    for found in _occurrences(snap, where, flt, rollups):
        days &= found.days | unfiled
        most = most if found.events_a_day is None else min(most, found.events_a_day)
    return _Candidates(sorted(days), most, unfiled)


def _occurrences(snap: Snapshot, where: _Where, flt: EventFilter, rollups: Rollups) -> Iterator[Occurrence]:
    """Where in rolled days each thing that the filter names occurs."""
    for field, section in (("tag", NAMES_SECTION), ("digest", DIGESTS_SECTION)):
        if (wanted := getattr(flt, field)) is not None:
            condition = f"section <= {section} AND field = '{field}' AND value = $wanted"
            yield occurrence(snap, rollups, condition, {"wanted": wanted})
    for field in _NAMES:
        if (wanted := getattr(flt, field)) is not None:
            names, bound = _listed("wanted", [wanted, *(one.name for one in _other_names(snap, field, wanted))])
            own = f" OR ends_with(value, '/' || ${next(iter(bound))})" if field == "repository" else ""
            condition = f"section = {NAMES_SECTION} AND field = '{field}' AND (value {names}{own})"
            yield occurrence(snap, rollups, condition, bound)
    if flt.user_agent is not None:
        condition = f"section = {NAMES_SECTION} AND field = 'user_agent' AND contains(lower(value), lower($wanted))"
        yield occurrence(snap, rollups, condition, {"wanted": flt.user_agent})
    for field, chosen in (("ip", where.ips), ("kind", flt.kinds or None)):
        if chosen is not None:
            names, bound = _listed(field, chosen)
            yield occurrence(snap, rollups, f"section = {NAMES_SECTION} AND field = '{field}' AND value {names}", bound)
    if flt.text is not None:
        yield text_occurrence(snap, rollups, flt.text)


def event_batches(
    snap: Snapshot, flt: EventFilter, *, batch_rows: int = 50_000, newest_first: bool = False
) -> Iterator[pl.DataFrame]:
    """The events that match in frames of at most about `batch_rows` rows: never more than a few days are held at once."""
    where, order = _where(snap, flt), _order(newest_first)
    sql = f"SELECT {_COLUMNS} FROM events WHERE {where.sql} AND day BETWEEN $first AND $last ORDER BY {order}"
    for first, last in _stretches(snap, where, flt, batch_rows, newest_first):
        files = snap.files_between(first, last)
        for batch in snap.batches(sql, where.values | {"first": first, "last": last}, batch_rows, files):
            for start in range(0, batch.height, batch_rows):
                yield batch.slice(start, batch_rows)


def _stretches(
    snap: Snapshot, where: _Where, flt: EventFilter, rows: int, newest_first: bool
) -> Iterator[tuple[date, date]]:
    """Ranges of whole days that hold about `rows` matching events each, in the order of reading."""
    sql = f"SELECT day, count(*) FROM events WHERE {where.sql} GROUP BY day ORDER BY day"
    counted = snap.rows(sql, where.values, _files(snap, flt))
    if newest_first:
        counted.reverse()
    days: list[date] = []
    held = 0
    for day, number in counted:
        if days and held + number > rows:
            yield min(days), max(days)
            days, held = [], 0
        days.append(day)
        held += number
    if days:
        yield min(days), max(days)


def _order(newest_first: bool) -> str:
    way = "DESC" if newest_first else "ASC"
    return f"occurred_at {way}, source_id {way}, event_no {way}"


def count_events(snap: Snapshot, flt: EventFilter) -> int:
    """How many events match."""
    if (question := _question(snap, flt)) and (found := rolled_figures.count(question)) is not None:
        return found
    where = _where(snap, flt)
    return int(snap.rows(f"SELECT count(*) FROM events WHERE {where.sql}", where.values, _files(snap, flt))[0][0])


def exists(snap: Snapshot, flt: EventFilter) -> bool:
    """Whether any event matches."""
    where = _where(snap, flt)
    return bool(snap.rows(f"SELECT 1 FROM events WHERE {where.sql} LIMIT 1", where.values, _files(snap, flt)))


def totals(snap: Snapshot, flt: EventFilter) -> pl.DataFrame:
    """One row: events, pulls, pushes, deletes, other, actors (distinct users and robots), namespaces, repositories,
    clients (families), ips, anonymous_pulls, builds, unknown_kinds (distinct kinds that this version does not know)."""
    if (question := _question(snap, flt)) and (found := rolled_figures.totals(question)):
        return pl.DataFrame([found], schema=dict.fromkeys(_TOTALS, pl.Int64))
    where = _where(snap, flt)
    return snap.frame(
        f"""SELECT {_SUMS}, {_ACTORS}, count(DISTINCT namespace) AS namespaces, count(DISTINCT {FULL_NAME}) AS repositories,
            count(DISTINCT client) AS clients, count(DISTINCT ip) AS ips, {_ANONYMOUS_PULLS},
            {_number("kind = 'build_dockerfile'")} AS builds,
            count(DISTINCT kind) FILTER (category = 'unknown') AS unknown_kinds
        FROM (SELECT *, 1 AS events FROM events WHERE {where.sql}) AS held""",
        where.values,
        _files(snap, flt),
    )


_TOTALS = (
    *("pulls", "pushes", "deletes", "other", "events", "actors", "namespaces", "repositories", "clients", "ips"),
    *("anonymous_pulls", "builds", "unknown_kinds"),
)


# By day, as rollups know no hours: on the day of a rename the old name still means the account that had it.
_RENAMED = """WITH renamed AS (
    SELECT unnest(CAST($renamed_source AS VARCHAR[])) AS source_id, unnest(CAST($renamed_old AS VARCHAR[])) AS old_name,
        unnest(CAST($renamed_new AS VARCHAR[])) AS now_called, unnest(CAST($renamed_first AS DATE[])) AS first_day,
        unnest(CAST($renamed_last AS DATE[])) AS last_day
), named AS (
    SELECT held.* REPLACE (
        coalesce(space.now_called, held.namespace) AS namespace,
        coalesce(account.now_called || substr(held.actor, length(account.old_name) + 1), held.actor) AS actor
    )
    FROM {relation} AS held
    LEFT JOIN renamed AS space ON space.source_id = held.source_id AND space.old_name = held.namespace
        AND held.day BETWEEN space.first_day AND space.last_day
    LEFT JOIN renamed AS account ON account.source_id = held.source_id
        AND account.old_name = split_part(held.actor, '+', 1)
        AND held.day BETWEEN account.first_day AND account.last_day
)
"""


def _rename_values(renamed: Sequence[RenamedAccount]) -> dict[str, object]:
    return {
        "renamed_source": [one.source_id for one in renamed],
        "renamed_old": [one.old_name for one in renamed],
        "renamed_new": [one.now_called for one in renamed],
        # After the day on which another account of that name had been renamed.
        "renamed_first": [(one.since + timedelta(days=1)).date() for one in renamed],
        "renamed_last": [utc_day(one.until) for one in renamed],
    }


def usage_counts(
    snap: Snapshot, flt: EventFilter, *, by: UsageKey, renamed: Sequence[RenamedAccount] = ()
) -> pl.DataFrame:
    """One row per key, busiest first: key, pulls, pushes, deletes, other, events, actors, clients, anonymous_pulls.

    `actor` keys are users, `robot` keys robots, `repository` keys `namespace/name`; events without a key are left out.
    A name that several sources have is one key; an account that was `renamed` is one, under the name it has now."""
    if question := _question(snap, flt):
        found = rolled_figures.usage_counts(question, by, renamed)
        if found is not None:
            return found
    (key, having), where = _KEYS[by], _where(snap, flt)
    relation = f"(SELECT *, 1 AS events FROM events WHERE {where.sql})"
    return snap.frame(
        f"""{_RENAMED.replace("{relation}", relation) if renamed else ""}
        SELECT {key} AS key, {_SUMS}, {_ACTORS}, count(DISTINCT client) AS clients, {_ANONYMOUS_PULLS}
        FROM {"named" if renamed else relation} AS held WHERE {having} AND {key} IS NOT NULL
        GROUP BY key ORDER BY events DESC, key""",
        where.values | (_rename_values(renamed) if renamed else {}),
        _files(snap, flt),
    )


CountedField = Literal[
    "kind",
    "category",
    "outcome",
    "actor_type",
    "actor",
    "namespace",
    "repository",
    "client",
    "ip",
    "tag",
    "digest",
    "credential",
    "user_agent",
]


def value_counts(snap: Snapshot, flt: EventFilter, fields: Sequence[CountedField], *, limit: int) -> pl.DataFrame:
    """How many of the events have which value of each field: field, value, events, distinct (how many values the field has),
    the most frequent first, at most `limit` a field."""
    if question := _question(snap, flt):
        found = rolled_figures.value_counts(question, fields, limit)
        if found is not None:
            return found
    return neighbours(snap, flt, fields, limit=limit).drop("first_at", "last_at")


def neighbours(snap: Snapshot, flt: EventFilter, fields: Sequence[CountedField], *, limit: int) -> pl.DataFrame:
    """As `value_counts`, with first_at and last_at of each value among the events (UTC)."""
    where, times = _where(snap, flt), ", min(occurred_at) AS first_at, max(occurred_at) AS last_at"
    sql = _counts_sql(fields, f"events WHERE {where.sql}", "1 AS events, occurred_at", times)
    return snap.frame(sql, where.values | {"limit": limit}, _files(snap, flt))


def seen_together(
    snap: Snapshot, flt: EventFilter, *, shared: CountedField, of: CountedField, limit: int
) -> pl.DataFrame:
    """What else the filter's period has of a field `of` with the same values of the field `shared`, such as accounts from the
    addresses of one account: value, shared (how many values in common), events, first_at, last_at (UTC); the most in common
    first."""
    where = _where(snap, flt)
    around = _where(snap, EventFilter(since=flt.since, until=flt.until, source_ids=flt.source_ids))
    one, other = FIELDS.get(shared, shared), FIELDS.get(of, of)
    return snap.frame(
        f"""WITH mine AS MATERIALIZED (SELECT DISTINCT {one} AS value FROM events WHERE {where.sql} AND {one} IS NOT NULL),
        own AS MATERIALIZED (SELECT DISTINCT {other} AS value FROM events WHERE {where.sql} AND {other} IS NOT NULL)
        SELECT {other} AS value, count(DISTINCT {one}) AS shared, count(*) AS events, min(occurred_at) AS first_at,
            max(occurred_at) AS last_at
        FROM events WHERE {around.sql} AND {one} IN (SELECT value FROM mine) AND {other} IS NOT NULL
            AND {other} NOT IN (SELECT value FROM own)
        GROUP BY ALL ORDER BY shared DESC, events DESC, value LIMIT $limit""",
        where.values | {"limit": limit},
        _files(snap, flt),
    )


def _counts_sql(fields: Sequence[CountedField], relation: str, more: str, times: str) -> str:
    """The relation is read once, whatever the number of fields."""
    columns = {field: FIELDS.get(field, field) for field in fields}
    held = ", ".join(f"{column} AS {field}" for field, column in columns.items())
    parts = [
        f"SELECT * FROM (SELECT '{field}' AS field, {field} AS value, {_number()} AS events{times}, "
        f"count(*) OVER () AS distinct FROM held WHERE {field} IS NOT NULL GROUP BY {field} "
        "ORDER BY events DESC, value LIMIT $limit)"
        for field in fields
    ]
    return f"WITH held AS MATERIALIZED (SELECT {held}, {more} FROM {relation}) {' UNION ALL '.join(parts)}"


def usage_series(snap: Snapshot, flt: EventFilter, *, time_zone: str, bucket: Bucket) -> pl.DataFrame:
    """One row per bucket with an event: bucket (its local beginning in `time_zone`, an IANA name; no zone attached), pulls,
    pushes, deletes, other, events, actors. Weeks begin on Monday."""
    if question := _question(snap, flt):
        found = rolled_figures.series(question, time_zone, bucket)
        if found is not None:
            return found
    where = _where(snap, flt)
    frame = snap.frame(
        f"""SELECT date_trunc($bucket, timezone($time_zone, occurred_at)) AS bucket, {_SUMS}, {_ACTORS}
        FROM (SELECT occurred_at, kind, actor, 1 AS events FROM events WHERE {where.sql}) AS held
        GROUP BY bucket ORDER BY bucket""",
        where.values | {"bucket": bucket, "time_zone": time_zone},
        _files(snap, flt),
    )
    return frame.with_columns(pl.col("bucket").cast(pl.Datetime("us")))


def heat(snap: Snapshot, flt: EventFilter, *, time_zone: str) -> pl.DataFrame:
    """One row per week day (1 Monday … 7 Sunday) and hour (0 … 23) of `time_zone` with an event: weekday, hour, events."""
    if question := _question(snap, flt):
        found = rolled_figures.heat(question, time_zone)
        if found is not None:
            return found
    where, local = _where(snap, flt), "timezone($time_zone, occurred_at)"
    return snap.frame(
        f"SELECT isodow({local}) AS weekday, hour({local}) AS hour, count(*) AS events FROM events WHERE {where.sql} "
        "GROUP BY ALL ORDER BY ALL",
        where.values | {"time_zone": time_zone},
        _files(snap, flt),
    )


def build_counts(snap: Snapshot, flt: EventFilter) -> pl.DataFrame:
    """One row per what started builds, busiest first: trigger_kind (`manual` by hand; null: not told), builds, cancelled.

    Source: metadata of build_dockerfile and cancel_build. A cancelled build whose start does not match the filter counts
    under null, as its event names the build alone."""
    where = _where(snap, flt)
    return snap.frame(
        f"""WITH told AS (
            SELECT source_id, kind, metadata FROM events
            WHERE {where.sql} AND kind IN ('build_dockerfile', 'cancel_build')
        ),
        builds AS (
            SELECT source_id, json_extract_string(metadata, '$.build_id') AS build,
                CASE WHEN json_extract_string(metadata, '$.is_manual') = 'true' THEN 'manual'
                    ELSE json_extract_string(metadata, '$.trigger_kind') END AS trigger_kind
            FROM told WHERE kind = 'build_dockerfile'
        ),
        cancelled AS (
            SELECT DISTINCT source_id, json_extract_string(metadata, '$.build_uuid') AS build
            FROM told WHERE kind = 'cancel_build'
        ),
        started AS (
            SELECT trigger_kind, 1 AS builds, CAST(build IN (
                SELECT build FROM cancelled WHERE cancelled.source_id = builds.source_id) AS INTEGER) AS cancelled
            FROM builds
            UNION ALL
            SELECT NULL, 0, 1 FROM cancelled ANTI JOIN builds USING (source_id, build)
        )
        SELECT trigger_kind, CAST(sum(builds) AS BIGINT) AS builds,
            CAST(coalesce(sum(cancelled), 0) AS BIGINT) AS cancelled
        FROM started GROUP BY trigger_kind ORDER BY builds DESC, trigger_kind""",
        where.values,
        _files(snap, flt),
    )


def _of_sources(source_ids: tuple[str, ...], column: str = "source_id") -> str:
    return f"(len($source_ids) = 0 OR list_contains($source_ids, {column}))"


def list_sources(snap: Snapshot) -> pl.DataFrame:
    """One row per source: source_id, name, url, backend, first_day, last_day (UTC days of which anything is held)."""
    return snap.frame("SELECT source_id, name, url, backend, first_day, last_day FROM mart_sources ORDER BY source_id")


def namespaces(snap: Snapshot, source_ids: tuple[str, ...] = ()) -> list[str]:
    """The namespaces that events name, by name. Empty `source_ids`: of all sources."""
    return _values_of(snap, "namespace", EventFilter(source_ids=source_ids))


def coverage(snap: Snapshot, first: date, last: date, source_ids: tuple[str, ...] = ()) -> pl.DataFrame:
    """One row per source and UTC day from `first` to `last`, both included: source_id, day, state (a SliceState, `not
    collected`, or `before start`: before the first day of the source's record), expected_events (null: not vouched for), stored_events, rejected_rows, note."""
    return snap.frame(
        f"""WITH begun AS ({BEGUN})
        SELECT sources.source_id, CAST(days.day AS DATE) AS day,
            coalesce(held.state, if(days.day < begun.first_day, '{BEFORE_START}', '{NOT_COLLECTED}')) AS state, held.expected_events,
            coalesce(held.stored_events, 0) AS stored_events, coalesce(held.rejected_rows, 0) AS rejected_rows,
            coalesce(held.note, '') AS note
        FROM sources
        CROSS JOIN generate_series($first, $last, INTERVAL 1 DAY) AS days (day)
        LEFT JOIN begun ON begun.source_id = sources.source_id
        LEFT JOIN mart_coverage AS held ON held.source_id = sources.source_id AND held.day = CAST(days.day AS DATE)
        WHERE {_of_sources(source_ids, "sources.source_id")}
        ORDER BY sources.source_id, day""",
        {"first": first, "last": last, "source_ids": list(source_ids)},
    )


def kind_coverage(snap: Snapshot, first: date, last: date, source_ids: tuple[str, ...] = ()) -> pl.DataFrame:
    """One row per source, UTC day, scope and kind that is stored or counted: source_id, day, scope, kind, source_count
    (null: never counted), stored_count, difference (source - stored, without what could not be read as an event), counted_at."""
    return snap.frame(
        f"""SELECT source_id, day, scope, kind, source_count, stored_count, difference, counted_at
        FROM mart_kind_coverage WHERE day BETWEEN $first AND $last AND {_of_sources(source_ids)}
        ORDER BY source_id, day, scope, kind""",
        {"first": first, "last": last, "source_ids": list(source_ids)},
    )


def status(snap: Snapshot) -> pl.DataFrame:
    """One row per source: source_id, name, url, days, events, expected_events (null: nothing is vouched for),
    last_event_at, requests, requests_today (of the UTC day on which the copy was published), rejected_rows, last_run_at,
    last_run_outcome (null: no run asked it yet)."""
    day = snap.published.published_at.replace(hour=0, minute=0, second=0, microsecond=0)
    return snap.frame(
        """SELECT source_id, name, url, days, events, expected_events, last_event_at, requests,
            CAST(coalesce((SELECT sum(spent.requests) FROM mart_spent AS spent
                WHERE spent.source_id = held.source_id AND spent.started_at >= $since AND spent.started_at < $until
            ), 0) AS BIGINT) AS requests_today,
            rejected_rows, last_run_at, last_run_outcome
        FROM mart_sources AS held ORDER BY source_id""",
        {"since": day, "until": day + timedelta(days=1)},
    )


def days_by_state(snap: Snapshot) -> pl.DataFrame:
    """One row per source and state that any of its days is in: source_id, state, days."""
    return snap.frame("SELECT source_id, state, days FROM mart_days_by_state ORDER BY source_id, state")


def runs(snap: Snapshot, limit: int = 50) -> pl.DataFrame:
    """The newest runs, newest first: run_id, kind, command, started_at, ended_at, outcome, message, requests,
    received_bytes, readings, new_events."""
    return snap.frame("SELECT * FROM mart_runs ORDER BY run_id DESC LIMIT $limit", {"limit": limit})


def rejects(snap: Snapshot, limit: int = 100) -> pl.DataFrame:
    """The newest rows that could not be read as events: source_id, day, scope, reading_id, kind, reason, raw, seen_at."""
    return snap.frame(
        "SELECT source_id, day, scope, reading_id, kind, reason, raw, seen_at FROM rejects "
        "ORDER BY seen_at DESC, source_id, day, scope, raw LIMIT $limit",
        {"limit": limit},
    )
