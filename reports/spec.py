"""How a report declares itself.

To add a report, write one module in `reports/log/`, `reports/inventory/` or another package that `registry.PACKAGES` names:

1. a frozen, keyword-only struct of its parameters. Each field is annotated with one of the aliases below, or with
   `Annotated[type, Meta(description=...)]`; the description is what `--help`, the documentation and the page say;
2. `build(snapshot, params, *, now=None) -> Report`, which reads through the warehouse and returns a value;
3. `SPEC = ReportSpec(id=..., title=..., audience=..., summary=..., params=..., build=...)`.

The registry finds the module. The command line, the documentation, the cache of the pages and schedules iterate the
registry: they list what may be asked with `inputs` and turn text into parameters with `parse_params`."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports import period as periods
from quayledger.reports.errors import BadParameter
from quayledger.reports.formatting import visible
from quayledger.reports.model import Report
from quayledger.reports.period import Period
from quayledger.warehouse.log.former_names import UUID, account_labels, label_of
from quayledger.warehouse.snapshot import Snapshot

Audience = Literal["security", "capacity", "compliance", "operations"]
InputKind = Literal["text", "number", "flag", "day", "period", "time_zone"]
ParamsT = TypeVar("ParamsT", bound=msgspec.Struct)
ParamsOfBuild = TypeVar("ParamsOfBuild", bound=msgspec.Struct, contravariant=True)

# `extra` of a field's Meta: `option` is its name as an option where that is another word than the field's; `default`
# the text of a period that is taken where none is given; `utc` marks a period that is always one of UTC days.
PERIOD = f"{', '.join(periods.EXAMPLES)}, or days such as 2026-11-01..2026-11-21."
PeriodParam = Annotated[Period, Meta(description=PERIOD, extra={"default": periods.DEFAULT_PRESET})]
UtcPeriodParam = Annotated[Period, Meta(description=PERIOD, extra={"default": periods.DEFAULT_PRESET, "utc": True})]
NamespaceParam = Annotated[str | None, Meta(description="Only this organization or user.")]
SourcesParam = Annotated[
    tuple[str, ...], Meta(description="Only this source; may be repeated.", extra={"option": "source"})
]
TopParam = Annotated[int, Meta(ge=0, le=1_000_000, description="Maximum rows per table (0 = all).")]
CompareParam = Annotated[bool, Meta(description="Show the change against the period before.")]
AsOfParam = Annotated[date | None, Meta(description="The state at the end of this UTC day (default: now).")]
_TIME_ZONE = "IANA name of the time zone whose days count, such as Europe/Berlin."


class BuildReport(Protocol[ParamsOfBuild]):
    """Builds a report from a published copy. `now`: when it is made (aware; None: now). Raises ReportError, WarehouseError."""

    def __call__(self, snapshot: Snapshot, params: ParamsOfBuild, *, now: datetime | None = None) -> Report: ...


def with_labels(report: Report, labels: Mapping[str, str]) -> Report:
    """The report with the labels of the deleted accounts that its texts name. Pure."""
    if not labels:
        return report
    return msgspec.structs.replace(
        report,
        tables=tuple(msgspec.structs.replace(one, labels=_named(one.frame, labels)) for one in report.tables),
        charts=tuple(msgspec.structs.replace(one, labels=_named(one.frame, labels)) for one in report.charts),
        notes=tuple(msgspec.structs.replace(one, text=label_of(labels, one.text)) for one in report.notes),
        parameters=tuple(msgspec.structs.replace(one, value=label_of(labels, one.value)) for one in report.parameters),
    )


def _named(frame: pl.DataFrame, labels: Mapping[str, str]) -> dict[str, str] | msgspec.UnsetType:
    """Of these labels, those of accounts that the frame's texts name; unset where there are none."""
    texts = (text for column in frame.select(pl.col(pl.String)) for text in column.filter(column.str.contains(UUID)))
    named = {uuid for text in texts for uuid in re.findall(UUID, text)}
    return {uuid: labels[uuid] for uuid in sorted(named & labels.keys())} or msgspec.UNSET


class ReportSpec(msgspec.Struct, Generic[ParamsT], frozen=True, kw_only=True):
    """One report: `id` as written in a command or an address; `summary`, one sentence for `--help`; `audience`, who asks for
    it; `params`, the struct of what may be asked; `page`, the page of the browser that shows it ('' where none does);
    `screen_rows`: the rows that a terminal asks for where nobody named a number, of a report whose `top` cuts rows and
    nothing else (0: all, of which the terminal shows some)."""

    id: str
    title: str
    summary: str
    audience: tuple[Audience, ...]
    params: type[ParamsT]
    build: BuildReport[ParamsT]
    page: str = ""
    screen_rows: int = 0

    def make(self, snapshot: Snapshot, params: ParamsT, *, now: datetime | None = None) -> Report:
        """Builds the report for readers: deleted accounts bear the names that they had. Raises what `build` raises."""
        return with_labels(self.build(snapshot, params, now=now), account_labels(snapshot))

    @property
    def has_period(self) -> bool:
        """True where the report is about a period, not about the state at a moment."""
        return any(item.kind == "period" for item in inputs(self))


