"""D1: many failed log-ins from one address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import attempted, bursts, listed, related


class Params(msgspec.Struct, frozen=True):
    """`attempts` failed log-ins within `window_minutes`. `allow_ips`: addresses that never count, such as a scanner's."""

    attempts: int = 20
    window_minutes: int = 60
    allow_ips: tuple[str, ...] = ()


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per address and burst."""
    failed = inputs.of("login_failure").filter(~pl.col("ip").is_in(params.allow_ips)).with_columns(account=attempted())
    window = timedelta(minutes=params.window_minutes)
    for burst in bursts(failed, ("source_id", "ip"), window, at_least=params.attempts):
        ip, accounts = burst["ip"][0], burst["account"].drop_nulls().unique()
        yield Finding(
            source_id=burst["source_id"][0],
            subject=ip,
            events=burst,
            summary=f"{burst.height} failed log-ins from {ip}, for {listed(accounts)}.",
            related=related(burst, "account"),
        )


def _failures(number: int, step_minutes: float, ip: str = "203.0.113.66") -> Inputs:
    return example(
        event(n * step_minutes, "login_failure", ip=ip, metadata={"username": "alice"}) for n in range(number)
    )


RULE = Rule(
    id="D1",
    name="brute-force-by-ip",
    version=1,
    title="Brute force from one address",
    severity=Severity.MEDIUM,
    techniques=("T1110.001",),
    kinds=("login_failure",),
    switches=("ACTION_LOG_AUDIT_LOGIN_FAILURES",),
    params=Params,
    detect=detect,
    lookback=timedelta(minutes=60),
    description="Somebody tries passwords from one address.",
    false_positives="A robot whose secret was rotated and that goes on trying; a proxy that hides many users.",
    runbook="Look at the accounts that were tried and whether a log-in succeeded afterwards (rule D5). Block the address, "
    "or rotate the secret of the robot that keeps trying.",
    fixtures=(
        Fixture(name="20 in 38 minutes", inputs=lambda: _failures(20, 2), subjects=("203.0.113.66",)),
        Fixture(name="19 in 36 minutes", inputs=lambda: _failures(19, 2), subjects=()),
        Fixture(name="20 in three hours", inputs=lambda: _failures(20, 10), subjects=()),
    ),
)
