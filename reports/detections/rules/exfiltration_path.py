"""D21: a way out of the registry is set up: a trigger, a mirror, a proxy cache, a webhook, an export of the log."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import full_name, listed, related, text


class Params(msgspec.Struct, frozen=True):
    """`allow_hosts`: where things may go, with their subdomains, such as `example.com`. `allow_actors`: such as the account
    that collects this record by exports."""

    allow_hosts: tuple[str, ...] = ()
    allow_actors: tuple[str, ...] = ()


_WORDS = {
    "setup_repo_trigger": "a build trigger",
    "repo_mirror_config_changed": "a mirror",
    "org_mirror_config_changed": "a mirror",
    "create_proxy_cache_config": "a proxy cache",
    "add_repo_notification": "a webhook",
    "export_logs_success": "an export of the log",
}
KINDS = tuple(_WORDS)
# A mirror's other settings, such as its schedule, lead nowhere new.
_MIRROR_TARGETS = ("external_reference", "external_registry_url", "http_proxy", "https_proxy", "external_registry_type")


def _target(config: pl.Expr) -> pl.Expr:
    """The host that an event names; null where it names none."""
    named = pl.coalesce(
        config.str.json_path_match("$.config.build_source"),
        pl.when(text("changed").is_in(_MIRROR_TARGETS)).then(text("to")),
        text("upstream_registry"),
        text("url"),
    )
    return named.str.extract(r"^(?:[a-z+]+://)?(?:[^@/]*@)?([^/:?]+)").str.to_lowercase()


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account and namespace."""
    acts = inputs.period_events.filter(pl.col("kind").is_in(KINDS))
    acts = acts.filter(~pl.col("actor").is_in(params.allow_actors) | pl.col("actor").is_null())
    notification = pl.col("kind") == "add_repo_notification"
    mirror = pl.col("kind").str.ends_with("mirror_config_changed")
    acts = acts.with_columns(host=_target(pl.col("metadata")))
    acts = acts.filter(~notification | (text("method") == "webhook"), ~mirror | text("changed").is_in(_MIRROR_TARGETS))
    allowed = pl.lit(value=False)
    for host in params.allow_hosts:
        allowed |= (pl.col("host") == host.lower()) | pl.col("host").str.ends_with(f".{host.lower()}")
    acts = acts.filter(~allowed.fill_null(value=False)).with_columns(object=full_name())
    for (source_id, namespace, actor), mine in acts.group_by("source_id", "namespace", "actor", maintain_order=True):
        ways = sorted({_WORDS[kind] for kind in mine["kind"]})
        hosts = mine["host"].drop_nulls().unique()
        where = f" towards {listed(hosts)}" if hosts.len() else ""
        yield Finding(
            source_id=str(source_id),
            subject=str(namespace),
            events=mine,
            summary=f"{actor or 'Somebody'} set up {', '.join(ways)} in {namespace}{where}.",
            related=(*related(mine, "actor", "host", "object"),),
        )


def _case(kind: str, **metadata: object) -> Inputs:
    return example([event(1, kind, actor="erin", namespace="acme", repository="etl", metadata=metadata)])


RULE = Rule(
    id="D21",
    name="exfiltration-path",
    version=1,
    title="Way out of the registry set up",
    severity=Severity.MEDIUM,
    techniques=("T1567", "T1020"),
    kinds=KINDS,
    params=Params,
    detect=detect,
    description="A trigger, mirror, proxy cache, webhook or log export leads to a host that is not on the allow-list.",
    false_positives="The ordinary set-up of a pipeline: put its hosts on the allow-list.",
    runbook="Who runs the host? Remove the way out if nobody knows.",
    fixtures=(
        Fixture(
            name="export",
            inputs=lambda: _case("export_logs_success", url="https://collect.elsewhere.example/drop?key=1"),
            subjects=("acme",),
        ),
        Fixture(
            name="a mirror's schedule",
            inputs=lambda: _case("repo_mirror_config_changed", changed="sync_interval", to="3600"),
            subjects=(),
        ),
        Fixture(
            name="a notification in Quay",
            inputs=lambda: _case("add_repo_notification", method="quay_notification"),
            subjects=(),
        ),
        Fixture(name="a webhook", inputs=lambda: _case("add_repo_notification", method="webhook"), subjects=("acme",)),
    ),
)
