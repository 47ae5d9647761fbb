"""Spending: the requests of a run as the ledger records them. Pure."""

from __future__ import annotations

from quayledger.collector.quay.meter import Meter
from quayledger.warehouse.runs import Spent


def spent_of(source_id: str, meter: Meter) -> list[Spent]:
    """All attempts, summed by operation, purpose and outcome."""
    return [
        Spent(
            source_id=source_id,
            operation=item.operation,
            purpose=item.purpose,
            outcome=item.outcome,
            requests=item.requests,
            seconds=item.seconds,
            received_bytes=item.received_bytes,
        )
        for item in meter.spent()
    ]
