"""The readers' room: robots and tokens, one row each: who owns them, how old and how idle they are, what they may do."""

from __future__ import annotations

import polars as pl

from quayledger.reports.inventory.common import access_needed
from quayledger.reports.inventory.inventory_query import Asked
from quayledger.reports.inventory.knowledge import KNOWN
from quayledger.warehouse.catalog import Type
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.schema import UTC_MICROSECONDS

ROBOT, APP_TOKEN, APPLICATION, OAUTH_TOKEN = KINDS = ("robot", "app token", "OAuth application", "OAuth token")
USED, NEVER_USED, NO_RECORD = "used", "never used", "no record"
CREDENTIAL_COLUMNS: dict[str, Type] = {
    "name": pl.String,
    "kind": pl.String,
    "owner": pl.String,
    "created_at": UTC_MICROSECONDS,
    "created_by": pl.String,
    "age_days": pl.Int64,
    "rotated_at": UTC_MICROSECONDS,
    "last_use_at": UTC_MICROSECONDS,
    "use": pl.String,
    "idle_days": pl.Int64,
    "repositories": pl.Int64,
    "teams": pl.Int64,
    "highest_role": pl.String,
    "federated": pl.Boolean,
    "distinct_ips_30d": pl.Int64,
    "scope": pl.String,
    "expires_at": UTC_MICROSECONDS,
    "expired": pl.Boolean,
    "powerful": pl.Boolean,
    "unused_write": pl.Boolean,
    "last_push_at": UTC_MICROSECONDS,
    "evidence": pl.String,
    "evidence_from": pl.Date,
    "listed": pl.Boolean,
    "credential_id": pl.String,
    "source_id": pl.String,
}
_RANK = {"read": 0, "create": 1, "write": 2, "admin": 3}
_WRITES = ("write", "admin", "create")
# Scopes of Quay with which a token can change access, settings or people.
_ADMIN_SCOPES = "super:user|org:admin|repo:admin|user:admin"
# What Quay deletes it calls by a UUID first, with its robots.
_DELETED = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_KEY = ["source_id", "credential_id"]
_USE = ("source_id", "last_use_at", "never_used", "distinct_ips_30d", "evidence")


def credential_rows(asked: Asked, uses: pl.DataFrame) -> pl.DataFrame:
    """Every robot, app token, OAuth application and OAuth token that is there now: CREDENTIAL_COLUMNS, the longest idle first. `uses`: as
    `Asked.uses` gives them.

    `use`: used | never used (Quay says so, and no event says otherwise) | no record; `idle_days`: whole days since the last
    use on record; of what was never used since its creation; without a record since its creation or the first collected day,
    whichever is later, which is a least. `highest_role`, `repositories`, `teams`: of robots, by any way. `powerful`: an admin
    role, or a scope that administers; `unused_write`: may write, and no push by it is held; null where access is not known. Errors: WarehouseError."""
    life = reader.credential_events(asked.snapshot, source_ids=asked.source_ids)
    parts = [_robots(asked, uses, life), _app_tokens(asked, uses, life), _applications(asked, uses, life)]
    frame = pl.concat([*parts, _oauth_tokens(asked)], how="diagonal")
    begun = uses.group_by("source_id").agg(pl.col("evidence_from").min())
    return _judged(frame.join(begun, on="source_id", how="left"), pl.lit(asked.moment)).select(
        CREDENTIAL_COLUMNS.keys()
    )


def _judged(frame: pl.DataFrame, now: pl.Expr) -> pl.DataFrame:
    """Adds what follows from the other columns."""
    role, scope = pl.col("highest_role"), pl.col("scope")
    use = (
        pl.when(pl.col("last_use_at").is_not_null())
        .then(pl.lit(USED))
        .when(pl.col("never_used").fill_null(value=False))
        .then(pl.lit(NEVER_USED))
        .otherwise(pl.lit(NO_RECORD))
    )
    begun = pl.col("evidence_from").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    since = (
        pl.when(pl.col("use") == USED)
        .then("last_use_at")
        .when(pl.col("use") == NEVER_USED)
        .then("created_at")
        .otherwise(pl.max_horizontal("created_at", begun))
    )
    return (
        frame.with_columns(use.alias("use"))
        .with_columns(
            _days(pl.col("created_at"), now).alias("age_days"),
            _days(since, now).alias("idle_days"),
            (pl.col("expires_at") <= now).alias("expired"),
            pl.when(role == "admin")
            .then(pl.lit(True))
            .when(pl.col("kind") == OAUTH_TOKEN)
            .then(scope.str.contains(_ADMIN_SCOPES))
            .when((pl.col("kind") == ROBOT) & pl.col("access_known"))
            .then(pl.lit(False))
            .alias("powerful"),
            pl.when(pl.col("kind") != ROBOT)
            .then(None)
            .when(pl.col("last_push_at").is_not_null())
            .then(pl.lit(False))
            .when(role.is_in(_WRITES))
            .then(pl.lit(True))
            .when(pl.col("access_known"))
            .then(pl.lit(False))
            .alias("unused_write"),
        )
        .sort("idle_days", "source_id", "kind", "name", descending=[True, False, False, False], nulls_last=False)
    )


