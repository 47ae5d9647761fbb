"""How mirroring goes: Quay says that it goes badly with a 503 that is an answer, and a proxy says 503 where there is no Quay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from quayledger.collector.quay import errors, mirrors
from quayledger.collector.quay.client import QuayClient
from quayledger.settings import SourceSettings
from tests.quay.wire import client

_BODY = {
    "healthy": False,
    "workers": {"active": 0, "configured": 1, "status": "degraded"},
    "repositories": {"total": 5, "syncing": 1, "completed": 1, "failed": 2, "never_run": 1},
    "tags_pending": 12,
    "last_check": "2026-08-21T00:00:00Z",
    "issues": [{"severity": "critical", "message": "x"}],
}


@pytest.mark.parametrize("status", [200, 503])
async def test_an_unhealthy_answer_is_a_reading(status: int) -> None:
    async with client(lambda _: httpx.Response(status, json=_BODY)) as quay:
        found = await mirrors.get_mirror_health(quay)
        assert (found.is_healthy, found.failed, found.mirrors, found.pending_tags) == (False, 2, 5, 12)
        assert found.worker_status == "degraded"
        assert {one.outcome for one in quay.meter.spent()} == {"ok"}


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(503, text="<html>no server is available</html>", headers={"content-type": "text/html"}),
        httpx.Response(503, json={"message": "maintenance"}),
    ],
)
async def test_another_503_is_a_server_that_is_not_there(reply: httpx.Response) -> None:
    async with client(lambda _: reply) as quay:
        with pytest.raises(errors.ServerFailure) as caught:
            await mirrors.get_mirror_health(quay)
        assert caught.value.status == 503


async def test_the_stand_in_answers_as_quay_does(start_simulator: Callable[..., Any]) -> None:
    quay = start_simulator("--events", "50")
    quay.control("features", mirror_health=True)
    source = SourceSettings(
        url=quay.url, token=SecretStr(quay.tokens["superuser"]), retries=0, requests_per_second=1000
    )
    async with QuayClient("main", source) as opened:
        found = await mirrors.get_mirror_health(opened)
    assert found.mirrors is not None
    assert found.is_healthy == ((found.failed or 0) <= 0.2 * found.mirrors)
