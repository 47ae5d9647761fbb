"""SQL stays in the warehouse: everybody else asks its functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ROOMS = ("collector", "reports", "service", "web", "quayledger/cli")
_SQL = re.compile(
    r"\bSELECT\b.+\bFROM\b|\bINSERT INTO\b|\bDELETE FROM\b|\bUPDATE\b.+\bSET\b|\b(?:CREATE|ALTER|DROP) (?:TABLE|VIEW)\b",
    re.DOTALL,
)


def _statements(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQL.search(node.value):
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_only_the_warehouse_writes_sql() -> None:
    # What people decided is kept apart from the record, in a SQLite file that the desk alone knows.
    desk = ROOT / "reports" / "desk"
    files = [path for room in _ROOMS for path in sorted((ROOT / room).rglob("*.py")) if desk not in path.parents]
    assert len(files) > 100
    assert [place for path in files for place in _statements(path)] == []
