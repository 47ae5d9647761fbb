"""One bad row is one bad row: whatever JSON a row holds, the others of its page, list or file are read, and it is counted."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quayledger.collector.log.normalise import MOST_ROW_BYTES, DefaultNamespace, Event, Reject, normalise
from quayledger.collector.quay import errors, lenient_json, logs, robots, superuser, tags
from quayledger.collector.quay.lenient_json import MOST_NESTED
from quayledger.collector.quay.redaction import MARK, looks_secret, redact
from quayledger.collector.quay.scopes import Scope
from quayledger.collector.quay.times import instant, moment
from tests.quay.wire import client

DAY = date(2026, 11, 18)
PLACE = DefaultNamespace("acme", "org")
STAMP = "Wed, 18 Nov 2026 10:00:00 -0000"
SECRET = "s3cr3tS3cr3tS3cr3t"


def row(metadata: bytes = b"{}", kind: bytes = b'"create_robot"', stamp: str = STAMP) -> bytes:
    return b'{"kind": %b, "metadata": %b, "ip": "10.0.0.7", "datetime": "%b"}' % (kind, metadata, stamp.encode())


DEEP = b"[" * 200_000 + b"]" * 200_000
BAD = {
    "half a surrogate pair": (row(rb'{"x": "\ud83d"}'), "create_robot", "surrogate"),
    "NaN": (row(b'{"x": NaN}'), "create_robot", "not valid JSON"),
    "infinity": (row(b'{"x": -Infinity}'), "create_robot", "not valid JSON"),
    "out of range": (row(b'{"x": 1e999}'), "create_robot", "out of range"),
    "too many digits": (row(b'{"x": %b}' % (b"1" * 5000)), "create_robot", "out of range"),
    "nested": (row(b'{"x": %b}' % DEEP), "create_robot", "levels deep"),
    "nested a little": (row(b'{"x": %b}' % (b"[" * 101 + b"]" * 101)), "create_robot", "levels deep"),
    "control character": (row(b'{"x": "a\x00b"}'), "create_robot", "not valid JSON"),
    "no UTF-8": (row(b'{"x": "\xff"}'), "create_robot", "not valid JSON"),
    "large": (row(b'{"x": "%b"}' % (b"x" * MOST_ROW_BYTES)), None, "MiB"),
    "null": (b"null", None, "not a JSON object"),
    "number": (b"7", None, "not a JSON object"),
    "list": (b"[]", None, "not a JSON object"),
    "kind of another type": (row(kind=b"7"), None, "not text"),
    "kind that is too long": (row(kind=b'"%b"' % (b"x" * 201)), None, "too long"),
    "kind of half a pair": (row(kind=rb'"\ud800"'), "\ufffd", "surrogate"),
    "kind of null": (row(kind=b"null"), None, "no kind"),
    "ISO date": (row(stamp="2026-11-18T10:00:00Z"), "create_robot", "format"),
}


def page(rows: list[bytes]) -> bytes:
    window = b'"start_time": "Wed, 18 Nov 2026 00:00:00 -0000", "end_time": "Thu, 19 Nov 2026 00:00:00 -0000"'
    return b'{%b, "logs": [%b], "next_page": "more"}' % (window, b", ".join(rows))


async def read_page(body: bytes) -> logs.LogPage:
    headers = {"content-type": "application/json"}
    async with client(lambda _: httpx.Response(200, headers=headers, content=body), retries=0) as quay:
        return await logs.list_logs(quay, Scope("superuser"), DAY, DAY)


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_row_costs_its_page_nothing_but_itself(name: str) -> None:
    bad, kind, reason = BAD[name]
    before, after = row(rb'{"repo": "a\ud83d\ude00"}'), row(b'{"repo": "b"}')
    found = await read_page(page([before, bad, after]))
    assert found.next_page == "more"
    one, odd, other = [normalise(raw, PLACE) for raw in found.rows]
    assert isinstance(one, Event)
    assert isinstance(other, Event)
    assert (one.repository, other.repository) == ("a\U0001f600", "b")
    assert isinstance(odd, Reject)
    assert odd.kind == kind
    assert reason in odd.reason
    # What landed gives the same rows again.
    assert [bytes(raw) for raw in logs.page_rows(found.body)] == [bytes(raw) for raw in found.rows]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_hides_no_secret(name: str) -> None:
    body = page([BAD[name][0], row(b'{"token": "%b"}' % SECRET.encode())])
    assert SECRET.encode() not in redact(body)


@pytest.mark.parametrize("stamp", ["Mon, 01 Jan 0001 00:00:00 -0000", "Fri, 31 Dec 9999 23:59:59 -0000"])
def test_every_year_of_the_calendar_can_be_read(stamp: str) -> None:
    assert isinstance(normalise(row(stamp=stamp), PLACE), Event)


async def test_a_page_that_is_cut_stays_a_broken_reply() -> None:
    whole = page([row(), BAD["NaN"][0], row()])
    for end in (len(whole) - 1, len(whole) // 2, 40):
        with pytest.raises(errors.BrokenReply):
            await read_page(whole[:end])


async def test_one_bad_robot_hides_no_other() -> None:
    good = [{"name": f"acme+{number}", "description": "x"} for number in range(21)]
    bad = rb'{"name": "acme+odd", "description": "half \ud800", "unstructured_metadata": {"n": NaN}, "token": "S"}'
    body = b'{"robots": [%b, %b]}' % (b",".join(json.dumps(one).encode() for one in good), bad)
    headers = {"content-type": "application/json"}
    async with client(lambda _: httpx.Response(200, headers=headers, content=body)) as quay:
        found = await robots.list_robots(quay, "acme")
    assert [robot.name for robot in found] == [*(one["name"] for one in good), "acme+odd"]
    assert found[21].description == "half \ufffd"


async def test_one_bad_user_of_a_page_hides_no_other() -> None:
    body = rb'{"users": [{"username": "a"}, {"username": null}, {"username": "\udc00"}, {"username": "b"}], "x": NaN}'
    headers = {"content-type": "application/json"}
    async with client(lambda _: httpx.Response(200, headers=headers, content=body)) as quay:
        found = await superuser.list_users(quay)
    assert [user.username for user in found] == ["a", "\ufffd", "b"]
    assert len(found.rejected) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.integers(0, 4))
@settings(deadline=None)
def test_taking_apart_gives_what_decoding_gives(value: Any, indent: int) -> None:
    body = json.dumps(value, indent=indent or None, ensure_ascii=bool(indent % 2)).encode("utf-8", "surrogatepass")
    if isinstance(value, list):
        assert [json.loads(item) for item in lenient_json.items(body)] == value
    elif isinstance(value, dict) and not any("\ud800" <= char <= "\udfff" for char in "".join(value)):
        assert {name: json.loads(item) for name, item in lenient_json.members(body).items()} == value
    else:
        with pytest.raises(msgspec.DecodeError):
            lenient_json.items(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"[1", b"[1,]", b"[,1]", b"[1}", b"[1]]", b"[1] x", b'["a]', b'{"a":1', b"{1:2}", b'{"a" 1}', b"{,}"],
)
def test_what_is_no_list_or_object_is_said(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        lenient_json.items(body) if body[:1] != b"{" else lenient_json.members(body)


def test_the_depth_that_is_taken_is_exact() -> None:
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"]" * levels

    assert not lenient_json.is_deep(nested(MOST_NESTED))
    assert lenient_json.is_deep(nested(MOST_NESTED + 1))
    assert not lenient_json.is_deep(b"[" + b"{}," * 500 + b"{}]")
    assert not lenient_json.is_deep(b'["' + b"[" * 500 + b'"]')


NAMES = "bob orgadmin acme+ci carol.smith j.doe@example.com CORP\\jsmith John.Smith JSmith01 svc-build-01 HOST01$ $oauthtoken"
SECRETS = "Passw0rd! Sommer2026 hunter2!! P@ssw0rd tr0ub4dor&3 A1B2C3D4E5F6G7H8I9J0K1L2M3 ghp_abcdefghijk Xk9mPq2L"


def failed_login(username: str) -> bytes:
    metadata = json.dumps({"type": "quayauth", "kind": "user", "username": username, "useragent": "curl"}).encode()
    return row(metadata, kind=b'"login_failure"')


@pytest.mark.parametrize("name", [*NAMES.split(), "John Smith", "c0ffee00-1234-5678-9abc-def012345678"])
def test_who_failed_to_log_in_is_kept(name: str) -> None:
    assert not looks_secret(name)
    body = page([failed_login(name)])
    assert redact(body) == body


@pytest.mark.parametrize("password", SECRETS.split())
def test_a_password_typed_as_a_user_name_is_removed(password: str) -> None:
    clean = json.loads(redact(page([failed_login("bob"), failed_login(password)])))
    assert [one["metadata"]["username"] for one in clean["logs"]] == ["bob", MARK]
    assert clean["logs"][1]["metadata"]["useragent"] == "curl"


def test_the_name_of_an_access_token_is_no_secret() -> None:
    pull = row(b'{"repo": "web", "token": "Builder token"}', kind=b'"pull_repo"')
    assert redact(page([pull])) == page([pull])
    odd = row(b'{"repo": "web", "token": "A1B2C3D4E5F6G7H8I9J0K1L2M3"}', kind=b'"pull_repo"')
    failed = row(b'{"token": "Builder token"}', kind=b'"login_failure"')
    for one in (odd, failed):
        assert json.loads(redact(page([one])))["logs"][0]["metadata"]["token"] == MARK


@pytest.mark.parametrize("name", ["size", "start_ts"])
async def test_a_number_beyond_all_bounds_is_one_bad_row(name: str) -> None:
    good = {"name": "v1", "start_ts": 1700000000, "size": 2**63 - 1}
    body = json.dumps({"tags": [good, {**good, "name": "v2", name: 2**63}], "page": 1, "has_additional": False})
    headers = {"content-type": "application/json"}
    async with client(lambda _: httpx.Response(200, headers=headers, content=body.encode())) as quay:
        found = await tags.list_tags(quay, "acme/web")
    assert [tag.size_bytes for tag in found] == [2**63 - 1]
    assert len(found.rejected) == 1


def test_times_of_every_year_are_read() -> None:
    for year in (1, 68, 99, 1970, 9999):
        found = datetime(year, 1, 1, tzinfo=UTC)
        assert moment(f"{found:%a}, 01 Jan {year:04d} 00:00:00 -0000") == found
        assert instant(found.isoformat()) == found
    with pytest.raises(ValueError, match="RFC 2822"):
        moment("Mon, 31 Feb 2026 00:00:00 -0000")
