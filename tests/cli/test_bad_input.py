"""Rubbish in: a clear message with the next step and the documented exit code, never a traceback, nothing lost."""

from __future__ import annotations

import http.server
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from quayledger.service.exit_codes import Exit
from tests.cli.conftest import Run, environment, sources

RANGE = ("--from", "2026-11-19", "--to", "2026-11-20")


@pytest.fixture(scope="module")
def quay(start_simulator: Any) -> Any:
    return start_simulator("--events", "200", "--days", "2", "--end", "2026-11-20")


@pytest.fixture
def asked(quay: Any) -> dict[str, str]:
    return {"url": quay.url, "token": quay.tokens["superuser"]}


def says(result: subprocess.CompletedProcess[str], code: Exit, *words: str) -> None:
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    flat = " ".join(result.stderr.split())
    for word in words:
        assert word in flat


def test_no_source_no_token_wrong_token(run: Run, quay: Any) -> None:
    says(run("sync"), Exit.SETTINGS, "quayledger init")
    says(run("sync", url=quay.url), Exit.SETTINGS, "no token", "TOKEN_FILE")
    says(run("sync", *RANGE, url=quay.url, token="nonsense"), Exit.REFUSED, "expired or revoked")
    says(run("doctor", url=quay.url, token="nonsense"), Exit.REFUSED)


def test_a_token_file_is_read_and_a_bad_one_is_said(run: Run, quay: Any, tmp_path: Path) -> None:
    held = tmp_path / "token"
    held.write_text(quay.tokens["superuser"] + "\n")
    variable = {"QUAYLEDGER_SOURCES__MAIN__TOKEN_FILE": str(held)}
    assert run("sync", *RANGE, url=quay.url, env=variable).returncode == 0
    held.write_text("two words")
    says(run("sync", *RANGE, url=quay.url, env=variable), Exit.SETTINGS, "contain only the token")
    held.unlink()
    says(run("sync", *RANGE, url=quay.url, env=variable), Exit.SETTINGS, "cannot be read")


@pytest.mark.parametrize(
    ("url", "word"),
    [("http://127.0.0.1:9", "Check the address"), ("http://no-such-host.invalid", "Check the address")],
)
def test_nobody_there(run: Run, url: str, word: str) -> None:
    says(run("sync", *RANGE, url=url, token="x"), Exit.UNREACHABLE, word)


@pytest.fixture
def web_server() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>welcome</html>")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_server_that_is_no_quay(run: Run, web_server: str) -> None:
    says(run("sync", *RANGE, url=web_server, token="x"), Exit.UNREACHABLE, "text/html", "Check the address")
    says(run("doctor", url=web_server, token="x"), Exit.UNREACHABLE)
    https = web_server.replace("http://", "https://")
    says(run("sync", *RANGE, url=https, token="x"), Exit.UNREACHABLE)


@pytest.mark.parametrize(
    "words", [("--from", "2026-02-30"), ("--from", "yesterday"), ("--to", "2026-13-01"), ("--from", "2999-01-01")]
)
def test_days_that_do_not_exist(run: Run, asked: dict[str, str], words: tuple[str, ...]) -> None:
    says(run("sync", *words, **asked), Exit.USAGE)


def test_a_range_that_ends_before_it_begins(run: Run, asked: dict[str, str]) -> None:
    says(run("sync", "--from", "2026-11-20", "--to", "2026-11-19", **asked), Exit.USAGE, "is after")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[sources.main", "not valid TOML"),
        ('[sources.main]\nurl = "ftp://x"', "https://"),
        ('[sources.main]\nurl = "https://x"\ntoken = "secret-value"', "does not belong in this file"),
        ('[sources.main]\nurl = "https://x"\nrequests_per_secnod = 3', "is not a setting"),
        ("[collect]\nbackfill_days = 0", "collect.backfill_days"),
        ('[sources."A B"]\nurl = "https://x"', "source id"),
        ('[sources.main]\nurl = "https://x"\nscopes = ["superuser", "user:me"]', "overlap"),
    ],
)
def test_broken_settings(run: Run, tmp_path: Path, text: str, word: str) -> None:
    home = tmp_path / "ledger"
    home.mkdir()
    (home / "quayledger.toml").write_text(text)
    result = run("sync", *RANGE, env={"QUAYLEDGER_SOURCES__MAIN__TOKEN": "x"} if "scopes" in text else {})
    says(result, Exit.SETTINGS, word)
    assert "secret-value" not in result.stderr


