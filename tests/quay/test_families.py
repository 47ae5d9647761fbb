"""Contract: every recorded read is asked for as it was recorded, and read for what it says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from quayledger.collector.quay import errors
from quayledger.collector.quay.builds import BuildLogs
from quayledger.collector.quay.quotas import QuotaLimit
from quayledger.collector.quay.rows import Rows
from tests.quay.calls import recorded_calls
from tests.quay.replaying import EXCERPT, outcome, recorded_body
from tests.quay.wire import recording

# Parameters that are sent whatever was recorded, or were sent to no effect when it was.
OURS: dict[str, set[str]] = {
    "listAllUsers": {"limit"},
    "listAllOrganizations": {"limit"},
    "listRepoTags": {"limit", "page"},
    "getRepoBuilds": {"limit"},
    "listTriggerRecentBuilds": {"limit"},
    "getOrgRobots": {"limit", "permissions", "token"},
    "getUserRobots": {"permissions", "token"},
    "getRepoManifestSecurity": {"vulnerabilities"},
    "listRepos": {"public", "quota"},
    "getRepo": {"includeStats", "includeTags"},
    "conductRepoSearch": {"page"},
}
BY_STATUS: dict[int, type[errors.QuayError]] = {
    400: errors.BadRequest,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
}
# Where Quay's status says something else than it means.
MEANT: dict[str, type[errors.QuayError]] = {
    "215_perm_user_none": errors.NotFound,
    "218_perm_team_none": errors.NotFound,
    "234_robot_org_unknown": errors.NotFound,
    "241_robot_user_404": errors.NotFound,
    "308_referrers_unknown_digest": errors.NotFound,
    "309_referrers_anonymous_401": errors.Forbidden,
    "313_referrers_user_without_access_401": errors.Forbidden,
}


async def found(name: str) -> Any:
    operation = next(operation for operation, recorded in recorded_calls() if recorded.startswith(name))
    value, _ = await outcome(operation, recorded_body(name))
    return value


@pytest.mark.parametrize(("operation", "name"), recorded_calls(), ids=lambda text: text[:40])
async def test_every_recorded_call_is_asked_as_recorded_and_read(operation: str, name: str) -> None:
    recorded = recorded_body(name)
    value, wire = await outcome(operation, recorded)
    _check_request(operation, recorded, wire.asked[0])
    if recorded["status"] >= 400:
        assert type(value) is MEANT.get(name, BY_STATUS[recorded["status"]])
        assert isinstance(value, errors.QuayError)
        assert value.status == recorded["status"]
        return
    assert not isinstance(value, errors.QuayError), value
    if isinstance(value, Rows) and recorded["status"] == 200:
        assert value.rejected == ()
        assert len(value) == _recorded_rows(recorded["body"])


def _check_request(operation: str, recorded: dict[str, Any], sent: httpx.Request) -> None:
    request, ours = recorded["request"], OURS.get(operation, set())
    asked_for = recorded["headers"].get("location", request["path"]).removeprefix("https://quay.example")
    assert (sent.method, sent.url.path) == (request["method"], asked_for)
    query = {key: str(value) for key, value in (request.get("query") or {}).items()}
    service = {"service", "scope"} if asked_for == "/v2/auth" else set()
    assert {key: value for key, value in sent.url.params.items() if key not in ours} == {
        key: value for key, value in query.items() if key not in ours
    }
    assert set(sent.url.params) >= service


def _recorded_rows(body: Any) -> int:
    """How many rows a body holds; the one that holds none is of the registry's token."""
    if isinstance(body, dict):
        body = next((value for value in body.values() if isinstance(value, list | dict)), ())
    return len(body)


@pytest.mark.parametrize("name", ["081_robots", "237_robot", "082_robots"])
async def test_robots_are_never_asked_for_with_their_tokens(name: str) -> None:
    operation = next(operation for operation, recorded in recorded_calls() if recorded.startswith(name))
    _, wire = await outcome(operation, recording(name))
    assert dict(wire.asked[0].url.params) == {"permissions": "true", "token": "false"}


def at(hour: int, minute: int, second: int) -> datetime:
    return datetime(2026, 11, 23, hour, minute, second, tzinfo=UTC)


