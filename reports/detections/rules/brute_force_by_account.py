"""D2: many failed log-ins to one account, also from many addresses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import attempted, bursts, related


class Params(msgspec.Struct, frozen=True):
    """`attempts` within `window_minutes`, or `spread_attempts` from `spread_ips` addresses within `spread_minutes`.
    `allow_accounts`: accounts that never count."""

    attempts: int = 20
    window_minutes: int = 60
    spread_attempts: int = 10
    spread_ips: int = 5
    spread_minutes: int = 30
    allow_accounts: tuple[str, ...] = ()


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account and burst; a burst that is both many and spread is one."""
    failed = inputs.of("login_failure").with_columns(account=attempted())
    failed = failed.filter(~pl.col("account").is_in(params.allow_accounts))
    by = ("source_id", "account")
    many = bursts(failed, by, timedelta(minutes=params.window_minutes), at_least=params.attempts)
    spread = bursts(
        failed,
        by,
        timedelta(minutes=params.spread_minutes),
        at_least=params.spread_attempts,
        distinct={"ip": params.spread_ips},
    )
    seen: set[str] = set()
    for burst in (*many, *spread):
        if seen & set(burst["event_id"]):
            continue
        seen |= set(burst["event_id"])
        account, ips = burst["account"][0], burst["ip"].n_unique()
        yield Finding(
            source_id=burst["source_id"][0],
            subject=account,
            events=burst,
            summary=f"{burst.height} failed log-ins to {account} from {ips} address{'es' if ips != 1 else ''}.",
            related=related(burst, "ip"),
        )


def _failures(number: int, step_minutes: float, ips: int) -> Inputs:
    return example(
        event(n * step_minutes, "login_failure", ip=f"198.51.100.{n % ips}", metadata={"username": "carol"})
        for n in range(number)
    )


RULE = Rule(
    id="D2",
    name="brute-force-by-account",
    version=1,
    title="Brute force against one account",
    severity=Severity.MEDIUM,
    techniques=("T1110.001", "T1110.003"),
    kinds=("login_failure",),
    switches=("ACTION_LOG_AUDIT_LOGIN_FAILURES",),
    params=Params,
    detect=detect,
    lookback=timedelta(minutes=60),
    description="Somebody tries passwords of one account, perhaps from many addresses.",
    false_positives="A robot or a person whose secret was changed and whose clients keep the old one.",
    runbook="Ask the owner of the account. If it was not them: is the password unique? Look for a success (rule D5).",
    fixtures=(
        Fixture(name="20 in an hour, one address", inputs=lambda: _failures(20, 2.5, 1), subjects=("carol",)),
        Fixture(name="10 from 5 addresses in 18 minutes", inputs=lambda: _failures(10, 2, 5), subjects=("carol",)),
        Fixture(name="10 from 4 addresses", inputs=lambda: _failures(10, 2, 4), subjects=()),
    ),
)
