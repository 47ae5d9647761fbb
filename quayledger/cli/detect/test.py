"""Let rules judge their own examples.

Ends with exit code 1 where a rule judges one of its examples wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from quayledger.cli._output import out
from quayledger.reports.detections.registry import find


def command(
    rule: Annotated[list[str] | None, typer.Argument(metavar="RULE", help="Ids or names; none: all rules.")] = None,
) -> None:
    """Raises UnknownRule."""
    wrong = 0
    for one in find(*(rule or ())):
        for fixture in one.fixtures:
            found = sorted({signal.subject for signal in one.signals(fixture.inputs())})
            right = found == sorted(fixture.subjects)
            wrong += not right
            said = (
                "ok" if right else f"WRONG: found {found or 'nothing'}, expected {list(fixture.subjects) or 'nothing'}"
            )
            out.print(f"{one.id:<4} {one.name:<26} {fixture.name}: {said}", markup=False)
    if wrong:
        raise typer.Exit(1)
