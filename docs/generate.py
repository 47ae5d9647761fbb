"""The pages of `docs/` that are made from the code, so that they cannot drift: `python docs/generate.py [FOLDER]`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import cli  # noqa: E402
from collector.quay import redaction  # noqa: E402
from service.exits import MEANING, Exit  # noqa: E402
from service.setup import settings_rows  # noqa: E402

_MADE = "<!-- Made by docs/generate.py; change the code, not this page. -->\n"
_COMMANDS: tuple[tuple[str, ...], ...] = (
    (),
    ("init",),
    ("doctor",),
    ("plan",),
    ("sync",),
    ("status",),
    ("events",),
    ("export", "request"),
    ("import",),
    ("report", "usage"),
    ("report", "completeness"),
    ("app",),
    ("serve",),
    ("demo",),
)


def settings_page() -> str:
    """Every setting, where it may stand, and its default."""
    lines = [
        "# Settings",
        "",
        _MADE,
        "Every setting can stand in `quayledger.toml` in the ledger's folder, or in the environment; the environment is",
        "stronger. `<id>` is the id of a source, such as `main`. A token is never read from the TOML file: put it into",
        "`QUAYLEDGER_SOURCES__<ID>__TOKEN`, or into a file of its own that `token_file` names (a mounted secret).",
        "`QUAYLEDGER_HOME` is the ledger's folder, `QUAYLEDGER_CONFIG` another place for the settings file.",
        "",
        "| setting | environment | default | what it does |",
        "|---|---|---|---|",
    ]
    for path, variable, default, description in settings_rows():
        told = description.replace("|", "\\|")
        lines.append(f"| `{path}` | `{variable.replace('<ID>', '<ID>')}` | {default} | {told} |")
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Every command's help, and the exit codes."""
    os.environ.update({"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"})
    lines = [
        "# Commands",
        "",
        _MADE,
        "Data goes to standard output, narration to standard error.",
        "",
        "## Exit codes",
        "",
    ]
    lines += ["| code | meaning |", "|---|---|", *(f"| {code.value} | {MEANING[code]} |" for code in Exit), ""]
    for words in _COMMANDS:
        result = CliRunner().invoke(cli.app, [*words, "--help"], prog_name="quayledger", terminal_width=100)
        text = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
        lines += [f"## `{' '.join(('quayledger', *words))}`", "", "```text", text, "```", ""]
    return "\n".join(lines)


def secrets_page() -> str:
    """What is cut out of answers before they reach the disk."""
    lines = [
        "# Secrets that are cut out",
        "",
        _MADE,
        f"Rules version {redaction.RULES_VERSION}. Quay returns secrets in some answers and writes some into its own log. They are",
        "cut out of the bytes as they come, before anything is stored; the mark below stands where one was.",
        "",
        f"    {redaction.MARK}",
        "",
        "| rule | what is cut | why |",
        "|---|---|---|",
        *(f"| {rule.name} | {rule.what} | {rule.why} |" for rule in redaction.RULES),
    ]
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "secrets.md": secrets_page,
}


def main(folder: Path) -> None:
    """Writes all pages into a folder."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
