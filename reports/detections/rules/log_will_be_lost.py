"""D24: days that exist only at the source come close to the age at which Quay rotates them away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    DAY_SCHEMA,
    EVENT_SCHEMA,
    NOON,
    Finding,
    Fixture,
    Inputs,
    Rule,
    Severity,
    example,
)


class Params(msgspec.Struct, frozen=True):
    """`rotation_days`: the age at which Quay deletes its log, as it is configured there (30 is its default, and it deletes
    only where rotation is switched on). `margin_days`: warn so long before."""

    rotation_days: int = 30
    margin_days: int = 5


_ONLY_AT_SOURCE = ("not collected", "provisional", "short", "unavailable")


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per source: from the first day on of which anything is held, the days that are not."""
    for (source_id,), days in inputs.days.sort("day").group_by("source_id", maintain_order=True):
        begun = days.filter(pl.col("state") != "not collected")["day"].min()
        if begun is None:
            continue
        age = pl.lit((inputs.until - timedelta(microseconds=1)).date()) - pl.col("day")
        old = timedelta(days=params.rotation_days - params.margin_days)
        lost = timedelta(days=params.rotation_days)
        near = days.filter(pl.col("day") > begun, pl.col("state").is_in(_ONLY_AT_SOURCE), age >= old, age < lost)
        if near.height:
            first, last = near["day"][0], near["day"][-1]
            yield Finding(
                source_id=str(source_id),
                subject=str(source_id),
                events=EVENT_SCHEMA.to_frame(),
                summary=f"{near.height} day{'s' if near.height != 1 else ''} from {first} to {last} are not, or not wholly, "
                f"collected; a Quay that keeps {params.rotation_days} days deletes the first of them within "
                f"{params.margin_days} days.",
            )


def _case(gap_age_days: int, state: str = "not collected") -> Inputs:
    last = NOON.date() + timedelta(days=1)
    rows = [
        ("main", last - timedelta(days=age), state if age == gap_age_days else "verified", 10, 10, "")
        for age in range(40, 0, -1)
    ]
    return msgspec.structs.replace(example([]), days=pl.DataFrame(rows, schema=DAY_SCHEMA, orient="row"))


RULE = Rule(
    id="D24",
    name="log-will-be-lost",
    version=1,
    title="Log will be lost at the source",
    severity=Severity.CRITICAL,
    techniques=("T1070",),
    kinds=(),
    params=Params,
    detect=detect,
    description="Days that are not collected yet reach the age at which Quay deletes its log.",
    false_positives="A Quay that does not rotate its log, or keeps it longer: set `rotation_days`.",
    runbook="`quayledger sync --from DAY --to DAY` for these days, with a larger budget if it must be. Releases 3.15 to 3.17 of "
    "Red Hat Quay did not rotate; an upgrade to 3.18 begins to.",
    fixtures=(
        Fixture(name="a gap of 27 days ago", inputs=lambda: _case(27), subjects=("main",)),
        Fixture(name="a short day of 26 days ago", inputs=lambda: _case(26, "short"), subjects=("main",)),
        Fixture(name="a gap of 3 days ago", inputs=lambda: _case(3), subjects=()),
        Fixture(name="gone already", inputs=lambda: _case(35), subjects=()),
    ),
)
