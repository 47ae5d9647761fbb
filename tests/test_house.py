"""The house itself: who imports whom at the top level, docs that match the code, files that stand alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("collector", "quayledger", "reports", "service", "simulator", "warehouse", "web")
SOURCES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if not (ROOT / room / path.relative_to(ROOT / room).parts[0]).is_symlink()
)
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (*SOURCES, *sorted(ROOT.glob("*.py")))}
SQL = re.compile(
    r"\bSELECT\b.+\bFROM\b|\bINSERT INTO\b|\bDELETE FROM\b|\bUPDATE\b.+\bSET\b|\b(?:CREATE|ALTER|DROP) (?:TABLE|VIEW)\b",
    re.DOTALL,
)
ONE_TOPIC = {
    # the same thing, in the layers that ask for it, keep it, report it and show it
    *(
        "alerts",
        "app",
        "charts",
        "completeness",
        "coverage",
        "demo",
        "events",
        "manifests",
        "organizations",
        "overview",
        "plan",
    ),
    *("repositories", "sources", "tags", "usage", "Organization", "User"),
    # the same part, one in each wing or package
    *("common", "errors", "model", "registry", "report", "store"),
}
TOP = {
    # module: what must not be loaded by importing it; a name without a dot is a room of ours or a library
    "settings": {"collector", "duckdb", "httpx", "polars", "reports", "streamlit", "warehouse"},
    "warehouse.ledger": {"collector", "httpx", "reports", "streamlit", "service"},
    "collector.sync": {"reports", "streamlit", "service", "web", "typer"},
    "reports.registry": {"collector", "httpx", "streamlit", "service", "typer"},
    "simulator.__main__": {"collector", "warehouse", "reports", "settings", "duckdb", "polars"},
}


@pytest.mark.parametrize(("module", "strangers"), TOP.items(), ids=TOP.keys())
def test_what_a_room_loads(module: str, strangers: set[str]) -> None:
    code = f"import sys; import quayledger.{module}; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {name.removeprefix("quayledger.") for name in loaded.split()}
    assert strangers & names == set()


def test_every_module_says_what_it_is_for() -> None:
    mute = [str(path.relative_to(ROOT)) for path, tree in TREES.items() if not ast.get_docstring(tree)]
    assert mute == []


def test_only_the_command_line_prints_or_exits() -> None:
    alone = {ROOT / "simulator" / "__main__.py", ROOT / "quayledger" / "verifier.py"}
    fronts = {*alone, *(ROOT / "quayledger" / "cli").rglob("*.py")}
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in TREES.items()
        if path not in fronts
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit", "exit", "os._exit")
    ]
    assert guilty == []


def test_sql_is_written_in_the_warehouse_alone() -> None:
    """The desk is a small SQLite file of its own; the verifier reads the ledger without any of our code; the stand-in gives
    hostile names."""
    homes = ("warehouse/", "reports/desk/", "quayledger/verifier.py", "simulator/generate/names.py")
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in TREES.items()
        if not str(path.relative_to(ROOT)).startswith(homes)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]
    assert guilty == []


def test_the_architecture_names_every_folder() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    tree = page.split("| room |")[1].split("`collector` and `reports` never meet")[0]
    rooms = ("collector", "warehouse", "reports")
    folders = [path.parent.name for room in rooms for path in sorted((ROOT / room).glob("*/__init__.py"))]
    assert len(folders) > 12
    assert [name for name in folders if f"{name}/" not in tree] == []


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_no_two_modules_and_no_two_classes_share_a_name_by_accident() -> None:
    """A search by name leads to one place. Commands and rules bear the words of their users; the stand-in bears Quay's."""
    named: dict[str, list[str]] = {}
    for path, tree in TREES.items():
        where = str(path.relative_to(ROOT).with_suffix(""))
        if where.startswith(("simulator/", "quayledger/cli/", "reports/detections/rules/")):
            continue
        if path.stem not in ("__init__", "__main__"):
            named.setdefault(path.stem.strip("_"), []).append(where)
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                named.setdefault(node.name, []).append(where)
    shared = {name: places for name, places in named.items() if len(places) > 1 and name not in ONE_TOPIC}
    assert shared == {}, "two meanings want two names; one topic in two layers is listed in ONE_TOPIC"


def test_the_architecture_names_modules_that_exist() -> None:
    names = {path.name for path in SOURCES}
    for page in ("docs/architecture.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for named in re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text):
            assert (ROOT / named).exists() or ("/" not in named and named in names), f"{page} names {named}"


def test_generated_pages_match_the_code(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "generate.py", tmp_path], check=True, cwd=ROOT)
    for made in tmp_path.iterdir():
        held = ROOT / "docs" / made.name
        assert held.read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), (
            f"run python docs/generate.py: {made.name}"
        )


def test_constraints_pin_every_dependency_by_name_and_version_alone() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in pins if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.\-]+==[A-Za-z0-9_.+!]+", line) for line in lines)
    named = {re.split(r"[=]", line)[0].lower().replace("_", "-") for line in lines}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = {name.lower() for name in re.findall(r'^  "([A-Za-z0-9_\-]+)(?:\[[a-z]+\])?>=', project, re.MULTILINE)}
    assert wanted <= named
