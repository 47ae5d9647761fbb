"""Reads events: the events, how complete they are, and their counts. Takes a `Snapshot`.

Every value is bound, never written into SQL: what people search for and what a registry wrote is text, not a query.
Times in frames are UTC unless a column says otherwise; counts are 64-bit integers. Errors: WarehouseError.
"""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec
import polars as pl

from quayledger.warehouse.event_files import EventFile
from quayledger.warehouse.log.addresses import is_within, network_of
from quayledger.warehouse.log.find import days_with
from quayledger.warehouse.log.former_names import AlsoNamed, also_named, former_names
from quayledger.warehouse.log.rollups import Rollups, find_rollups, quarters_sql, raw_relations, seen_sql, usage_sql
from quayledger.warehouse.log.seen import FIELDS
from quayledger.warehouse.log.usage import KEYS
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
_SEARCHED = "concat_ws(chr(10), kind, namespace, repository, tag, digest, actor, ip, user_agent, metadata, extra)"
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


class EventFilter(msgspec.Struct, frozen=True):
    """Which events: all that are set must hold. `since` <= occurred_at < `until`, both aware. `user_agent` and `text` are
    substrings, whatever the case; `text` of any name or the metadata; the others are compared as they are. A namespace, an
    actor, and the namespace of a repository stand for the account: its events under former and later names match too.
    `repository`: its name, or `namespace/name`. `ip`: an address in any spelling, or a network such as `10.0.0.0/8`.
    `excluded`: pairs of one of EXCLUDABLE and a value: events that have it are left out, those without any value stay."""

    since: datetime | None = None
    until: datetime | None = None
    source_ids: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespace: str | None = None
    repository: str | None = None
    actor: str | None = None
    actor_type: str | None = None
    ip: str | None = None
    tag: str | None = None
    digest: str | None = None
    client: str | None = None
    user_agent: str | None = None
    text: str | None = None
    outcome: str | None = None
    credential: str | None = None
    excluded: tuple[tuple[str, str], ...] = ()


class _Where(msgspec.Struct, frozen=True):
    sql: str
    values: dict[str, object]


_EQUAL = ("actor_type", "tag", "digest", "client", "outcome", "credential")
# Fields that name an account, or what belongs to one, which may have several names.
_NAMES = {"namespace": "namespace", "actor": "actor", "repository": f"({FULL_NAME})"}
EXCLUDABLE = ("kind", "category", *_EQUAL, *_NAMES, "ip", "user_agent")
_AMONG = {"source_ids": "source_id", "kinds": "kind", "categories": "category"}


def _where(snap: Snapshot, flt: EventFilter) -> _Where:
    parts, values = _period(flt)
    for field, column in _AMONG.items():
        if chosen := getattr(flt, field):
            names = [f"{field}_{index}" for index in range(len(chosen))]
            parts.append(f"{column} IN ({', '.join('$' + name for name in names)})")
            values |= dict(zip(names, chosen, strict=True))
    for column in _EQUAL:
        if (wanted := getattr(flt, column)) is not None:
            parts.append(f"{column} = ${column}")
            values[column] = wanted
    if flt.ip is not None:
        # Addresses are compared as addresses and not as text; there are few distinct ones, so that is done here.
        parts.append("ip IN (SELECT unnest($ips::VARCHAR[]))")
        values["ips"] = _spellings(snap, flt.ip, flt)
    for column, searched in (("user_agent", "user_agent"), ("text", _SEARCHED)):
        if (part := getattr(flt, column)) is not None:
            parts.append(f"contains(lower({searched}), lower(${column}))")
            values[column] = part
    found = [
        *(_is_named(snap, field, wanted, field) for field in _NAMES if (wanted := getattr(flt, field)) is not None),
        *(_unlike(snap, flt, field, value, f"excluded_{number}") for number, (field, value) in enumerate(flt.excluded)),
    ]
    for condition, bound in found:
        parts.append(condition)
        values |= bound
    return _Where(" AND ".join(parts), values)


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


