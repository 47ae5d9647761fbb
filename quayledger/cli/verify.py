"""Check that closed days are what was stored and sealed.

Compares every file of closed days with the SHA-256 on record, then every event with the signed log. With --event, writes a
proof of one event that can be checked without the ledger. Changes nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger import verifier
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import err, out, print_json
from quayledger.reports.formatting import plural
from quayledger.service.exit_codes import Exit
from quayledger.warehouse.log.verify_files import Verified, verify_files
from quayledger.warehouse.seals.keys import KeyUnusable, read_key
from quayledger.warehouse.seals.proof import event_proof
from quayledger.warehouse.snapshot import Snapshot


def command(
    home: Home = settings_room.DEFAULT_HOME,
    public_key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Public key NAME+ID+KEY, or a file with it (default: that of seal.key_file)."),
    ] = None,
    expect_head: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A checkpoint that was kept elsewhere; may be repeated.")
    ] = None,
    event: Annotated[str | None, typer.Option(metavar="ID", help="Write the proof of one event instead.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the proof (default: ID.tlog-proof).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Exits with 8 where a file of events is missing or damaged, with 20 to 22 where something is not as it was sealed.
    Raises NotPublished where nothing is collected yet, NotSealed where there is no proof."""
    if event is not None:
        _prove(home, event, output)
        return
    with Snapshot.open(home) as snapshot, err.status("reading files"):
        found = verify_files(snapshot, datetime.now(UTC))
    sealed, note = _check_seals(home, public_key or [], expect_head or [])
    if as_json:
        print_json({**found.summary(home), "seals": sealed and {**_builtins(sealed), "note": note}})
    else:
        _show(home, found)
        _show_seals(sealed, note)
    if sealed is not None and sealed.exit_code:
        raise typer.Exit(sealed.exit_code)
    if found.faults:
        raise typer.Exit(Exit.LEDGER)


def _prove(home: Path, event: str, output: Path | None) -> None:
    with Snapshot.open(home) as snapshot:
        proof = event_proof(snapshot, event)
    path = output or Path(f"{event}.tlog-proof")
    path.write_text(proof, encoding="utf-8")
    err.print(f"[green]written[/] {escape(str(path))}", soft_wrap=True)
    err.print("Whoever has verifier.py and the public key can check it, without the ledger.", soft_wrap=True)


def _check_seals(home: Path, given: list[str], expected: list[Path]) -> tuple[verifier.Verification | None, str]:
    """What the verifier says, and what that rests on; None where nothing is sealed and signed."""
    note, keys = "", list(given)
    if not keys:
        configured = settings_room.load(home).seal.key_file
        beside = home / "seals" / "public-key"
        if configured is not None and configured.exists():
            keys = [str(read_key(configured).verifier)]
        elif beside.exists():
            note = "Checked with the public key that lies in the ledger's own folder, which proves little: name the one you were given with --public-key."
            keys = [beside.read_text(encoding="utf-8", errors="replace")]
        else:
            return (
                None,
                "Nothing is sealed and signed: there is no key (seal.key_file; `quayledger key create` makes one).",
            )
    try:
        with err.status("checking seals"):
            parsed = [verifier.PublicKey.parse(verifier.text_or_file(key)) for key in keys]
            heads = [path.read_text(encoding="utf-8", errors="replace") for path in expected]
            # The files were hashed just now, against the same record.
            return verifier.check(home, parsed, heads, jobs=os.cpu_count() or 1, hash_files=False), note
    except verifier.BadHead as error:
        raise KeyUnusable(f"the public key cannot be used: {error}") from None
    except verifier.Unreadable as error:
        return None, f"Nothing is checked against seals: {error}."


def _builtins(verdict: verifier.Verification) -> dict[str, Any]:
    return {**msgspec.to_builtins(verdict), "exit_code": verdict.exit_code}


def _show(home: Path, found: Verified) -> None:
    for fault in found.faults:
        out.print(f"[red]damaged[/] {escape(fault.describe(home))}")
    for file in found.damaged_rollups:
        out.print(
            f"[yellow]rollup[/]  {escape(str(home / file))} is missing or damaged; answers come from the events themselves "
            "until the next `quayledger sync` makes it anew"
        )
    for file in found.unrecorded:
        out.print(f"[cyan]unknown[/] {escape(str(home / file))} is not on record; nothing reads it")
    out.print(
        f"{plural(found.files, 'file')} with {plural(found.events, 'event')} of closed days: "
        f"{plural(found.files - len(found.faults), 'file')} as recorded, {len(found.faults):,} missing or damaged"
    )


def _show_seals(sealed: verifier.Verification | None, note: str) -> None:
    if sealed is not None:
        for damage in sealed.damages:
            where = f"{damage.source} {damage.day}: " if damage.day else ""
            out.print(f"[red]altered[/] {escape(verifier.visible(f'{where}{damage.what}: {damage.text}'))}")
        for line in sealed.notes:
            out.print(escape(line))
        ending = "all as sealed" if not sealed.damages else f"{plural(len(sealed.damages), 'fault')} found"
        out.print(
            f"{plural(sealed.days, 'sealed day')} with {plural(sealed.events, 'event')} in {plural(sealed.manifests, 'manifest')}: {ending}"
        )
        out.print(f"Head of the log: {escape(verifier.visible(sealed.head))}", soft_wrap=True)
    if note:
        out.print(escape(note))
