"""Redaction: a secret does not survive at any depth, what is harmless stays byte for byte."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.collector.quay.redaction import MARK, RULES, redact
from tests.quay.wire import RECORDINGS

SECRET = "s3cr3tS3cr3tS3cr3t"
# No name of a secret can be made of these letters.
NAMES = st.text('abcxyz_é"\\\u2028 ', max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
HIDING = st.sampled_from(
    [
        {"token": SECRET},
        {"client_secret": SECRET},
        {"token_code": SECRET},
        {"next_page": {"token": SECRET}},
        {"Password": SECRET},
        {"http_proxy": f"http://user:{SECRET}@proxy.example:3128"},
        {"https_proxy": f"https://{SECRET}@proxy.example"},
        {"url": f"https://hooks.example/x?a=1&token={SECRET}"},
        {"url": f"https://quay.example/webhooks/push/trigger/{SECRET}"},
        {"config": {"build_source": "git", "credentials": [{"name": "Webhook", "token": SECRET}]}},
        {"stderr": f"cannot reach https://robot:{SECRET}@quay.example/v2/"},
    ]
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, min_size=1, max_size=2) | st.dictionaries(st.text(max_size=6), inner, min_size=1, max_size=2)


@given(st.recursive(HIDING, nested, max_leaves=4), JSON, st.booleans())
def test_a_secret_does_not_survive_at_any_depth(hidden: Any, other: Any, ascii_only: bool) -> None:
    body = json.dumps({"logs": [{"metadata": hidden}, other]}, ensure_ascii=ascii_only).encode()
    clean = redact(body)
    assert SECRET.encode() not in clean
    assert MARK.encode() in clean
    assert json.loads(clean)["logs"][1] == other
    assert redact(clean) == clean


@pytest.mark.parametrize("escaped", ["http:\\/\\/u:%s@p.example", "http:\\u002f\\u002fu:%s@p.example"])
def test_escaped_slashes_hide_nothing(escaped: str) -> None:
    assert SECRET.encode() not in redact(b'{"x": "' + (escaped % SECRET).encode() + b'"}')


HARMLESS = {
    "oauth_token_id": 7,
    "oauth_token_application_id": "8OXK41U4KEI4XK1LOJI8",
    "oauth_token_application": "pipeline",
    "token_display_name": "pipeline",
    "app_specific_token": "f2a5b6e2-7d0b-4ca6-a628-c09e4fa65e94",
    "app_specific_token_title": "laptop",
    "kid": "Gm03L8l2zgypoT-i_CJrkhv0yCMmGUdcvTe122YVFSI",
    "next_page": "gAAAAABrA_7pzyxMMO8G=",
    "token": None,
    "url": "https://hooks.example/ok?page=2&monkey=1",
    "username": "acme+deploy",
    "tag": "token",
    "big": 123456789012345678901234567890,
}


def test_what_is_harmless_stays_byte_for_byte() -> None:
    body = json.dumps({"logs": [{"metadata": HARMLESS}]}, indent=1).encode()
    assert redact(body) is body


def test_an_app_token_loses_its_code_and_any_other_object_of_that_name_is_cut_whole() -> None:
    body = {"token": {"uuid": "1", "title": "laptop", "token_code": SECRET}}
    assert json.loads(redact(json.dumps(body).encode())) == {"token": {**body["token"], "token_code": MARK}}
    assert json.loads(redact(json.dumps({"token": {"uuid": SECRET}}).encode())) == {"token": MARK}


def test_numbers_survive_the_walk() -> None:
    body = b'{"token": "x", "a": 123456789012345678901234567890, "b": 1.5e300, "c": [0.1, -7]}'
    assert json.loads(redact(body)) == {**json.loads(body), "token": MARK}


def test_cut_json_with_a_secret_is_cut_as_text() -> None:
    assert SECRET.encode() not in redact(b'{"proxy": "http://u:' + SECRET.encode() + b'@p.example/", "x"')


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("[0-9]*_logs_*_p*.json")), ids=lambda path: path.stem[:40])
def test_recorded_logs_lose_nothing_but_what_is_secret(path: Any) -> None:
    body = json.dumps(json.loads(path.read_text(encoding="utf-8"))["body"]).encode()
    clean, before = msgspec.json.decode(redact(body)), msgspec.json.decode(body)
    if "logs" not in before:
        return
    for new, old in zip(clean["logs"], before["logs"], strict=True):
        told = {key for key in old["metadata"] if new["metadata"][key] != old["metadata"][key]}
        assert told <= {"token", "config", "stderr", "http_proxy", "https_proxy", "url"}, (old["kind"], told)


def test_rules_are_told_for_the_docs() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.what and rule.why for rule in RULES)
