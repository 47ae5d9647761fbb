"""Files that reports become: whole where nothing else is asked for, typed, and with nothing in them that runs."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from xml.etree import ElementTree

import msgspec
import polars as pl
import pytest
from rich.cells import cell_len

from quayledger.reports.errors import UnknownTable
from quayledger.reports.model import Column, Report, Table
from quayledger.reports.period import Period
from quayledger.reports.render import csv, parquet, terminal, xlsx
from quayledger.reports.render.formats import FILE_TYPES, Format, write
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.building import build
from tests.reports.sample import HOSTILE_ROBOT

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def _sheets(workbook: bytes) -> dict[str, list[str]]:
    """The texts of each sheet, by its name; a formula or a link anywhere is a fault."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as parts:
        read = {name: parts.read(name).decode() for name in parts.namelist()}
    assert not [name for name in read if "externalLink" in name]
    shared = [
        "".join(text.itertext())
        for text in ElementTree.fromstring(read["xl/sharedStrings.xml"]).iter(f"{_MAIN}si")  # noqa: S314 - made here
    ]
    names = [
        sheet.get("name", "")
        for sheet in ElementTree.fromstring(read["xl/workbook.xml"]).iter(f"{_MAIN}sheet")  # noqa: S314 - made here
    ]
    found = {}
    for number, name in enumerate(names, 1):
        sheet = ElementTree.fromstring(read[f"xl/worksheets/sheet{number}.xml"])  # noqa: S314 - made here
        assert not list(sheet.iter(f"{_MAIN}f")), name
        assert not list(sheet.iter(f"{_MAIN}hyperlink")), name
        cells = (cell for cell in sheet.iter(f"{_MAIN}c") if cell.get("t") == "s")
        found[name] = [shared[int(cell.findtext(f"{_MAIN}v") or 0)] for cell in cells]
    return found


def test_a_workbook_holds_every_table_and_runs_nothing(snapshot: Snapshot, period: Period) -> None:
    report = build("usage", snapshot, period=period)
    sheets = _sheets(xlsx.render(report))
    assert list(sheets) == ["About", *(table.name for table in report.tables)]
    assert f"'{HOSTILE_ROBOT}" in sheets["by_robot"]
    assert not [text for texts in sheets.values() for text in texts if text.startswith(("=", "@", "\t"))]
    assert report.trust.text in sheets["About"]
    assert xlsx.render(report) == xlsx.render(report)


def test_a_workbook_says_what_it_cut(snapshot: Snapshot, period: Period) -> None:
    report = build("usage", snapshot, period=period)
    frame = pl.DataFrame(
        {"key": ["x" * 40_000, "\ud83d".encode("utf-16", "surrogatepass").hex(), "c"], "n": [1, 2, None]}
    )
    columns = (Column("key", "Name", "text"), Column("n", "Number"))
    long = msgspec.structs.replace(report, tables=(Table("long", "Long", columns, frame, 3),))
    sheets = _sheets(xlsx.render(long, max_rows=2))
    said = "Long: 2 of 3 rows; CSV and JSON hold all; 1 text cut to 32,767 characters."
    assert said in sheets["long"]
    assert said in sheets["About"]


def test_parquet_keeps_types_and_every_row(snapshot: Snapshot, period: Period) -> None:
    report = build("completeness", snapshot, period=period)
    read = pl.read_parquet(io.BytesIO(parquet.render(report)))
    assert read.equals(report.tables[0].frame)
    assert read.schema["sealed_at"] == pl.Datetime("us", "UTC")
    with pytest.raises(UnknownTable):
        parquet.render(report, "nosuch")


def test_files_are_whole_and_a_screen_says_what_it_leaves_out(snapshot: Snapshot, period: Period) -> None:
    report = build("completeness", snapshot, period=period)
    rows = report.tables[0].total_rows
    assert rows > report.tables[0].preview
    assert csv.render(report).count("\r\n") == rows + 1
    shown = terminal.render(report, 120)
    assert f"50 of {rows} rows." in shown
    assert f"of {rows} rows." not in terminal.render(report, 120, rows=0)
    cut = build("completeness", snapshot, period=period, top=3)
    assert f"3 of {rows} rows." in terminal.render(cut, 120)
    assert csv.render(cut).count("\r\n") == 4


@pytest.mark.parametrize("form", Format)
def test_every_format_is_written(form: Format, snapshot: Snapshot, period: Period) -> None:
    report = build("overview", snapshot, period=period)
    assert write(report, form)
    assert FILE_TYPES[form].suffix


def _wide(width: int) -> list[str]:
    names = ["a/" + "long-name/" * 9, ":umbrella: [bold]x[/]", "漢字" * 30]
    frame = pl.DataFrame(
        {
            "at": [datetime(2026, 11, 21, 13, 5, 9, tzinfo=UTC)] * 3,
            **{f"name_{number}": names for number in range(4)},
            **{f"n_{number}": [1_234_567] * 3 for number in range(4)},
        }
    )
    kinds = {"at": "time"}
    columns = tuple(
        Column(name, name.replace("_", " ").capitalize(), kinds.get(name, "text" if "name" in name else "count"))  # type: ignore[arg-type]
        for name in frame.columns
    )
    return terminal.render_table(Table("t", "T", columns, frame, 3), width).splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 200])
def test_a_table_fits_any_width_and_cuts_no_value(width: int) -> None:
    lines = _wide(width)
    assert max(map(cell_len, lines)) <= width
    text = "".join(lines)
    assert "…" not in text
    assert "1,234,567" in text or "Not shown at this width" in text
    assert ":umbrella:" in text
    assert "[bold]" in text


def test_a_report_holds_no_table_that_its_files_do_not(snapshot: Snapshot, period: Period) -> None:
    report: Report = build("usage", snapshot, period=period)
    for table in report.tables:
        assert csv.render(report, table.name).count("\r\n") == table.frame.height + 1
        assert pl.read_parquet(io.BytesIO(parquet.render(report, table.name))).height == table.frame.height
