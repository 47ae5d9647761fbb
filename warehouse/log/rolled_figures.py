"""Figures of events that are added up from rollups: which part of them answers a filter, and how its rows become figures. Takes
a `Snapshot`. Errors: WarehouseError.

Where the rollups do not know what a filter asks for, there is no answer here (None), and the events have to be read.
"""

# ruff: noqa: S608 - SQL is put together from our own names; every value is bound

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec
import polars as pl

from quayledger.warehouse.log.event_filter import EventFilter, RenamedAccount
from quayledger.warehouse.log.rollups import Rollups, quarters_sql, raw_relation, usage_rows
from quayledger.warehouse.log.usage import WHERE_KEYS, WHO_KEYS
from quayledger.warehouse.snapshot import Snapshot

# By part of the rollups, which columns a filter may name and a figure may need. Category and outcome follow from the kind.
_BY_KIND = frozenset({"category", "outcome"})
_KNOWN = {
    "who": frozenset(WHO_KEYS) | _BY_KIND | {"source_id"},
    "where": frozenset(WHERE_KEYS) | _BY_KIND | {"source_id"},
    "pair": frozenset({"source_id", "namespace", "repository", "actor"}),
    "address": frozenset({"source_id", "namespace", "ip"}),
    "active": frozenset({"source_id", "namespace", "actor"}),
    "quarter": frozenset({"source_id", "kind", "namespace"}) | _BY_KIND,
}
ROLLED_COLUMNS = frozenset().union(*_KNOWN.values())
_AMONG = {"source_ids": "source_id", "kinds": "kind", "categories": "category"}
_EQUAL = ("namespace", "repository", "actor", "actor_type", "client", "outcome")
_DELETES = ("delete_tag", "permanently_delete_tag", "autoprune_tag_delete", "delete_repo")


class RolledQuestion(msgspec.Struct, frozen=True):
    """A filter, its condition in SQL, what that binds, and the rollups of its period."""

    snap: Snapshot
    flt: EventFilter
    where: str
    values: dict[str, object]
    rollups: Rollups

    def knows(self, part: str, columns: Iterable[str] = ()) -> bool:
        """Whether a part of the rollups has what the filter names, and these columns."""
        return (named_columns(self.flt) | set(columns)) <= _KNOWN[part]

    def rows(
        self, part: str, columns: Sequence[str], *, condition: str = "true", by_day: pl.Expr | None = None
    ) -> pl.DataFrame:
        """Rows of a part, of rollups and of events that no rollup counts: `columns`, and `events` of parts that count. Names are
        categories. `condition`: what an event must be to be of the part. `by_day`: see `usage_rows`; events have their day."""
        kinds = _Kinds(self.snap) if named_columns(self.flt) & {"category"} else None
        rolled = usage_rows(self.snap, self.rollups, part, columns, _predicate(self.flt, kinds), by_day)
        if not has_raw(self.snap, self.rollups):
            return rolled
        listed = [*columns, *(["day"] if by_day is not None else [])]
        counted = "count(*) AS events" if "events" in rolled.columns else "NULL AS events"
        named = ", ".join(listed)
        raw = self.raw(f"{named}, {counted}", named, condition, f"GROUP BY {named}")
        return pl.concat([rolled, raw.select(pl.col(name).cast(kind) for name, kind in rolled.schema.items())])

    def raw(
        self,
        select: str,
        columns: str,
        condition: str = "true",
        more: str = "",
        more_values: Mapping[str, object] | None = None,
    ) -> pl.DataFrame:
        """A query over the events that no rollup counts."""
        relation, values = raw_relation(self.snap, self.rollups, columns, f"{self.where} AND {condition}")
        bound = self.values | values | dict(more_values or {})
        return self.snap.frame(f"SELECT {select} FROM {relation} AS raw {more}", bound, self.rollups.files)


def named_columns(flt: EventFilter) -> set[str]:
    """The columns that a filter names, its period aside."""
    named = {field for field, _ in flt.excluded}
    for field in EventFilter.__struct_fields__:
        if field not in ("since", "until", "excluded") and getattr(flt, field) not in (None, ()):
            named.add(_AMONG.get(field, field))
    return named


def has_raw(snap: Snapshot, rollups: Rollups) -> bool:
    """Whether there may be events that no rollup counts."""
    return bool(rollups.files) or snap.has_unfiled_events


