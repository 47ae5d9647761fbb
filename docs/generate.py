"""The pages of `docs/` that are made from the code, so that they cannot drift: `python docs/generate.py [FOLDER]`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from quayledger.cli import _main
from quayledger.collector.inventory.on_demand import QUESTIONS
from quayledger.collector.quay import redaction
from quayledger.collector.quay.operations import OPERATIONS, Operation
from quayledger.reports.detections.registry import all_rules
from quayledger.reports.states import GROUP, STATES
from quayledger.service.config_template import settings_rows
from quayledger.service.exit_codes import MEANING, Exit
from quayledger.warehouse.catalog import FAMILIES, SERIES, Family, Series
from quayledger.warehouse.catalog.event_effects import EFFECTS, NO_EFFECT
from quayledger.warehouse.catalog.queries import ON_DEMAND, QUERIES, Query

ROOT = Path(__file__).resolve().parent.parent
_MADE = "<!-- Made by docs/generate.py; change the code, not this page. -->\n"


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
    for words in _commands(get_command(_main.app)):
        result = CliRunner().invoke(_main.app, [*words, "--help"], prog_name="quayledger", terminal_width=100)
        text = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
        lines += [f"## `{' '.join(('quayledger', *words))}`", "", "```text", text, "```", ""]
    return "\n".join(lines)


def _commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, in the order of the help."""
    yield words
    if isinstance(command, TyperGroup):
        context = Context(command)
        for name in command.list_commands(context):
            _, found, _ = command.resolve_command(context, [name])
            yield from _commands(found, (*words, name))


def states_page() -> str:
    """What each state of a day means."""
    lines = [
        "# States of a day",
        "",
        _MADE,
        "Each UTC day of a source is in one state. A day without a state was never collected, which is not the same as a day on which",
        "nothing happened.",
        "",
        "| state | meaning | counts as |",
        "|---|---|---|",
        *(f"| `{state.name}` | {state.meaning} | {GROUP[state.group].label} |" for state in STATES),
    ]
    return "\n".join(lines) + "\n"


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


def inventory_page() -> str:
    """What is read of the registry besides its log: operations, queries, events that make them stale, tables."""
    return "\n".join((*_INVENTORY_HEAD, *_operations(), *_queries(), *_effects(), *_tables(), *_questions())) + "\n"


_INVENTORY_HEAD = (
    "# Inventory",
    "",
    _MADE,
    "The inventory keeps what exists in a registry, who may do what in it and how big it is, over time. It reads by *queries*: one",
    "question about one target. What events made stale is read again at once, the rest in rounds of `inventory.period_days`.",
    "`quayledger plan --inventory` says what that costs, `quayledger status` how old and how complete it is.",
    "",
)


def _operations() -> list[str]:
    lines = [
        "## From operation to report",
        "",
        "Every read operation of Quay's API reference, what asks for it, and where its answer goes. Chapters are the reference's;",
        "`-` is missing there. Reports are those of the catalogue (R2 who pushed what, R4 access review, R6 robots and tokens,",
        "R7 dormant accounts, R9 quota, R10 storage, R11 stale content, R12 usage, R13 configuration drift, R15 vulnerabilities).",
        "",
        "| chapter | operation | method and path | query | tables | reports |",
        "|---|---|---|---|---|---|",
    ]
    return [*lines, *(_operation(operation) for operation in OPERATIONS), ""]


def _operation(operation: Operation) -> str:
    name = operation.operation_id
    kinds = [kind for kind in QUERIES if name in kind.operations]
    query = ", ".join(f"`{kind.name}`" for kind in kinds)
    tables = ", ".join(dict.fromkeys(table for kind in kinds for table in kind.writes))
    reports = ", ".join(dict.fromkeys(report for kind in kinds for report in kind.reports))
    if not kinds:
        query, tables, reports = _outside(operation)
    cells = (operation.chapter or "-", name, f"{operation.method} `{operation.path}`", query, tables, reports)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _outside(operation: Operation) -> tuple[str, str, str]:
    """What is no query: the log's own operations, and what is asked on demand only."""
    if operation.module in ("logs", "exports"):
        return "the log: `quayledger sync`", "events, counts", "all"
    if operation.operation_id == "postRegistrySize":
        return "opt-in: `inventory.calculate_registry_size`", "sizes", "R10"
    if operation.operation_id == "generate_registry_jwt":
        return "`referrers`: the token for it, never kept", "–", "–"
    return ON_DEMAND.get(operation.operation_id, "on demand"), "–", "–"


