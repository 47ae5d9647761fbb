"""From pySigma's trees to conditions of the warehouse. Pure.

What cannot be said is refused with its name, so that no rule judges something else than it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sigma import conditions as tree
from sigma import correlations as sigma_correlations
from sigma import modifiers, types
from sigma.correlations import SigmaCorrelationRule, SigmaCorrelationType, SigmaExtendedCorrelationCondition
from sigma.rule import SigmaDetectionItem, SigmaRule
from sigma.rule.detection import SigmaDetection

from quayledger.reports.errors import ReportError
from quayledger.warehouse.log import conditions as c

MODIFIERS = (
    "all",
    "cased",
    "cidr",
    "contains",
    "day",
    "endswith",
    "exists",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
    "neq",
    "re",
    "s",
    "startswith",
    "week",
    "year",
)
# The time of an event, under the names by which Sigma rules know it.
_TIMES = ("occurred_at", "timestamp")
_OPERATORS: dict[str, c.Operator] = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "=", "NEQ": "<>"}
_KINDS: dict[SigmaCorrelationType, c.Correlated] = {
    SigmaCorrelationType.EVENT_COUNT: "event_count",
    SigmaCorrelationType.VALUE_COUNT: "value_count",
    SigmaCorrelationType.TEMPORAL: "temporal",
    SigmaCorrelationType.TEMPORAL_ORDERED: "temporal_ordered",
}
LONGEST_S = 7 * 86_400


class Unsupported(ReportError):
    """A Sigma rule asks for what cannot be judged here. `named`: the text of the file that does."""

    def __init__(self, message: str, named: str) -> None:
        super().__init__(message)
        self.named = named


def condition_of(rule: SigmaRule) -> c.Condition:
    """What a rule asks of one event; several conditions of a rule are alternatives. Raises Unsupported, SigmaError."""
    _check(rule.detection.detections.values())
    found = [_of(parsed.parsed) for parsed in rule.detection.parsed_condition]
    return found[0] if len(found) == 1 else c.Any(tuple(found))


def correlation_of(rule: SigmaCorrelationRule) -> c.Correlation:
    """What a correlation asks of several events; its rules must be resolved. Raises Unsupported, SigmaError."""
    kind = _KINDS.get(rule.type)
    if kind is None:
        raise Unsupported(f"correlations of type {rule.type.name.lower()} are not supported", rule.type.name.lower())
    if isinstance(rule.condition, SigmaExtendedCorrelationCondition):
        raise Unsupported(
            "conditions of correlations that combine rules with and, or, not are not supported", "condition"
        )
    if rule.timespan.seconds > LONGEST_S:
        raise Unsupported(f"a timespan of {rule.timespan.spec} is longer than 7 days", "timespan")
    members = [reference.rule for reference in rule.referenced_rules]
    if not members:
        raise Unsupported("a correlation needs rules", "rules")
    if nested := [one for one in members if isinstance(one, SigmaCorrelationRule)]:
        raise Unsupported(f"correlations of correlations ({nested[0].title}) are not supported", "rules")
    rules = [one for one in members if isinstance(one, SigmaRule)]
    keys = [str(reference.reference) for reference in rule.referenced_rules]
    groups = tuple(tuple(_named(rule, key, name) for name in rule.group_by or ()) for key in keys)
    value: tuple[str, ...] = ()
    if kind == "value_count":
        wanted = rule.condition.fieldref
        if not isinstance(wanted, str):
            raise Unsupported("value_count counts the values of one field", "field")
        value = tuple(_named(rule, key, wanted) for key in keys)
    return c.Correlation(
        kind=kind,
        conditions=tuple(condition_of(one) for one in rules),
        group_by=groups,
        seconds=rule.timespan.seconds,
        operator=_OPERATORS[rule.condition.op.name],
        number=rule.condition.count,
        value=value,
    )


def _named(rule: SigmaCorrelationRule, reference: str, name: str) -> str:
    """A field of `group-by`, or what it is an alias of for one of the rules."""
    alias = rule.aliases.aliases.get(name)
    if alias is None:
        return _field(name)
    mapping = {one.reference: field for one, field in alias.mapping.items()}
    if reference not in mapping:
        raise Unsupported(f"the alias {name} has no field for the rule {reference}", name)
    return _field(mapping[reference])


def _check(detections: Any) -> None:
    """Modifiers that would change what a value says and are not known here, and the time of an event under another modifier."""
    for one in detections:
        if isinstance(one, SigmaDetectionItem):
            for modifier in one.modifiers:
                name = modifiers.reverse_modifier_mapping[modifier.__name__]
                if name not in MODIFIERS and _SAME.get(name) not in MODIFIERS:
                    raise Unsupported(
                        f"the modifier {name} is not supported; those that are: {', '.join(MODIFIERS)}", f"|{name}"
                    )
        elif isinstance(one, SigmaDetection):
            _check(one.detection_items)


_SAME = {"ignorecase": "i", "multiline": "m", "dotall": "s"}


def _of(node: Any) -> c.Condition:
    match node:
        case tree.ConditionAND():
            return c.All(tuple(map(_of, node.args)))
        case tree.ConditionOR():
            return c.Any(tuple(map(_of, node.args)))
        case tree.ConditionNOT():
            return c.Not(_of(node.args[0]))
        case tree.ConditionFieldEqualsValueExpression():
            return _leaf(node.field, node.value)
        case tree.ConditionValueExpression():
            return _keyword(node.value)
    raise Unsupported("the condition is empty", "condition")


def _keyword(value: Any) -> c.Condition:
    match value:
        case types.SigmaString():
            return c.Like(None, _parts(value), isinstance(value, types.SigmaCasedString))
        case types.SigmaNumber():
            return c.Like(None, (("text", str(value)),))
        case types.SigmaRegularExpression():
            return c.Regex(None, str(value.regexp), _flags(value))
        case types.SigmaExpansion():
            return c.Any(tuple(map(_keyword, value.values)))
    raise Unsupported(f"a keyword cannot be a {type(value).__name__}", "")


def _leaf(name: str, value: Any) -> c.Condition:
    if isinstance(value, types.SigmaTimestampPart):
        return c.At(_part(name, value), int(value.number))
    if isinstance(value, types.SigmaExpansion):
        return c.Any(tuple(_leaf(name, one) for one in value.values))
    made = _LEAVES.get(type(value))
    if made is None:
        raise Unsupported(f"{name}: a value of the kind {type(value).__name__} is not supported", name)
    return made(_field(name), value)


_LEAVES: dict[type, Callable[[str, Any], c.Condition]] = {
    types.SigmaString: lambda field, value: c.Like(field, _parts(value)),
    types.SigmaCasedString: lambda field, value: c.Like(field, _parts(value), is_cased=True),
    types.SigmaNumber: lambda field, value: c.Number(field, "=", float(value.number)),
    types.SigmaBool: lambda field, value: c.Like(field, (("text", str(value.boolean).lower()),)),
    types.SigmaNull: lambda field, _: c.Exists(field, exists=False),
    types.SigmaExists: lambda field, value: c.Exists(field, exists=value.exists),
    types.SigmaRegularExpression: lambda field, value: c.Regex(field, str(value.regexp), _flags(value)),
    types.SigmaCIDRExpression: lambda field, value: c.Within(field, str(value.network)),
    types.SigmaCompareExpression: lambda field, value: c.Number(
        field, _OPERATORS[value.op.name], float(value.number.number)
    ),
    types.SigmaFieldReference: lambda field, value: c.SameAs(
        field, _field(value.field), value.starts_with, value.ends_with
    ),
}


def _part(name: str, value: types.SigmaTimestampPart) -> c.TimePart:
    if name not in _TIMES:
        raise Unsupported(f"{name} is no time; the time of an event is {_TIMES[0]}", name)
    parts: dict[str, c.TimePart] = {
        "MINUTE": "minute",
        "HOUR": "hour",
        "DAY": "day",
        "WEEK": "week",
        "MONTH": "month",
        "YEAR": "year",
    }
    return parts[value.timestamp_part.name]


def _field(name: str) -> str:
    """A field that events have, whatever its case. Raises Unsupported for another."""
    lower = name.lower()
    found = lower if lower in c.FIELDS else c.METADATA + name[len(c.METADATA) :] if lower.startswith(c.METADATA) else ""
    if not c.is_field(found):
        raise Unsupported(f"events have no field {name}; fields are {', '.join(c.FIELDS)} and metadata.KEY", name)
    return found


def _parts(value: types.SigmaString) -> tuple[Any, ...]:
    parts: list[tuple[str, str]] = []
    for one in value.s:
        if isinstance(one, str):
            parts.append(("text", one))
        elif one is types.SpecialChars.WILDCARD_MULTI:
            parts.append(("*", ""))
        elif one is types.SpecialChars.WILDCARD_SINGLE:
            parts.append(("?", ""))
        else:
            raise Unsupported("placeholders (%name%) are not supported", "%")
    return tuple(parts)


def _flags(value: types.SigmaRegularExpression) -> str:
    return "".join(sorted(types.SigmaRegularExpression.sigma_to_re_flag[flag] for flag in value.flags))


def referenced(rules: Sequence[SigmaRule | SigmaCorrelationRule]) -> set[int]:
    """Which of the rules (by id()) raise nothing by themselves, since a correlation judges them."""
    hidden: set[int] = set()
    for rule in rules:
        if isinstance(rule, sigma_correlations.SigmaCorrelationRule) and not rule.generate:
            hidden |= {id(reference.rule) for reference in rule.referenced_rules}
    return hidden