def test_an_empty_ledger_says_what_to_do(run: Run) -> None:
    for words in (("status",), ("events",), ("report", "usage")):
        says(run(*words), Exit.NOTHING_YET, "quayledger sync")


def test_an_unknown_source_period_and_zone(run: Run, asked: dict[str, str]) -> None:
    says(run("sync", "--source", "other", **asked), Exit.USAGE, "main")
    assert run("sync", *RANGE, **asked).returncode == 0
    says(run("report", "usage", "--period", "sometimes"), Exit.USAGE, "last-7-days")
    says(run("report", "usage", "--time-zone", "Mars/Base"), Exit.USAGE, "UTC")
    says(run("report", "usage", "--format", "csv", "--table", "nothing"), Exit.USAGE, "by_namespace")


def test_a_corrupt_a_newer_and_a_foreign_ledger(run: Run, asked: dict[str, str], tmp_path: Path) -> None:
    assert run("sync", *RANGE, **asked).returncode == 0
    live = tmp_path / "ledger" / "live.duckdb"
    good = live.read_bytes()
    live.write_bytes(b"not a database at all" * 1000)
    says(run("sync", *RANGE, **asked), Exit.LEDGER, "published")
    assert sources(run("status", "--json"))["events"] == 200
    live.write_bytes(good)
    with duckdb.connect(str(live)) as connection:
        connection.execute(
            "INSERT INTO schema_migrations SELECT 9999, 'later', applied_at, sha256 FROM schema_migrations LIMIT 1"
        )
    says(run("sync", *RANGE, **asked), Exit.LEDGER, "newer")


def test_a_ledger_that_somebody_holds(run: Run, asked: dict[str, str], tmp_path: Path) -> None:
    assert run("sync", *RANGE, **asked).returncode == 0
    live = tmp_path / "ledger" / "live.duckdb"
    hold = f"import duckdb, sys; c = duckdb.connect({str(live)!r}); print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        says(run("sync", *RANGE, **asked), Exit.BUSY)
    finally:
        other.communicate("")


def test_a_full_disk_keeps_what_was_collected(quay: Any, asked: dict[str, str], run: Run, tmp_path: Path) -> None:
    assert run("sync", "--from", "2026-11-19", "--to", "2026-11-19", **asked).returncode == 0
    before = sources(run("status", "--json"))["events"]
    size = (tmp_path / "ledger" / "live.duckdb").stat().st_size

    def narrow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 8, size // 8))

    full = subprocess.run(
        [sys.executable, "-m", "quayledger", "sync", *RANGE],
        env=environment(tmp_path / "ledger", **asked),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=narrow,
        timeout=120,
    )
    says(full, Exit.DISK_FULL)
    assert sources(run("status", "--json"))["events"] == before
    assert run("sync", *RANGE, **asked).returncode == 0
    assert sources(run("status", "--json"))["events"] == 200


def test_an_unknown_command_is_wrong_usage(run: Run) -> None:
    says(run("frobnicate"), Exit.USAGE, "frobnicate")


@pytest.mark.parametrize("words", [("sync",), ("status",), ("events",), ("init", "--url", "https://x", "--no-check")])
def test_a_folder_that_is_a_file_is_named(
    run: Run, asked: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    home = tmp_path / "file"
    home.write_text("mine")
    told = run(*words, home=home, **asked)
    assert told.returncode not in (0, Exit.BUG)
    assert f"{home} is a file, not a folder" in " ".join(told.stderr.split())
    assert "Errno" not in told.stderr


def test_init_ends_as_doctor_does(run: Run, quay: Any) -> None:
    refused = run("init", "--url", quay.url, token="nonsense")
    says(refused, Exit.REFUSED, "cannot be read yet")
    assert "Next:" not in refused.stderr
    says(run("init", "--url", "nonsense", "--no-check"), Exit.SETTINGS, "url: must be")
    says(run("init", "--url", "https://x", "--source", "No", "--no-check"), Exit.SETTINGS, "source id")


def test_a_source_with_a_dash_has_variables_that_a_shell_can_set(run: Run, quay: Any) -> None:
    made = run("init", "--url", quay.url, "--source", "prod-eu", "--no-check")
    assert "QUAYLEDGER_SOURCES__PROD_EU__TOKEN," in made.stderr
    says(run("doctor"), Exit.SETTINGS, "the source prod-eu", "QUAYLEDGER_SOURCES__PROD_EU__TOKEN")
    token = {"QUAYLEDGER_SOURCES__PROD_EU__TOKEN": quay.tokens["superuser"]}
    assert run("doctor", env=token).returncode == 0
