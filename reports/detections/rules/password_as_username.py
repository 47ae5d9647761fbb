"""D6: somebody typed a password or token where the user name belongs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import bursts, related, text


class Params(msgspec.Struct, frozen=True):
    """`mark`: what stands in the record in place of a secret, which is cut out before anything is stored."""

    mark: str = "[secret-removed]"


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per address; what was typed is not in the record."""
    typed = inputs.of("login_failure").filter(text("username") == params.mark)
    typed = typed.with_columns(where=pl.coalesce("ip", pl.lit("an unknown address")))
    for burst in bursts(typed, ("source_id", "where"), timedelta(hours=24), at_least=1):
        where = burst["where"][0]
        yield Finding(
            source_id=burst["source_id"][0],
            subject=where,
            events=burst,
            summary=f"A password or token was typed as a user name from {where}; Quay's own log shows it in clear.",
            related=related(burst, "client"),
        )


def _case(username: str) -> Inputs:
    return example([event(1, "login_failure", ip="10.0.0.7", metadata={"username": username})])


RULE = Rule(
    id="D6",
    name="password-as-username",
    version=1,
    title="Password typed as a user name",
    severity=Severity.LOW,
    techniques=("T1552",),
    kinds=("login_failure",),
    switches=("ACTION_LOG_AUDIT_LOGIN_FAILURES",),
    params=Params,
    detect=detect,
    lookback=timedelta(hours=24),
    description="The user name of a failed log-in has the form of a password or token. This record does not keep it, but "
    "everybody who may read Quay's log can see it there.",
    false_positives="An account whose name looks like a secret.",
    runbook="Find who logged in from the address soon afterwards, and have them change the password.",
    fixtures=(
        Fixture(name="a secret", inputs=lambda: _case("[secret-removed]"), subjects=("10.0.0.7",)),
        Fixture(name="a name", inputs=lambda: _case("alice"), subjects=()),
    ),
)
