"""What is known and what is not: how the reads behind a table ended, and the sentence that says so. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec
import polars as pl

from quayledger.reports import formatting
from quayledger.reports.trust import Detail, Level, Trust
from quayledger.warehouse.catalog import QUERY
from quayledger.warehouse.catalog.queries import SUPERUSER, title_of

# From what can be relied on to what is not known at all; `later`: not read before the moment in question.
MEANINGS = {
    "ok": "read",
    "gone": "removed",
    "partial": "some rows could not be read",
    "failed": "failed",
    "refused": "refused",
    "not_asked": "not requested",
    "not_offered": "not available on this registry",
    "later": "not read by then",
    "never": "not read yet",
}
Rows = Callable[[str], pl.DataFrame]
KNOWN = frozenset({"ok", "gone"})
_RANK = {state: rank for rank, state in enumerate(MEANINGS)}
_ROW = ("state", "reason", "state_since", "ok_at")
_LONGEST_REASON = 160


class Unknown(msgspec.Struct, frozen=True):
    """Targets of a query whose reads ended in the same way and are not known: how many, and one of them, with the reason."""

    state: str
    targets: int
    example: str
    reason: str
    since: datetime | None


class Part(msgspec.Struct, frozen=True):
    """How the reads of one query ended that a table is made of. `target`: if it is one; `states`: how many targets ended how; `unknown`:
    those that cannot be relied on, the worst first; `oldest_ok_at`, `newest_ok_at`: when what is held was read (None:
    never)."""

    table: str
    source_id: str
    query: str
    target: str
    targets: int
    states: dict[str, int]
    unknown: tuple[Unknown, ...]
    oldest_ok_at: datetime | None
    newest_ok_at: datetime | None

    @property
    def known(self) -> bool:
        """Whether all of it was read."""
        return not self.unknown

    @property
    def unknown_targets(self) -> int:
        """How many targets are not known, or not wholly."""
        return sum(one.targets for one in self.unknown)


class Knowledge(msgspec.Struct, frozen=True):
    """How much of a report of the inventory is known, by the reads that it is made of. `text` says it in a line."""

    reads_total: int
    reads_known: int
    oldest_ok_at: datetime | None
    newest_ok_at: datetime | None
    parts: tuple[Part, ...]
    text: str
    level: Level

    @property
    def trust(self) -> Trust:
        """How far the report can be relied on: what could not be read, by what it is and why."""
        unread = [
            Detail(one.targets, "read", title_of(part.query), MEANINGS.get(one.state, one.state))
            for part in distinct(self.parts)
            for one in part.unknown
        ]
        return Trust(self.text, self.level, (Detail(self.reads_known, "read", "up to date"), *unread))


def one(sources: Sequence[str], **targets: str) -> pl.DataFrame:
    """A need for one thing in each source, known from any of these queries at these targets."""
    return pl.DataFrame(
        [(source, *targets.values()) for source in sources],
        schema=dict.fromkeys(("source_id", *targets), pl.String),
        orient="row",
    )


def each(query: str, frame: pl.DataFrame, target: pl.Expr) -> pl.DataFrame:
    """A need for each of these things (with their source_id), known from one query."""
    return frame.select("source_id", target.alias(query)).unique(maintain_order=True)


class FetchStates(msgspec.Struct, frozen=True):
    """How the fetches of each query had gone by a moment (`by_then`), and how they have gone since: functions that give the
    rows of `warehouse.inventory.reader.knowledge` of one query, of which there may be millions in all. For the present both are
    the same."""

    by_then: Rows
    since: Rows

    def parts(self, table: str, needs: Iterable[pl.DataFrame]) -> tuple[Part, ...]:
        """What a table is made of: one part per need and source."""
        found = []
        for need in needs:
            standing = self._standing(need)
            found += [_part(table, rows) for _, rows in standing.group_by("source_id", maintain_order=True)]
        return tuple(found)

    def _standing(self, need: pl.DataFrame) -> pl.DataFrame:
        """One row per row of the need: source_id, query, target, state, reason, state_since, ok_at."""
        standing = _best(need, self.by_then)
        if self.since is self.by_then or "never" not in standing["state"]:
            return standing
        began = pl.min_horizontal("state_since", "ok_at").alias("state_since")
        later = _best(need, self.since).with_columns(pl.lit("later").alias("state"), began, pl.lit(None).alias("ok_at"))
        is_later = (standing["state"] == "never") & later["state_since"].is_not_null()
        return pl.concat([standing.filter(~is_later), later.filter(is_later).cast(standing.schema)])


def _best(need: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """For each row of the need the query that ended best, of those that could answer it."""
    queries = need.columns[1:]
    wanted = need.with_row_index("place")
    told = [
        _states(wanted.select("place", "source_id", pl.col(query).alias("target")), query, rows(query)).with_columns(
            pl.lit(order).alias("order")
        )
        for order, query in enumerate(queries)
    ]
    return (
        pl.concat(told)
        .with_columns(pl.col("state").replace_strict(_RANK, default=len(_RANK), return_dtype=pl.Int64).alias("rank"))
        .sort("place", "rank", "ok_at", "order", descending=[False, False, True, False], nulls_last=True)
        .unique("place", keep="first", maintain_order=True)
        .select("source_id", "query", "target", *_ROW)
    )


def _states(wanted: pl.DataFrame, query: str, rows: pl.DataFrame) -> pl.DataFrame:
    """How one query ended for each target: its own row, else the note about its repository, its namespace, or all."""
    own = rows.select("source_id", pl.col("target").alias("_at"), *_ROW)
    exact = pl.col("target")
    if query in QUERY and QUERY[query].target_set == "digest":
        # A manifest is read once, in whichever repository it was found first.
        own = own.with_columns(_digest(pl.col("_at")).alias("_at")).unique(["source_id", "_at"], keep="last")
        exact = _digest(exact)
    repository, namespace = (pl.col("target").str.extract(f"^([^{signs}]*)", 1) for signs in ("@:", "/+"))
    keys = (exact, repository + "@*", namespace + "/*", pl.lit("*"))
    joined = wanted.drop_nulls("target")
    for number, key in enumerate(keys):
        told = own.rename({"_at": "_key"} | {name: f"{name}_{number}" for name in _ROW})
        joined = joined.with_columns(key.alias("_key")).join(told, on=["source_id", "_key"], how="left")
    return joined.select(
        "place", "source_id", pl.lit(query).alias("query"), "target", *(_first_row(name, len(keys)) for name in _ROW)
    ).with_columns(pl.col("state").fill_null("never"))


def _first_row(name: str, candidates: int) -> pl.Expr:
    """The value of the first of the rows that there are; it may be null itself."""
    value = pl.lit(None)
    for number in reversed(range(candidates)):
        value = pl.when(pl.col(f"state_{number}").is_not_null()).then(f"{name}_{number}").otherwise(value)
    return value.alias(name)


def _digest(target: pl.Expr) -> pl.Expr:
    """The digest of a manifest's target; notes about many stay as they are."""
    digest = target.str.split("@").list.last()
    return pl.when(target.str.contains("@", literal=True) & (digest != "*")).then(digest).otherwise(target)