class _Kinds:
    """The category of each kind that the copy knows."""

    def __init__(self, snap: Snapshot) -> None:
        self.categories: dict[str, str] = dict(snap.rows("SELECT kind, category FROM log_kinds", (), []))

    def are(self, category: str) -> pl.Expr:
        found = _any_of("kind", [kind for kind, name in self.categories.items() if name == category])
        return found | self.are_unknown() if category == "unknown" else found

    def are_unknown(self) -> pl.Expr:
        return ~_any_of("kind", list(self.categories))


def _any_of(column: str, names: Sequence[str]) -> pl.Expr:
    return pl.col(column).is_in(pl.Series(names, dtype=pl.Categorical).implode())


def _predicate(flt: EventFilter, kinds: _Kinds | None) -> pl.Expr:
    """What a row must be, without the period."""
    parts = [pl.lit(value=True)]
    for field, column in _AMONG.items():
        if chosen := getattr(flt, field):
            parts.append(pl.any_horizontal([_is(column, value, kinds) for value in chosen]))
    parts += [_is(column, wanted, kinds) for column in _EQUAL if (wanted := getattr(flt, column)) is not None]
    parts += [~_is(column, value, kinds) for column, value in flt.excluded]
    return pl.all_horizontal(parts)


def _is(column: str, value: str, kinds: _Kinds | None) -> pl.Expr:
    if column == "category" and kinds is not None:
        return kinds.are(value)
    if column == "outcome":
        failed = pl.col("kind").cast(pl.String).str.contains("_fail", literal=True)
        return failed if value == "failure" else ~failed if value == "success" else pl.lit(value=False)
    if column == "repository":
        # By its name, or `namespace/name`: there may be more than one way to cut that in two.
        cuts = [place for place, letter in enumerate(value) if letter == "/"]
        full = [_equals("namespace", value[:place]) & _equals("repository", value[place + 1 :]) for place in cuts]
        return pl.any_horizontal([_equals("repository", value), *full])
    return _equals(column, value)


def _equals(column: str, value: str) -> pl.Expr:
    return pl.col(column).eq_missing(pl.lit(value, pl.Categorical))


def count(question: RolledQuestion) -> int | None:
    """How many events there are."""
    if question.knows("quarter"):
        raw = question.raw("count(*) AS events", "1") if has_raw(question.snap, question.rollups) else None
        return int(_rolled_quarters(question)["events"].sum()) + (0 if raw is None else int(raw.item()))
    part = next((part for part in ("who", "where") if question.knows(part)), None)
    return None if part is None else int(question.rows(part, ["kind"])["events"].sum())


def totals(question: RolledQuestion) -> dict[str, int] | None:
    """Each figure of `events.totals`."""
    if not all(question.knows(part) for part in ("who", "where", "address")):
        return None
    who = question.rows("who", ["kind", "namespace", "actor", "actor_type", "client"])
    where = question.rows("where", ["namespace", "repository"], condition="repository IS NOT NULL")
    addresses = question.rows("address", ["ip"], condition="ip IS NOT NULL")
    named = who.filter(_NO_FAILED_LOGIN)
    return {
        **{name: int(who.select(value.sum()).item()) for name, value in _counts().items()},
        "actors": _distinct(named["actor"]),
        "namespaces": _distinct(who["namespace"]),
        "repositories": _full_names(where.drop_nulls("repository").select(_REPOSITORY).unique()).n_unique(),
        "clients": _distinct(who["client"]),
        "ips": _distinct(addresses["ip"]),
        "builds": int(who.filter(pl.col("kind") == "build_dockerfile")["events"].sum()),
        "unknown_kinds": _distinct(who.filter(_Kinds(question.snap).are_unknown())["kind"]),
    }


_REPOSITORY = ("namespace", "repository")
_NO_FAILED_LOGIN = pl.col("kind") != "login_failure"


def _distinct(names: pl.Series) -> int:
    return int(names.drop_nulls().n_unique())


def _full_names(frame: pl.DataFrame) -> pl.Series:
    namespace, repository = (pl.col(name).cast(pl.String) for name in _REPOSITORY)
    full = pl.when(namespace.is_null()).then(repository).otherwise(namespace + "/" + repository)
    return frame.select(full.alias("key")).to_series()