def _days(since: pl.Expr, now: pl.Expr) -> pl.Expr:
    """Whole days, never negative: a clock of the registry may be ahead."""
    return (now - since).dt.total_days().clip(lower_bound=0)


def _robots(asked: Asked, uses: pl.DataFrame, life: pl.DataFrame) -> pl.DataFrame:
    """The listed robots, and those that only events name whose owner's list could not be read."""
    listed = asked.state("robots").select(
        "source_id", pl.col("robot").alias("credential_id"), "created_at", pl.lit(True).alias("listed")
    )
    own = _life(life, "robot")
    named = (
        _used(uses, "robot")
        .join(listed, on=_KEY, how="anti")
        .join(own.filter(pl.col("revoked_at").is_not_null()), on=_KEY, how="anti")
        .with_columns(pl.col("credential_id").str.split("+").list.first().alias("namespace"))
        .join(_read_namespaces(asked, listed), on=["source_id", "namespace"], how="anti")
        .filter(~pl.col("namespace").str.contains(_DELETED))
        .select("source_id", "credential_id", pl.lit(False).alias("listed"))
    )
    frame = pl.concat([listed, named], how="diagonal")
    federated = asked.state("robot_federations").select("source_id", credential_id="robot").unique()
    frame = frame.join(federated.with_columns(federated=True), on=_KEY, how="left")
    if all(part.known for part in asked.fetches.parts("robots", [_robot_target(listed)])):
        frame = frame.with_columns(
            pl.when("listed").then(pl.col("federated").fill_null(value=False)).otherwise("federated")
        )
    known = all(part.known for part in asked.fetches.parts("access", access_needed(asked)))
    frame = frame.join(_access(asked), on=_KEY, how="left").join(_teams(asked), on=_KEY, how="left")
    frame = frame.with_columns(pl.lit(known).alias("access_known"))
    if known:
        frame = frame.with_columns(pl.col("repositories", "teams").fill_null(0))
    return _with_life(frame, own, _used(uses, "robot")).with_columns(
        kind=pl.lit(ROBOT), name=pl.col("credential_id"), owner=pl.col("credential_id").str.split("+").list.first()
    )


