"""The slower JSON reader, for replies that the fast decoder refuses as a whole: one bad value must not cost the others. Pure.

Quay can send half of a surrogate pair (`\\ud800`), NaN, Infinity and nesting of any depth: users may store them. This module
finds where members and items begin and end without decoding them, so that each can be judged alone. It is iterative (depth
does not matter) and checks strings and brackets, so that a reply that was cut off is still noticed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

MOST_NESTED = 100  # deeper values are refused: whoever reads them later would run out of stack
LONGEST_KEY_BYTES = 1 << 16
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# The next whole string, bracket or comma, or the quote of a string that does not end. Possessive: no backtracking.
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_NAME = re.compile(_STRING, re.DOTALL)
_MARKS = re.compile(rb'[^"{}\[\],]*+(' + _STRING + rb'|[{}\[\],]|")', re.DOTALL)
_DEEP_MARKS = re.compile(rb'[^"{}\[\]]*+(' + _STRING + rb'|[{}\[\]]|")', re.DOTALL)
_SPACE = b" \t\r\n"
_PAIRS = {b"}": b"{", b"]": b"["}
_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"

_encode = msgspec.json.Encoder().encode


def members(body: bytes) -> dict[str, bytes]:
    """The undecoded members of a JSON object. Raises msgspec.DecodeError if it is not an object, or is incomplete."""
    found: dict[str, bytes] = {}
    for part in _parts(body, b"{"):
        mark = _NAME.match(part)
        colon = part.find(b":", mark.end()) if mark is not None else -1
        if mark is None or colon < 0 or part[mark.end() : colon].strip(_SPACE):
            raise msgspec.DecodeError("JSON is malformed: a member has no name")
        found[_key(mark[0])] = part[colon + 1 :].strip(_SPACE)
    return found


def items(body: bytes) -> list[bytes]:
    """The undecoded items of a JSON array. Raises msgspec.DecodeError if it is not an array, or is incomplete."""
    return list(_parts(body, b"["))


def split(body: bytes, key: str, wanted: tuple[str, ...] = ()) -> tuple[bytes, list[bytes]]:
    """An object with only its `wanted` members, and the undecoded items of the array under `key` (empty in the former). An
    object there counts as the array of its values.

    Raises msgspec.DecodeError if the object or the array is malformed or incomplete, or `key` is missing."""
    found = members(body)
    if key not in found:
        raise msgspec.ValidationError(f"Object missing required field `{key}`")
    listed = found[key]
    rows = list(members(listed).values()) if listed[:1] == b"{" else items(listed)
    kept = {name: found[name] for name in wanted if name in found} | ({key: b"[]"} if key in wanted else {})
    return b"{%b}" % b",".join(_encode(name) + b":" + value for name, value in kept.items()), rows


def decode(body: bytes) -> Any:
    """A value as the lenient reader understands it: half a surrogate pair is U+FFFD, NaN and the infinities are None, and so
    are numbers too large to be read. Raises msgspec.DecodeError for anything else that is malformed or nested too deeply."""
    if is_deep(body):
        raise msgspec.DecodeError(f"it is nested more than {MOST_NESTED} levels deep")
    try:
        text = body.decode("utf-8", "replace")
        value = json.loads(text, parse_constant=_no_number, parse_float=_float, parse_int=_int, strict=False)
    except ValueError as error:
        raise msgspec.DecodeError(f"JSON is malformed: {error}") from None
    return _sound(value) if "\\u" in text else value


def is_deep(body: bytes) -> bool:
    """Whether a value is nested more than MOST_NESTED levels."""
    if body.count(b"{") + body.count(b"[") <= MOST_NESTED:
        return False
    depth = 0
    for mark in _DEEP_MARKS.finditer(body):
        if mark[1] in (b"{", b"["):
            depth += 1
            if depth > MOST_NESTED:
                return True
        elif mark[1] in (b"}", b"]"):
            depth -= 1
    return False


def _parts(body: bytes, opening: bytes) -> Iterator[bytes]:
    """What stands between the commas of the outermost object or array."""
    body = body.strip(_SPACE)
    if body[:1] != opening:
        kind = "array" if opening == b"[" else "object"
        raise msgspec.ValidationError(f"Expected `{kind}`")
    begin = 1
    for border in _borders(body):
        part = body[begin:border].strip(_SPACE)
        if part or begin > 1 or body[border : border + 1] == b",":
            yield _not_empty(part, begin)
        begin = border + 1


def _borders(body: bytes) -> Iterator[int]:
    """Where the commas of the outermost object or array are, and its end."""
    open_brackets: list[bytes] = []
    mark = _MARKS.match(body)
    while mark is not None:
        sign, at = mark[1], mark.start(1)
        if sign in (b"{", b"["):
            open_brackets.append(sign)
        elif sign == b"," and len(open_brackets) == 1:
            yield at
        elif sign in (b"}", b"]"):
            if not open_brackets or open_brackets.pop() != _PAIRS[sign]:
                raise msgspec.DecodeError(f"JSON is malformed: a bracket does not match (byte {at})")
            if not open_brackets:
                yield at
                if body[mark.end() :]:
                    raise msgspec.DecodeError(f"JSON is malformed: trailing characters (byte {mark.end()})")
                return
        elif sign == b'"':
            break
        # Commas count at the outermost level alone; deeper ones are passed over at the speed of the search.
        mark = (_MARKS if len(open_brackets) == 1 else _DEEP_MARKS).match(body, mark.end())
    raise msgspec.DecodeError("Input data was truncated")


def _not_empty(part: bytes, at: int) -> bytes:
    if not part:
        raise msgspec.DecodeError(f"JSON is malformed: a value is missing (byte {at})")
    return part


def _key(text: bytes) -> str:
    if len(text) > LONGEST_KEY_BYTES:
        raise msgspec.DecodeError("a name is too long")
    return str(decode(text))


def _sound(value: Any) -> Any:
    """Without lone surrogates, which no UTF-8 can carry. The depth is bounded by `decode`."""
    if type(value) is str:
        return _SURROGATE.sub(_REPLACEMENT, value)
    if type(value) is dict:
        return {_sound(key): _sound(item) for key, item in value.items()}
    if type(value) is list:
        return [_sound(item) for item in value]
    return value


def _no_number(_: str) -> None:
    return None


def _float(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _int(text: str) -> int | None:
    return int(text) if len(text) < 1000 else None
