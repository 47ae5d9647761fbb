"""List the rules: id, name, severity, what they need."""

from __future__ import annotations

from typing import Any

import msgspec

from quayledger.cli._options import AsJson
from quayledger.cli._output import out, print_json
from quayledger.reports.detections.model import Rule
from quayledger.reports.detections.registry import all_rules


def command(as_json: AsJson = False) -> None:
    """One line per rule."""
    if as_json:
        print_json([_described(rule) for rule in all_rules()])
        return
    for rule in all_rules():
        out.print(f"{rule.id:<4} {rule.severity.value:<9} {rule.name:<26} {rule.title}", markup=False)


def _described(rule: Rule) -> dict[str, Any]:
    names = ("id", "name", "version", "title", "severity", "techniques", "kinds", "switches", "description")
    shown = {name: getattr(rule, name) for name in (*names, "false_positives", "runbook")}
    return shown | {"parameters": msgspec.structs.asdict(rule.params())}
