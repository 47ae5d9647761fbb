"""Print or write a report."""

from __future__ import annotations

import typer

from quayledger.cli._reports import report_command
from quayledger.cli._tree import HelpGroup
from quayledger.reports import registry

_reports = typer.Typer(cls=HelpGroup, help=__doc__, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
for _spec in registry.reports():
    _reports.command(_spec.id, help=_spec.summary)(report_command(_spec))

command = typer.main.get_command(_reports)
