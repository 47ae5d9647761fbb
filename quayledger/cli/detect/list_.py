"""List the rules: id, severity, state, name, what they find; your own Sigma rules after ours."""

from __future__ import annotations

from typing import Any

import msgspec

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import err, out, print_json
from quayledger.reports.detections import rulebook
from quayledger.reports.detections.model import Rule


def command(home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """One line per rule. Raises ConfigError."""
    book = rulebook.of_home(home)
    if as_json:
        print_json([_described(rule, book) for rule in book.rules])
        return
    width = max(len(rule.id) for rule in book.rules)
    for rule in book.rules:
        out.print(
            f"{rule.id:<{width}} {rule.severity.value:<9} {_state(rule, book):<9} {rule.name:<26} {rule.title}",
            markup=False,
            soft_wrap=True,
        )
    for text in rulebook.problems(book):
        err.print(text, markup=False, soft_wrap=True)


def _state(rule: Rule, book: rulebook.RuleBook) -> str:
    return "broken" if rule.id in book.broken else "disabled" if rule.id in book.disabled else "enabled"


def _described(rule: Rule, book: rulebook.RuleBook) -> dict[str, Any]:
    names = ("id", "name", "version", "title", "severity", "techniques", "kinds", "switches", "description")
    shown = {name: getattr(rule, name) for name in (*names, "false_positives", "runbook")}
    params = book.params.get(rule.id) or rule.params()
    shown |= {"state": _state(rule, book), "why": book.broken.get(rule.id) or book.disabled.get(rule.id, "")}
    return shown | {"origin": rule.origin, "parameters": msgspec.structs.asdict(params)}