def _period(flt: EventFilter) -> tuple[list[str], dict[str, object]]:
    parts, values = ["true"], dict[str, object]()
    if flt.since is not None:
        # The day says it again, so that other days' rows and months' files are not even opened.
        parts.append("occurred_at >= $since AND day >= $since_day")
        values |= {"since": flt.since, "since_day": _utc_day(flt.since)}
    if flt.until is not None:
        parts.append("occurred_at < $until AND day <= $until_day")
        values |= {"until": flt.until, "until_day": _utc_day(flt.until)}
    return parts, values


def _spellings(snap: Snapshot, wanted: str, flt: EventFilter) -> list[str]:
    """The texts under which an address, or those of a network, are stored; the text itself if it is neither."""
    network = network_of(wanted)
    if network is None:
        return [wanted]
    of_period = EventFilter(since=flt.since, until=flt.until, source_ids=flt.source_ids)
    relation, values, files = _values_of(snap, "ip", of_period)
    stored = snap.rows(f"SELECT DISTINCT value FROM {relation} WHERE value IS NOT NULL", values, files)
    return [text for (text,) in stored if is_within(text, network)]


class _Question(msgspec.Struct, frozen=True):
    """A filter made ready: its SQL, the relation that counts its events, and the files whose events are read for that."""

    where: _Where
    relation: str
    values: dict[str, object]
    files: list[EventFile]
    rollups: Rollups | None


# What rollups do not know of an event; a filter that asks for it is answered from the events.
_NOT_ROLLED = ("ip", "tag", "digest", "user_agent", "text", "credential")


def _question(snap: Snapshot, flt: EventFilter) -> _Question:
    where = _where(snap, flt)
    rollups = None
    left_out = {field for field, _ in flt.excluded}
    if all(getattr(flt, name) is None and name not in left_out for name in _NOT_ROLLED):
        rollups = find_rollups(snap, flt.since, flt.until)
    if rollups is None:
        relation = f"(SELECT {', '.join(KEYS)}, 1 AS events FROM events WHERE {where.sql})"
        return _Question(where, relation, where.values, _files(snap, flt), None)
    names = _where(snap, msgspec.structs.replace(flt, since=None, until=None)).sql
    relation = usage_sql(names, where.sql, edges=bool(rollups.files))
    return _Question(where, relation, where.values | rollups.values, rollups.files, rollups)


def _files(snap: Snapshot, flt: EventFilter) -> list[EventFile]:
    """The files that may hold events of the filter's period."""
    return snap.files_between(
        None if flt.since is None else _utc_day(flt.since), None if flt.until is None else _utc_day(flt.until)
    )


def _values_of(snap: Snapshot, field: str, flt: EventFilter) -> tuple[str, dict[str, object], list[EventFile]]:
    """A relation with the values (`value`, repeated) that a field has in the events of the filter's sources and period."""
    where = _where(snap, flt)
    rollups = find_rollups(snap, flt.since, flt.until)
    if rollups is None:
        return f"(SELECT {FIELDS[field]} AS value FROM events WHERE {where.sql})", where.values, _files(snap, flt)
    sources = _where(snap, EventFilter(source_ids=flt.source_ids)).sql
    relation = seen_sql(field, where.sql, edges=bool(rollups.files)).replace("{sources}", sources)
    values = where.values | rollups.seen_values
    if rollups.files:
        values |= {"rolled_first": rollups.first, "rolled_last": rollups.last}
    return relation, values, rollups.files


def _is_broad(flt: EventFilter) -> bool:
    """Whether the filter names sources, kinds and categories at most: what is counted by quarter of an hour."""
    broad = EventFilter(flt.since, flt.until, flt.source_ids, flt.kinds, flt.categories, excluded=flt.excluded)
    return flt == broad and {field for field, _ in flt.excluded} <= {"kind", "category"}


def _utc_day(moment: datetime) -> date:
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError(f"{moment} has no time zone: filter by aware times")
    return (moment - offset).date()


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
    """Goes through the days that can hold matching events, in the order wanted, until there are enough. Only keys are
    sorted; the wide columns are fetched for the rows that are wanted."""
    order, left, found = _order(newest_first), offset + limit, list[pl.DataFrame]()
    days = sorted(_candidate_days(snap, where, flt), reverse=newest_first)
    keys = (
        f"SELECT source_id, day, event_no FROM events WHERE {where.sql} AND list_contains($days, day) "
        f"ORDER BY {order} LIMIT $left"
    )
    begin, width = 0, 1
    while begin < len(days) and left > 0:
        some = days[begin : begin + width]
        found.append(snap.frame(keys, where.values | {"days": some, "left": left}, _files_of(snap, some)))
        left -= found[-1].height
        begin, width = begin + width, width * 2
    return _fetch(snap, pl.concat(found).slice(offset, limit) if found else pl.DataFrame(), newest_first=newest_first)


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


