"""The bench's stand-in: starts the simulator as a process, steers it, and keeps files of the events that it makes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench import believable
from bench.measure import ROOT

_PATIENCE_S = 180.0


class StandIn:
    """A stand-in Quay that listens on loopback."""

    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        self.url, self.tokens = url, tokens

    def control(self, name: str, **wish: Any) -> Any:
        """A control call; see `simulator/control.py`."""
        body = json.dumps(wish).encode()
        request = Request(f"{self.url}/__simulator__/{name}", body, {"content-type": "application/json"})  # noqa: S310
        with urlopen(request, timeout=120) as reply:  # noqa: S310 - loopback
            return json.load(reply)

    def organization(self) -> str:
        """The name of an organisation that is there."""
        name: str = self.listed("superuser/organizations/", "organizations")[0]["name"]
        return name

    def listed(self, path: str, key: str) -> list[dict[str, Any]]:
        """All rows of a list of the API, page by page."""
        headers = {"authorization": f"Bearer {self.tokens['superuser']}"}
        rows: list[dict[str, Any]] = []
        following = ""
        while True:
            sign = "&" if "?" in path else "?"
            asked = f"{self.url}/api/v1/{path}" + (f"{sign}next_page={following}" if following else "")
            with urlopen(Request(asked, headers=headers), timeout=60) as reply:  # noqa: S310 - loopback
                page = json.load(reply)
            rows += page[key]
            following = page.get("next_page", "")
            if not following:
                return rows


@contextlib.contextmanager
def running(folder: Path, *arguments: str) -> Iterator[StandIn]:
    """A stand-in started with `arguments`; it ends with the block. Raises RuntimeError where it does not start."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "quayledger.simulator", "--with-parent", "--ready-file", str(ready), *arguments]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        until = time.monotonic() + _PATIENCE_S
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the stand-in did not start: {' '.join(arguments)}")
            time.sleep(0.05)
        described = json.loads(ready.read_bytes())
        yield StandIn(described["url"], described["tokens"])
    finally:
        process.terminate()
        process.wait(30)


def made_events(folder: Path, *, events: int, days: int, end: date, seed: int = 7) -> Path:
    """A file of believable events, JSON lines as the superuser's log shows them, oldest first; made once a folder."""
    file = folder / f"events-{events}-{days}-{end}-{seed}.jsonl"
    if not file.exists():
        believable.write(file, events=events, days=days, end=end, seed=seed)
    return file
