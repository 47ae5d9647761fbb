"""OCSF records as files: JSON lines, or Parquet with the record's objects as structs and `unmapped` as JSON text."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from quayledger.reports.delivery.ocsf import Record

_ENCODER = msgspec.json.Encoder()
_TEXT, _WHOLE, _FLAG = "text", "whole", "flag"
_NAMED = {"name": _TEXT}
# The shape of all records together. A text is a kind of value, a dict an object, a list of one an array.
_SHAPE: dict[str, Any] = {
    **dict.fromkeys(
        ("class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "status_id", "count"), _WHOLE
    ),
    **dict.fromkeys(("time", "start_time", "end_time"), _WHOLE),
    **dict.fromkeys(("class_name", "activity_name", "message", "status_detail"), _TEXT),
    "is_alert": _FLAG,
    "metadata": {
        **dict.fromkeys(("version", "uid", "event_code", "log_name", "log_provider"), _TEXT),
        "product": dict.fromkeys(("name", "vendor_name", "version"), _TEXT),
    },
    "actor": {"user": {"name": _TEXT, "type_id": _WHOLE}, "app_name": _TEXT},
    "src_endpoint": dict.fromkeys(("ip", "name", "svc_name"), _TEXT),
    "http_request": {"user_agent": _TEXT},
    "service": _NAMED,
    "api": {"operation": _TEXT, "service": _NAMED},
    "user": {"name": _TEXT, "type_id": _WHOLE, "type": _TEXT, "groups": [_NAMED]},
    "group": dict.fromkeys(("name", "type", "domain"), _TEXT),
    "privileges": [_TEXT],
    "entity": {"name": _TEXT, "type": _TEXT, "type_id": _WHOLE, "uid": _TEXT},
    "resources": [dict.fromkeys(("name", "type", "uid", "namespace"), _TEXT)],
    "finding_info": {
        **dict.fromkeys(("uid", "title", "desc"), _TEXT),
        **dict.fromkeys(("first_seen_time", "last_seen_time", "created_time", "modified_time"), _WHOLE),
        "analytic": {"uid": _TEXT, "name": _TEXT, "type_id": _WHOLE, "version": _TEXT},
        "related_events_count": _WHOLE,
        "related_events": [{"uid": _TEXT, "type": _TEXT}],
    },
    "unmapped": _TEXT,
}


def as_json_lines(records: Iterable[Record]) -> bytes:
    """One record a line."""
    return b"".join(_ENCODER.encode(record) + b"\n" for record in records)


class RecordFile(Protocol):
    """A file that records are added to. Raises OSError."""

    def add(self, records: Iterable[Record]) -> None:
        """Adds records."""

    def close(self) -> None:
        """Ends the file; it is on the disk then."""


class JsonLinesFile:
    """A file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def add(self, records: Iterable[Record]) -> None:
        """Adds records, a line each."""
        self._file.write(as_json_lines(records))

    def close(self) -> None:
        """Ends the file; it is on the disk then."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class ParquetFile:
    """A Parquet file, zstd; one group of rows for each time that records are added."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        self._path = path
        self._schema = pa.schema([(name, _arrow(kind)) for name, kind in _SHAPE.items()])
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def add(self, records: Iterable[Record]) -> None:
        """Adds records."""
        import pyarrow as pa

        rows = [{**record, "unmapped": _ENCODER.encode(record["unmapped"]).decode()} for record in records]
        self._writer.write_table(pa.Table.from_pylist(rows, schema=self._schema))

    def close(self) -> None:
        """Ends the file; it is on the disk then."""
        self._writer.close()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())


def open_file(path: Path, form: str) -> RecordFile:
    """A new file of `ocsf-jsonl` or `ocsf-parquet`. Raises OSError."""
    return ParquetFile(path) if form == "ocsf-parquet" else JsonLinesFile(path)


def _arrow(kind: Any) -> Any:
    import pyarrow as pa

    if isinstance(kind, dict):
        return pa.struct([(name, _arrow(one)) for name, one in kind.items()])
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    return {_TEXT: pa.string(), _WHOLE: pa.int64(), _FLAG: pa.bool_()}[kind]
