"""What this client can ask is the whole reference, and nothing that changes a registry."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import httpx
import pytest

from quayledger.collector.quay import errors, installation, mirrors, paths, repositories, superuser
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.operations import OPERATIONS, SENT
from tests.quay.calls import reference
from tests.quay.wire import client, recording, replay

HOME = Path(inspect.getfile(QuayClient)).parent


def test_every_operation_of_the_reference_is_there_and_can_be_called() -> None:
    held = {(one.chapter, one.operation_id, one.method, one.path) for one in OPERATIONS}
    assert {(row["chapter"], row["operation"], row["method"], row["path"]) for row in reference()} <= held
    assert len({one.operation_id for one in OPERATIONS}) == len(OPERATIONS)
    for one in OPERATIONS:
        module = importlib.import_module(f"quayledger.collector.quay.{one.module}")
        assert inspect.iscoroutinefunction(attrgetter(one.function)(module)), one


def test_every_public_function_of_a_family_is_an_operation() -> None:
    known = {(one.module, one.function) for one in OPERATIONS}
    known |= {("repositories", f"list_{kind}_repositories") for kind in ("visible", "starred")}  # three forms of one
    families = {one.module for one in OPERATIONS} - {"client"}
    for family in families:
        module = importlib.import_module(f"quayledger.collector.quay.{family}")
        made_here = {
            name
            for name, value in vars(module).items()
            if inspect.iscoroutinefunction(value) and value.__module__ == module.__name__ and name[0] != "_"
        }
        assert {(family, name) for name in made_here} <= known


def test_nothing_is_sent_but_exports_and_the_sum_of_the_registry() -> None:
    assert {one.operation_id for one in OPERATIONS if one.method != "GET"} == SENT
    assert {one.method for one in OPERATIONS} == {"GET", "POST"}


def test_the_client_has_no_other_way_to_send() -> None:
    public = {name for name, value in vars(QuayClient).items() if inspect.isfunction(value) and name[0] != "_"}
    assert public == {"get", "get_v2", "ask_export", "queue_registry_size_calculation", "server_now", "read_claims"}
    used = {
        node.attr
        for path in HOME.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "_http"
    }
    assert used == {"build_request", "send", "__aenter__", "__aexit__"}
    sent = [
        node.args[1]
        for node in ast.walk(ast.parse((HOME / "client.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_exchange_once"
    ]
    assert {node.value for node in sent if isinstance(node, ast.Constant)} == {"GET", "POST"}
    assert all(isinstance(node, ast.Constant) for node in sent)


NO_EXPORTS = ["/user/starred", "/organization/acme/exportlogs/x", "/exportlogs", "/repository/web/exportlogs", "/superuser/exportlogs"]  # fmt: skip


@pytest.mark.parametrize("path", NO_EXPORTS)
async def test_a_post_to_anything_else_cannot_be_asked(path: str) -> None:
    async with client(lambda _: pytest.fail("nothing may be sent")) as quay:
        with pytest.raises(ValueError, match="no other POST"):
            await quay.ask_export("x", path, {}, {}, lambda reply: reply)
        for other in (path, "/superuser/registrysize", "/superuser/registrysize//", "/superuser/registrysize/?x"):
            with pytest.raises(ValueError, match="no other POST"):
                await quay.queue_registry_size_calculation("x", other)


@pytest.mark.parametrize(
    ("name", "is_queued"), [("299_registrysize_post", True), ("300_registrysize_post_again", False)]
)
async def test_a_sum_is_queued_once(name: str, is_queued: bool) -> None:
    asked: list[tuple[str, str, bytes]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path, request.content))
        return replay(recording(name))

    async with client(handler) as quay:
        assert await superuser.queue_registry_size_calculation(quay) is is_queued
    assert asked == [("POST", "/api/v1/superuser/registrysize/", b"{}")]


def _refuse(status: int) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json={})


@pytest.mark.parametrize(
    ("status", "kind", "asked"),
    [
        (403, errors.Forbidden, 1),
        (500, errors.ServerFailure, 1),
        (502, errors.ServerFailure, 1),
        (429, errors.Throttled, 4),
    ],
)
async def test_what_is_no_read_is_sent_again_only_where_it_was_turned_away(
    status: int, kind: type[errors.QuayError], asked: int
) -> None:
    async with client(_refuse(status), retries=3) as quay:
        with pytest.raises(kind):
            await superuser.queue_registry_size_calculation(quay)
    assert quay.meter.requests == asked


@pytest.mark.parametrize(
    ("repository", "suffix", "other"),
    [
        ("acme/tools/build", "", "acme/tools"),
        ("acme/tools/build", "mirror", "acme/tools"),
        ("acme/tools/build", "tag/", ""),
        ("acme/a/b/logs", "", "acme/a/b"),
        ("acme/a/logs", "mirror", ""),
        ("acme/build", "", ""),
        ("acme/tools/builder", "", ""),
    ],
)
def test_a_repository_called_like_an_operation_is_recognised(repository: str, suffix: str, other: str) -> None:
    assert paths.shadow(repository, suffix) == other


async def test_a_repository_called_like_an_operation_is_not_asked_for() -> None:
    async with client(lambda _: pytest.fail("nothing may be sent")) as quay:
        for read in (repositories.get_repository, mirrors.get_mirror):
            with pytest.raises(errors.Shadowed, match="answers for acme/tools where acme/tools/build is asked for"):
                await read(quay, "acme/tools/build")


async def test_of_the_configuration_only_named_keys_are_read() -> None:
    secret = "planted-s3cr3t"
    config = {
        "LOGS_MODEL": "database",
        "ACTION_LOG_MAX_PAGE": secret,
        "FEATURE_LOG_EXPORT": True,
        "DISABLED_FOR_PULL_LOGS": ["scratch"],
        "MAIL_PASSWORD": secret,
        "LOGS_MODEL_CONFIG": {"hec_token": secret},
    }
    body = {"config": config, "warning": {"X": secret}, "env": {"DB_PASSWORD": secret}, "schema": {}}
    async with client(lambda _: httpx.Response(200, json=body)) as quay:
        found = await installation.get_log_config(quay)
    assert (found.logs_model, found.feature_log_export, found.disabled_for_pull_logs) == (
        "database",
        True,
        ("scratch",),
    )
    assert found.action_log_max_page is None
    assert secret not in repr(found)
