"""The alternative that most people write first: a script that pages the whole window again each time. Run as a process.

python -m bench.plain_client URL OUT FIRST LAST     (token in QUAY_TOKEN; days as YYYY-MM-DD)
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path

import httpx


def main() -> None:
    """Pages the superuser's log of the window from the top to its end and writes every row as a JSON line."""
    url, out, first, last = sys.argv[1:5]
    window = {
        "starttime": f"{date.fromisoformat(first):%m/%d/%Y}",
        "endtime": f"{date.fromisoformat(last):%m/%d/%Y}",
    }
    rows = 0
    with (
        httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {os.environ['QUAY_TOKEN']}"}, timeout=60
        ) as client,
        Path(out).open("w", encoding="utf-8") as file,
    ):
        params = dict(window)
        while True:
            answer = client.get("/api/v1/superuser/logs", params=params).raise_for_status().json()
            for row in answer["logs"]:
                file.write(json.dumps(row) + "\n")
                rows += 1
            if "next_page" not in answer:
                break
            params = {**window, "next_page": answer["next_page"]}
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