def _part(table: str, rows: pl.DataFrame) -> Part:
    """The standing of one need in one source, summed up."""
    states = dict(rows.group_by("state", maintain_order=True).len().iter_rows())
    worst_first = sorted(states, key=lambda state: _RANK.get(state, len(_RANK)), reverse=True)
    ok_times = [moment for moment in rows["ok_at"] if moment is not None]
    return Part(
        table=table,
        source_id=rows["source_id"][0],
        query=rows["query"][0],
        target=rows["target"][0] if rows.height == 1 else "",
        targets=rows.height,
        states=states,
        unknown=tuple(_unknown(state, rows.filter(state=state)) for state in worst_first if state not in KNOWN),
        oldest_ok_at=min(ok_times, default=None),
        newest_ok_at=max(ok_times, default=None),
    )


def _unknown(state: str, rows: pl.DataFrame) -> Unknown:
    first = rows.row(0, named=True)
    return Unknown(state, rows.height, first["target"], first["reason"] or "", first["state_since"])


def brief(part: Part, several_sources: bool) -> str:
    """What is not known of a part, for the table that it is in: `Roles of teams: unknown: refused, as of …`; '' where all is."""
    if part.known:
        return ""
    what = _what(part, several_sources)
    if part.targets == 1:
        return f"{what}: {_when(part.unknown[0])}{_waits(part.query, part.unknown[0].state)}."
    named = (f"{MEANINGS.get(one.state, one.state)}{_waits(part.query, one.state)}" for one in part.unknown)
    return f"{what} for {part.unknown_targets:,} of {part.targets:,}: {', '.join(named)}."


