"""How the pages are served: nothing reaches out, and a port that is taken is said before anything else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from quayledger.service.exit_codes import Exit
from quayledger.web import launch
from tests.cli.conftest import Run, environment
from tests.cli.conftest import run as run
from tests.web.conftest import _wait_for


class Outside:
    """What stands for the whole internet: a proxy that everything would have to pass, and that nothing may reach."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.reached: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        return {
            "HTTP_PROXY": url,
            "HTTPS_PROXY": url,
            "http_proxy": url,
            "https_proxy": url,
            "NO_PROXY": "",
            "no_proxy": "",
        }

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.reached.append(connection.recv(1000))


@pytest.fixture
def outside() -> Iterator[Outside]:
    found = Outside()
    yield found
    found.listener.close()


def test_a_foreign_origin_is_refused_and_nothing_is_asked_outside(tmp_path: Path, outside: Outside) -> None:
    port = launch.free_port("127.0.0.1")
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            launch.command(tmp_path / "ledger", "127.0.0.1", port),
            stdout=file,
            stderr=file,
            env={**environment(tmp_path / "ledger"), **outside.variables},
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", process, log)
        assert " 403 " in _handshake(port, "https://ledger.example.com")
        assert " 101 " in _handshake(port, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(60)
    assert outside.reached == []


def _handshake(port: int, origin: str) -> str:
    """The first line of the answer to a WebSocket's handshake."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            f"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        return connection.recv(1000).decode(errors="replace").splitlines()[0]


def test_a_port_that_is_taken_is_said_and_no_address_is_printed(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("app", "--port", port)
    assert done.returncode == Exit.BUSY
    assert f"port {port} on 127.0.0.1" in done.stderr and "app.port" in done.stderr
    assert "http://" not in done.stderr


def test_the_address_is_printed_once_the_pages_can_be_opened(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "quayledger", "app", "--port", "0"],
        env=environment(tmp_path / "ledger"),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        port = int(line.split(":")[3].split()[0])
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    finally:
        os.kill(process.pid, 15)
        process.wait(20)
        assert process.stderr is not None
        process.stderr.close()
