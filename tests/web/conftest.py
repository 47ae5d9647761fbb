"""Fixtures of the pages' tests: published ledgers, the app on each as people have it, one browser, and the app without
one."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from quayledger.web import launch
from tests.reports.alerts_sample import build_alerts
from tests.reports.completeness_sample import build_pipeline_ledger
from tests.reports.inventory_sample import build_inventory
from tests.reports.sample import build_ledger

APP = str(Path(__file__).resolve().parents[2] / "app.py")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"), reason="needs Chromium; CI has to have it"
)
Homes = Callable[[str], Path]
Open = Callable[..., AppTest]
_BUILDERS: Mapping[str, Callable[[Path], None]] = {
    "log": build_ledger,
    "alerts": build_alerts,
    "inventory": build_inventory,
    "completeness": build_pipeline_ledger,
}


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """The folder of the ledger of a name, built when it is first asked for."""

    @cache
    def home(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        _BUILDERS[name](folder)
        return folder

    return home


@pytest.fixture
def open_app(homes: Homes, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the app at a path and query, without a browser. `home`: the name of a ledger, or a folder."""

    def opened(
        path: str = "", query: str = "", *, home: str | Path = "log", state: Mapping[str, object] = {}
    ) -> AppTest:
        # AppTest looks through every installed package for components each time; this app has none.
        monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", lambda *_, **__: None)
        monkeypatch.setenv("QUAYLEDGER_HOME", str(homes(home) if isinstance(home, str) else home))
        tested = AppTest.from_file(APP, default_timeout=60)
        tested._page_hash = calc_hash(path) if path else ""  # AppTest opens pages that are files only.
        for name, values in parse_qs(query, keep_blank_values=True).items():
            tested.query_params[name] = values if len(values) > 1 else values[0]
        for name, value in state.items():
            tested.session_state[name] = value
        return tested.run()

    return opened


def said(tested: AppTest) -> str:
    """All that the page says, outside its tables and charts."""
    assert not tested.exception, tested.exception
    kinds = ("text", "caption", "code", "subheader")
    found = [str(element.value) for kind in kinds for element in getattr(tested, kind)]
    return "\n".join(found + [html.proto.body for html in tested.get("html")])


def days_of(tested: AppTest) -> tuple[date, date]:
    """The first and last day of the period that the bar shows."""
    value: Any = tested.date_input(key="bar-days").value
    first, last = value
    return first, last


@pytest.fixture(scope="session")
def addresses(homes: Homes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The address of the app on the ledger of a name, started as the launcher starts it, once."""
    with ExitStack() as stack:

        @cache
        def address(name: str) -> str:
            return stack.enter_context(_served(homes(name), tmp_path_factory.mktemp("app") / "log"))

        yield address


@contextmanager
def _served(home: Path, log: Path) -> Iterator[str]:
    port = launch.free_port("127.0.0.1")
    with log.open("wb") as file:
        process = subprocess.Popen(launch.command(home, "127.0.0.1", port), stdout=file, stderr=file)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", process, log)
        yield f"http://127.0.0.1:{port}"
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        process.wait(60)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"the app did not answer in time: {log.read_text()}")


# Per module: Playwright keeps an event loop running in the test's thread, in which other modules' tests could run none.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "CI has to have Chromium"
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One context for all pages of a module: a new one fetches and compiles Streamlit's scripts again."""
    with browser.new_context(
        viewport={"width": 1360, "height": 1500}, locale="en-GB", timezone_id="America/New_York"
    ) as opened:
        yield opened


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails its test on an error in the console or a request that leaves the machine."""
    context.clear_cookies()
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    faults: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # On an address with a path Streamlit first asks for its health below that path, and then at the root.
        if message.type == "error" and "404" not in message.text:
            faults.append(message.text)

    opened.on("console", listen)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    ours = ("http://127.0.0.1:", "data:", "blob:")
    opened.on("request", lambda asked: None if asked.url.startswith(ours) else faults.append(asked.url))
    yield opened
    body = opened.locator("body").inner_text()
    opened.evaluate("localStorage.clear()")
    opened.close()
    assert faults == []
    assert "Traceback" not in body


def drawn(page: Page) -> None:
    """Wait until the page is drawn: a click on what is being drawn anew is lost, whoever clicks."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)


def open_row(page: Page, row: int, table: int = 0) -> None:
    """Click the button in the first cell of a row (the first is 0) of a table."""
    grid = page.get_by_test_id("stDataFrame").nth(table)
    grid.locator("canvas").first.wait_for()
    drawn(page)
    grid.click(position={"x": 40, "y": 36 * (row + 1) + 18})