def _candidate_days(snap: Snapshot, where: _Where, flt: EventFilter) -> set[date]:
    """The UTC days that can hold matching events: by the index of closed days, and all days with events outside of it."""
    first = None if flt.since is None else _utc_day(flt.since)
    last = None if flt.until is None else _utc_day(flt.until)
    values: dict[str, object] = {"first": first or date.min, "last": last or date.max}
    one = "SELECT day FROM {} WHERE day BETWEEN $first AND $last"
    held = " UNION ".join(one.format(table) for table in ("slices", "event_rows", "corrections"))
    days: set[date] = {day for (day,) in snap.rows(held, values, [])}
    conditions: dict[str, tuple[str, object]] = {
        field: ("value = $wanted", wanted) for field in ("tag", "digest") if (wanted := getattr(flt, field)) is not None
    }
    for field in _NAMES:
        if (wanted := getattr(flt, field)) is not None:
            names = [wanted, *(one.name for one in _other_names(snap, field, wanted))]
            own = " OR ends_with(value, '/' || $wanted[1])" if field == "repository" else ""
            conditions[field] = (f"(list_contains($wanted, value){own})", names)
    if flt.user_agent is not None:
        conditions["user_agent"] = ("contains(lower(value), lower($wanted))", flt.user_agent)
    if flt.ip is not None:
        conditions["ip"] = ("list_contains($wanted, value)", where.values["ips"])
    if flt.kinds:
        conditions["kind"] = ("list_contains($wanted, value)", list(flt.kinds))
    indexed = days_with(snap, conditions, first, last) if conditions else None
    if indexed is None:
        return days
    outside = snap.rows("SELECT day FROM event_rows UNION SELECT day FROM corrections", (), [])
    return days & (indexed | {day for (day,) in outside})


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
    question = _question(snap, flt)
    relation, values = _by_kind(snap, question, flt)
    return int(snap.rows(f"SELECT {_number()} FROM {relation} AS held", values, question.files)[0][0])


def _by_kind(snap: Snapshot, question: _Question, flt: EventFilter) -> tuple[str, dict[str, object]]:
    """A relation that counts events by kind and category at least, and what it binds: few rows where the filter allows."""
    if question.rollups is None or not _is_broad(flt):
        return question.relation, question.values
    names = _where(snap, msgspec.structs.replace(flt, since=None, until=None)).sql
    raw = raw_relations("kind, category", question.where.sql, edges=bool(question.files))
    parts = [
        f"SELECT kind, category, events FROM ({_QUARTERS}) AS quarters "
        f"WHERE day BETWEEN $rolled_first AND $rolled_last AND {names}",
        *(f"SELECT kind, category, count(*) AS events FROM {one} GROUP BY ALL" for one in raw),
    ]
    bounds = {"rolled_first": question.rollups.first, "rolled_last": question.rollups.last}
    return f"({' UNION ALL '.join(parts)})", question.where.values | bounds


def exists(snap: Snapshot, flt: EventFilter) -> bool:
    """Whether any event matches."""
    where = _where(snap, flt)
    return bool(snap.rows(f"SELECT 1 FROM events WHERE {where.sql} LIMIT 1", where.values, _files(snap, flt)))


def totals(snap: Snapshot, flt: EventFilter) -> pl.DataFrame:
    """One row: events, pulls, pushes, deletes, other, actors (distinct users and robots), namespaces, repositories,
    clients (families), ips, anonymous_pulls, builds, unknown_kinds (distinct kinds that this version does not know)."""
    question = _question(snap, flt)
    relation, values = _by_kind(snap, question, flt)
    sums = snap.frame(
        f"""SELECT {_SUMS}, {_number("kind = 'build_dockerfile'")} AS builds,
            count(DISTINCT kind) FILTER (category = 'unknown') AS unknown_kinds
        FROM {relation} AS held""",
        values,
        question.files,
    )
    who = snap.frame(
        f"SELECT {_ACTORS}, count(DISTINCT client) AS clients, {_ANONYMOUS_PULLS} FROM {question.relation} AS held",
        question.values,
        question.files,
    )
    distinct = {
        name: _count_distinct(snap, question, flt, field)
        for name, field in (("namespaces", "namespace"), ("repositories", "repository"), ("ips", "ip"))
    }
    counted = pl.DataFrame(distinct, schema=dict.fromkeys(distinct, pl.Int64))
    return pl.concat([sums, who, counted], how="horizontal").select(_TOTALS)


