"""The template of the settings file that `init` writes, made from the settings tree itself so that it cannot drift."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from quayledger.environment import variable
from quayledger.settings import (
    CONFIG_NAME,
    NAMED_SECTIONS,
    SECRETS,
    NotifyTarget,
    Settings,
    SettingsError,
    SourceSettings,
    explain_os_error,
    variable_of,
)


def settings_text(source_id: str, url: str, key_file: Path | None = None) -> str:
    """A whole `quayledger.toml` for one source: what is set, and everything else as a comment with its default."""
    lines = [
        "# Settings of quayledger. Every one has an environment variable too: QUAYLEDGER_ and the path in capitals, with two",
        "# underscores between levels, such as QUAYLEDGER_COLLECT__BACKFILL_DAYS. The environment is stronger than this file.",
        "# The token does not belong here: set "
        + f"{variable_of(source_id, 'token')}, or name a file with token_file below.",
        "",
        f"[sources.{source_id}]",
        f'url = "{_escaped(url)}"',
        *_commented(SourceSettings, skip={"url"}),
    ]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if name == "notify":
            lines += _targets()
        elif isinstance(section, type) and issubclass(section, BaseModel):
            lines += ["", f"# {_first_line(section)}", f"[{name}]"]
            is_set = name == "seal" and key_file is not None
            lines += [f'key_file = "{_escaped(str(key_file))}"'] if is_set else []
            lines += _commented(section, skip={"key_file"} if is_set else set())
    return "\n".join(lines) + "\n"


def _targets() -> list[str]:
    """An example of a target of notifications: as many as one likes, each with an id of its own."""
    named = variable("notify", "ops", "target_url")
    return [
        "",
        f"# {_first_line(NotifyTarget)}",
        f"# Its address is a secret: set {named}, or name a file with target_url_file below.",
        "# [notify.ops]",
        *_commented(NotifyTarget, skip=set()),
    ]


def write_settings(home: Path, source_id: str, url: str, *, overwrite: bool, key_file: Path | None = None) -> Path:
    """Writes the file into the ledger's folder. Raises SettingsError where one is there already or it cannot be written."""
    path = home / CONFIG_NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(settings_text(source_id, url, key_file))
    except FileExistsError as error:
        if error.filename == str(home):
            raise SettingsError(f"{home} is a file, not a folder. Name another folder with --home") from None
        raise SettingsError(f"{path} exists. Edit it, or use --overwrite to replace it.") from None
    except OSError as error:
        raise SettingsError(f"the settings file cannot be written: {explain_os_error(error)}") from None
    os.chmod(path, 0o640)  # noqa: PTH101 -- the descriptor is closed; nothing in the file is secret
    return path


def settings_rows() -> Iterator[tuple[str, str, str, str]]:
    """Every setting: (path in the file, environment variable, default, description). Source of `docs/settings.md`."""
    for path, field in _walk(Settings, ""):
        named = "QUAYLEDGER_" + path.upper().replace(".", "__")
        where = "environment only" if path.rpartition(".")[2] in SECRETS else path
        yield where, named, _default_text(field), field.description or ""


def _walk(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner = NAMED_SECTIONS.get(name, field.annotation) if model is Settings else field.annotation
        path = f"{prefix}{name}"
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _walk(inner, f"{path}.<id>." if name in NAMED_SECTIONS else f"{path}.")
        else:
            yield path, field


def _commented(model: type[BaseModel], *, skip: set[str]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name in skip or name in SECRETS:
            continue
        yield f"# {field.description}"
        yield f"# {name} = {_toml(field.default) if field.default not in (None, PydanticUndefined) else _EMPTY}"


_EMPTY = '""'


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{_escaped(str(value))}"'


def _default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "none" if field.default in (None, "", ()) else str(field.default)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _first_line(section: type[BaseModel]) -> str:
    return (section.__doc__ or "").strip().splitlines()[0]
