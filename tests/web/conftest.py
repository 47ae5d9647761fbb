"""Fixtures of the pages' tests: one published ledger, the same as the reports have, and the app on it as people have it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from quayledger.web import launch
from tests.reports.sample import build_ledger

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"), reason="needs Chromium; CI has to have it"
)


@pytest.fixture(scope="session")
def ledger_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("pages-ledger")
    build_ledger(home)
    return home


@pytest.fixture(scope="module")
def address(ledger_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app, started as the launcher starts it."""
    port = launch.free_port("127.0.0.1")
    log = tmp_path_factory.mktemp("app") / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(launch.command(ledger_home, "127.0.0.1", port), stdout=file, stderr=file)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", process, log)
        yield f"http://127.0.0.1:{port}"
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(150):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"the app did not answer in time: {log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "CI has to have Chromium"
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that fails its test on an error in the console or a request that leaves the machine."""
    opened = browser.new_page(viewport={"width": 1360, "height": 1500}, locale="en-GB", timezone_id="America/New_York")
    opened.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    faults: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # On an address with a path Streamlit first asks for its health below that path, and then at the root.
        if message.type == "error" and "404" not in message.text:
            faults.append(message.text)

    opened.on("console", listen)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "request", lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else faults.append(asked.url)
    )
    yield opened
    body = opened.locator("body").inner_text()
    opened.close()
    assert faults == []
    assert "Traceback" not in body