_TOTALS = (
    *("pulls", "pushes", "deletes", "other", "events", "actors", "namespaces", "repositories", "clients", "ips"),
    *("anonymous_pulls", "builds", "unknown_kinds"),
)


def _count_distinct(snap: Snapshot, question: _Question, flt: EventFilter, field: str) -> int:
    """How many values of a field the matching events have: from the index where the filter names no more than it knows."""
    if flt == EventFilter(flt.since, flt.until, flt.source_ids):
        relation, values, files = _values_of(snap, field, flt)
    elif field == "ip":
        relation, values = f"(SELECT ip AS value FROM events WHERE {question.where.sql})", question.where.values
        files = _files(snap, flt)
    else:
        relation = f"(SELECT {FIELDS[field]} AS value FROM {question.relation} AS rolled)"
        values, files = question.values, question.files
    return int(snap.rows(f"SELECT count(DISTINCT value) FROM {relation} AS held", values, files)[0][0])


class RenamedAccount(msgspec.Struct, frozen=True):
    """An account whose events from `since` until before `until` (both aware) bear `old_name` and belong to `now_called`."""

    source_id: str
    old_name: str
    now_called: str
    since: datetime
    until: datetime


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
        "renamed_last": [_utc_day(one.until) for one in renamed],
    }


def usage_counts(
    snap: Snapshot, flt: EventFilter, *, by: UsageKey, renamed: Sequence[RenamedAccount] = ()
) -> pl.DataFrame:
    """One row per key, busiest first: key, pulls, pushes, deletes, other, events, actors, clients, anonymous_pulls.

    `actor` keys are users, `robot` keys robots, `repository` keys `namespace/name`; events without a key are left out.
    A name that several sources have is one key; an account that was `renamed` is one, under the name it has now."""
    key, having = _KEYS[by]
    question = _question(snap, flt)
    return snap.frame(
        f"""{_RENAMED.replace("{relation}", question.relation) if renamed else ""}
        SELECT {key} AS key, {_SUMS}, {_ACTORS}, count(DISTINCT client) AS clients, {_ANONYMOUS_PULLS}
        FROM {"named" if renamed else question.relation} AS held WHERE {having} AND {key} IS NOT NULL
        GROUP BY key ORDER BY events DESC, key""",
        question.values | (_rename_values(renamed) if renamed else {}),
        question.files,
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
    question = _question(snap, flt)
    if question.rollups is None or not set(fields) <= set(KEYS):
        return neighbours(snap, flt, fields, limit=limit).drop("first_at", "last_at")
    sql = _counts_sql(fields, f"{question.relation} AS counted", "events", "")
    return snap.frame(sql, question.values | {"limit": limit}, question.files)


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
    question = _question(snap, flt)
    values: dict[str, object] = {"bucket": bucket, "time_zone": time_zone}
    if question.rollups is not None and _is_broad(flt):
        frame = snap.frame(_series_sql(question, flt, snap), question.values | values, question.files)
    else:
        frame = snap.frame(
            f"""SELECT date_trunc($bucket, timezone($time_zone, occurred_at)) AS bucket, {_SUMS}, {_ACTORS}
            FROM (SELECT occurred_at, kind, actor, 1 AS events FROM events WHERE {question.where.sql}) AS held
            GROUP BY bucket ORDER BY bucket""",
            question.where.values | values,
            _files(snap, flt),
        )
    return frame.with_columns(pl.col("bucket").cast(pl.Datetime("us")))


def _series_sql(question: _Question, flt: EventFilter, snap: Snapshot) -> str:
    """Counts are sums of quarters of an hour; names are told apart by the quarters in which each occurred."""
    bucket = "date_trunc($bucket, {}) AS bucket"
    names = _where(snap, msgspec.structs.replace(flt, since=None, until=None)).sql
    raw = raw_relations("occurred_at, kind, actor", question.where.sql, edges=bool(question.files))
    local = bucket.format("timezone($time_zone, occurred_at)")
    return f"""WITH {quarters_sql(bucket.format("local"))},
        spans AS (
            SELECT day, bucket,
                bit_or(CASE WHEN quarter < 48 THEN CAST(1 AS BIGINT) << quarter ELSE 0 END) AS am,
                bit_or(CASE WHEN quarter >= 48 THEN CAST(1 AS BIGINT) << (quarter - 48) ELSE 0 END) AS pm
            FROM quarters GROUP BY day, bucket
        ),
        counted AS (
            SELECT bucket, kind, sum(events) AS events FROM ({_QUARTERS}) AS held JOIN quarters USING (day, quarter)
            WHERE {names} GROUP BY ALL
            {"".join(f" UNION ALL SELECT {local}, kind, count(*) FROM {one} GROUP BY ALL" for one in raw)}
        ),
        named AS (
            SELECT DISTINCT bucket, actor FROM (
                SELECT day, actor, bit_or(am) AS am, bit_or(pm) AS pm FROM read_parquet($usage_files)
                WHERE day BETWEEN $rolled_first AND $rolled_last AND kind <> 'login_failure' AND actor IS NOT NULL AND {names}
                GROUP BY ALL
            ) AS held JOIN spans USING (day) WHERE (held.am & spans.am) <> 0 OR (held.pm & spans.pm) <> 0
            {"".join(f" UNION SELECT {local}, actor FROM {one} WHERE kind <> 'login_failure' AND actor IS NOT NULL" for one in raw)}
        ),
        actors AS (SELECT bucket, count(*) AS actors FROM named GROUP BY bucket),
        sums AS (SELECT bucket, {_SUMS} FROM counted GROUP BY bucket)
        SELECT sums.*, coalesce(actors, 0) AS actors FROM sums LEFT JOIN actors USING (bucket) ORDER BY bucket"""


_QUARTERS = (
    "SELECT source_id, day, quarter, kind, coalesce(category, 'unknown') AS category, events FROM filed_quarters "
    "LEFT JOIN log_kinds USING (kind)"
)


def heat(snap: Snapshot, flt: EventFilter, *, time_zone: str) -> pl.DataFrame:
    """One row per week day (1 Monday … 7 Sunday) and hour (0 … 23) of `time_zone` with an event: weekday, hour, events."""
    question = _question(snap, flt)
    hours = "isodow({0}) AS weekday, hour({0}) AS hour"
    local = hours.format("timezone($time_zone, occurred_at)")
    zone = {"time_zone": time_zone}
    if question.rollups is None or not _is_broad(flt):
        sql = f"SELECT {local}, count(*) AS events FROM events WHERE {question.where.sql} GROUP BY ALL ORDER BY ALL"
        return snap.frame(sql, question.where.values | zone, _files(snap, flt))
    names = _where(snap, msgspec.structs.replace(flt, since=None, until=None)).sql
    raw = raw_relations("occurred_at", question.where.sql, edges=bool(question.files))
    values = (
        question.where.values | zone | {"rolled_first": question.rollups.first, "rolled_last": question.rollups.last}
    )
    return snap.frame(
        f"""WITH {quarters_sql(hours.format("local"))},
        counted AS (
            SELECT weekday, hour, sum(events) AS events FROM ({_QUARTERS}) AS held JOIN quarters USING (day, quarter)
            WHERE {names} GROUP BY ALL
            {"".join(f" UNION ALL SELECT {local}, count(*) FROM {one} GROUP BY ALL" for one in raw)}
        )
        SELECT weekday, hour, CAST(sum(events) AS BIGINT) AS events FROM counted GROUP BY ALL ORDER BY ALL""",
        values,
        question.files,
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
    relation, values, files = _values_of(snap, "namespace", EventFilter(source_ids=source_ids))
    sql = f"SELECT DISTINCT value FROM {relation} AS held WHERE value IS NOT NULL ORDER BY value"
    return [name for (name,) in snap.rows(sql, values, files)]


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
