"""D4: one address tries many accounts once or twice each, as with leaked pairs of names and passwords."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import attempted, bursts, listed, related


class Params(msgspec.Struct, frozen=True):
    """`attempts` on `accounts` accounts within `window_minutes`; `few_share` of them with at most `few` attempts."""

    attempts: int = 25
    accounts: int = 15
    few: int = 2
    few_share: float = 0.8
    window_minutes: int = 15
    allow_ips: tuple[str, ...] = ()


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per address and burst."""
    failed = inputs.of("login_failure").filter(~pl.col("ip").is_in(params.allow_ips)).with_columns(account=attempted())
    window = timedelta(minutes=params.window_minutes)
    found = bursts(failed, ("source_id", "ip"), window, at_least=params.attempts, distinct={"account": params.accounts})
    for burst in found:
        each = burst["account"].value_counts()["count"]
        if (each <= params.few).sum() < params.few_share * each.len():
            continue
        ip, accounts = burst["ip"][0], burst["account"].drop_nulls().unique()
        yield Finding(
            source_id=burst["source_id"][0],
            subject=ip,
            events=burst,
            summary=f"{ip} tried {accounts.len()} accounts, most of them at most {params.few} times: {listed(accounts)}.",
            related=related(burst, "account"),
        )


def _failures(accounts: int, attempts: int) -> Inputs:
    return example(
        event(n / 3, "login_failure", ip="192.0.2.145", metadata={"username": f"user{n % accounts}"})
        for n in range(attempts)
    )


RULE = Rule(
    id="D4",
    name="credential-stuffing",
    version=1,
    title="Credential stuffing",
    severity=Severity.HIGH,
    techniques=("T1110.004",),
    kinds=("login_failure",),
    switches=("ACTION_LOG_AUDIT_LOGIN_FAILURES",),
    params=Params,
    detect=detect,
    lookback=timedelta(minutes=15),
    description="Leaked pairs of names and passwords are tried one after the other.",
    false_positives="A load test against the log-in.",
    runbook="Block the address; look for successes from it (rule D5); force new passwords where one succeeded.",
    fixtures=(
        Fixture(name="20 accounts in 10 minutes", inputs=lambda: _failures(20, 30), subjects=("192.0.2.145",)),
        Fixture(name="12 accounts", inputs=lambda: _failures(12, 30), subjects=()),
    ),
)
