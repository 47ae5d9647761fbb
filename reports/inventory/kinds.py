"""The kinds of objects that an inventory report can be about, their names, and where to find them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports.errors import UnknownObject
from quayledger.reports.formatting import visible
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.snapshot import Snapshot

ADVICE = "`quayledger inventory sync` reads what is new"
NOTHING_READ = "The inventory is empty: run `quayledger inventory sync`"
_SHOWN_NAMES = 5
_LIKENESS = 0.6
# How far a name may be typed wrong costs time with each name that is compared.
_MOST_COMPARED = 50_000


KindName = Literal["user", "robot", "team", "repository", "organisation", "organization", "tag"]


class Kind(msgspec.Struct, frozen=True):
    """A kind of object. `family` holds its objects, `key` the columns that name one, in the order of `form`."""

    name: KindName
    title: str
    family: str
    key: tuple[str, ...]
    form: str


KINDS: tuple[Kind, ...] = (
    Kind("user", "User", "users", ("username",), "alice"),
    Kind("robot", "Robot account", "robots", ("robot",), "acme+ci"),
    Kind("team", "Team", "teams", ("organization", "team"), "acme/developers"),
    Kind("repository", "Repository", "repositories", ("namespace", "repository"), "acme/web"),
    Kind("organization", "Organization", "organizations", ("organization",), "acme"),
    Kind("tag", "Tag", "tags", ("namespace", "repository", "tag"), "acme/web:latest"),
)
KindParam = Annotated[KindName, Meta(description=f"{', '.join(kind.name for kind in KINDS[:-1])} or {KINDS[-1].name}.")]
_BY_NAME: dict[str, Kind] = {str(kind.name): kind for kind in KINDS} | {"organisation": KINDS[4]}
# Where people and robots are named that no list of accounts holds: family, column, and what tells the kind.
_NAMED_IN = (
    ("team_members", "member", "member_kind"),
    ("repository_permissions", "principal", "principal_kind"),
    ("organization_members", "member", ""),
    ("direct_access", "principal", ""),
)


class Subject(msgspec.Struct, frozen=True):
    """One object that is asked for."""

    kind: Kind
    name: str
    parts: tuple[str, ...]

    @property
    def where(self) -> dict[str, str]:
        """Its key."""
        return dict(zip(self.kind.key, self.parts, strict=True))

    @property
    def title(self) -> str:
        """`User alice`."""
        return f"{self.kind.title} {self.name}"

    @property
    def namespace(self) -> str:
        """The account that it is or belongs to."""
        return self.parts[0].partition("+")[0]


class Fate(msgspec.Struct, frozen=True):
    """When an object was there, in one source. `gone_at` and `gone_after_at`: it went between the two; `begun_at`: since when
    it is known; `listed`: false where no list holds it, and only permissions or events name it."""

    source_id: str
    begun_at: datetime | None
    begun_after_at: datetime | None
    gone_at: datetime | None
    gone_after_at: datetime | None
    listed: bool = True


def nothing_read(snapshot: Snapshot, source_ids: Sequence[str] = ()) -> bool:
    """Whether nothing was ever read. Raises NotPublished where the copy is older than the inventory."""
    return reader.coverage(snapshot, source_ids).is_empty()


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises UnknownObject."""
    if (kind := _BY_NAME.get(name)) is None:
        raise UnknownObject(f"'{visible(name[:60])}' is not a valid kind. Use {', '.join(one.name for one in KINDS)}.")
    return kind


def parse(kind_name: str, name: str) -> Subject:
    """The object that a kind and a name mean. Raises UnknownObject where the name has another form."""
    kind = kind_of(kind_name)
    head, _, tail = name.partition("/")
    if kind.name == "tag":
        tail, _, tag = tail.rpartition(":")
        parts: tuple[str, ...] = (head, tail, tag)
    elif len(kind.key) == 2:
        parts = (head, tail)
    else:
        parts = (name,)
    if not all(parts) or (kind.name == "robot" and "+" not in name):
        raise UnknownObject(f"'{visible(name[:200])}' is not a valid {kind.name} name. Write it as in {kind.form}.")
    return Subject(kind, name, parts)


