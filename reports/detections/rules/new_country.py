"""D10: a known account comes from a country or network that was never seen with it, or from two countries at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    NOON,
    Finding,
    Fixture,
    Inputs,
    Rule,
    Severity,
    event,
    example,
    history,
)
from quayledger.reports.detections.windows import bursts, listed, related


class Params(msgspec.Struct, frozen=True):
    """`travel_minutes`: two countries within this are one too many. `proxy_share`: where two addresses make this share of
    all events, a proxy hides the clients and the rule says nothing. `known_events`: so many before, to be known at all."""

    travel_minutes: int = 30
    proxy_share: float = 0.9
    known_events: int = 5
    allow_actors: tuple[str, ...] = ()


_BASELINE = timedelta(days=7)
_COUNTRY = pl.col("metadata").str.json_path_match("$.resolved_ip.country_iso_code")
_KEY = ["source_id", "actor"]


def network(column: str = "ip") -> pl.Expr:
    """The first two groups of an address: wide enough that a new lease is no new network."""
    return (
        pl.when(pl.col(column).str.contains(":"))
        .then(pl.col(column).str.extract(r"^([0-9a-fA-F]*:[0-9a-fA-F]*)"))
        .otherwise(pl.col(column).str.extract(r"^(\d+\.\d+)\."))
    )


def behind_proxy(inputs: Inputs, share: float) -> bool:
    """Whether two addresses make nearly all events."""
    known = inputs.events["ip"].drop_nulls()
    if known.len() < 20:
        return False
    return bool(known.value_counts(sort=True)["count"].head(2).sum() >= share * known.len())


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account."""
    if behind_proxy(inputs, params.proxy_share):
        return
    events = inputs.events.filter(pl.col("actor").is_not_null(), ~pl.col("actor").is_in(params.allow_actors))
    events = events.with_columns(country=_COUNTRY, network=network())
    seen = set[tuple[str, str]]()
    travel = timedelta(minutes=params.travel_minutes)
    for burst in bursts(events.drop_nulls("country"), _KEY, travel, at_least=2, distinct={"country": 2}):
        seen.add((burst["source_id"][0], burst["actor"][0]))
        yield _finding(burst, f"from {listed(burst['country'])} within {params.travel_minutes} minutes", Severity.HIGH)
    if not inputs.baseline(_BASELINE):
        return
    known = inputs.history.filter(pl.col("actor").is_not_null(), pl.col("ip").is_not_null()).with_columns(
        network=network()
    )
    regular = known.group_by(_KEY).agg(
        pl.col("events").sum(), pl.col("country").drop_nulls().unique(), pl.col("network").drop_nulls().unique()
    )
    regular = regular.filter(pl.col("events") >= params.known_events)
    now = events.filter(pl.col("occurred_at") >= inputs.since).join(regular, on=_KEY, suffix="_known")
    no_country = pl.col("country").is_null() & (pl.col("country_known").list.len() == 0)
    new_country = pl.col("country").is_not_null() & (pl.col("country_known").list.len() > 0)
    new_country &= ~pl.col("country_known").list.contains(pl.col("country"))
    new_network = no_country & pl.col("network").is_not_null() & (pl.col("network_known").list.len() > 0)
    new_network &= ~pl.col("network_known").list.contains(pl.col("network"))
    for (source_id, actor), mine in now.filter(new_country | new_network).group_by(_KEY, maintain_order=True):
        if (str(source_id), str(actor)) not in seen:
            where = listed(mine["country"].drop_nulls()) or f"the network of {listed(mine['ip'])}"
            yield _finding(mine, f"from {where}, never seen with this account before", None)


def _finding(events: pl.DataFrame, where: str, severity: Severity | None) -> Finding:
    return Finding(
        source_id=events["source_id"][0],
        subject=events["actor"][0],
        events=events,
        summary=f"{events['actor'][0]} came {where}.",
        severity=severity,
        related=related(events, "ip"),
    )


def _case(country: str | None, ip: str = "203.0.113.9") -> Inputs:
    where = {"resolved_ip": {"country_iso_code": country}} if country else {}
    was = {"kind": "pull_repo", "actor": "frank", "ip": "10.1.2.3", "country": "DE" if country else None}
    return example(
        [event(3, "pull_repo", actor="frank", namespace="acme", repository="web", ip=ip, metadata=where)],
        history=history(was),
        history_since=NOON - timedelta(days=60),
    )


def _travel() -> Inputs:
    return example(
        event(
            n * 12, "pull_repo", actor="frank", ip=f"10.1.2.{n}", metadata={"resolved_ip": {"country_iso_code": place}}
        )
        for n, place in enumerate(("DE", "JP"))
    )


RULE = Rule(
    id="D10",
    name="new-country-or-network",
    version=1,
    title="Known account from a new country or network",
    severity=Severity.MEDIUM,
    techniques=("T1078",),
    kinds=("pull_repo", "push_repo", "login_success"),
    params=Params,
    detect=detect,
    lookback=timedelta(minutes=30),
    needs_history=_BASELINE,
    description="An account that is known from some countries or networks appears from another, or from two countries "
    "within half an hour.",
    false_positives="Travel, a VPN, a new office or cluster. Where a proxy hides the clients the rule is off.",
    runbook="Ask the owner. A robot does not travel: rotate its secret.",
    fixtures=(
        Fixture(name="new country", inputs=lambda: _case("JP"), subjects=("frank",)),
        Fixture(name="same country, new network", inputs=lambda: _case("DE"), subjects=()),
        Fixture(name="no country, new network", inputs=lambda: _case(None), subjects=("frank",)),
        Fixture(name="no country, same network", inputs=lambda: _case(None, "10.1.9.9"), subjects=()),
        Fixture(name="two countries in 12 minutes", inputs=_travel, subjects=("frank",)),
    ),
)
