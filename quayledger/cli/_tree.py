"""The tree of commands is the tree of files: a module of this folder is a command, a package is a group of commands.

A command's module is imported when the command runs. Help needs a module's docstring alone, and reads it from the source,
so that `quayledger --help` does not load what collects and what reports.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

OTHERS = "Other commands"
# Help is wrapped at the width of the terminal, at most at this one.
CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class HelpGroup(TyperGroup):
    """A group whose help shows the first paragraph of each command whole, under headings."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the commands under their headings."""
        for heading, names in self.headings(ctx).items():
            with formatter.section(heading):
                formatter.write_dl([(name, _first_paragraph(self.get_command(ctx, name))) for name in names])

    def headings(self, ctx: Any) -> dict[str, tuple[str, ...]]:
        """The names of the commands by the heading that they stand under."""
        return {"Commands": tuple(self.list_commands(ctx))}


class CommandGroup(HelpGroup):
    """The commands that the modules of `package` hold; `sections`: their order in the help, by heading.

    A module holds `command`: a function that typer reads, or a group that is there already. Its docstring is the help."""

    package: ModuleType
    sections: Mapping[str, tuple[str, ...]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, in the order of the help."""
        return [name for names in self.headings(ctx).values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command as the help shows it, not loaded yet; None where there is none of that name."""
        path = self._files().get(cmd_name)
        return None if path is None else TyperCommand(cmd_name, help=_docstring(path))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is to run, loaded, and its words."""
        name, command, words = super().resolve_command(ctx, args)
        return name, command and self.load(str(name)), words

    def load(self, name: str) -> Any:
        """Imports the module of a command."""
        module = importlib.import_module(f"{self.package.__name__}.{self._files()[name].stem}")
        if hasattr(module, "__path__"):
            return group_of(module, name)
        if isinstance(module.command, TyperGroup):
            return module.command
        made = typer.Typer(rich_markup_mode=None, add_completion=False)
        made.command(name, help=module.__doc__)(module.command)
        return typer.main.get_command(made)

    def headings(self, ctx: Any) -> dict[str, tuple[str, ...]]:
        """As `sections` says; what it does not name comes last."""
        files = self._files()
        sections = {heading: tuple(name for name in names if name in files) for heading, names in self.sections.items()}
        listed = {name for names in sections.values() for name in names}
        others = tuple(sorted(files.keys() - listed))
        return {**sections, **({OTHERS if sections else "Commands": others} if others else {})}

    def _files(self) -> dict[str, Path]:
        """The modules and packages by the name of their command; an underscore at the end keeps a name out of Python's way."""
        found = {}
        for path in Path(self.package.__path__[0]).iterdir():
            if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").exists()):
                found[path.stem.removesuffix("_").replace("_", "-")] = path
        return found


def group_of(package: ModuleType, name: str) -> CommandGroup:
    """The group of commands that a package holds."""
    made = CommandGroup(name=name, help=package.__doc__, no_args_is_help=True, rich_markup_mode=None)
    made.package = package
    return made


def _first_paragraph(command: Any) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split())


def _docstring(path: Path) -> str:
    source = path / "__init__.py" if path.is_dir() else path
    return ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
