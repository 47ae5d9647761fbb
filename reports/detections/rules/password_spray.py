"""D3: one address tries a few passwords on each of several accounts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import attempted, bursts, listed, related


class Params(msgspec.Struct, frozen=True):
    """`attempts` on `accounts` accounts within `window_minutes`, and `most_on_one` or more on one of them."""

    attempts: int = 15
    accounts: int = 5
    most_on_one: int = 2
    window_minutes: int = 60
    allow_ips: tuple[str, ...] = ()


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per address and burst."""
    failed = inputs.of("login_failure").filter(~pl.col("ip").is_in(params.allow_ips)).with_columns(account=attempted())
    window = timedelta(minutes=params.window_minutes)
    found = bursts(failed, ("source_id", "ip"), window, at_least=params.attempts, distinct={"account": params.accounts})
    for burst in found:
        if not (burst["account"].value_counts()["count"] >= params.most_on_one).any():
            continue
        ip, accounts = burst["ip"][0], burst["account"].drop_nulls().unique()
        yield Finding(
            source_id=burst["source_id"][0],
            subject=ip,
            events=burst,
            summary=f"{ip} tried passwords on {accounts.len()} accounts: {listed(accounts)}.",
            related=related(burst, "account"),
        )


def _failures(accounts: int, each: int) -> Inputs:
    return example(
        event(n, "login_failure", ip="198.51.100.23", metadata={"username": f"user{n % accounts}"})
        for n in range(accounts * each)
    )


RULE = Rule(
    id="D3",
    name="password-spray",
    version=1,
    title="Password spray",
    severity=Severity.HIGH,
    techniques=("T1110.003",),
    kinds=("login_failure",),
    switches=("ACTION_LOG_AUDIT_LOGIN_FAILURES",),
    params=Params,
    detect=detect,
    lookback=timedelta(minutes=60),
    description="A few common passwords are tried on several accounts, so that none is locked.",
    false_positives="A proxy or jump host from which many people log in on the morning of a password change.",
    runbook="Block the address; look for successes from it (rule D5); tell the owners of the accounts.",
    fixtures=(
        Fixture(name="8 accounts, 2 each", inputs=lambda: _failures(8, 2), subjects=("198.51.100.23",)),
        Fixture(name="4 accounts, 4 each", inputs=lambda: _failures(4, 4), subjects=()),
        Fixture(name="16 accounts, 1 each", inputs=lambda: _failures(16, 1), subjects=()),
    ),
)
