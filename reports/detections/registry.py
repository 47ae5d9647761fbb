"""The registry of rules: the modules of `rules`, each with its `RULE`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from quayledger.reports.detections import rules
from quayledger.reports.detections.model import Rule
from quayledger.reports.errors import ReportError


class UnknownRule(ReportError):
    """No rule has that id or name."""


@cache
def all_rules() -> tuple[Rule, ...]:
    """The rules, by the number in their id."""
    found = [
        importlib.import_module(f"{rules.__name__}.{info.name}").RULE for info in pkgutil.iter_modules(rules.__path__)
    ]
    return tuple(sorted(found, key=lambda rule: (len(rule.id), rule.id)))


def find(*names: str) -> tuple[Rule, ...]:
    """The rules with these ids or names; none named: all. Raises UnknownRule."""
    known = {key.casefold(): rule for rule in all_rules() for key in (rule.id, rule.name)}
    if unknown := [name for name in names if name.casefold() not in known]:
        raise UnknownRule(f"No rule is called {', '.join(unknown)}. `quayledger detect list` shows all rules.")
    return tuple(dict.fromkeys(known[name.casefold()] for name in names)) if names else all_rules()