def _counts(*, kinds_only: bool = False) -> dict[str, pl.Expr]:
    """How many of a row's events count as what. `kinds_only`: of rows that know nothing but the kind."""
    kind, events = pl.col("kind"), pl.col("events")
    pulls, pushes, deletes = kind == "pull_repo", kind == "push_repo", _any_of("kind", _DELETES)
    which = {"pulls": pulls, "pushes": pushes, "deletes": deletes, "other": ~(pulls | pushes | deletes)}
    if not kinds_only:
        which["anonymous_pulls"] = pulls & (pl.col("actor_type") == "anonymous")
    found = {name: pl.when(condition).then(events).otherwise(0) for name, condition in which.items()}
    return found | {"events": events}


_KEYS: dict[str, tuple[str, ...]] = {
    "namespace": ("namespace",),
    "repository": _REPOSITORY,
    "actor": ("actor",),
    "robot": ("actor",),
    "client": ("client",),
    "kind": ("kind",),
    "source": ("source_id",),
}
_USED = ("pulls", "pushes", "deletes", "other", "events", "actors", "clients", "anonymous_pulls")


def usage_counts(question: RolledQuestion, by: str, renamed: Sequence[RenamedAccount]) -> pl.DataFrame | None:
    """The frame of `events.usage_counts`."""
    part, keys = ("where" if by == "repository" else "who"), list(_KEYS[by])
    if not question.knows(part) or not (by != "repository" or question.knows("pair")):
        return None
    needed = list(dict.fromkeys([*keys, "kind", "actor_type", "client", *(["actor"] if part == "who" else [])]))
    rows = _named(question, part, needed, renamed)
    if by in ("actor", "robot"):
        rows = rows.filter((pl.col("actor_type") == ("user" if by == "actor" else "robot")) & _NO_FAILED_LOGIN)
    if by == "repository":
        pairs = _named(question, "pair", [*keys, "actor"], renamed).drop_nulls("repository")
    else:
        pairs = rows.filter(_NO_FAILED_LOGIN).select(list(dict.fromkeys([*keys, "actor"]))).drop_nulls("actor")
    rows, pairs, keys = _by_text(rows.drop_nulls(keys[-1]), pairs.drop_nulls(keys[-1]), keys)
    clients = pl.col("__client").n_unique() - pl.col("__client").is_null().any().cast(pl.UInt32)
    found = (
        rows.select(*keys, pl.col("client").alias("__client"), **_counts())
        .group_by(keys)
        .agg(*(pl.col(name).sum() for name in _counts()), clients.alias("clients"))
    )
    pairs = pairs.select(*keys, pl.col("actor").alias("__actor"))
    actors = pairs.group_by(keys).agg(pl.col("__actor").n_unique().alias("actors"))
    found = found.join(actors, on=keys, how="left", nulls_equal=True)
    key = _full_names(found) if len(keys) > 1 else found[keys[0]].cast(pl.String)
    found = found.select(key.alias("key"), *(pl.col(name).fill_null(0).cast(pl.Int64) for name in _USED))
    return found.sort("events", "key", descending=[True, False])


def _by_text(rows: pl.DataFrame, pairs: pl.DataFrame, keys: list[str]) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """The same by the full name where two repositories have the same: one of a namespace, and one that was stored with its name."""
    if len(keys) == 1 or rows.filter(pl.col("namespace").is_null()).is_empty():
        return rows, pairs, keys
    named = [frame.with_columns(_full_names(frame).cast(pl.Categorical).alias("key")) for frame in (rows, pairs)]
    return named[0], named[1], ["key"]


def _named(question: RolledQuestion, part: str, columns: list[str], renamed: Sequence[RenamedAccount]) -> pl.DataFrame:
    """Rows of a part, in which renamed accounts bear the name that they have now."""
    condition = "kind <> 'login_failure' AND actor IS NOT NULL AND repository IS NOT NULL" if part == "pair" else "true"
    if not renamed:
        return question.rows(part, columns, condition=condition)
    has_actor = "actor" in columns
    columns = list(dict.fromkeys([*columns, "source_id", "namespace"]))
    account = pl.col("actor").cast(pl.String).str.split("+").list.first()
    old = {(one.source_id, one.old_name) for one in renamed}
    affected = [
        (pl.col("source_id") == source) & ((pl.col("namespace") == name).fill_null(value=False))
        | ((account == name).fill_null(value=False) if has_actor else pl.lit(value=False))
        for source, name in sorted(old)
    ]
    rows = question.rows(part, columns, condition=condition, by_day=pl.any_horizontal(affected))
    touched = rows["day"].is_not_null()
    return pl.concat([rows.filter(~touched).drop("day"), _rename(rows.filter(touched), renamed, has_actor).drop("day")])