async def test_accounts_are_read_for_what_they_are() -> None:
    ci = (await found("081_"))[1]
    assert (ci.name, ci.created, ci.last_accessed) == ("acme+ci", at(8, 15, 37), at(8, 17, 27))
    assert (ci.teams, ci.repositories) == (("developers",), ())
    assert [robot.repositories for robot in await found("236_")] == [None, None, None]
    assert [(one.issuer, one.subject) for one in await found("233_")] == [
        ("https://issuer.example/realms/r", "build-42")
    ]
    invited = await found("275_")
    assert [(one.name, one.kind, one.invited) for one in invited] == [
        ("eve", "user", False),
        ("y@example.com", "invite", True),
        ("dave", "user", True),
    ]
    assert [one.kind for one in await found("086_")] == ["user", "user", "robot"]
    keys = await found("257_")
    assert [(key.approval_type, key.approver) for key in keys][1:3] == [("AUTOMATIC", None), ("SUPERUSER", "admin")]
    assert (keys[2].created_by, keys[2].creator) == ("Quay Superuser Panel", "admin")
    assert keys[3].expiration == datetime(2030, 1, 1, tzinfo=UTC)
    token = await found("161_")
    assert (token.title, token.created, token.last_accessed) == ("laptop", at(8, 15, 38), None)
    alice = next(one for one in await found("058_") if one.username == "alice")
    assert (alice.enabled, alice.verified, alice.quotas[0].limits[0].limit_percent) == (True, True, 90)
    me = await found("270_")
    assert (me.username, me.email, me.organizations[0].name, me.super_user) == ("orgadmin", None, "acme", None)


async def test_access_is_read_for_what_it_is() -> None:
    roles = {(one.name, one.role, one.is_robot, one.is_org_member) for one in await found("091_")}
    assert ("acme+deploy", "write", True, True) in roles
    assert ("dave", "admin", False, False) in roles
    assert [(one.name, one.role) for one in await found("092_")] == [("operators", "read")]
    assert (await found("217_")).name == "operators"
    assert list(await found("316_")) == ["write"]
    assert [(one.repository, one.role, one.is_public) for one in await found("088_")] == [("api", "write", False)]
    defaults = [(one.activating_user, one.delegate, one.delegate_kind, one.role) for one in await found("226_")]
    assert defaults == [
        ("alice", "acme+ci", "robot", "write"),
        ("bob", "developers", "team", "write"),
        (None, "operators", "team", "read"),
    ]
    assert (await found("084_"))[3].repositories == ("web",)
    assert (await found("207_")).kind == "robot"
    assert [(one.name, one.repositories) for one in await found("085_")] == [("dave", ("web",))]


async def test_settings_are_read_for_what_they_are() -> None:
    acme = await found("210_")
    assert (acme.is_admin, acme.email, acme.tag_expiration_s) == (True, "acme-org@example.com", 604_800)
    assert acme.invoice_email_address == "billing@example.com"
    assert [(team.name, team.role, team.is_synced) for team in acme.teams][:2] == [
        ("owners", "admin", False),
        ("developers", "creator", False),
    ]
    outsider = await found("208_")
    assert (outsider.is_member, outsider.email, outsider.teams, outsider.quotas) == (False, None, None, None)
    assert await found("203_") is None
    cache = await found("202_")
    assert (cache.upstream_registry, cache.expiration_s, cache.insecure) == ("quay.example/acme", 3600, True)
    mirror = await found("279_")
    assert (mirror.external_registry_username, mirror.verify_tls, mirror.sync_interval_s) == ("orgadmin", False, 7200)
    assert (mirror.sync_status, mirror.tag_rules) == ("FAIL", ("v*", "latest"))
    assert mirror.sync_start_date == datetime(2026, 11, 23, 10, 34, 54, 268977, tzinfo=UTC)
    (policy,) = await found("223_")
    assert (policy.method, policy.value, policy.tag_pattern, policy.tag_pattern_matches) == (
        "number_of_tags",
        20,
        "v.*",
        True,
    )
    assert [(one.target, one.event_config) for one in await found("331_")] == [
        ("https://hooks.example", None),
        ("team:owners", '{"vulnerability":{"priority":"High"}}'),
    ]
    trigger = await found("180_")
    assert (trigger.service, trigger.enabled, trigger.disabled_reason) == ("custom-git", True, "user_toggled")
    assert (trigger.build_source, trigger.dockerfile_path, trigger.context) == (
        "https://git.example.com/acme/api.git",
        "/Dockerfile",
        "/",
    )
    assert (await found("195_")).id == 4
    assert "listAllAggregateLogs" in (await found(EXCERPT)).operations


