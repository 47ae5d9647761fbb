"""Show what changed between two days.

Access, accounts, robots, content, policies, sizes, scans."""

from __future__ import annotations

from quayledger.cli._reports import report_command
from quayledger.reports.inventory.changes import SPEC

command = report_command(SPEC)
