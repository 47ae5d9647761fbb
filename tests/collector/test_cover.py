"""The cover: never two scopes that count an event twice, never a day made of two covers."""

from __future__ import annotations

from datetime import date

import pytest

from quayledger.collector.errors import BadCover
from quayledger.collector.log.cover import cover_of, next_cover, parse_scopes, widen
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.sources import CoverRow

TODAY, FIRST = date(2026, 11, 24), date(2026, 10, 24)
ACME, GLOBEX, ME = Scope("organization", "acme"), Scope("organization", "globex"), Scope("user", "alice")
WEB, SUPERUSER = Scope("repository", "acme/web"), Scope("superuser")


def row(version: int, day: date, *scopes: Scope) -> CoverRow:
    return CoverRow(version, day, tuple(sorted(scope.text for scope in scopes)), (), "found")


def test_the_first_cover_reaches_back_and_a_grown_one_too() -> None:
    first = next_cover((), (ACME, ME), TODAY, FIRST, "found")
    assert first is not None
    assert (first.version, first.from_day, first.scopes) == (1, FIRST, ("organization:acme", "user:alice"))
    assert "service_key_create" in first.hidden_kinds
    assert cover_of(date(2020, 1, 1), (first,)) == first
    assert next_cover((first,), (ME, ACME), TODAY, FIRST, "found") is None
    grown = next_cover((first,), (ACME, GLOBEX, ME), TODAY, FIRST, "found")
    assert grown is not None and (grown.version, grown.from_day) == (2, FIRST)


def test_any_other_change_counts_from_tomorrow() -> None:
    before = row(1, FIRST, ACME, ME)
    changed = next_cover((before,), (SUPERUSER,), TODAY, FIRST, "found")
    assert changed is not None and changed.from_day == date(2026, 11, 25)
    assert cover_of(TODAY, (before, changed)) == before
    assert cover_of(date(2026, 11, 25), (before, changed)) == changed


def test_what_is_refused_today_stays_and_the_wider_of_two_is_kept() -> None:
    before = (row(1, FIRST, ACME, WEB),)
    assert widen((row(1, FIRST, GLOBEX, WEB),), (ACME,)) == (ACME, GLOBEX)
    assert set(widen(before[:0], (WEB, ME))) == {WEB, ME}
    assert widen((row(1, FIRST, ACME, GLOBEX),), (ACME,)) == (ACME, GLOBEX)
    assert widen((row(1, FIRST, ACME, ME),), (SUPERUSER,)) == (SUPERUSER,)


@pytest.mark.parametrize(
    "texts", [("superuser", "organization:acme"), ("organization:a", "repository:a/b"), ("team:x",)]
)
def test_scopes_that_overlap_or_are_none_are_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(BadCover, match=r"sources\.main\.scopes"):
        parse_scopes("main", texts)
