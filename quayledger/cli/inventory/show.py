"""Show one object.

What it is, who may do what with it, its last use, its history, and what is unknown."""

from __future__ import annotations

from quayledger.cli._reports import report_command
from quayledger.reports.inventory.object_report import SPEC

command = report_command(SPEC)
