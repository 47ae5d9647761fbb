"""The reader of export files: recorded files whole, any chunking the same, any cut refused, and bulk equal to row by row."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from quayledger.collector.exports.export_file import BadExport, ExpectedExport, ExportReader, Head, read_blocks
from quayledger.collector.log import normalise_bulk
from quayledger.collector.log.normalise import DefaultNamespace, Event, Reject, event_frame, normalise
from quayledger.collector.quay.redaction import MARK, redact
from tests.properties import costly

START = datetime(2026, 11, 19, tzinfo=UTC)
PLACE = DefaultNamespace("acme", "org")


def written(rows: list[Any], *, namespace: str = "acme", terminator: str = '{"terminator": true}') -> bytes:
    """A file as Quay writes it, of 19 November 2026."""
    head = '{\n      "export_id": "x-1",\n      "details": %s,\n      "logs": [\n    '
    details = {
        "start_time": "Thu, 19 Nov 2026 00:00:00 -0000",
        "end_time": "Fri, 20 Nov 2026 23:59:59 -0000",
        "namespace": namespace,
        "repository": None,
    }
    body = "".join(json.dumps(row, ensure_ascii=False) + "," for row in rows)
    return (head % json.dumps(details) + body + f"\n        {terminator}]\n      }}").encode()


def event(number: int = 0, **more: Any) -> dict[str, Any]:
    stamp = START + timedelta(seconds=number % 86_400)
    return {
        "kind": "pull_repo",
        "metadata": {"repo": "web", "namespace": "acme", "tag": f"v{number % 3}"},
        "ip": "10.0.0.7",
        "datetime": f"{stamp:%a, %d %b %Y %H:%M:%S} -0000",
        "performer": {"kind": "user", "name": "acme+ci", "is_robot": True, "avatar": {"name": "acme+ci"}},
        **more,
    }


def read(
    data: bytes,
    *,
    cuts: list[int] | None = None,
    wanted: ExpectedExport | None = None,
    block_bytes: int = 300,
    batch_rows: int = 7,
) -> tuple[pl.DataFrame, list[Reject], Head | None]:
    reader = ExportReader(wanted or ExpectedExport(), block_bytes=block_bytes, batch_rows=batch_rows)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    pieces = [data[low:high] for low, high in itertools.pairwise(edges)]
    blocks = list(read_blocks(reader, pieces))
    rejects = [reject for block in blocks for reject in block.rejects]
    return pl.concat([block.events for block in blocks]), rejects, reader.head


def by_row(rows: list[Any]) -> tuple[pl.DataFrame, list[Reject]]:
    found = [normalise(redact(json.dumps(row, ensure_ascii=False).encode()), PLACE) for row in rows]
    rejects = [item for item in found if isinstance(item, Reject)]
    return event_frame(item for item in found if isinstance(item, Event)), rejects


def assert_same(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, check_row_order=False)


@pytest.mark.parametrize(
    ("name", "number", "repository"), [("org", 158, None), ("repo", 159, "web"), ("user", 160, None)]
)
def test_recorded_files_are_read_whole(recordings: Path, name: str, number: int, repository: str | None) -> None:
    data = (recordings / f"export_{name}_file.json").read_bytes()
    answer = json.loads(next(recordings.glob(f"{number}_*.json")).read_bytes())["body"]
    called = json.loads((recordings / f"export_{name}_callback.json").read_bytes())["request"]["body"]
    day = date(2026, 11, 19)
    wanted = ExpectedExport(answer["export_id"], called["namespace"], repository, day, day)
    events, rejects, head = read(data, wanted=wanted)
    rows = json.loads(data)["logs"][:-1]
    assert (events.height, rejects) == (len(rows), [])
    assert head is not None and head.days == (day, day)
    place = DefaultNamespace(called["namespace"], "org")
    found = [normalise(redact(json.dumps(row).encode()), place) for row in rows]
    assert_same(events, event_frame(item for item in found if isinstance(item, Event)))


@given(cuts=st.lists(st.integers(0, 20_000), max_size=12), block=st.integers(1, 2_000), batch=st.integers(1, 50))
@costly(50)
def test_any_chunking_gives_the_same_events(cuts: list[int], block: int, batch: int) -> None:
    events, _, _ = read(RECORDED, cuts=cuts, block_bytes=block, batch_rows=batch)
    assert_same(events, WHOLE)


ODD_ROWS = [
    *(event(n) for n in range(12)),
    event(13, metadata={"list": [{"kind": "a"}, {"kind": "b"}], "text": '},{"kind": "x"'}),
    event(14, ip='],{"terminator": true}]}'),
    event(15, metadata={"mirror": {"changed": "password", "to": "hunter2"}}),
    event(16, extra_field={"deep": [1, 2, {"x": None}]}),
    event(17, metadata=[]),
    event(18, ip=None, performer={"kind": "user", "name": "zoë", "is_robot": False, "more": 1}),
    {"kind": "x"},
    event(19, datetime="2026-11-19T00:00:00Z"),
    *(event(n) for n in range(20, 30)),
]
RECORDED = written(ODD_ROWS)
WHOLE = by_row(ODD_ROWS)[0]


@given(cut=st.integers(0, len(RECORDED) - 1), block=st.sampled_from([1, 100, 1 << 20]))
@costly(60)
def test_any_cut_is_refused(cut: int, block: int) -> None:
    with pytest.raises(BadExport, match="refused"):
        read(RECORDED[:cut], block_bytes=block)


texts = st.text(alphabet=st.sampled_from('ab{}[]",:\\ \n ü💥'), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "token", "tag", "x"]), inner),
    max_leaves=6,
)
rows = st.lists(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["pull_repo", "push_repo", "a b", ""]), "metadata": values, "ip": st.none() | texts},
        optional={
            "performer": values | st.just({"kind": "user", "name": "bob", "is_robot": False}),
            "datetime": st.sampled_from([event(n)["datetime"] for n in range(4)] + ["never"]),
            "namespace": values,
        },
    ),
    max_size=12,
)


@given(rows=rows, block=st.integers(1, 600))
@costly(80)
def test_rows_of_any_shape_come_out_as_row_by_row(rows: list[dict[str, Any]], block: int) -> None:
    events, rejects, _ = read(written(rows), block_bytes=block)
    expected, expected_rejects = by_row(rows)
    assert_same(events, expected)
    assert sorted(reject.reason for reject in rejects) == sorted(reject.reason for reject in expected_rejects)


def test_secrets_are_cut_out_wherever_they_stand() -> None:
    secret = "hunter2"
    hidden = [
        event(kind="setup_repo_trigger", metadata={"token": secret}),
        event(metadata={"url": f"https://u:{secret}@x.example/"}),
        event(ip=f"https://u:{secret}@x.example/"),
        event(kind=f"https://u:{secret}@x.example/"),
        event(performer={"kind": "user", "name": f"https://u:{secret}@x.example/", "is_robot": False}),
        event(more={"password": secret}),
    ]
    events, _, _ = read(written(hidden))
    told = json.dumps(events.to_dicts(), default=str)
    assert secret not in told and told.count(MARK) == len(hidden)


def test_more_kinds_of_rows_than_are_kept_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normalise_bulk, "_MOST_KEPT", 3)
    many = [event(n, metadata={"n": n}, ip=f"10.0.0.{n}") for n in range(50)]
    assert_same(read(written(many))[0], by_row(many)[0])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"<html>", "beginning"),
        (b'\n        {"terminator": true}]\n      }q": 3002}, "ip": null}', "LocalStorage"),
        (written([event()], terminator='{"terminator": false}'), "no terminator"),
        (written([event(), {"terminator": True}, *(event(n) for n in range(40))]), "rows follow its terminator"),
        (written([event()]) + b"{}", "cut off"),
        (written([event()]).replace(b'"x-1"', b"7"), "beginning"),
        (written([{"kind": "x"}] * 10_001), "not events"),
        (written([event(metadata={"x": "y" * (17 << 20)}), event()])[: 17 << 20], "no event ends"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_whole_export_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(BadExport, match=says):
        read(data, block_bytes=1 << 20)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (ExpectedExport(export_id="x-2"), "it is export 'x-1', asked for was x-2"),
        (ExpectedExport(namespace="globex"), "it is of 'acme', asked for was 'globex'"),
        (ExpectedExport(namespace="acme", repository="web"), "asked for was 'acme/web'"),
        (ExpectedExport(first=date(2026, 11, 18), last=date(2026, 11, 19)), "it covers 2026-11-19 to 2026-11-19"),
    ],
)
def test_another_export_than_the_one_asked_for_is_refused(wanted: ExpectedExport, says: str) -> None:
    with pytest.raises(BadExport, match=says):
        read(written([event()]), wanted=wanted)


def test_a_file_of_no_events_is_whole() -> None:
    events, rejects, head = read(written([]))
    assert (events.height, rejects) == (0, []) and head is not None


BAD = (
    rb'{"kind": "create_robot", "metadata": {"x": "\ud83d"}, "ip": null, "datetime": "Thu, 19 Nov 2026 00:00:00 -0000"}',
    b'{"kind": "create_robot", "metadata": {"x": NaN}, "ip": null, "datetime": "Thu, 19 Nov 2026 00:00:00 -0000"}',
    b'{"kind": "create_robot", "metadata": %b}' % (b"[" * 5000 + b"]" * 5000),
    b"null",
    b"7",
    b'{"kind": "create_robot", "metadata": {}, "ip": null, "datetime": "Thu, 01 Jan 1970 00:00:00 -0000"}',
)


@pytest.mark.parametrize("place", [0, 25, 50])
@pytest.mark.parametrize("block", [200, 4000, 1 << 20])
def test_bad_rows_are_counted_and_cost_no_other(place: int, block: int) -> None:
    marker = {"kind": "@"}
    rows: list[Any] = [event(n) for n in range(50)]
    rows[place:place] = [marker] * len(BAD)
    data = written(rows)
    for bad in BAD:
        data = data.replace(b'{"kind": "@"}', bad, 1)
    events, rejects, _ = read(data, block_bytes=block)
    assert_same(events, by_row([event(n) for n in range(50)])[0])
    assert len(rejects) == len(BAD)
    assert sorted(str(reject.kind) for reject in rejects) == ["None"] * 2 + ["create_robot"] * 4