def explain(part: Part, several_sources: bool) -> str:
    """The same with a reason and what to do about it, for the small print."""
    if part.known:
        return ""
    worst = part.unknown[0]
    such = f" for {part.unknown_targets:,} of {part.targets:,}, such as {worst.example}" if part.targets > 1 else ""
    reason = f" ({short(worst.reason)})" if worst.reason else ""
    todo = advice(part.query, worst.state)
    held = (
        f" The rows shown were read {formatting.moment(part.oldest_ok_at)}."
        if part.oldest_ok_at and part.targets == 1
        else ""
    )
    return f"{_what(part, several_sources)}{such}: {_when(worst)}{reason}{'; ' if todo else ''}{todo}.{held}"


def _what(part: Part, several_sources: bool) -> str:
    what, where = title_of(part.query), f"{part.source_id}: " if several_sources else ""
    is_partial = all(one.state == "partial" for one in part.unknown)
    return f"{where}{what[0].upper()}{what[1:]}: {'incomplete' if is_partial else 'unknown'}"


def _waits(query: str, state: str) -> str:
    """Images that a tag has not stood for long enough are not forgotten: they wait."""
    return ", as images of a new tag wait for up to a day" if state == "never" and _settles(query) else ""


def _settles(query: str) -> bool:
    """Whether what a query reads waits until its tag has settled."""
    return query in QUERY and bool(QUERY[query].settle)


def _when(unknown: Unknown) -> str:
    if unknown.state == "later":
        return f"first read {formatting.moment(unknown.since)}"
    since = f", as of {formatting.moment(unknown.since)}" if unknown.since else ""
    return f"{MEANINGS.get(unknown.state, unknown.state)}{since}"


def advice(name: str, state: str) -> str:
    """What can be done about a query that ended so; '' where nothing needs to be."""
    query = QUERY.get(name)
    scope = query.scope if query else ""
    wider = f" or {SUPERUSER}" if scope not in ("", SUPERUSER) and not scope.startswith("user:") else ""
    needed = f"it needs a token with the scope {scope}{wider} whose user may do that" if scope else "see the reason"
    waits = "; those of a new tag wait for up to a day first" if _settles(name) else ""
    return {
        "refused": f"{needed}; `quayledger doctor` says what the token may read",
        "not_asked": f"others of its kind were refused: {needed}",
        "not_offered": "the feature is off there, or that version does not know it",
        "failed": "the next run tries again",
        "partial": "what could be read counts; what lacks proves nothing",
        "never": f"run `quayledger inventory sync`{waits}",
    }.get(state, "")


def short(reason: str) -> str:
    """A reason that is not longer than people read."""
    reason = reason.strip().rstrip(".")
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"


def distinct(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts, each read once: several tables may be made of the same."""
    return tuple({(part.source_id, part.query, part.targets, part.target): part for part in parts}.values())


def summed_up(parts: Sequence[Part]) -> Knowledge:
    """The parts of a report as one statement; a query that several tables are made of counts once."""
    once = distinct(parts)
    total = sum(part.targets for part in once)
    known = total - sum(part.unknown_targets for part in once)
    oldest = min((part.oldest_ok_at for part in once if part.oldest_ok_at), default=None)
    newest = max((part.newest_ok_at for part in once if part.newest_ok_at), default=None)
    told = f"{known:,} of {formatting.plural(total, 'read')} up to date" if total else "nothing has been read"
    if oldest and newest:
        told += f", from {formatting.moment(oldest)}" + ("" if oldest == newest else f" to {formatting.moment(newest)}")
    level: Level = "good" if known == total else "warning" if known else "bad"
    return Knowledge(total, known, oldest, newest, tuple(parts), told, level if total else "bad")
