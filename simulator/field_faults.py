"""The simulator's faults within answers: fields of named operations that are missing or of another type."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

_WRONG: dict[str, Any] = {
    "null": None,
    "text": "unexpected",
    "number": 12345,
    "flag": True,
    "list": ["unexpected"],
    "object": {"unexpected": 1},
    "negative": -5,
    "largest": 2**63 - 1,
    "beyond": 2**70,
}


class FieldFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`field`: names joined by dots, `*` for any key; lists are passed through, an empty one means the whole answer.
    `how`: drop, or what it becomes; `every`: only each such one that is met, counted anew in each answer."""

    operation: str
    field: str
    how: Literal["drop", "null", "text", "number", "flag", "list", "object", "negative", "largest", "beyond"] = "drop"
    every: int = 1


def spoilt(body: bytes, operation: str, faults: Sequence[FieldFault]) -> bytes:
    """The answer with what is wrong in it; as it was where no fault is for it, or it is not JSON."""
    wanted = [fault for fault in faults if fault.operation == operation]
    if not wanted:
        return body
    try:
        value = json.loads(body)
    except ValueError:
        return body
    for fault in wanted:
        if not fault.field:
            value = _WRONG.get(fault.how)
        else:
            _spoil(value, fault.field.split("."), fault, [0])
    return json.dumps(value).encode() + b"\n"


def _spoil(value: Any, path: list[str], fault: FieldFault, met: list[int]) -> None:
    if isinstance(value, list):
        for member in value:
            _spoil(member, path, fault, met)
    if not isinstance(value, dict):
        return
    for key in list(value) if path[0] == "*" else [path[0]] if path[0] in value else []:
        if len(path) > 1:
            _spoil(value[key], path[1:], fault, met)
            continue
        met[0] += 1
        if met[0] % fault.every:
            continue
        if fault.how == "drop":
            del value[key]
        else:
            value[key] = _WRONG[fault.how]
