"""Lists of another Quay, an odd one or a broken one: what can be read is read, what cannot be is counted."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quayledger.collector.quay import (
    app_tokens,
    errors,
    organizations,
    pull_statistics,
    repositories,
    search,
    security,
    tags,
)
from quayledger.collector.quay.operations import OPERATIONS
from quayledger.collector.quay.rows import Rows
from tests.quay.calls import recorded_calls
from tests.quay.replaying import outcome, recorded_body
from tests.quay.wire import client, recording, replay

BAD_ROWS: list[Any] = [7, None, "text", [], {}]
READ = [
    (operation, name)
    for operation, name in recorded_calls()
    if recorded_body(name)["status"] == 200 and name[:3] not in ("246", "311")  # a page beyond the last; a token
]
FUNCTIONS = {one.operation_id: one.function for one in OPERATIONS}
LISTS = [(operation, name) for operation, name in READ if FUNCTIONS[operation].startswith(("list_", "find_"))]


def widened(value: Any) -> Any:
    """The same with fields that nobody knows."""
    if isinstance(value, dict):
        known = {key: item if key == "event_config" else widened(item) for key, item in value.items()}
        return {**known, "of_a_later_version": {"a": [1]}}
    return [widened(item) for item in value] if isinstance(value, list) else value


def spoilt(body: Any) -> Any:
    """The same list with rows among its own that are none."""
    if isinstance(body, list):
        return [*BAD_ROWS, *body]
    key = next(key for key, value in body.items() if isinstance(value, list | dict))
    rows = body[key]
    if isinstance(rows, dict):
        return {**body, key: {**rows, **{f"bad {number}": row for number, row in enumerate(BAD_ROWS)}}}
    return {**body, key: [*BAD_ROWS, *rows]}


@pytest.mark.parametrize(("operation", "name"), LISTS, ids=lambda text: text[:40])
async def test_rows_that_are_none_are_counted_and_the_others_kept(operation: str, name: str) -> None:
    recorded = recorded_body(name)
    before, _ = await outcome(operation, recorded)
    assert isinstance(before, Rows)
    spoilt_one, _ = await outcome(operation, {**recorded, "body": spoilt(recorded["body"])})
    assert isinstance(spoilt_one, Rows)
    assert (spoilt_one.rows, len(spoilt_one.rejected)) == (before.rows, len(BAD_ROWS))
    assert all(reject.reason for reject in spoilt_one.rejected)


@pytest.mark.parametrize(("operation", "name"), READ, ids=lambda text: text[:40])
async def test_fields_of_a_later_version_change_nothing(operation: str, name: str) -> None:
    recorded = recorded_body(name)
    if isinstance(recorded["body"], dict) and any(isinstance(value, dict) for value in recorded["body"].values()):
        later = {
            key: widened(value) if not isinstance(value, dict) else value for key, value in recorded["body"].items()
        }
    else:
        later = widened(recorded["body"])
    before, _ = await outcome(operation, recorded)
    after, _ = await outcome(operation, {**recorded, "body": later})
    assert after == before


async def test_an_unreadable_time_is_a_reject_that_tells_no_value() -> None:
    rows = [{"uuid": "1", "created": "soonish"}, {"uuid": "2", "created": 1e300}, {"uuid": "3"}]
    async with client(lambda _: httpx.Response(200, json={"tokens": rows})) as quay:
        found = await app_tokens.list_app_tokens(quay)
    assert [token.uuid for token in found] == ["3"]
    assert len(found.rejected) == 2
    assert "$.created" in found.rejected[0].reason
    assert "soonish" not in repr(found)


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"members": 7}', b'{"members": {}', b"<html>"])
async def test_what_is_no_list_at_all_is_an_error(body: bytes) -> None:
    reply = httpx.Response(200, headers={"content-type": "application/json"}, content=body)
    async with client(lambda _: reply, retries=0) as quay:
        with pytest.raises((errors.NotAQuay, errors.BrokenReply)):
            await organizations.list_members(quay, "acme")


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
PARTS = NAMES.filter(lambda name: "/" not in name)


@given(NAMES, NAMES, st.lists(PARTS.filter(lambda part: part not in (".", "..")), min_size=2, max_size=4), NAMES)
def test_a_name_stays_one_name_whatever_it_holds(one: str, other: str, parts: list[str], tag: str) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        assert not request.url.query
        asked.append(request.url.raw_path.decode())
        return httpx.Response(404, json={})

    async def ask() -> None:
        async with client(handler, requests_per_second=1000) as quay:
            for call in (
                organizations.get_member(quay, one, other),
                pull_statistics.get_tag_pulls(quay, "/".join(parts), tag),
            ):
                with pytest.raises(errors.NotFound):
                    await call

    asyncio.run(ask())
    first, second = ([unquote(part) for part in path.split("/")] for path in asked)
    assert first == ["", "api", "v1", "organization", one, "members", other]
    assert second == ["", "api", "v1", "repository", *parts, "tag", tag, "pull_statistics"]


@pytest.mark.parametrize("name", ["ünï", "コン", "a b", "50%", "a+b", "what?", "#1", "a%2Fb"])
async def test_names_that_urls_have_a_meaning_for_are_sent_as_names(name: str) -> None:
    paths: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(unquote(request.url.raw_path.decode().rpartition("/")[2]))
        return httpx.Response(404, json={})

    async with client(handler) as quay:
        with pytest.raises(errors.NotFound):
            await organizations.get_organization(quay, name)
    assert paths == [name]


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_what_would_be_another_path_cannot_be_asked(name: str) -> None:
    async with client(lambda _: pytest.fail("nothing may be asked")) as quay:
        with pytest.raises(ValueError, match="URL path"):
            await organizations.get_organization(quay, name)
        for repository in (f"acme/{name}", f"acme/{name}/x"):
            with pytest.raises(ValueError, match="URL path"):
                await repositories.get_repository(quay, repository)
        with pytest.raises(ValueError, match="NAMESPACE"):
            await repositories.get_repository(quay, "acme")


class Registry:
    """The tags of a repository, newest first, and what happens to them between two pages."""

    def __init__(self, count: int, seed: int, *, most: int = 100, unrest: float = 0.25) -> None:
        self.tags = [self.tag(number) for number in range(count, 0, -1)]
        self.newest = count
        self.always = {tag["name"] for tag in self.tags}
        self.dice = random.Random(seed)
        self.most, self.unrest = most, unrest

    @staticmethod
    def tag(number: int) -> dict[str, Any]:
        return {"name": f"t{number}", "start_ts": 1000 + number, "manifest_digest": f"sha256:{number}"}

    def change(self) -> None:
        """Some come, some go, one ends."""
        for _ in range(self.dice.choice((0, 0, 1, 5, 2 * self.most))):
            self.newest += 1
            self.tags.insert(0, self.tag(self.newest))
        for _ in range(min(len(self.tags), self.dice.choice((0, 1, 3, self.most // 2)))):
            gone = self.tags.pop(self.dice.randrange(len(self.tags)))
            self.always.discard(gone["name"])
        if self.tags:
            self.dice.choice(self.tags)["end_ts"] = 9_999

    def __call__(self, request: httpx.Request) -> httpx.Response:
        number, limit = int(request.url.params["page"]), min(int(request.url.params["limit"]), self.most)
        begin = (number - 1) * limit
        more = len(self.tags) > begin + limit
        body = {"tags": self.tags[begin : begin + limit], "page": number, "has_additional": more}
        answer = httpx.Response(200, content=json.dumps(body), headers={"content-type": "application/json"})
        if self.dice.random() < self.unrest:
            self.change()
        return answer


async def read_tags(wire: Any) -> tuple[Rows[tags.Tag], int]:
    async with client(wire, requests_per_second=1000, retries=0) as quay:
        return await tags.list_tags(quay, "acme/web"), quay.meter.requests


@settings(derandomize=True, deadline=None)  # under the worst of luck it may also say that the list would not keep still
@given(st.integers(0, 450), st.integers(0, 2**32), st.sampled_from([100, 50, 20]))
def test_no_tag_is_lost_or_doubled_while_tags_come_and_go(count: int, seed: int, most: int) -> None:
    registry = Registry(count, seed, most=most)
    found, _ = asyncio.run(read_tags(registry))
    names = [tag.name for tag in found]
    assert len(set(names)) == len(names)
    assert registry.always <= set(names)


async def test_a_quiet_list_costs_hardly_more_pages_than_it_fills() -> None:
    registry = Registry(1000, 0, unrest=0)
    found, requests = await read_tags(registry)
    assert (len(found), requests) == (1000, 11)


@given(st.lists(st.integers(1, 5), max_size=120))
def test_equal_tags_are_all_kept(times: list[int]) -> None:
    registry = Registry(0, 0, most=20, unrest=0)
    registry.tags = [registry.tag(1000 - number) for number, count in enumerate(times) for _ in range(count)]
    found, _ = asyncio.run(read_tags(registry))
    assert len(found) == sum(times)


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_tags_that_come_page_after_page_without_end_are_an_error(size: int) -> None:
    page = {"tags": [Registry.tag(number) for number in range(size)], "page": 1, "has_additional": True}
    with pytest.raises(errors.BrokenReply, match="do not join"):
        await read_tags(lambda _: httpx.Response(200, json=page))


def found_repository(number: int) -> dict[str, Any]:
    return {"name": f"r{number}", "namespace": {"name": "acme"}, "kind": "repository"}


async def test_a_search_ends_where_quay_shows_no_more() -> None:
    def last_page_is_three(request: httpx.Request) -> httpx.Response:
        number = min(int(request.url.params["page"]), 3)
        rows = [found_repository(row) for row in range(number * 10, number * 10 + 11)]
        return httpx.Response(200, json={"results": rows, "page": number, "has_additional": True})

    async with client(last_page_is_three) as quay:
        found = await search.find_repositories(quay, "r")
    assert [one.name for one in found] == [f"r{number}" for number in range(10, 41)]
    assert quay.meter.requests == 4

    page = {"results": [found_repository(1)], "has_additional": True}
    async with client(lambda _: httpx.Response(200, json=page), retries=0) as quay:
        with pytest.raises(errors.BrokenReply, match="repeats an earlier page"):
            await search.find_repositories(quay, "r")


async def test_an_empty_page_is_no_repetition_but_does_not_go_on_for_ever() -> None:
    pages = [[], [], [{"namespace": "acme", "name": "web"}]]

    def handler(request: httpx.Request) -> httpx.Response:
        left = len(pages)
        return httpx.Response(
            200, json={"repositories": pages.pop(0), **({"next_page": f"t{left}"} if left > 1 else {})}
        )

    async with client(handler) as quay:
        assert len(await repositories.list_visible_repositories(quay)) == 1
    empty = {"repositories": [], "next_page": "again"}
    async with client(lambda _: httpx.Response(200, json=empty), retries=0, requests_per_second=1000) as quay:
        with pytest.raises(errors.BrokenReply, match="do not end"):
            await repositories.list_visible_repositories(quay)
    assert quay.meter.requests == 50


async def test_a_feature_that_is_off_is_told_from_a_thing_that_is_not_there() -> None:
    page = replay(recording("146_"))

    def off(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        return page if path.endswith("/") else httpx.Response(308, headers={"location": f"{path}/"})

    async with client(off) as quay:
        with pytest.raises(errors.NotOffered) as caught:
            await pull_statistics.get_tag_pulls(quay, "acme/web", "latest")
    assert (caught.value.status, isinstance(caught.value, errors.NotAQuay)) == (404, True)
    async with client(lambda _: replay(recording("287_"))) as quay:
        with pytest.raises(errors.NotFound):
            await pull_statistics.get_tag_pulls(quay, "acme/web", "latest")


async def test_a_scanner_that_is_down_is_asked_twice_at_most() -> None:
    down = {"detail": "downstream", "error_type": "downstream_issue", "status": 520}
    async with client(lambda _: httpx.Response(520, json=down), retries=5) as quay:
        with pytest.raises(errors.ServerFailure, match="downstream_issue"):
            await security.get_manifest_security(quay, "acme/web", "sha256:1")
    assert quay.meter.requests == 2


async def test_another_refusal_with_400_stays_one() -> None:
    async with client(lambda _: httpx.Response(400, json={"message": "Invalid repository name"})) as quay:
        with pytest.raises(errors.BadRequest):
            await repositories.get_repository(quay, "acme/web")