def find(snapshot: Snapshot, subject: Subject, source_ids: Sequence[str], at: datetime | None) -> tuple[Fate, ...]:
    """How the object stood at a moment (None: the newest), in each source that ever had it. Raises UnknownObject."""
    rows = reader.history(snapshot, subject.kind.family, source_ids=source_ids, where=subject.where)
    if subject.kind.name == "tag":
        # Quay itself says since when: further back than the first read.
        rows = rows.with_columns(pl.min_horizontal("from_at", "started_at").alias("from_at"))
    fates = [_fate(rows.filter(source_id=source), at) for source in rows["source_id"].unique().sort()]
    if not fates and subject.kind.name in ("user", "robot"):
        fates = [Fate(source, None, None, None, None, False) for source in _named(snapshot, subject, source_ids)]
    if not fates:
        raise UnknownObject(_not_found(snapshot, subject, source_ids))
    return tuple(fates)


def _fate(rows: pl.DataFrame, at: datetime | None) -> Fate:
    """The stretch of life that counts at the moment: the last that had begun by then, else the first there was."""
    begun = rows.sort("from_at") if at is None else rows.filter(pl.col("from_at") <= at).sort("from_at")
    last = (begun if begun.height else rows.sort("from_at").head(1)).tail(1).row(0, named=True)
    first = rows.filter(pl.col("from_at") <= last["from_at"]).sort("from_at").row(0, named=True)
    is_gone = last["to_at"] is not None and (at is None or last["to_at"] <= at) and begun.height > 0
    # Tags have a line for each digest: the last one's end is not the tag's while another holds.
    is_gone = is_gone and begun.filter(pl.col("to_at").is_null()).is_empty()
    return Fate(
        source_id=last["source_id"],
        begun_at=first["from_at"],
        begun_after_at=first["after_at"],
        gone_at=last["to_at"] if is_gone else None,
        gone_after_at=last["to_after_at"] if is_gone else None,
    )


def _named(snapshot: Snapshot, subject: Subject, source_ids: Sequence[str]) -> list[str]:
    """The sources in which permissions, teams or events name a person or robot that no list of accounts holds."""
    found: set[str] = set()
    for family, column, kind in _NAMED_IN:
        where = {column: subject.name} | ({kind: subject.kind.name} if kind else {})
        found |= set(reader.history(snapshot, family, source_ids=source_ids, where=where)["source_id"])
    used = reader.last_use(snapshot, now=snapshot.published.published_at, source_ids=source_ids)
    used = used.filter(subject_kind=subject.kind.name, subject=subject.name)
    return sorted(found | set(used["source_id"]))


def names(snapshot: Snapshot, kind: Kind, at: datetime | None, source_ids: Sequence[str], limit: int = 0) -> list[str]:
    """The names of the objects of a kind at a moment (None: the newest), sorted; `limit`: at most so many (0: all)."""
    found = _joined(reader.as_of(snapshot, kind.family, at, source_ids=source_ids), kind)
    return found[:limit] if limit else found


def with_name(frame: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """The frame with `name`, as it is asked for, of each object of the kind."""
    signs = {"repository": "/", "team": "/", "tag": ":"}
    parts = [part for name in kind.key for part in (pl.lit(signs.get(name, "")), pl.col(name))][1:]
    return frame.with_columns(pl.concat_str(parts).alias("name"))


def _joined(frame: pl.DataFrame, kind: Kind) -> list[str]:
    return with_name(frame, kind)["name"].unique().sort().to_list()


def _not_found(snapshot: Snapshot, subject: Subject, source_ids: Sequence[str]) -> str:
    known = _all_names(snapshot, subject, source_ids)
    if not known and nothing_read(snapshot, source_ids):
        return f"{NOTHING_READ}."
    near = _nearest(subject.name, known)
    meant = f"did you mean {', '.join(visible(name) for name in near)}? If not, " if near else ""
    return f"there is no {subject.kind.name} '{visible(subject.name[:200])}' in the inventory: {meant}{ADVICE}"


def _all_names(snapshot: Snapshot, subject: Subject, source_ids: Sequence[str]) -> list[str]:
    """Every name of the kind that there ever was; of tags those of the same repository."""
    where = dict(list(subject.where.items())[:2]) if subject.kind.name == "tag" else None
    return _joined(reader.history(snapshot, subject.kind.family, source_ids=source_ids, where=where), subject.kind)


def _nearest(name: str, known: list[str]) -> list[str]:
    """Names like it, those that hold it or its last part first."""
    last = name.lower().rpartition("/")[2].rpartition("+")[2]
    holding = [other for other in known if last and last in other.lower()][:_SHOWN_NAMES]
    close = difflib.get_close_matches(name, known[:_MOST_COMPARED], _SHOWN_NAMES, _LIKENESS)
    return list(dict.fromkeys([*close, *holding]))[:_SHOWN_NAMES]
