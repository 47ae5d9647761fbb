"""Events that meet conditions: `conditions` as SQL, every value bound. Errors: WarehouseError (TookTooLong within
`Snapshot.limited`); ValueError for a field, network or expression that there is not."""

# ruff: noqa: S608 - SQL is put together from the names of `conditions`; every value is bound

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any as AnyValue

import duckdb
import polars as pl

from quayledger.warehouse.log import conditions as c
from quayledger.warehouse.log.addresses import is_within, network_of
from quayledger.warehouse.snapshot import Snapshot

_SPAN = "occurred_at >= $since AND occurred_at < $until AND day >= $first AND day <= $last"
_OF_SOURCES = "(len($source_ids) = 0 OR list_contains($source_ids, source_id))"
_TEXTS = ", ".join(name for name in c.FIELDS if name not in ("event_id", "source_id"))
_EVIDENCE = "event_id, source_id, occurred_at, kind, actor, ip, namespace, repository"


class _Sql:
    """SQL of conditions, with the values that it binds. `snapshot`: who is asked for the addresses of a network."""

    def __init__(self, snapshot: Snapshot, since: datetime, until: datetime, source_ids: Sequence[str]) -> None:
        self._snapshot = snapshot
        first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
        self.files = snapshot.files_between(first, last)
        self.values: dict[str, AnyValue] = {
            "since": since,
            "until": until,
            "first": first,
            "last": last,
            "source_ids": list(source_ids),
        }

    def bound(self, value: AnyValue) -> str:
        """The name under which a value is bound."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def field(self, name: str) -> str:
        """A field's text."""
        if name.startswith(c.METADATA):
            keys = name.removeprefix(c.METADATA).split(".")
            path = "$" + "".join('."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys)
            return f"json_extract_string(metadata, {self.bound(path)})"
        if name not in c.FIELDS:
            raise ValueError(f"events have no field {name!r}")
        return name

    def of(self, condition: c.Condition) -> str:
        """A condition as SQL that is true or false, never null."""
        match condition:
            case c.All(inner):
                return f"({' AND '.join(map(self.of, inner)) or 'true'})"
            case c.Any(inner):
                return f"({' OR '.join(map(self.of, inner)) or 'false'})"
            case c.Not(inner_condition):
                return f"(NOT {self.of(inner_condition)})"
            case _:
                return f"coalesce({self._leaf(condition)}, false)"

    def _leaf(self, condition: c.Condition) -> str:
        match condition:
            case c.Like(field, parts, is_cased):
                text = self._any_text() if field is None else self.field(field)
                pattern = "".join(_like(kind, part) for kind, part in parts)
                bound = self.bound(f"%{pattern}%" if field is None else pattern)
                return (
                    f"{text} LIKE {bound} ESCAPE '\\'" if is_cased else f"lower({text}) LIKE lower({bound}) ESCAPE '\\'"
                )
            case c.Regex(field, pattern, flags):
                text = self._any_text() if field is None else self.field(field)
                # DuckDB's own letters for what Sigma calls multiline and dotall are others.
                prefix = f"(?{flags})" if flags else ""
                return f"regexp_matches({text}, {self.bound(prefix + pattern)})"
            case c.Number(field, operator, number):
                return f"TRY_CAST({self.field(field)} AS DOUBLE) {operator} {self.bound(number)}"
            case c.Within(field, network):
                return f"list_contains({self.bound(self._addresses(field, network))}, {self.field(field)})"
            case c.Exists(field, exists):
                return f"{self.field(field)} IS {'NOT ' if exists else ''}NULL"
            case c.SameAs(field, other, prefix, suffix):
                ours, theirs = f"lower({self.field(field)})", f"lower({self.field(other)})"
                if prefix and suffix:
                    return f"contains({ours}, {theirs})"
                if prefix or suffix:
                    return f"{'starts_with' if prefix else 'ends_with'}({ours}, {theirs})"
                return f"{ours} = {theirs}"
            case c.At(part, number):
                return f"date_part('{part}', timezone('UTC', occurred_at)) = {self.bound(number)}"
        raise ValueError(f"no such condition: {condition!r}")

    def _any_text(self) -> str:
        return f"concat_ws(chr(10), {_TEXTS}, CAST(metadata AS VARCHAR))"

    def _addresses(self, field: str, network: str) -> list[str]:
        """The stored texts of the period that are addresses of a network."""
        found = network_of(network)
        if found is None:
            raise ValueError(f"{network!r} is no network")
        asked = _Sql.__new__(_Sql)
        asked.values = {name: self.values[name] for name in ("since", "until", "first", "last", "source_ids")}
        text = asked.field(field)
        rows = self._snapshot.rows(
            f"SELECT DISTINCT {text} FROM events WHERE {_SPAN} AND {_OF_SOURCES} AND {text} IS NOT NULL",
            asked.values,
            self.files,
        )
        return [stored for (stored,) in rows if is_within(stored, found)]


def _like(kind: str, part: str) -> str:
    if kind == "*":
        return "%"
    return "_" if kind == "?" else re.sub(r"([\\%_])", r"\\\1", part)


def matches(
    snap: Snapshot, condition: c.Condition, since: datetime, until: datetime, source_ids: Sequence[str] = ()
) -> pl.DataFrame:
    """The events of [since, until), aware, that meet a condition, oldest first: event_id, source_id, occurred_at, kind, actor, ip,
    namespace, repository. Raises ValueError for a field or network that there is not."""
    sql = _Sql(snap, since, until, source_ids)
    where = sql.of(condition)
    return _asked(
        snap,
        f"SELECT {_EVIDENCE} FROM events WHERE {_SPAN} AND {_OF_SOURCES} AND {where} "
        "ORDER BY occurred_at, source_id, event_no",
        sql,
    )


def correlated(
    snap: Snapshot, correlation: c.Correlation, since: datetime, until: datetime, source_ids: Sequence[str] = ()
) -> pl.DataFrame:
    """The events of windows that meet a correlation, of [since - its window, until), oldest first: the columns of `matches`, `group`
    (list of text), and `is_end`: whether the window that ends at this event meets it. Raises ValueError as `matches`."""
    sql = _Sql(snap, since - timedelta(seconds=correlation.seconds), until, source_ids)
    flags = [sql.of(condition) for condition in correlation.conditions]
    met = ", ".join(f"{flag} AS met{number}" for number, flag in enumerate(flags))
    groups = [
        "[" + ", ".join(f"CAST({sql.field(field)} AS VARCHAR)" for field in fields) + "]"
        if fields
        else "CAST([] AS VARCHAR[])"
        for fields in correlation.group_by
    ]
    values = [f"CAST({sql.field(field)} AS VARCHAR)" for field in correlation.value]
    # One row per event and condition that it meets: the group may be told by other fields for each.
    rows = " UNION ALL ".join(
        f"SELECT {_EVIDENCE}, event_no, {number} AS condition, {group} AS group_key, "
        f"{values[number] if values else 'CAST(NULL AS VARCHAR)'} AS value FROM asked WHERE met{number}"
        for number, group in enumerate(groups)
    )
    window = f"INTERVAL {int(correlation.seconds)} SECOND"
    steps, meets = _meeting(correlation, window, sql)
    return _asked(
        snap,
        f"""WITH asked AS (SELECT *, {met} FROM events WHERE {_SPAN} AND {_OF_SOURCES}),
        met AS (SELECT * FROM ({rows}) WHERE NOT list_has_any([true], list_transform(group_key, lambda one: one IS NULL))),
        {steps}
        ended AS (SELECT *, coalesce({meets}, false) AS ends FROM judged),
        shown AS (
            SELECT *, bool_or(ends) OVER (
                PARTITION BY source_id, group_key ORDER BY occurred_at RANGE BETWEEN CURRENT ROW AND {window} FOLLOWING
            ) AS is_shown
            FROM ended
        )
        SELECT {_EVIDENCE}, group_key AS "group", bool_or(ends) AS is_end
        FROM shown WHERE is_shown
        GROUP BY {_EVIDENCE}, group_key, event_no
        ORDER BY occurred_at, source_id, event_no""",
        sql,
    )


def _asked(snap: Snapshot, text: str, sql: _Sql) -> pl.DataFrame:
    try:
        return snap.frame(text, sql.values, sql.files)
    except (duckdb.InvalidInputException, duckdb.OutOfRangeException, duckdb.ConversionException) as error:
        raise ValueError(f"it cannot be asked: {error}") from None
    except duckdb.OutOfMemoryException:
        raise ValueError("it takes more memory than `[limits]` allows: narrow it down") from None


def _meeting(correlation: c.Correlation, window: str, sql: _Sql) -> tuple[str, str]:
    """The steps that judge each row of `met`, ending in `judged`, and the expression that says whether its window meets the
    correlation."""
    sliding = f"PARTITION BY source_id, group_key ORDER BY occurred_at RANGE BETWEEN {window} PRECEDING AND CURRENT ROW"
    counted = {
        "event_count": "event_id",
        "value_count": "value",
        "temporal": "condition",
    }
    if (what := counted.get(correlation.kind)) is not None:
        step = f"judged AS (SELECT *, count(DISTINCT {what}) OVER ({sliding}) AS counted FROM met),"
        return step, f"counted {correlation.operator} {sql.bound(correlation.number)}"
    # Of each row, when the latest chain of the first conditions began that ended by then.
    so_far = "PARTITION BY source_id, group_key ORDER BY occurred_at RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    steps = [
        f"chain0 AS (SELECT *, max(CASE WHEN condition = 0 THEN occurred_at END) OVER ({so_far}) AS began FROM met)"
    ]
    last = len(correlation.conditions) - 1
    for number in range(1, last + 1):
        began = f"max(CASE WHEN condition = {number} THEN began END) OVER ({so_far})"
        steps.append(f"chain{number} AS (SELECT * REPLACE ({began} AS began) FROM chain{number - 1})")
    steps.append(f"judged AS (SELECT * FROM chain{last})")
    return ", ".join(steps) + ",", f"condition = {last} AND began >= occurred_at - {window}"
