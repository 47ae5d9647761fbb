"""The bench's door: runs the named benches, or all, each in a process of its own so that one's memory is not another's."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from bench.measure import ROOT, machine

NAMES = (
    *("load", "storage", "queries", "large", "requests", "export_file"),
    *("inventory", "inventory_lists", "detections", "pages", "seals"),
)


def main() -> int:
    """Runs what the command line names; the number of benches that failed."""
    names = sys.argv[1:] or NAMES
    if unknown := set(names) - set(NAMES):
        print(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    print(machine())
    with tempfile.TemporaryDirectory(prefix="quayledger-bench-") as folder:
        ended = [
            subprocess.run([sys.executable, "-m", f"bench.{name}", folder], cwd=ROOT, check=False) for name in names
        ]
    return sum(process.returncode != 0 for process in ended)


if __name__ == "__main__":
    sys.exit(main())
