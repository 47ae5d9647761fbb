"""Others' code accepts what we seal: the note and the Merkle proofs of sigstore-python; and the frozen forms stay frozen."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import LogCheckpoint, SignedNote

from quayledger import verifier
from quayledger.warehouse.seals import canonical, merkle
from quayledger.warehouse.seals.note import BadNote, SigningKey
from quayledger.warehouse.seals.proof import NotSealed, event_proof
from quayledger.warehouse.snapshot import Snapshot
from tests.seals.conftest import HOSTILE, KEY, PUBLIC

# From the specification of signed notes: the key NAME+ID+KEY has this ID.
SPECIFIED_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPECIFIED_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOB"
    "H3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def test_sigstore_reads_our_checkpoint_and_its_signature_is_right(sealed_once: Path) -> None:
    text = (sealed_once / "seals/checkpoint").read_text(encoding="utf-8")
    note = SignedNote.from_text(text)
    head = LogCheckpoint.from_text(note.note)
    assert (head.origin, head.log_size, head.other_content) == (KEY.name, 5, [])
    (signature,) = note.signatures
    public = verifier.PublicKey.parse((sealed_once / "seals/public-key").read_text())
    assert (signature.name, signature.sig_hash) == (public.name, public.key_id)
    Ed25519PublicKey.from_public_bytes(public.key).verify(base64.b64decode(signature.signature), note.note.encode())


def test_sigstore_accepts_the_inclusion_of_every_manifest(sealed_once: Path) -> None:
    entries = [entry for entry in verifier.read_entries(sealed_once / "seals", 5) if entry is not None]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    for index, entry in enumerate(entries):
        _accepts(index, entry, leaves)


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=70), st.data())
def test_sigstore_and_the_verifier_accept_our_proofs(entries: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    assert merkle.root(leaves) == verifier.root_of(leaves) == _root_as_specified(entries)
    _accepts(index, entries[index], leaves)
    proof = merkle.inclusion_proof(leaves, index)
    assert verifier.root_by_proof(leaves[index], index, len(leaves), proof) == merkle.root(leaves)


def _root_as_specified(entries: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written."""
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\x01" + _root_as_specified(entries[:split]) + _root_as_specified(entries[split:])).digest()


def _accepts(index: int, entry: bytes, leaves: list[bytes]) -> None:
    proof = SimpleNamespace(
        log_index=index,
        tree_size=len(leaves),
        hashes=merkle.inclusion_proof(leaves, index),
        root_hash=merkle.root(leaves),
    )
    inner = SimpleNamespace(inclusion_proof=proof, canonicalized_body=entry)
    verify_merkle_inclusion(cast(Any, SimpleNamespace(_inner=inner)))


def test_the_specification_s_own_key_is_read() -> None:
    key = verifier.PublicKey.parse(SPECIFIED_KEY)
    text, _, lines = SPECIFIED_NOTE.rpartition("\n\n")
    signature = base64.b64decode(lines.split(" ")[2])
    assert (key.name, key.key_id) == ("example.com/foo", signature[:4])
    Ed25519PublicKey.from_public_bytes(key.key).verify(signature[4:], text.encode() + b"\n")


def test_a_key_survives_its_file_and_shows_no_secret() -> None:
    again = SigningKey.parse(KEY.to_secret())
    assert str(again.verifier) == str(KEY.verifier)
    assert bytes(range(32)).hex() not in repr(KEY) and "PRIVATE" not in repr(KEY)
    for wrong in ("", "PRIVATE+KEY+", KEY.to_secret()[:-4], KEY.to_secret().replace("test", "best"), str(KEY.verifier)):
        with pytest.raises(BadNote):
            SigningKey.parse(wrong)