def _rename(rows: pl.DataFrame, renamed: Sequence[RenamedAccount], has_actor: bool) -> pl.DataFrame:
    """By day, as rollups know no hours: on the day of a rename the old name still means the account that had it."""
    namespace, actor = pl.col("namespace").cast(pl.String), pl.col("actor").cast(pl.String)
    account = actor.str.split("+").list.first()
    spaces, actors = [], []
    for one in renamed:
        # After the day on which another account of that name had been renamed.
        first, last = (one.since + timedelta(days=1)).date(), utc_day(one.until)
        then = (pl.col("source_id") == one.source_id) & pl.col("day").is_between(first, last)
        spaces.append(pl.when(then & (namespace == one.old_name)).then(pl.lit(one.now_called)))
        rest = actor.str.slice(len(one.old_name))
        actors.append(pl.when(then & (account == one.old_name)).then(pl.lit(one.now_called) + rest))
    found = rows.with_columns(pl.coalesce(*spaces, namespace).cast(pl.Categorical).alias("namespace"))
    if not has_actor:
        return found
    return found.with_columns(pl.coalesce(*actors, actor).cast(pl.Categorical).alias("actor"))


def value_counts(question: RolledQuestion, fields: Sequence[str], limit: int) -> pl.DataFrame | None:
    """The frame of `events.value_counts`."""
    parts = {
        field: next((part for part in ("who", "where") if question.knows(part, [field])), None) for field in fields
    }
    if None in parts.values():
        return None
    kinds = _Kinds(question.snap)
    found = []
    for field, part in parts.items():
        base = "kind" if field in _BY_KIND else field
        columns = list(_REPOSITORY) if field == "repository" else [base]
        rows = question.rows(str(part), columns).drop_nulls(base).group_by(columns).agg(pl.col("events").sum())
        values = _full_names(rows) if field == "repository" else rows[base].cast(pl.String)
        if field == "category":
            values = values.replace_strict(kinds.categories, default="unknown", return_dtype=pl.String)
        if field == "outcome":
            values = pl.select(
                pl.when(values.str.contains("_fail", literal=True)).then(pl.lit("failure")).otherwise(pl.lit("success"))
            ).to_series()
        counts = rows.select(values.alias("value"), "events").group_by("value").agg(pl.col("events").sum())
        counts = counts.with_columns(pl.lit(field).alias("field"), pl.lit(counts.height, pl.Int64).alias("distinct"))
        counts = counts.sort("events", "value", descending=[True, False]).head(limit)
        found.append(counts.select("field", "value", "events", "distinct"))
    return pl.concat(found)


def _rolled_quarters(question: RolledQuestion) -> pl.DataFrame:
    """Events that rollups count, by day, quarter of an hour and kind: of all closed days, unless the filter names a namespace."""
    columns = ["day", "quarter", "kind", "events"]
    predicate = _predicate(question.flt, _Kinds(question.snap))
    rollups = question.rollups
    if "namespace" in named_columns(question.flt):
        rows = usage_rows(question.snap, rollups, "quarter", columns[:-1], predicate)
    else:
        held = question.snap.frame(
            "SELECT source_id, day, quarter, kind, events FROM filed_quarters WHERE day BETWEEN $first AND $last",
            {"first": rollups.first, "last": rollups.last},
            [],
        )
        unrolled = [
            (pl.col("source_id") == file.source_id) & pl.col("day").is_between(file.first_day, file.last_day)
            for file in rollups.unrolled
        ]
        rows = held.filter(~pl.any_horizontal([pl.lit(value=False), *unrolled]))
        rows = rows.with_columns(pl.col("source_id", "kind").cast(pl.Categorical)).filter(predicate)
    return rows.select(columns).with_columns(pl.col("quarter").cast(pl.Int64))


def _quarters(question: RolledQuestion, moment: str, values: dict[str, object]) -> pl.DataFrame:
    """What `moment` (SQL over `local`) makes of each quarter of an hour of the rolled days: day, quarter, and its columns."""
    rollups = question.rollups
    return question.snap.frame(
        f"WITH {quarters_sql(moment)} SELECT * FROM quarters",
        values | {"rolled_first": rollups.first, "rolled_last": rollups.last},
        [],
    ).with_columns(pl.col("quarter").cast(pl.Int64))


