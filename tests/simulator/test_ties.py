"""Pages over whole-second stamps lose what was measured on a real Quay; pages over Elasticsearch lose nothing."""

from __future__ import annotations

import random

import pytest

from quayledger.simulator.clock import SECOND_US
from quayledger.simulator.models import DatabaseLogs, ElasticsearchLogs, LogsModel, Window
from quayledger.simulator.table import Row, Selection, Table

EVER = Window(0, 10**18, 10**18)
ROWS = 3000


def _returned(model: LogsModel, max_page: int | None = None) -> list[int]:
    """The sizes of a whole chain of pages."""
    sizes, token = [], None
    while True:
        found = model.page(Selection(), EVER, token, max_page)
        sizes.append(len(found.rows))
        token = found.token
        if token is None:
            return sizes


def _rows(stamps: list[int]) -> list[Row]:
    return [Row(stamp_us, "pull_repo", 1) for stamp_us in sorted(stamps)]


def _database(stamps: list[int]) -> DatabaseLogs:
    return DatabaseLogs([Table(_rows(stamps))])


MEASURED = {1: 3000, 2: 3000, 3: 1020, 5: 3000, 19: 340, 20: 3000, 21: 340, 25: 640, 40: 1520, 50: 660, 100: 680}


@pytest.mark.parametrize(("size", "returned"), MEASURED.items())
def test_bursts_lose_as_measured(size: int, returned: int) -> None:
    bursts = [n // size * SECOND_US for n in range(ROWS)]
    assert sum(_returned(_database(bursts))) == returned
    assert sum(_returned(ElasticsearchLogs(_rows(bursts)))) == ROWS


@pytest.mark.parametrize(
    ("rate", "least", "most"), [(0.2, 500, 1600), (0.5, 450, 900), (1, 380, 760), (2, 340, 560), (20, 320, 400)]
)
def test_steady_rates_lose_about_as_measured(rate: float, least: int, most: int) -> None:
    rng = random.Random(7)
    stamps = [int(rng.random() * ROWS / rate) * SECOND_US for _ in range(ROWS)]
    assert least <= sum(_returned(_database(stamps))) <= most
    apart = [n * SECOND_US + 1 for n in range(ROWS)]
    assert sum(_returned(_database(apart))) == ROWS


def test_the_last_page_is_empty_and_the_page_limit_is_silent() -> None:
    chains = {count: _returned(_database(list(range(count)))) for count in (0, 5, 40, 45)}
    assert chains == {0: [0], 5: [5, 0], 40: [20, 20, 0], 45: [20, 20, 5, 0]}
    assert _returned(_database(list(range(500))), max_page=2) == [20, 20, 20, 0]
    assert _returned(ElasticsearchLogs(_rows([n * 1000 for n in range(45)]))) == [20, 20, 5]


def test_legacy_tables_end_only_while_they_fit_on_a_page() -> None:
    newer, older = [Row(10**9 + n, "push_repo", 1) for n in range(25)], _rows(list(range(60)))
    assert _returned(DatabaseLogs([Table(newer), Table(older[:15])])) == [20, 5, 15, 0]
    model, token, seen = DatabaseLogs([Table(newer), Table(older)]), None, []
    for _ in range(14):
        found = model.page(Selection(), EVER, token, None)
        seen.append(found.rows)
        token = found.token
    assert token is not None
    assert len(set(seen[2:])) == 1


def test_rows_at_a_stamp_being_paged_push_others_out() -> None:
    model, token, seen = _database([SECOND_US] * 100), None, []
    for page in range(9):
        found = model.page(Selection(), EVER, token, None)
        seen += [row for _, row in found.rows]
        token = found.token
        if page == 1:
            model.tables[0].load(_rows([SECOND_US] * 7))
        if token is None:
            break
    assert len(seen) > len(set(seen))
