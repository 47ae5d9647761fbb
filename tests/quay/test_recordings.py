"""Contract: every recorded log and count is parsed, every recorded error becomes the right member of the family."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from quayledger.collector.quay import discovery, errors, logs, repositories, superuser, users
from quayledger.collector.quay.scopes import Scope
from tests.quay.wire import RECORDINGS, client, recording, replay


def scope_of(path: str) -> Scope:
    parts = path.removeprefix("/api/v1/").split("/")
    if parts[0] in ("superuser", "user"):
        return Scope("superuser") if parts[0] == "superuser" else Scope("user", "me")
    return Scope.parse(f"{parts[0]}:{'/'.join(parts[1:-1])}")


def day(text: str) -> date:
    return datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007


def calls(ending: str) -> list[str]:
    names = []
    for path in sorted(RECORDINGS.glob("[0-9]*.json")):
        recorded = recording(path.stem)
        query = recorded["request"].get("query") or {}
        window = set(query) >= {"starttime", "endtime"} and query["starttime"].count("/") == 2
        if recorded["request"]["path"].endswith(ending) and recorded["status"] == 200 and window:
            names.append(path.stem)
    return names


@pytest.mark.parametrize("name", [name for name in calls("/logs") if "139" not in name])
async def test_every_recorded_list_is_read_whole(name: str) -> None:
    recorded = recording(name)
    query = recorded["request"]["query"]
    seen: dict[str, Any] = {}

    def handler(request: Any) -> Any:
        seen.update(request.url.params)
        assert request.url.path == recorded["request"]["path"]
        return replay(recorded)

    async with client(handler) as quay:
        scope = scope_of(recorded["request"]["path"])
        page = await logs.list_logs(
            quay, scope, day(query["starttime"]), day(query["endtime"]), next_page=query.get("next_page")
        )
    assert len(page.rows) == len(recorded["body"]["logs"])
    assert page.next_page == recorded["body"].get("next_page")
    assert seen == {key: value for key, value in query.items() if key in ("starttime", "endtime", "next_page")}


@pytest.mark.parametrize("name", calls("/aggregatelogs"))
async def test_every_recorded_count_is_read_whole(name: str) -> None:
    recorded = recording(name)
    query = recorded["request"]["query"]
    async with client(lambda _: replay(recorded)) as quay:
        first, last = day(query["starttime"]), day(query["endtime"])
        counts = await logs.aggregate_logs(quay, scope_of(recorded["request"]["path"]), first, last)
    assert list(counts) == [first + timedelta(days=number) for number in range((last - first).days + 1)]
    assert sum(sum(kinds.values()) for kinds in counts.values()) == sum(
        row["count"] for row in recorded["body"]["aggregated"]
    )


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("127_err_no_token", errors.Unauthenticated, "Requires authentication"),
        ("128_err_bad_token", errors.Unauthenticated, "expired or revoked"),
        ("130_err_insufficient_scope", errors.Forbidden, "Unauthorized"),
        ("132_err_unknown_org", errors.BadRequest, "Invalid namespace requested: nosuch"),
        ("135_err_unknown_repo", errors.NotFound, "Not Found"),
        ("136_err_unknown_performer", errors.ServerFailure, "a page of type text/html"),
        ("138_err_start_gt_end", errors.BadRequest, "could not understand"),
        ("140_iso_dates_silently_ignored", errors.WrongWindow, "asked for 2026-11-18"),
        ("142_err_range_too_long_agg_superuser_500", errors.ServerFailure, "text/html"),
        ("144_err_page_not_int", errors.BadRequest, "page: The page number"),
        ("146_err_404_unknown_path", errors.NotOffered, "text/html"),
        ("147_err_405", errors.BadRequest, "not allowed"),
        ("splunk_0_superuser_logs", errors.SearchUnavailable, "search_token"),
    ],
)
async def test_every_recorded_error_is_told_apart(name: str, kind: type[errors.QuayError], says: str) -> None:
    async with client(lambda _: replay(recording(name)), retries=0) as quay:
        with pytest.raises(kind) as caught:
            await logs.list_logs(quay, Scope("superuser"), date(2026, 11, 18), date(2026, 11, 18))
    assert type(caught.value) is kind
    assert says in str(caught.value)
    assert str(caught.value).startswith("main: superuser.list_logs")


async def test_the_families_that_doctor_needs_are_read() -> None:
    async with client(lambda _: replay(recording("096_user"))) as quay:
        me = await users.get_logged_in_user(quay)
        assert (me.username, [org.name for org in me.organizations], me.super_user) == ("admin", ["umbrella"], True)
    async with client(lambda _: replay(recording("058_superuser_users"))) as quay:
        assert {user.username: user.enabled for user in await superuser.list_users(quay)}["admin"]
    async with client(lambda _: replay(recording("056_superuser_organizations"))) as quay:
        assert "acme" in {org.name for org in await superuser.list_organizations(quay)}
    async with client(lambda _: replay(recording("069_repository_list_acme"))) as quay:
        assert ("acme", "web") in {
            (one.namespace, one.name) for one in await repositories.list_repositories(quay, "acme")
        }
    async with client(lambda _: replay(recording("314_discovery"))) as quay:
        assert "listOrgLogs" in (await discovery.get_discovery(quay)).operations


async def test_a_paged_list_is_read_to_its_end() -> None:
    first, second = recording("057_superuser_organizations_limit2"), recording("056_superuser_organizations")

    def handler(request: Any) -> Any:
        return replay(second if "next_page" in request.url.params else first)

    async with client(handler) as quay:
        found = await superuser.list_organizations(quay)
    assert len(found) == 2 + len(second["body"]["organizations"])
    assert quay.meter.requests == 2


async def test_a_window_that_would_merge_days_cannot_be_asked() -> None:
    async with client(lambda _: pytest.fail("nothing may be asked")) as quay:
        with pytest.raises(ValueError, match="28"):
            await logs.aggregate_logs(quay, Scope("superuser"), date(2026, 11, 1), date(2026, 11, 29))