async def test_content_is_read_for_what_it_is() -> None:
    stable = (await found("076_"))[0]
    assert (stable.name, stable.reversion, stable.size_bytes) == ("stable", True, 205_542)
    assert (stable.start, stable.end) == (at(8, 18, 14), at(8, 18, 15))
    assert (await found("283_"))[0].end is None
    manifest = await found("123_")
    assert manifest.media_type == "application/vnd.oci.image.manifest.v1+json"
    assert (manifest.layers, manifest.layers_compressed_bytes) == (3, 405_613)
    assert [(one.key, one.source_type) for one in await found("185_")] == [("audit.team", "api")]
    (referrer,) = await found("305_")
    assert (referrer.artifact_type, referrer.size_bytes) == ("application/spdx+json", 674)
    scan = await found("114_")
    openssl, zlib = scan.features
    assert (scan.status, openssl.name, openssl.version, zlib.vulnerabilities) == (
        "scanned",
        "openssl",
        "1.1.1k-7",
        (),
    )
    assert [(one.severity, one.fixed_by) for one in openssl.vulnerabilities] == [
        ("Medium", "1:1.1.1k-9"),
        ("High", None),
        ("Critical", "1:1.1.1k-11"),
    ]
    assert [((await found(name)).status, (await found(name)).features) for name in ("116_", "117_", "120_")] == [
        ("unsupported", None),
        ("failed", None),
        ("queued", None),
    ]


async def test_repositories_and_sizes_are_read_for_what_they_are() -> None:
    web = (await found("069_"))[0]
    assert (web.namespace, web.name, web.kind, web.state) == ("acme", "web", "image", "NORMAL")
    assert web.last_modified == datetime.fromtimestamp(1_795_421_845, UTC)
    assert (web.popularity, web.quota_report.size_bytes, web.quota_report.limit_bytes) == (
        69.0,
        612_361,
        10_737_418_240,
    )
    details = await found("073_")
    assert {tag.name: tag.last_modified for tag in details.tags} == {"latest": at(8, 17, 25), "v1": at(8, 16, 33)}
    assert (details.stats[1].day, details.stats[1].count, len(details.stats)) == (date(2026, 11, 21), 9, 91)
    assert (details.tag_expiration_s, details.trust_enabled) == (1_209_600, False)
    assert ((await found("074_")).tags, (await found("074_")).stats) == (None, None)
    size = await found("061_")
    assert (size.size_bytes, size.last_ran) == (3_049_597, datetime.fromtimestamp(1_795_420_000, UTC))
    assert (await found("056_"))[0].quota_report.backfill_status == "complete"
    build = (await found("079_"))[0]
    assert (build.phase, build.started, build.trigger.service) == ("building", at(8, 32, 20), "github")
    assert (await found("166_")).progress.total_commands == 2
    logs = await found("168_")
    assert (logs.start, logs.total, logs.entries[1].message, logs.entries[1].type) == (3, 5, "complete", "phase")
    hit = (await found("243_"))[0]
    assert (hit.namespace, hit.name, hit.stars) == ("acme", "web", 1)
    assert [(one.name, one.kind) for one in await found("250_")][-1] == ("acme", "org")


async def test_a_limit_is_taken_out_of_the_quota_that_quay_answers_with() -> None:
    recorded = recording("195_")
    recorded["body"]["limits"].insert(0, {"id": 3, "type": "Warning", "limit_percent": 50})
    limit, _ = await outcome("getUserQuotaLimit", recorded)
    assert limit == QuotaLimit(4, "Reject", 90)
    recorded["body"]["limits"].pop()
    missing, _ = await outcome("getUserQuotaLimit", recorded)
    assert isinstance(missing, errors.NotFound)


async def test_archived_build_logs_are_named_and_their_address_is_not() -> None:
    recorded = recording("167_")
    recorded["body"] = {"logs_url": "https://files.example/logs?X-Amz-Signature=abc"}
    logs, _ = await outcome("getRepoBuildLogs", recorded)
    assert logs == BuildLogs(is_archived=True)
