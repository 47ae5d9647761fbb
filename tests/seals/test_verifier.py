"""The verifier says of each kind of tampering what it is, where, and with which code; and of an honest ledger, nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from quayledger import verifier
from tests.seals.conftest import KEY, PUBLIC


def test_an_honest_ledger_is_as_it_was_sealed(sealed: Path) -> None:
    found = verifier.check(sealed, [PUBLIC], [], jobs=1)
    assert found.damages == []
    assert (found.manifests, found.days, found.exit_code) == (5, 4, 0)
    assert found.events > 100


def test_the_verifier_runs_alone(sealed: Path, tmp_path: Path) -> None:
    """As an auditor runs it: the one file, in a folder of its own, isolated from our package."""
    script = tmp_path / "verifier.py"
    script.write_text(Path(verifier.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(sealed), "--public-key", str(KEY.verifier), "--json"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["damages"] == []