def _robot_target(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("source_id", federation="credential_id")


def _read_namespaces(asked: Asked, listed: pl.DataFrame) -> pl.DataFrame:
    """The namespaces whose robots could be listed: what an event names there and the list does not is gone."""
    queries = [reader.knowledge(asked.snapshot, asked.at, asked.source_ids, query=one) for one in _LISTS_OF_ROBOTS]
    read = pl.concat(queries).filter(pl.col("state").is_in(KNOWN)).select("source_id", namespace="target")
    owners = listed.select("source_id", pl.col("credential_id").str.split("+").list.first().alias("namespace"))
    return pl.concat([read, owners]).unique()


_LISTS_OF_ROBOTS = ("robots", "user_robots")


def _access(asked: Asked) -> pl.DataFrame:
    """Per robot: how many repositories it reaches, and its highest role. A role on a whole namespace counts each repository there."""
    ways = asked.access(principal_kind="robot").filter(pl.col("via") != "default permission")
    there = asked.state("repositories").select("source_id", "namespace", "repository")
    whole = (
        ways.filter((pl.col("repository") == "*") & (pl.col("role") != "create"))
        .drop("repository")
        .join(there, on=["source_id", "namespace"])
    )
    place = ["source_id", "principal", "namespace", "repository"]
    reach = pl.concat([ways.filter(pl.col("repository") != "*").select(place), whole.select(place)]).unique()
    rank = pl.col("role").replace_strict(_RANK, default=None, return_dtype=pl.Int64)
    highest = ways.group_by("source_id", credential_id="principal").agg(
        pl.col("role").sort_by(rank, nulls_last=False).last().alias("highest_role")
    )
    counts = reach.group_by("source_id", credential_id="principal").agg(pl.len().cast(pl.Int64).alias("repositories"))
    return highest.join(counts, on=_KEY, how="left")


def _teams(asked: Asked) -> pl.DataFrame:
    members = asked.state("team_members", member_kind="robot")
    return members.group_by("source_id", credential_id="member").agg(pl.len().cast(pl.Int64).alias("teams"))


def _app_tokens(asked: Asked, uses: pl.DataFrame, life: pl.DataFrame) -> pl.DataFrame:
    """Whose a token is, Quay's list of all of them does not say; the event that made it does."""
    tokens = asked.state("app_tokens").select(
        "source_id", "owner", "created_at", "expires_at", credential_id="uuid", name="title"
    )
    frame = _with_life(tokens, _life(life, "app_token"), _used(uses, "app_token"))
    return frame.with_columns(
        pl.coalesce("owner", "created_by").alias("owner"), kind=pl.lit(APP_TOKEN), listed=pl.lit(True)
    )


def _applications(asked: Asked, uses: pl.DataFrame, life: pl.DataFrame) -> pl.DataFrame:
    """OAuth applications; that one was never used, Quay does not say."""
    applications = asked.state("applications").select(
        "source_id", owner="organization", credential_id="client_id", name="application"
    )
    frame = _with_life(applications, _life(life, "oauth_application"), _used(uses, "oauth_application"))
    return frame.with_columns(kind=pl.lit(APPLICATION), listed=pl.lit(True), never_used=pl.lit(False))


def _oauth_tokens(asked: Asked) -> pl.DataFrame:
    """The tokens of applications as Quay lists them. Events name a token by another number, so Quay alone says when one was used."""
    told = asked.newest("last_uses", subject_kind="oauth_token").select(
        "source_id", pl.col("last_used_at").alias("last_use_at"), credential_id="subject", measured=pl.lit(True)
    )
    names = asked.state("applications").select("source_id", "organization", "client_id", "application")
    tokens = asked.state("oauth_tokens").join(names, on=["source_id", "organization", "client_id"], how="left")
    application = pl.coalesce("application", "client_id")
    frame = tokens.select(
        "source_id",
        "scope",
        "created_at",
        "expires_at",
        "created_by",
        pl.format("{} of {}", pl.col("token_name").fill_null("token"), application).alias("name"),
        pl.coalesce("created_by", "organization").alias("owner"),
        credential_id="uuid",
    ).join(told, on=_KEY, how="left")
    return frame.with_columns(
        never_used=pl.col("measured").fill_null(value=False) & pl.col("last_use_at").is_null(),
        evidence=pl.when(pl.col("last_use_at").is_not_null()).then(pl.lit("quay")).otherwise(pl.lit("none")),
        kind=pl.lit(OAUTH_TOKEN),
        listed=pl.lit(True),
    ).drop("measured")


def _used(uses: pl.DataFrame, kind: str) -> pl.DataFrame:
    return uses.filter(subject_kind=kind).select(*_USE, credential_id="subject")


def _life(life: pl.DataFrame, kind: str) -> pl.DataFrame:
    return life.filter(subject_kind=kind).drop("subject_kind").rename({"subject": "credential_id"})


def _with_life(frame: pl.DataFrame, life: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """Adds uses, and what events tell of the making. A renewal before it was made anew belongs to another of its name."""
    frame = frame.join(used, on=_KEY, how="left").join(life, on=_KEY, how="left")
    made = pl.coalesce("created_at", "made_at") if "created_at" in frame.columns else pl.col("made_at")
    frame = frame.with_columns(created_at=made, created_by=pl.col("made_by"))
    renewed = pl.col("rotated_at") >= pl.col("created_at")
    return frame.with_columns(
        rotated_at=pl.when(renewed.fill_null(value=True)).then("rotated_at"),
    ).drop("made_at", "made_by", "revoked_at")


def tokens_in_log(uses: pl.DataFrame) -> pl.DataFrame:
    """OAuth tokens by the number that events name them by: number, application, last_event_at, last_event_kind,
    distinct_ips_30d, evidence_from, source_id; the newest first."""
    found = uses.filter(subject_kind="oauth_token")
    return found.select(
        "last_event_at",
        "last_event_kind",
        "distinct_ips_30d",
        "evidence_from",
        "source_id",
        number="subject",
        application="title",
    ).sort("last_event_at", descending=True)
