"""D18: a superuser takes a namespace over, or changes somebody's password or e-mail address."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import related, text


class Params(msgspec.Struct, frozen=True):
    """`allow_superusers`: such as an automation that creates accounts."""

    allow_superusers: tuple[str, ...] = ()


_ALWAYS = ("take_ownership",)
_BY_SUPERUSER = ("user_change_password", "user_change_email")
_WORDS = {
    "take_ownership": "took ownership",
    "user_change_password": "changed the password",
    "user_change_email": "changed the e-mail address",
}


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per superuser and target."""
    acts = inputs.period_events.filter(pl.col("kind").is_in((*_ALWAYS, *_BY_SUPERUSER)))
    acts = acts.with_columns(
        superuser=text("superuser"), target=pl.coalesce(text("username"), text("namespace"), "namespace")
    )
    acts = acts.filter(pl.col("kind").is_in(_ALWAYS) | pl.col("superuser").is_not_null())
    acts = acts.with_columns(who=pl.coalesce("superuser", "actor", pl.lit("a superuser")))
    acts = acts.filter(~pl.col("who").is_in(params.allow_superusers))
    for (source_id, who, target), mine in acts.group_by("source_id", "who", "target", maintain_order=True):
        done = ", ".join(_WORDS[kind] for kind in dict.fromkeys(mine["kind"]))
        yield Finding(
            source_id=str(source_id),
            subject=str(target),
            events=mine,
            summary=f"{who} acted on {target}: {done}.",
            related=(str(who), *related(mine, "ip")),
        )


def _case(kind: str, metadata: dict[str, str], actor: str = "root") -> Inputs:
    return example([event(1, kind, actor=actor, namespace="grace", metadata=metadata)])


RULE = Rule(
    id="D18",
    name="superuser-takeover",
    version=1,
    title="Superuser took over an account",
    severity=Severity.HIGH,
    techniques=("T1098", "T1531"),
    kinds=(*_ALWAYS, *_BY_SUPERUSER),
    params=Params,
    detect=detect,
    description="A superuser makes themselves owner of a namespace, or sets another user's password or e-mail address.",
    false_positives="Help for somebody who lost access: there should be a request for it.",
    runbook="Ask the superuser and the owner of the account. Two superusers should know of it.",
    fixtures=(
        Fixture(
            name="ownership",
            inputs=lambda: _case("take_ownership", {"namespace": "umbrella", "superuser": "root"}),
            subjects=("umbrella",),
        ),
        Fixture(
            name="password",
            inputs=lambda: _case("user_change_password", {"username": "grace", "superuser": "root"}),
            subjects=("grace",),
        ),
        Fixture(
            name="one's own",
            inputs=lambda: _case("user_change_email", {"email": "g@example.com"}, "grace"),
            subjects=(),
        ),
    ),
)
