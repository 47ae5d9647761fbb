"""How values are written. Text from a registry is hostile: what cannot be seen is made visible
here."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Any

NONE = "–"
NARROW_SPACE = "\u202f"
# Units of sizes and their bytes, the largest first.
UNITS = tuple(
    (name, 1024**power) for power, name in reversed(tuple(enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB"))))
)
_CODES = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U000[0-9a-f]{5}|\\U0010[0-9a-f]{4}")
_DIGEST = re.compile(r"\b(sha(?:256|384|512):[0-9a-f]{12})[0-9a-f]{52,}")
# Control, format (bidirectional overrides, zero-width), surrogate, private use, unassigned, line and paragraph
# separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """The text with each character that a terminal or page would obey, hide or reorder written as its code: `\\x1b`,
    `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_code(char) if unicodedata.category(char) in _UNSEEN else char for char in text)


def hidden(text: str) -> str:
    """The text that `visible` shows as this one: the codes of characters that cannot be seen are these characters again."""
    found = _CODES.sub(lambda code: chr(int(code[0][2:], 16)), text)
    return found if visible(found) == text else text


def _code(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def count(value: float | None) -> str:
    """`12,345`; `–` where it is not known."""
    return NONE if value is None or math.isnan(value) else f"{round(value):,}"


def ratio(value: float | None) -> str:
    """`3.4`; whole hundreds without a fraction."""
    if value is None or math.isnan(value):
        return NONE
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def share(value: float | None) -> str:
    """A fraction of one as `12.3 %`."""
    return NONE if value is None or math.isnan(value) else f"{value * 100:.1f}{NARROW_SPACE}%"


def change(value: float | None) -> str:
    """A relative change as `+12.3 %`; beyond a thousand per cent as a multiple, `× 14`."""
    if value is None or math.isnan(value):
        return NONE
    if value >= 10:
        return f"×{NARROW_SPACE}{value + 1:,.0f}"
    percent = round(value * 100, 1)
    return f"±0{NARROW_SPACE}%" if not percent else f"{percent:+.1f}{NARROW_SPACE}%".replace("-", "−")


def size(value: float | None) -> str:
    """Bytes as `1.4 GiB`; below a KiB as they are."""
    if value is None or math.isnan(value):
        return NONE
    unit, size_of = next(((name, number) for name, number in UNITS if abs(value) >= number), UNITS[-1])
    return f"{value / size_of:,.{0 if unit == 'B' else 1}f}{NARROW_SPACE}{unit}"


def moment(value: datetime | None) -> str:
    """`2026-11-21 13:05:09 UTC`."""
    return NONE if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def cell(value: Any, kind: str) -> str:
    """One value as its column's kind is written, for people."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "text":
        return visible(str(value))
    if isinstance(value, datetime):
        return moment(value) if value.tzinfo else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    writers = {"count": count, "ratio": ratio, "share": share, "change": change, "bytes": size}
    return writers[kind](value) if kind in writers else visible(str(value))


def short_digests(said: str) -> str:
    """The text with its digests as container tools write them: `sha256:0123456789ab`."""
    return _DIGEST.sub(r"\1", said)


def plural(number: int, noun: str) -> str:
    """`1 day`, `12,345 days`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
