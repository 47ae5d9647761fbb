"""The choice between pages and an export, by cost and by what the settings allow. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

# What an export costs, in requests: itself, a job of the server's, a file, and a row in the log that it exports.
EXPORT_REQUESTS = 20

Mode = Literal["off", "repair", "prefer"]


class Choice(msgspec.Struct, frozen=True):
    """How days are read, why, and what that costs in requests (an export is reckoned as EXPORT_REQUESTS of them)."""

    method: Literal["pages", "export"]
    why: str
    requests: int


def choose(
    mode: Mode,
    *,
    pages: int,
    exports: int,
    counts: int = 0,
    is_over: bool = True,
    fell_short: bool = False,
    refused: str = "",
) -> Choice:
    """`pages`: what reading by pages takes. `exports`, `counts`: how many exports it would be instead, and how many requests
    finding out which. `fell_short`: pages were tried. `refused`: why exports are of no use here, '' where they may be."""
    cost = exports * EXPORT_REQUESTS + counts
    if mode == "off":
        return Choice("pages", "exports are off", pages)
    if not is_over:
        return Choice("pages", "no day that is over lacks anything", pages)
    if refused:
        return Choice("pages", refused, pages)
    if not exports:
        return Choice("pages", "nothing of it can be exported", pages)
    if fell_short:
        return Choice("export", "pages could not bring all of it", cost)
    if mode == "repair":
        return Choice("pages", "exports are for what pages cannot bring", pages)
    told = f"{_number(exports, 'export')}" + (f" and {_number(counts, 'count')}" if counts else "")
    if pages > cost:
        return Choice("export", f"{told} against {_number(pages, 'page')}", cost)
    return Choice("pages", f"{_number(pages, 'page')} against {told}", pages)


def _number(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
