"""D5: a log-in that succeeded soon after somebody had tried passwords."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    EVENT_SCHEMA,
    Finding,
    Fixture,
    Inputs,
    Rule,
    Severity,
    event,
    example,
    history,
)
from quayledger.reports.detections.rules import (
    brute_force_by_account,
    brute_force_by_ip,
    credential_stuffing,
    password_spray,
)
from quayledger.reports.detections.windows import begin, end, related


class Params(msgspec.Struct, frozen=True):
    """A success within `hours` of the last failure. `allow_ips`: addresses that never count."""

    hours: float = 6
    allow_ips: tuple[str, ...] = ()


KINDS = ("login_failure", "login_success")
_BEFORE = (brute_force_by_ip, brute_force_by_account, password_spray, credential_stuffing)


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account that was logged into from an attacking address, or after it was attacked itself."""
    logins = inputs.of("login_success").with_columns(account=pl.coalesce("actor", "namespace"))
    logins = logins.filter(~pl.col("ip").is_in(params.allow_ips))
    if not logins.height:
        return
    # The owner of an account that is attacked from elsewhere goes on working from where they always do.
    usual = inputs.history.select(
        "source_id", pl.col("actor").alias("account"), "ip", pl.lit(value=True).alias("is_usual")
    )
    logins = logins.join(usual.unique(), on=["source_id", "account", "ip"], how="left", maintain_order="left")
    logins = logins.with_columns(pl.col("is_usual").fill_null(value=False))
    columns, seen = EVENT_SCHEMA.names(), set[tuple[str, str]]()
    for module in _BEFORE:
        for tried in module.detect(inputs, module.Params()):
            last = end(tried.events)
            first = begin(tried.events)
            near = logins.filter(
                pl.col("source_id") == tried.source_id,
                pl.col("occurred_at").is_between(first, last + timedelta(hours=params.hours)),
                (pl.col("ip") == tried.subject)
                | ((pl.col("account") == tried.subject) & pl.col("ip").is_in(tried.events["ip"].drop_nulls().implode()))
                | ((pl.col("account") == tried.subject) & (pl.col("occurred_at") > last) & ~pl.col("is_usual")),
            )
            for (account,), mine in near.group_by("account", maintain_order=True):
                if (tried.source_id, str(account)) in seen:
                    continue
                seen.add((tried.source_id, str(account)))
                yield Finding(
                    source_id=tried.source_id,
                    subject=str(account),
                    events=pl.concat([tried.events.select(columns), mine.select(columns)]),
                    summary=f"{account} was logged into from {mine['ip'][0]} after {tried.events.height} failed log-ins.",
                    related=related(mine, "ip"),
                )


def _case(success_minutes: float, ip: str, account: str = "alice", *used_before: str) -> Inputs:
    failures = [event(n, "login_failure", ip="203.0.113.66", metadata={"username": "alice"}) for n in range(25)]
    login = event(success_minutes, "login_success", actor=account, namespace=account, ip=ip)
    before = [{"kind": "pull_repo", "actor": account, "ip": one} for one in used_before]
    return example([*failures, login], **({"history": history(*before)} if before else {}))


RULE = Rule(
    id="D5",
    name="success-after-failures",
    version=2,
    title="Log-in succeeded after an attack",
    severity=Severity.HIGH,
    techniques=("T1110", "T1078"),
    kinds=KINDS,
    switches=("ACTION_LOG_AUDIT_LOGIN_FAILURES",),
    params=Params,
    detect=detect,
    lookback=timedelta(hours=7),
    uses_history=True,
    description="After a brute force, a spray or stuffing, a log-in from the same address succeeded, or one to the same account "
    "from an address that it did not use within the last 30 days.",
    false_positives="The owner of the account mistyped the password many times and then got it right.",
    runbook="Treat the account as taken until its owner says otherwise: change the password, revoke its tokens and robots, "
    "and look at everything it did since (Investigate).",
    fixtures=(
        Fixture(name="same address", inputs=lambda: _case(40, "203.0.113.66", "bob"), subjects=("bob",)),
        Fixture(name="same account, an hour later", inputs=lambda: _case(85, "10.0.0.9"), subjects=("alice",)),
        Fixture(
            name="from where the owner always works",
            inputs=lambda: _case(85, "10.0.0.9", "alice", "10.0.0.9"),
            subjects=(),
        ),
        Fixture(name="another account from elsewhere", inputs=lambda: _case(40, "10.0.0.9", "bob"), subjects=()),
        Fixture(name="a day later", inputs=lambda: _case(1300, "203.0.113.66"), subjects=()),
    ),
)
