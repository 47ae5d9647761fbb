"""Names from a registry in what stands in a repair's way: text, in every place that shows it."""

from __future__ import annotations

import csv as csv_module
import io
import zipfile
from pathlib import Path

from typer.testing import CliRunner

from quayledger.cli._main import app
from quayledger.reports.period import whole_days
from quayledger.reports.render import csv, html, terminal, xlsx
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.repairs import RepairRow, record_repair, waiting_repairs
from quayledger.warehouse.log.repairs import reason as repair_reason
from quayledger.warehouse.log.slices import record_counts, set_state
from quayledger.warehouse.publish import publish
from quayledger.warehouse.schema import SliceState
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.building import build
from tests.warehouse.sample import DAY, NOW, begin, event, store

_HOSTILE = "=cmd|' /C calc'!A1 [red]organization:[/red]</td><script>alert(1)</script> :umbrella: \x1b[31m\u202e"


def test_names_in_what_stands_in_a_repairs_way_are_text_everywhere(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, command="test") as ledger:
        begin(ledger)
        store(ledger, [event(1)])
        row = RepairRow("main", DAY, "superuser", "waiting", 9, 8, 5, 0, 40, _HOSTILE, NOW)
        record_repair(ledger, row, ())
        note = repair_reason(ledger, "main", DAY)
        set_state(ledger, "main", DAY, 1, SliceState.SHORT, expected_events=9, note=note, now=NOW, counted_at=NOW)
        record_counts(ledger, 1, "main", "superuser", {DAY: {"pull_repo": 9}}, NOW)
        publish(ledger, keep=1, now=NOW)
    assert _HOSTILE in note
    with Snapshot.open(tmp_path) as opened:
        report = build("completeness", opened, period=whole_days(DAY, DAY, "UTC"))
        assert waiting_repairs(opened)[0].reason == _HOSTILE
    said = " ".join(terminal.render(report, 300, colour=True).split())
    assert "[red]organization:[/red]" in said
    assert ":umbrella:" in said
    assert "\\x1b[31m\\u202e" in said
    assert "\x1b[31m\u202e" not in said
    page = html.render(report)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    rows = list(csv_module.reader(io.StringIO(csv.render(report, "deficits"))))
    assert rows[1][-1].startswith("'=cmd"), "no formula"
    sheet = xlsx.render(report)
    with zipfile.ZipFile(io.BytesIO(sheet)) as book:
        assert not any(b"<f>" in book.read(name) for name in book.namelist())
    done = CliRunner().invoke(app, ["--home", str(tmp_path), "status"])
    assert done.exit_code == 0
    assert "\x1b[31m\u202e" not in done.output
