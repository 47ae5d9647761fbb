"""D7: a credential that was disabled, deleted, revoked or has expired is still used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import attempted, bursts, related, text


class Params(msgspec.Struct, frozen=True):
    """`robot_attempts` within an hour for robots, whose clients retry; one attempt of a person is enough. `words`: what
    Quay's message says of such a credential (a regular expression)."""

    robot_attempts: int = 5
    words: str = r"(?i)expired|disabled|revoked|could not find robot"
    allow_accounts: tuple[str, ...] = ()


_DAY = timedelta(hours=24)


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account and run of attempts."""
    failed = inputs.of("login_failure").filter(text("message").str.contains(params.words))
    failed = failed.with_columns(account=attempted()).filter(~pl.col("account").is_in(params.allow_accounts))
    robot = pl.col("account").str.contains("+", literal=True)
    by = ("source_id", "account")
    people = bursts(failed.filter(~robot), by, _DAY, at_least=1)
    robots = bursts(failed.filter(robot), by, timedelta(hours=1), at_least=params.robot_attempts)
    for burst in (*people, *robots):
        account, message = burst["account"][0], burst.select(text("message"))["metadata"][-1]
        yield Finding(
            source_id=burst["source_id"][0],
            subject=account,
            events=burst,
            summary=f"{burst.height} attempts with a credential of {account} that is no longer valid: {message}",
            related=related(burst, "ip"),
        )


def _case(account: str, number: int, message: str) -> Inputs:
    metadata = {"username": account, "message": message}
    return example(event(n * 5, "login_failure", ip="10.30.1.7", metadata=metadata) for n in range(number))


RULE = Rule(
    id="D7",
    name="disabled-credential-used",
    version=1,
    title="Disabled or expired credential used",
    severity=Severity.LOW,
    techniques=("T1078",),
    kinds=("login_failure",),
    switches=("ACTION_LOG_AUDIT_LOGIN_FAILURES",),
    params=Params,
    detect=detect,
    lookback=_DAY,
    description="Something still tries a credential that was taken away, has expired, or belongs to a disabled account.",
    false_positives="A forgotten pipeline: no attack, but it should be cleaned up.",
    runbook="Find the client by its address and user agent; give it a new credential or switch it off.",
    fixtures=(
        Fixture(name="expired", inputs=lambda: _case("erin", 1, "OAuth access token has expired"), subjects=("erin",)),
        Fixture(
            name="robot",
            inputs=lambda: _case("acme+ci", 5, "Could not find robot with username: acme+ci"),
            subjects=("acme+ci",),
        ),
        Fixture(name="robot, a few", inputs=lambda: _case("acme+ci", 4, "Could not find robot"), subjects=()),
        Fixture(name="wrong password", inputs=lambda: _case("erin", 3, "Invalid Username or Password"), subjects=()),
    ),
)
