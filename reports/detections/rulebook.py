"""The rules of one installation: ours with the parameters that its settings give them, and its own in Sigma."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quayledger import settings as settings_room
from quayledger.reports.detections.model import Rule
from quayledger.reports.detections.registry import UnknownRule, all_rules
from quayledger.reports.detections.sigma.folder import Folder, read

_OFF = "switched off in the settings"


class RuleBook(msgspec.Struct, frozen=True, kw_only=True):
    """The rules to run, with what the settings say of them. By rule id: `params` where they are not the defaults, `disabled` why a
    rule is not run, `broken` why its settings cannot be used. `sigma`: what the customer's folder holds."""

    rules: tuple[Rule, ...]
    params: Mapping[str, msgspec.Struct] = {}
    disabled: Mapping[str, str] = {}
    broken: Mapping[str, str] = {}
    sigma: Folder = Folder((), (), 0)

    def chosen(self, *names: str) -> RuleBook:
        """The same with these rules alone, by id or name; none named: all. Raises UnknownRule."""
        known = {key.casefold(): rule for rule in self.rules for key in (rule.id, rule.name)}
        if unknown := [name for name in names if name.casefold() not in known]:
            raise UnknownRule(f"No rule is called {', '.join(unknown)}. `quayledger detect list` shows all rules.")
        if not names:
            return self
        found = tuple(dict.fromkeys(known[name.casefold()] for name in names))
        return msgspec.structs.replace(self, rules=found)


def of_home(home: Path) -> RuleBook:
    """The rules of a ledger's folder, by the settings in it. Settings that cannot be read at all raise ConfigError."""
    chosen = settings_room.load(home).detections
    folder = read(home / chosen.sigma) if chosen.sigma else Folder((), (), 0)
    return with_settings(chosen.rules, folder)


def with_settings(settings: Mapping[str, Mapping[str, Any]], sigma: Folder | None = None) -> RuleBook:
    """Our rules and those of a folder, with what settings say by id or name of a rule."""
    sigma = sigma or Folder((), (), 0)
    rules = (*all_rules(), *sigma.rules)
    known = {key.casefold(): rule for rule in rules for key in (rule.id, rule.name)}
    params: dict[str, msgspec.Struct] = {}
    disabled: dict[str, str] = {}
    broken: dict[str, str] = {}
    for name, values in settings.items():
        rule = known.get(name.casefold())
        if rule is None:
            broken[name] = f"[detections.rules.{name}]: no rule is called so; `quayledger detect list` shows all rules"
            continue
        given = dict(values)
        enabled = given.pop("enabled", True)
        if enabled is False:
            disabled[rule.id] = _OFF
        elif enabled is not True:
            broken[rule.id] = f"[detections.rules.{name}] enabled must be true or false"
        try:
            if given:
                params[rule.id] = _params(rule, given)
        except (msgspec.ValidationError, ValueError) as error:
            broken[rule.id] = f"[detections.rules.{name}] {error}"
    return RuleBook(rules=rules, params=params, disabled=disabled, broken=broken, sigma=sigma)


def _params(rule: Rule, given: Mapping[str, Any]) -> msgspec.Struct:
    names = [field.name for field in msgspec.structs.fields(rule.params)]
    if unknown := set(given) - set(names):
        what = ", ".join(sorted(unknown))
        raise ValueError(f"{what}: {rule.id} has no such parameter; it has {', '.join(names) or 'none'}")
    return msgspec.convert(given, rule.params)


def problems(book: RuleBook, named: Sequence[str] = ()) -> list[str]:
    """What somebody should mend: settings and files, a sentence each."""
    told = [str(one) for one in book.sigma.problems]
    return [*(text for rule_id, text in book.broken.items() if not named or rule_id in named), *told]
