"""The generator's oddities: events of a Quay that is newer than its readers, or broken."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from quayledger.simulator.table import Row

EVERY = 9
# the kind (None: as it was), the metadata (None: as it was), and the members of the event that are otherwise
ODDITIES: tuple[tuple[str | None, Any, dict[str, Any]], ...] = (
    ("quantum_tag_entangled", {"repo": "api", "flux": 1.5, "pairs": [["a", 1], ["b", None]]}, {}),
    ("unknown", {"repo": "web", "namespace": "payments"}, {}),
    (None, None, {"severity": "low", "labels": ["x", "y"], "trace": {"id": "00-4bf92f", "sampled": True}}),
    (
        None,
        {"repo": 7, "namespace": ["a", "b"], "tag": None, "user-agent": {"name": "x"}, "manifest_digest": False},
        {},
    ),
    (None, {"repo": "ünï/コンテナ", "tag": "<script>alert(1)</script>", "user-agent": "=1+1;'\"\\ \u202e|`$(x)`"}, {}),
    (None, {"repo": "big", "size": 2**70, "ratio": 1e300, "text": "x" * 4000}, {"ip": "not an address"}),
    (None, None, {"performer": {"kind": "user", "name": "someone", "is_robot": "maybe"}}),
    # these cannot be read as events
    (None, None, {"datetime": None}),
    (None, None, {"datetime": "2026-11-20T08:00:00Z"}),
    (None, None, {"metadata": ["not", "an", "object"]}),
)
UNREADABLE = 3


def odd(row: Row, number: int) -> Row:
    """Each ninth row becomes one of the oddities, in turn."""
    if number % EVERY:
        return row
    kind, metadata, members = ODDITIES[number // EVERY % len(ODDITIES)]
    return msgspec.structs.replace(
        row,
        kind=kind or row.kind,
        metadata=row.metadata if metadata is None else json.dumps(metadata).encode(),
        changed=json.dumps(members).encode() if members else None,
    )
