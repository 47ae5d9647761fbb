"""Faults happen as they are ordered, and the process ends as it should."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Simulated

Start = Callable[..., Simulated]
DAYS = ("--days", "2", "--end", "2026-11-20")


@pytest.fixture(scope="module")
def quay(start_simulator: Start) -> Simulated:
    return start_simulator("--events", "200", *DAYS)


def _get(quay: Simulated, **params: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {quay.tokens['superuser']}"}
    params = {"starttime": "11/19/2026", "endtime": "11/20/2026", **params}
    return httpx.get(f"{quay.url}/api/v1/superuser/logs", params=params, headers=headers)


@pytest.mark.parametrize(
    ("fault", "status"),
    [("throttle", 429), ("error", 500), ("bad_gateway", 502), ("unavailable", 503), ("gateway_timeout", 504)],
)
def test_refusals(quay: Simulated, fault: str, status: int) -> None:
    quay.control("faults", rates={fault: 1}, times=1)
    refused = _get(quay)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "text/html")
    assert "retry-after" not in refused.headers
    assert _get(quay).status_code == 200


def test_other_faults(quay: Simulated) -> None:
    quay.control("reset")
    quay.control("faults", rates={"throttle_retry_after": 1}, retry_after_seconds=7, times=1)
    assert _get(quay).headers["retry-after"] == "7"
    for broken in ("drop", "cut"):
        quay.control("faults", rates={broken: 1}, times=1)
        with pytest.raises(httpx.RemoteProtocolError):
            _get(quay)
    quay.control("faults", rates={"wrong_json": 1}, times=1)
    assert "logs" not in _get(quay).text[:12]
    first = _get(quay).json()
    quay.control("faults", rates={"first_page_again": 1}, times=1)
    assert _get(quay, next_page=first["next_page"]).json()["logs"] == first["logs"]
    stats = quay.control("stats")
    assert (stats["total"], stats["faults"]["drop"]) == (6, 1)
    with pytest.raises(httpx.HTTPStatusError):
        httpx.post(f"{quay.url}/__simulator__/faults", json={"rates": {"nosuch": 1}}).raise_for_status()


def test_tokens_can_be_revoked_and_the_clock_is_its_own(start_simulator: Start) -> None:
    quay = start_simulator("--events", "10", *DAYS, "--now", "2026-11-21T12:00:00Z")
    reply = _get(quay)
    assert reply.headers["date"].startswith("Sat, 21 Nov 2026 12:00:")
    quay.control("revoke", token=quay.tokens["superuser"])
    assert _get(quay).status_code == 401


def test_it_ends_cleanly(start_simulator: Start) -> None:
    quay = start_simulator("--events", "10", *DAYS)
    quay.process.send_signal(signal.SIGTERM)
    assert quay.process.wait(10) == 0


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [
        sys.executable,
        "-m",
        "quayledger.simulator",
        "--with-parent",
        "--events",
        "0",
        "--ready-file",
        str(ready),
    ]
    parent = (
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen({command!r}, stdout=sys.stdout)\n"
        f"while not pathlib.Path({str(ready)!r}).exists(): time.sleep(0.02)\n"
    )
    # the pipe closes only when the grandchild, which holds it too, has ended
    subprocess.run([sys.executable, "-c", parent], stdout=subprocess.PIPE, check=True, timeout=30)


@pytest.mark.parametrize(
    "args",
    [["--scenario", "nosuch"], ["--scenario", "steady:100", "--events", "9", "--end", "2999-01-01"], ["--days", "0"]],
)
def test_wrong_usage(args: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quayledger.simulator", *args], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert "error:" in done.stderr
