"""Labels for people: an object's name from its key, a value as text. Pure expressions over frames."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from quayledger.warehouse.catalog import Type

_TIME = "%Y-%m-%dT%H:%M:%SZ"
# What goes before a part of a key in an object's name; anything else is set apart by a space.
_BEFORE = {"repository": "/", "team": "/", "tag": ":"}
# Tells objects apart that people do not.
_UNSAID = ("ordinal",)


def text_of(name: str, kind: Type) -> pl.Expr:
    """A column as text: times as ISO 8601 in UTC, flags as true and false; null stays null."""
    column = pl.col(name)
    return column.dt.strftime(_TIME) if kind == pl.Datetime else column.cast(pl.String)


def object_of(key: Mapping[str, Type]) -> pl.Expr:
    """An object's name, such as `acme/web user alice`, `acme/web:v1 2026-10-05T09:00:00Z sha256:…`, `acme/qa bob`."""
    parts: list[pl.Expr] = []
    for name, kind in key.items():
        if name not in _UNSAID:
            text = text_of(name, kind)
            sign = _BEFORE.get(name, " ") if parts else ""
            parts.append(pl.when(text != "").then(pl.lit(sign) + text))
    return pl.concat_str(parts, ignore_nulls=True).str.strip_chars_start(" ")


def key_of(key: Mapping[str, Type]) -> pl.Expr:
    """An object's key as a JSON object; times are texts, numbers numbers."""
    return pl.struct(
        pl.col(name) if kind == pl.Int64 else text_of(name, kind).alias(name) for name, kind in key.items()
    ).struct.json_encode()


def told_of(values: Mapping[str, Type]) -> pl.Expr:
    """What is known of an object, such as `role write`; null where nothing is."""
    texts = [text_of(name, kind) for name, kind in values.items()]
    if not texts:
        return pl.lit(None, dtype=pl.String)
    said = [pl.when(text != "").then(pl.lit(f"{name} ") + text) for name, text in zip(values, texts, strict=True)]
    told = pl.concat_str(said, separator="; ", ignore_nulls=True)
    return pl.when(told != "").then(told)