def heat(question: RolledQuestion, time_zone: str) -> pl.DataFrame | None:
    """The frame of `events.heat`."""
    if not question.knows("quarter"):
        return None
    zone: dict[str, object] = {"time_zone": time_zone}
    hours = "isodow({0}) AS weekday, hour({0}) AS hour"
    local = _quarters(question, hours.format("local"), zone)
    rolled = _rolled_quarters(question).group_by("day", "quarter").agg(pl.col("events").sum())
    found = [rolled.join(local, on=["day", "quarter"]).select("weekday", "hour", "events")]
    if has_raw(question.snap, question.rollups):
        raw = f"{hours.format('timezone($time_zone, occurred_at)')}, count(*) AS events"
        found.append(question.raw(raw, "occurred_at", more="GROUP BY ALL", more_values=zone))
    sums = pl.concat(found, how="vertical_relaxed").group_by("weekday", "hour").agg(pl.col("events").sum())
    return sums.select(pl.col("weekday", "hour", "events").cast(pl.Int64)).sort("weekday", "hour")


def series(question: RolledQuestion, time_zone: str, bucket: str) -> pl.DataFrame | None:
    """The frame of `events.usage_series`."""
    if not (question.knows("quarter") and question.knows("active")):
        return None
    values: dict[str, object] = {"time_zone": time_zone, "bucket": bucket}
    local = _quarters(question, "CAST(date_trunc($bucket, local) AS TIMESTAMP) AS bucket", values)
    rolled = _rolled_quarters(question).group_by("day", "quarter", "kind").agg(pl.col("events").sum())
    counted = [rolled.join(local, on=["day", "quarter"]).group_by("bucket", "kind").agg(pl.col("events").sum())]
    active = usage_rows(
        question.snap, question.rollups, "active", ["day", "actor", "am", "pm"], _predicate(question.flt, None)
    )
    named = [_active_in(active, local)]
    if has_raw(question.snap, question.rollups):
        moment = "CAST(date_trunc($bucket, timezone($time_zone, occurred_at)) AS TIMESTAMP) AS bucket"
        raw = question.raw(
            f"{moment}, kind, actor, count(*) AS events",
            "occurred_at, kind, actor",
            more="GROUP BY ALL",
            more_values=values,
        ).with_columns(pl.col("kind", "actor").cast(pl.Categorical))
        counted.append(raw.group_by("bucket", "kind").agg(pl.col("events").sum()))
        named.append(raw.filter(_NO_FAILED_LOGIN).select("bucket", "actor").drop_nulls())
    actors = pl.concat(named).group_by("bucket").agg(pl.col("actor").n_unique().cast(pl.Int64).alias("actors"))
    sums = {name: value for name, value in _counts(kinds_only=True).items() if name in _SERIES}
    found = pl.concat(counted).select("bucket", **sums).group_by("bucket").agg(pl.col(_SERIES).sum())
    found = found.join(actors, on="bucket", how="left").with_columns(pl.col("actors").fill_null(0))
    return found.select("bucket", *_SERIES, "actors").sort("bucket")


_SERIES = ("pulls", "pushes", "deletes", "other", "events")


def _active_in(active: pl.DataFrame, local: pl.DataFrame) -> pl.DataFrame:
    """Which actor is active in which bucket: names are told apart by the quarters in which each occurred."""
    half = {"am": pl.col("quarter") < 48, "pm": pl.col("quarter") >= 48}
    bit = pl.lit(2, pl.Int64).pow(pl.col("quarter") % 48)
    spans = local.group_by("day", "bucket").agg(
        **{name: pl.when(of_half).then(bit).otherwise(0).sum().cast(pl.Int64) for name, of_half in half.items()}
    )
    rows = active.join(spans.rename({"am": "am_of", "pm": "pm_of"}), on="day")
    inside = ((pl.col("am") & pl.col("am_of")) != 0) | ((pl.col("pm") & pl.col("pm_of")) != 0)
    return rows.filter(inside).select("bucket", "actor")


def utc_day(moment: datetime) -> date:
    """The UTC day of an aware moment. Raises ValueError for one without a time zone."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError(f"{moment} has no time zone: filter by aware times")
    return (moment - offset).date()
