"""The alternative from the shelf: dlt with its REST helpers, incremental on the event's time, Parquet files. Run as a process.

python -m bench.dlt_client URL FOLDER FIRST LAST     (token in QUAY_TOKEN; days as YYYY-MM-DD)
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import date
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()
os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DLT_DATA_DIR": str(FOLDER / "state"),
        "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "500000",
    }
)

import dlt  # noqa: E402
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth  # noqa: E402
from dlt.sources.helpers.rest_client.client import RESTClient  # noqa: E402
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator  # noqa: E402


def main() -> None:
    """Loads what is newer than the last time seen; stops paging at the first older row, as its incremental can do."""
    url, _, first, last = sys.argv[1:5]
    client = RESTClient(
        base_url=url,
        auth=BearerTokenAuth(os.environ["QUAY_TOKEN"]),
        paginator=JSONResponseCursorPaginator(cursor_path="next_page", cursor_param="next_page"),
    )
    window = {
        "starttime": f"{date.fromisoformat(first):%m/%d/%Y}",
        "endtime": f"{date.fromisoformat(last):%m/%d/%Y}",
    }

    def logs(
        seen: Any = dlt.sources.incremental("moment", row_order="desc"),  # noqa: B008
    ) -> Iterator[list[dict[str, Any]]]:
        for page in client.paginate("/api/v1/superuser/logs", params=window, data_selector="logs"):
            rows = [
                {
                    "moment": parsedate_to_datetime(row["datetime"]).isoformat(),
                    "kind": row["kind"],
                    "ip": row.get("ip"),
                    "event": json.dumps(row),
                }
                for row in page
            ]
            yield rows
            if seen.start_out_of_range:
                return

    pipeline = dlt.pipeline(
        "quay",
        destination=dlt.destinations.filesystem(bucket_url=(FOLDER / "files").resolve().as_uri()),
        dataset_name="log",
    )
    resource = dlt.resource(logs, name="logs", write_disposition="append", max_table_nesting=0)
    pipeline.run(resource(), loader_file_format="parquet")
    trace: Any = pipeline.last_trace
    print(json.dumps({"rows": trace.last_normalize_info.row_counts.get("logs", 0)}))


if __name__ == "__main__":
    main()