def _queries() -> list[str]:
    lines = [
        "## Queries",
        "",
        "| query | what it reads | for each | how often | tables |",
        "|---|---|---|---|---|",
    ]
    rows = [
        f"| `{kind.name}` | {kind.title} | {kind.level} | {_rhythm(kind)} | {', '.join(kind.writes)} |"
        for kind in QUERIES
    ]
    return [*lines, *rows, ""]


def _rhythm(kind: Query) -> str:
    if kind.periods is None:
        told = "when an event asks"
    elif kind.once:
        told = "once"
    else:
        told = "daily" if not kind.periods else "a period" if kind.periods == 1 else f"{kind.periods:g} periods"
    access = {"superuser": "; superusers only", "other": "; without superuser rights"}.get(kind.access, "")
    return told + access + ("; off unless `inventory.extra` names it" if kind.opt_in else "")


def _effects() -> list[str]:
    lines = [
        "## Which events make which queries stale",
        "",
        "| kind of event | queries | else why not |",
        "|---|---|---|",
    ]
    rows = [
        f"| `{kind}` | {', '.join(f'`{query}`' for query in _stale(kind))}{_patience(kind)} | {NO_EFFECT.get(kind, '')} |"
        for kind in sorted((*EFFECTS, *NO_EFFECT))
    ]
    return [*lines, *rows, ""]


def _stale(kind: str) -> tuple[str, ...]:
    return EFFECTS[kind].stale if kind in EFFECTS else ()


def _patience(kind: str) -> str:
    return ", at most once a day" if kind in EFFECTS and EFFECTS[kind].patience else ""


def _tables() -> list[str]:
    lines = [
        "## Tables",
        "",
        "A family `x` has the view `x` of what holds now and the table `x_history` of all intervals; a series has a table of its",
        "points and the view `x_now` of the newest. Every row carries its `source_id`.",
        "",
        "| table | one row | key | values |",
        "|---|---|---|---|",
    ]
    shapes: tuple[Family | Series, ...] = (*FAMILIES, *SERIES)
    rows = [
        f"| `{one.name}` | {one.one_row} | {', '.join(one.key)} | {', '.join(one.values) or '–'} |".replace("\n", " ")
        for one in shapes
    ]
    return [*lines, *rows, ""]


def _questions() -> list[str]:
    lines = ["## On demand", "", "`quayledger inventory ask QUESTION WORDS` asks the source and keeps nothing.", ""]
    rows = [f"| `{one.name} {' '.join(one.words)}` | {one.says} |" for one in QUESTIONS]
    return [*lines, "| question | what it tells |", "|---|---|", *rows]


def detections_page() -> str:
    """Every detection rule."""
    lines = [
        _MADE,
        "# Detection rules",
        "",
        "`serve` judges every new day by these rules and raises alerts; `quayledger detect run` judges any period, and with `--dry-run`",
        "says what it would have raised a day. `detect list` lists them, `detect test` lets each judge its own examples. A rule whose",
        "input the record does not hold is disabled and says why: it never reports “nothing found”. A rule that compares with what was",
        "usual judges from the day on which the record is long enough. Your own rules are [Sigma files](sigma.md).",
        "",
        "Parameters and allow-lists are given in the settings, and a rule is switched off there:",
        "",
        "```toml",
        "[detections.rules.D21]",
        'allow_hosts = ["docker.io", "git.example.com"]',
        "",
        "[detections.rules.D12]",
        "enabled = false",
        "```",
        "",
    ]
    for rule in all_rules():
        lines += [
            f"## {rule.id} {rule.title}",
            "",
            f"`{rule.name}`, version {rule.version}, {rule.severity.value}; ATT&CK {', '.join(rule.techniques)}.",
            f"{rule.description}",
            "",
            f"- Reads: {', '.join(f'`{kind}`' for kind in rule.kinds) or ('what the inventory found changed' if rule.needs_changes else 'the states of the days')}."
            + (
                f" Quay writes them only with {', '.join(f'`{name}`' for name in rule.switches)}."
                if rule.switches
                else ""
            )
            + (f" Needs a record of {rule.needs_history.days} days." if rule.needs_history else "")
            + (" Needs the inventory." if rule.needs_inventory else ""),
            f"- False positives: {rule.false_positives}",
            f"- What to do: {rule.runbook}",
            f"- Parameters: {', '.join(f'`{name}` = {value!r}' for name, value in msgspec.structs.asdict(rule.params()).items())}.",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "states.md": states_page,
    "secrets.md": secrets_page,
    "inventory.md": inventory_page,
    "detections.md": detections_page,
}


def main(folder: Path) -> None:
    """Writes all pages into a folder."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
