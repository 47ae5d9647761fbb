"""List objects, one per line.

Size, use, members, roles, and what is unknown."""

from __future__ import annotations

from quayledger.cli._reports import report_command
from quayledger.reports.inventory.list_report import SPEC

command = report_command(SPEC)
