"""Sigma rules: the warehouse finds what a naive reading of the same conditions finds, and what cannot be judged is named."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quayledger.reports.detections import engine
from quayledger.reports.detections.sigma.folder import Folder, read
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import conditions as c
from quayledger.warehouse.log import matching
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse.sample import NOW, begin, event, seal, store

EXAMPLES = Path(__file__).parents[2] / "reports" / "detections" / "sigma" / "examples"
LOGS, EVENTS = 100, 16
FIRST = date(2026, 3, 1)
Row = dict[str, Any]
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
}


def _start(log: int) -> datetime:
    return datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=log)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """LOGS small logs, one a day, of few values, so that conditions meet and miss."""
    import random

    rng = random.Random("sigma")
    home = tmp_path_factory.mktemp("sigma")
    with Ledger.open(home, command="fill") as ledger:
        begin(ledger)
        for log in range(LOGS):
            day = FIRST + timedelta(days=log)
            store(ledger, [_event(rng, day) for _ in range(EVENTS)], day=day)
            seal(ledger, day)
        publish(ledger, keep=1, now=NOW)
    with Snapshot.open(home) as opened:
        yield opened


def _event(rng: Any, day: date) -> Row:
    metadata: dict[str, Any] = {}
    for key, values in _METADATA.items():
        if rng.random() < 0.7:
            metadata[key] = rng.choice(values)
    return event(
        rng.randrange(6 * 3600),
        rng.choice(("pull_repo", "push_repo", "delete_tag")),
        day=day,
        performer=rng.choice(("alice", "Alice", "acme+ci", None)),
        performer_kind="user",
        namespace=rng.choice(("acme", "ACME", "globex_1", None)),
        namespace_kind="org",
        repository=rng.choice(("web", "a%b", "a_b", "we\\b", "Ä?ö*", None)),
        ip=rng.choice(("10.0.0.1", "10.1.2.3", "192.0.2.9", "2001:db8::1", None)),
        tag=rng.choice(("v1", "V1", "latest", None)),
        metadata=json.dumps(metadata),
    )


_METADATA: dict[str, tuple[Any, ...]] = {
    "count": (1, 2.5, 10, "7", "x", None, True),
    "who": ("alice", "ALICE in chains", "acme", "v1", ""),
    "deep": ({"er": "yes"}, {"er": 3}, "flat"),
}
_FIELDS = (
    "kind",
    "actor",
    "namespace",
    "repository",
    "ip",
    "tag",
    "metadata.count",
    "metadata.who",
    "metadata.deep.er",
)
_WORDS = ("alice", "acme", "A", "web", "%", "_", "\\", "v1", "10.", "ä?", "yes", "7", "x", "e", "")


def _parts() -> st.SearchStrategy[tuple[Any, ...]]:
    text = st.sampled_from(_WORDS).map(lambda word: ("text", word))
    return st.lists(st.one_of(text, st.just(("*", "")), st.just(("?", ""))), min_size=1, max_size=4).map(tuple)


def _leaves() -> st.SearchStrategy[c.Condition]:
    field = st.sampled_from(_FIELDS)
    operators: Any = st.sampled_from(tuple(_OPERATORS))
    flag = st.booleans()
    patterns = st.sampled_from(("^a", "e$", "A", "[0-9]+", "we.b", "v(1|2)", "a|x", "^$", "."))
    networks = st.sampled_from(("10.0.0.0/8", "10.1.0.0/16", "192.0.2.9/32", "2001:db8::/32", "0.0.0.0/0"))
    return st.one_of(
        st.builds(c.Like, st.one_of(field, st.none()), _parts(), flag),
        st.builds(c.Regex, field, patterns, st.sampled_from(("", "i", "is"))),
        st.builds(c.Number, field, operators, st.sampled_from((1.0, 2.0, 7.0, 10.0))),
        st.builds(c.Within, st.just("ip"), networks),
        st.builds(c.Exists, field, flag),
        st.builds(c.SameAs, field, field, flag, flag),
        st.builds(c.At, st.sampled_from(("hour", "minute", "day", "month", "year")), st.sampled_from((0, 1, 3, 2026))),
    )


def _conditions() -> st.SearchStrategy[c.Condition]:
    def wider(inner: st.SearchStrategy[c.Condition]) -> st.SearchStrategy[c.Condition]:
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.one_of(st.builds(c.Not, inner), st.builds(c.All, several), st.builds(c.Any, several))

    return st.recursive(_leaves(), wider, max_leaves=6)


def _correlations() -> st.SearchStrategy[c.Correlation]:
    def build(
        kind: Any, several: Sequence[c.Condition], fields: Sequence[str], seconds: int, op: Any, number: int, value: str
    ) -> c.Correlation:
        if kind in ("event_count", "value_count"):
            several = several[:2]
        return c.Correlation(
            kind=kind,
            conditions=tuple(several),
            group_by=tuple(tuple(fields) for _ in several),
            seconds=seconds,
            operator=op,
            number=number,
            value=tuple(value for _ in several) if kind == "value_count" else (),
        )

    simple = st.one_of(
        st.sampled_from(("pull_repo", "push_repo", "delete_tag")).map(lambda kind: c.Like("kind", (("text", kind),))),
        _leaves(),
    )
    return st.builds(
        build,
        st.sampled_from(("event_count", "value_count", "temporal", "temporal_ordered")),
        st.lists(simple, min_size=1, max_size=3),
        st.sampled_from(((), ("namespace",), ("actor", "namespace"))),
        st.sampled_from((1, 600, 3600, 20_000)),
        st.sampled_from((">=", ">", "<", "<=", "=", "<>")),
        st.integers(1, 4),
        st.sampled_from(("ip", "tag", "metadata.who")),
    )


# The oracle: the same, one event after the other.


def _value(row: Row, name: str) -> str | None:
    if not name.startswith(c.METADATA):
        found = row[name]
        return None if found is None else str(found)
    value: Any = json.loads(row["metadata"] or "{}")
    for key in name.removeprefix(c.METADATA).split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return None
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _is_met(condition: c.Condition, row: Row) -> bool:
    match condition:
        case c.All(inner):
            return all(_is_met(one, row) for one in inner)
        case c.Any(inner):
            return any(_is_met(one, row) for one in inner)
        case c.Not(one):
            return not _is_met(one, row)
        case c.Exists(field, exists):
            return (_value(row, field) is not None) is exists
        case c.At(part, number):
            return bool(getattr(row["occurred_at"], part) == number)
        case c.Like(None, parts, is_cased):
            texts = [_value(row, name) for name in c.FIELDS if name not in ("event_id", "source_id")]
            whole = "\n".join(text for text in [*texts, row["metadata"]] if text is not None)
            return _is_like((("*", ""), *parts, ("*", "")), whole, is_cased)
    text = _value(row, condition.field or "")
    return text is not None and _is_leaf_met(condition, text, row)


def _is_leaf_met(condition: c.Condition, text: str, row: Row) -> bool:
    match condition:
        case c.Like(_, parts, is_cased):
            return _is_like(parts, text, is_cased)
        case c.Regex(_, pattern, flags):
            return re.search(f"(?{flags}){pattern}" if flags else pattern, text) is not None
        case c.Number(_, operator, number):
            try:
                return _OPERATORS[operator](float(text), number)
            except ValueError:
                return False
        case c.Within(_, network):
            wanted, found = ip_network(network), ip_address(text)
            return found.version == wanted.version and found in wanted
        case c.SameAs(_, other, prefix, suffix):
            theirs, ours = (_value(row, other) or "").lower(), text.lower()
            if _value(row, other) is None:
                return False
            if prefix and suffix:
                return theirs in ours
            return ours.startswith(theirs) if prefix else ours.endswith(theirs) if suffix else ours == theirs
    raise AssertionError(condition)


def _is_like(parts: Iterable[tuple[str, str]], text: str, is_cased: bool) -> bool:
    signs = {"*": ".*", "?": "."}
    pattern = "".join(signs.get(kind) or re.escape(part if is_cased else part.lower()) for kind, part in parts)
    return re.fullmatch(pattern, text if is_cased else text.lower(), re.DOTALL) is not None


def _ends(correlation: c.Correlation, rows: Sequence[Row]) -> set[tuple[str, tuple[str, ...]]]:
    """Event and group of each window that meets a correlation."""
    met = []
    for number, condition in enumerate(correlation.conditions):
        for row in rows:
            group = tuple(_value(row, name) for name in correlation.group_by[number])
            if _is_met(condition, row) and None not in group:
                value = _value(row, correlation.value[number]) if correlation.value else None
                met.append((row["occurred_at"], row["event_id"], number, group, value))
    found = set()
    for at, event_id, number, group, _ in met:
        begin_at = at - timedelta(seconds=correlation.seconds)
        window = [one for one in met if one[3] == group and begin_at <= one[0] <= at]
        if _meets(correlation, window, at, number):
            found.add((event_id, group))
    return found  # type: ignore[return-value]


def _meets(correlation: c.Correlation, window: Sequence[Any], at: datetime, number: int) -> bool:
    compare = _OPERATORS[correlation.operator]
    match correlation.kind:
        case "event_count":
            return compare(len({one[1] for one in window}), correlation.number)
        case "value_count":
            return compare(len({one[4] for one in window if one[4] is not None}), correlation.number)
        case "temporal":
            return compare(len({one[2] for one in window}), correlation.number)
    last = len(correlation.conditions) - 1
    if number != last:
        return False
    times = [[one[0] for one in window if one[2] == which] for which in range(last)]
    return any(list(chain) == sorted(chain) and all(one <= at for one in chain) for chain in itertools.product(*times))


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=st.integers(0, LOGS - 10), condition=_conditions(), correlation=_correlations())
def test_the_warehouse_finds_what_a_naive_reading_finds(
    snapshot: Snapshot, first: int, condition: c.Condition, correlation: c.Correlation
) -> None:
    """Each example is judged on ten logs, a day each and too far from each other for any window."""
    since, until = _start(first), _start(first + 10)
    logs = [_rows(snapshot, log) for log in range(first, first + 10)]
    found = matching.matches(snapshot, condition, since, until)
    assert set(found["event_id"]) == {row["event_id"] for rows in logs for row in rows if _is_met(condition, row)}
    ended = matching.correlated(snapshot, correlation, since, until).filter("is_end")
    expected = set().union(*(_ends(correlation, rows) for rows in logs))
    assert {(row["event_id"], tuple(row["group"])) for row in ended.iter_rows(named=True)} == expected


_ROWS: dict[int, list[Row]] = {}


def _rows(snapshot: Snapshot, log: int) -> list[Row]:
    if log not in _ROWS:
        names = ", ".join(c.FIELDS)
        since = _start(log)
        asked = f"SELECT {names}, occurred_at, CAST(metadata AS VARCHAR) AS metadata FROM events WHERE day = $day"
        _ROWS[log] = list(snapshot.frame(asked, {"day": since.date()}).iter_rows(named=True))
    return _ROWS[log]


# The files.


def _folder(tmp_path: Path, **files: str) -> Folder:
    for name, text in files.items():
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    return read(tmp_path)


GOOD = """title: Good
name: good
logsource: {product: quay}
detection:
  selection:
    kind: pull_repo
  condition: selection
