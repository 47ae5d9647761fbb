"""Settings from environment variables, as people write them. Pure.

`QUAYLEDGER_` and the path of the setting in capitals, with two underscores between levels. A variable that is empty counts as
not set. A list may be written with commas or as JSON. An id with a hyphen is written with an underscore, because no shell can
set a variable whose name has a hyphen.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

PREFIX = "QUAYLEDGER_"
_BETWEEN = "__"


def variable(*path: str) -> str:
    """The name of the variable for a setting, such as `QUAYLEDGER_SOURCES__PROD_EU__TOKEN`."""
    return PREFIX + _BETWEEN.join(part.upper().replace("-", "_") for part in path)


def read_environment(
    environ: Mapping[str, str], sections: Collection[str], ids: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    """The values of all variables below `sections`, nested, as text. `ids`: by section, those of the settings file."""
    spelled = {section: _spelled(names) for section, names in ids.items()}
    found: dict[str, Any] = {}
    for name, value in sorted(environ.items()):
        path = name.upper().removeprefix(PREFIX).lower().split(_BETWEEN)
        if not name.upper().startswith(PREFIX) or path[0] not in sections or not value.strip():
            continue
        if path[0] in spelled and len(path) > 1:
            path[1] = spelled[path[0]].get(path[1], path[1])
        _put(found, path, value)
    return found


def _spelled(ids: Collection[str]) -> dict[str, str]:
    """Each id by the way in which a variable can spell it."""
    return {one.replace("-", "_"): one for one in sorted(ids, key=lambda one: "-" in one)} | {one: one for one in ids}


def merged(file: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the file with those of the environment over them, level by level."""
    both = dict(file)
    for key, value in environment.items():
        below = both.get(key)
        both[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return both


def listed(value: object) -> object:
    """A text as the list that it stands for, with commas or as JSON; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError("is not a list: write its items with commas between them") from None
    return [part.strip() for part in text.split(",") if part.strip()]


def _put(found: dict[str, Any], path: list[str], value: str) -> None:
    """A whole section may come as a JSON object; what is set by name counts more."""
    parsed: Any = value
    if value.lstrip().startswith("{"):
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
    for part in path[:-1]:
        inner = found.get(part)
        found[part] = inner if isinstance(inner, dict) else {}
        found = found[part]
    before = found.get(path[-1])
    found[path[-1]] = merged(parsed, before) if isinstance(parsed, dict) and isinstance(before, dict) else parsed