class Input(msgspec.Struct, frozen=True):
    """One thing that may be asked of a report, as any parser of options needs it. `name`: the field of the parameters
    ("time_zone" belongs to the period); `option`: its name as an option, without dashes; `default`: as text, for help;
    `required`: there is no default, so that a command takes it as an argument; `many`: may be given several times;
    `choices`: the only values (none: any); `least`, `most`: bounds of a number."""

    name: str
    kind: InputKind
    option: str
    help: str
    default: str = ""
    required: bool = False
    many: bool = False
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None


def inputs(spec: ReportSpec[Any]) -> tuple[Input, ...]:
    """What may be asked of a report, in the order of its fields; a period's time zone follows it."""
    hints = typing.get_type_hints(spec.params, include_extras=True)
    found: list[Input] = []
    for field in msgspec.structs.fields(spec.params):
        found.append(_input(field, hints[field.name]))
        if found[-1].kind == "period" and not _extra(_meta(hints[field.name])).get("utc"):
            found.append(Input("time_zone", "time_zone", "time-zone", _TIME_ZONE, "UTC"))
    return tuple(found)


def parse_params(spec: ReportSpec[ParamsT], given: Mapping[str, Any], now: datetime) -> ParamsT:
    """The parameters from what a command line, an address or a schedule gives: by input name, texts or values; None or
    absent takes the default. A period is resolved against `now` (aware). Raises BadParameter, BadPeriod."""
    known = {item.name: item for item in inputs(spec)}
    if unknown := [name for name in given if name not in known]:
        raise BadParameter(
            f"the report {spec.id} has no parameter '{visible(unknown[0][:60])}': it has {', '.join(known)}"
        )
    values = {name: value for name, value in given.items() if value is not None and name != "time_zone"}
    zone = str(given.get("time_zone") or "UTC")
    for name, item in known.items():
        if item.kind == "period" and not isinstance(values.get(name), Period):
            values[name] = periods.parse(str(values.get(name) or item.default), zone, now)
        elif item.required and name not in values:
            raise BadParameter(f"the report {spec.id} needs {item.option}: {item.help}")
        elif name in values and item.kind != "period":
            values[name] = _value(item, values[name])
    return spec.params(**values)


def _value(item: Input, given: Any) -> Any:
    """One given value in the type of its field."""
    if item.many:
        each = [given] if isinstance(given, str) else list(given)
        return tuple(_one(item, value) for value in each)
    return _one(item, given)


def _one(item: Input, given: Any) -> Any:
    said = visible(str(given)[:60])
    if item.choices and given not in item.choices:
        raise BadParameter(f"'{said}' is not a valid {item.option}. Choose from {', '.join(item.choices)}.")
    try:
        if item.kind == "day":
            return given if isinstance(given, date) else date.fromisoformat(given)
        if item.kind == "number":
            number = int(given)
            if number < (item.least or 0) or (item.most is not None and number > item.most):
                raise BadParameter(f"{item.option} {number} is out of range: {item.least or 0} to {item.most:,}.")
            return number
    except (ValueError, TypeError):
        wanted = "a date. Use YYYY-MM-DD" if item.kind == "day" else "a whole number"
        raise BadParameter(f"'{said}' is not {wanted}.") from None
    if item.kind == "flag":
        return given if isinstance(given, bool) else str(given).lower() in ("1", "true", "yes", "on")
    return given


def _input(field: msgspec.structs.FieldInfo, hint: Any) -> Input:
    meta = _meta(hint)
    extra = _extra(meta)
    plain, many, choices = _shape(hint)
    required = field.required and plain is not Period
    return Input(
        name=field.name,
        kind=_kind(plain),
        option=str(extra.get("option", field.name.replace("_", "-"))),
        help=(meta.description if meta else "") or "",
        default=str(extra.get("default", "")) if field.required else _default_text(field.default),
        required=required,
        many=many,
        choices=choices,
        least=None if meta is None or meta.ge is None else int(meta.ge),
        most=None if meta is None or meta.le is None else int(meta.le),
    )


def _meta(hint: Any) -> Meta | None:
    return next((item for item in getattr(hint, "__metadata__", ()) if isinstance(item, Meta)), None)


def _extra(meta: Meta | None) -> Mapping[str, Any]:
    return (meta.extra if meta else None) or {}


def _shape(hint: Any) -> tuple[Any, bool, tuple[str, ...]]:
    """The plain type of a field, whether it takes several, and its choices."""
    plain, many = hint.__origin__ if hasattr(hint, "__metadata__") else hint, False
    if typing.get_origin(plain) in (typing.Union, types.UnionType):
        plain = next(part for part in typing.get_args(plain) if part is not types.NoneType)
    if typing.get_origin(plain) is tuple:
        plain, many = typing.get_args(plain)[0], True
    choices = tuple(str(choice) for choice in typing.get_args(plain)) if typing.get_origin(plain) is Literal else ()
    return str if choices else plain, many, choices


def _kind(plain: Any) -> InputKind:
    kinds: dict[Any, InputKind] = {Period: "period", str: "text", int: "number", bool: "flag", date: "day"}
    return kinds[plain]


def _default_text(default: Any) -> str:
    if default is None or default is msgspec.NODEFAULT or default == ():
        return ""
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, Sequence) and not isinstance(default, str):
        return ", ".join(map(str, default))
    return str(default)