"""


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("title: [broken\nname: x\n", 2, "not YAML"),
        (GOOD.replace("kind:", "colour:"), 6, "no field colour"),
        (GOOD.replace("kind: pull_repo", "kind|base64: pull_repo"), 6, "modifier base64 is not supported"),
        (GOOD.replace("kind: pull_repo", "kind|loudly: pull_repo"), 1, "loudly"),
        (GOOD.replace("kind: pull_repo", "ip|cidr: 10.0.0.1/8"), 1, "Invalid CIDR"),
        (GOOD.replace("kind: pull_repo", "kind|re: '(['"), 1, "Regular expression"),
        (GOOD.replace("condition: selection", "condition: selection and ("), 7, ""),
        (GOOD.replace("condition: selection", "condition: nosuch"), 7, "nosuch"),
        (GOOD.replace("product: quay", "product: windows"), 3, "log of windows"),
        (GOOD.replace("kind: pull_repo", "kind: &a pull_repo\n    tag: *a"), 7, "aliases"),
        ("- a list\n", 1, "not a Sigma rule"),
        (
            "title: x\ncorrelation:\n  type: event_count\n  rules: nosuch\n  timespan: 1h\n  condition: {gte: 2}\n",
            4,
            "nosuch",
        ),
        (
            GOOD
            + "---\ntitle: x\ncorrelation:\n  type: value_avg\n  rules: good\n  timespan: 1h\n  condition: {gte: 2, field: ip}\n",
            11,
            "value_avg",
        ),
    ],
)
def test_what_cannot_be_judged_is_named_with_its_line_and_the_others_run(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    folder = _folder(tmp_path, broken=text, other=GOOD.replace("name: good", "name: other"))
    assert [problem.line for problem in folder.problems] == [line]
    assert reason in folder.problems[0].reason
    assert "sigma:other" in {rule.id for rule in folder.rules}


def test_modifiers_and_lists_mean_what_sigma_says(tmp_path: Path, snapshot: Snapshot) -> None:
    detection = """
  first:
    repository|startswith: WE
    kind|contains|all: [pull, repo]
  second:
    - actor|cased: Alice
    - metadata.count|gte: 10
  third:
    tag|exists: false
  keywords:
    - chains
  condition: 1 of (first) or second or not third and keywords
""".replace("1 of (first)", "first")
    text = "title: All\nname: all\nlevel: high\nlogsource: {product: quay}\ndetection:" + detection
    folder = _folder(tmp_path, all=text)
    assert folder.problems == ()
    (rule,) = folder.rules
    found = {
        event_id
        for signal in engine.run(snapshot, [rule], _start(0), _start(5)).signals
        for event_id in signal.event_ids
    }
    expected = set()
    for row in itertools.chain.from_iterable(_rows(snapshot, log) for log in range(5)):
        metadata = json.loads(row["metadata"])
        first = (row["repository"] or "").lower().startswith("we") and row["kind"] == "pull_repo"
        second = row["actor"] == "Alice" or metadata.get("count") == 10
        if first or second or (row["tag"] is not None and "chains" in row["metadata"]):
            expected.add(row["event_id"])
    assert found == expected
    assert len(expected) > 10


def test_the_examples_are_judged(snapshot: Snapshot) -> None:
    folder = read(EXAMPLES)
    assert folder.problems == ()
    assert len(folder.rules) == folder.files == 3
    done = engine.run(snapshot, folder.rules, _start(0), _start(2))
    assert [outcome.failure for outcome in done.outcomes] == ["", "", ""]