# The canonical form and the leaf of one event, version 1. These never change: what is sealed is sealed.
VECTOR = {
    "source_id": "main",
    "day": "2026-10-05",
    "event_no": 1,
    "scope": "superuser",
    "reading_id": 3,
    "occurred_at": "2026-10-05 00:00:07.000001+00",
    "kind": "push_repo",
    "namespace": "acme",
    "namespace_kind": "org",
    "performer": "acme+ci",
    "performer_kind": "robot",
    "ip": "192.0.2.7",
    "repository": "web",
    "repository_namespace": "acme",
    "tag": HOSTILE,
    "digest": None,
    "user_agent": "",
    "metadata": '{"a":1}',
    "extra": None,
}
CANONICAL = (
    '["quayledger-event/1","main","2026-10-05","1","superuser","3","1791158407000001","push_repo","acme","org","acme+ci",'
    '"robot","192.0.2.7","web","acme","a\\"\\\\\\n\\t\\u001b\\u0001 é \U0001f9ed",null,"","{\\"a\\":1}",null]'
)
LEAF = "d4bd9f9b597bb8810ae8ba60597f39a45d0bfc75174bcfa7b650917a4630c48f"


def test_the_canonical_form_is_frozen() -> None:
    types = {"day": "DATE", "event_no": "BIGINT", "reading_id": "BIGINT", "occurred_at": "TIMESTAMPTZ"}
    columns = ", ".join(f"CAST(${name} AS {types.get(name, 'VARCHAR')}) AS {name}" for name in VECTOR)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for sql in (canonical.ALMOST_CANONICAL_SQL, verifier.CANONICAL_SQL):
            ((text,),) = connection.execute(f"SELECT {sql} FROM (SELECT {columns})", VECTOR).fetchall()
            assert canonical.canonical(text) == verifier.canonical(text) == CANONICAL.encode()
    assert canonical.event_leaf(bytes(range(32)), 1, CANONICAL).hex() == LEAF


def test_one_event_is_proven_without_the_ledger(
    sealed_once: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Snapshot.open(sealed_once) as snapshot:
        hostile = snapshot.rows("SELECT event_id FROM events WHERE kind = 'create_repo'")[0][0]
        late = snapshot.rows("SELECT event_id FROM events WHERE ip = '10.9.9.9'")[0][0]
        proofs = {event_id: event_proof(snapshot, event_id) for event_id in (hostile, late)}
        for unknown in ("main-20261005-9999", "main-20261305-1", "rubbish"):
            with pytest.raises(NotSealed):
                event_proof(snapshot, unknown)
    found = verifier.check_proof(proofs[hostile], [PUBLIC])
    assert (found["event"]["tag"], found["manifest"]["day"]) == (HOSTILE, "2026-10-06")
    assert verifier.check_proof(proofs[late], [PUBLIC])["event"]["ip"] == "10.9.9.9"
    path = tmp_path / "event.tlog-proof"
    path.write_text(proofs[hostile], encoding="utf-8")
    assert verifier.main(["--proof", str(path), "--public-key", str(KEY.verifier)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("number", range(6))
def test_a_proof_of_something_else_is_refused(sealed_once: Path, number: int) -> None:
    with Snapshot.open(sealed_once) as snapshot:
        event_id = snapshot.rows("SELECT event_id FROM events WHERE kind = 'create_repo'")[0][0]
        proof = event_proof(snapshot, event_id)
    first, extra, *rest = proof.split("\n")
    said = base64.b64decode(extra.removeprefix("extra ")).decode()
    lies = [
        said.replace("create_repo", "delete_repo"),
        said.replace("2026-10-06", "2026-10-07"),
        said.replace('"kind_index":0', '"kind_index":1'),
        said.replace('"salt":"', '"salt":"00')[: len(said)],
        said.replace("verified", "repaired"),
        "[]",
    ]
    changed = "\n".join([first, "extra " + base64.b64encode(lies[number].encode()).decode(), *rest])
    with pytest.raises(verifier.BadHead):
        verifier.check_proof(changed, [PUBLIC])
