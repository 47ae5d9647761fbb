"""The quick part of judging: a month in which every incident is planted once, and a quiet one. `make judge` does more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.detections.judge import judge


@pytest.mark.parametrize("shapes", [1, 0])
def test_what_is_planted_is_found_and_little_else(tmp_path: Path, shapes: int) -> None:
    month = judge(tmp_path, 31, events=6_000, shapes=shapes, with_register=False)
    planted = sum(score.planted for score in month.scores.values())
    assert planted > 20 if shapes else planted == 0
    assert {rule_id: score.missed for rule_id, score in month.scores.items() if score.missed} == {}
    assert {rule_id: score.false for rule_id, score in month.scores.items() if score.false} == {}
