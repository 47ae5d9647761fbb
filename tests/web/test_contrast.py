"""Text can be read: a contrast of at least 4.5 : 1 on light and dark ground, measured on the pages; at 800 px nothing is
lost."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from quayledger.reports.trust import LEVEL_COLOURS
from quayledger.web.widgets import MUTED
from tests.web.conftest import drawn, needs_chromium

LEAST = 4.5
# Streamlit's own grounds: of the page and of a control.
GROUNDS = {"light": ("#ffffff", "#f7f7f5"), "dark": ("#191a17", "#2a2a26")}
PAGES = {
    "alerts": (
        "/?period=2026-11-12..2026-11-21&find=alice",
        "/events?hour=Fri+09:00&bad=1&event=main-20261120-3",
        "/alerts?alert=1",
        "/investigate?name=alice",
        "/completeness?period=2026-11-12..2026-11-21",
    ),
    "inventory": ("/inventory?object=Repository&name=acme/web", "/credentials"),
}
# Each text that can be seen with the colour it has over the nearest ground that is not see-through.
_TEXTS = """() => {
  const parse = (text) => { const n = (text.match(/[\\d.]+/g) || []).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const over = (top, ground) => [0, 1, 2].map((i) => top[i] * top[3] + ground[i] * (1 - top[3]));
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    if (/^(STYLE|SCRIPT|TITLE)$/.test(element.tagName) || element.closest("[aria-hidden=true], [disabled], canvas, table")) continue;
    if (!element.getClientRects().length) continue;
    const layers = []; let opacity = 1;
    for (let at = element; at; at = at.parentElement) {
      layers.push(rgba(getComputedStyle(at).backgroundColor)); opacity *= Number(getComputedStyle(at).opacity);
    }
    let ground = [255, 255, 255]; for (const layer of layers.reverse()) ground = over(layer, ground);
    const colour = rgba(getComputedStyle(element).color); colour[3] *= opacity;
    found.push([text.slice(0, 60), over(colour, ground), ground]);
  }
  return found;
}"""


def _luminance(colour: list[float]) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: list[float], other: list[float]) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _rgb(text: str) -> list[float]:
    return [int(text[place : place + 2], 16) for place in (1, 3, 5)]


def test_our_own_colours_and_the_small_text_of_tables() -> None:
    for pair in [*LEVEL_COLOURS.values(), MUTED]:
        for colour, grounds in zip(pair, GROUNDS.values(), strict=True):
            assert min(_contrast(_rgb(colour), _rgb(ground)) for ground in grounds) >= LEAST, colour
    with (Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml").open("rb") as file:
        text = _rgb(tomllib.load(file)["theme"]["light"]["textColor"])
    # Streamlit draws the headers of tables and the axes of charts in the text's colour at 60 %.
    faded = [0.6 * part + 0.4 * 255 for part in text]
    assert _contrast(faded, _rgb("#ffffff")) >= LEAST


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_of_the_pages(browser: Browser, addresses: Callable[[str], str], scheme: str) -> None:
    page = browser.new_page(viewport={"width": 800, "height": 1200}, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(60_000)
    faint: list[str] = []
    for home, paths in PAGES.items():
        for path in paths:
            page.goto(addresses(home) + path)
            expect(page.get_by_test_id("coverage-badge")).to_be_visible(timeout=60_000)
            drawn(page)
            texts = page.evaluate(_TEXTS)
            assert len(texts) > 15
            seen = [(path, text, round(_contrast(colour, ground), 2)) for text, colour, ground in texts]
            faint += [str(one) for one in seen if one[2] < LEAST]
            # Nothing sticks out of the page to the right.
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
    assert faint == []
