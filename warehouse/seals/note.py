"""Signed notes (C2SP signed-note) with Ed25519, and checkpoints (C2SP tlog-checkpoint), the notes that are a log's head. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY"
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_MAX_NOTE_BYTES = 1 << 20
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")


class BadNote(ValueError):
    """A note, a key or a checkpoint that cannot be used; the text says why."""


class VerifierKey(msgspec.Struct, frozen=True):
    """A public key with its name, as C2SP writes it: `name+id+key`."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that name the key in signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"


class SigningKey:
    """An Ed25519 key with its name. It never shows itself: only `to_secret` writes the private part."""

    def __init__(self, name: str, seed: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise BadNote("the name of a key must be 1 to 200 characters without spaces and +")
        self.name = name
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @classmethod
    def create(cls, name: str) -> Self:
        """A new key. Raises BadNote for a name that cannot be one."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `PRIVATE+KEY+name+id+key`, the form that Go's note package writes. Raises BadNote, which never repeats it."""
        if not text.strip().startswith(_PRIVATE + "+"):
            raise BadNote("it does not begin with PRIVATE+KEY+")
        name, _, rest = text.strip().removeprefix(_PRIVATE + "+").partition("+")
        id_text, _, key_text = rest.partition("+")
        data = _base64(key_text, "the key")
        if len(data) != 33 or data[:1] != _ED25519:
            raise BadNote("it is not an Ed25519 key")
        key = cls(name, data[1:])
        if key.verifier.key_id.hex() != id_text:
            raise BadNote("it does not match its own ID: a letter of it was changed or left out")
        return key

    def to_secret(self) -> str:
        """The whole key as one line of text."""
        data = base64.b64encode(_ED25519 + self._seed).decode()
        return f"{_PRIVATE}+{self.name}+{self.verifier.key_id.hex()}+{data}"

    @property
    def verifier(self) -> VerifierKey:
        """The public part."""
        return VerifierKey(self.name, self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """A signature line of a note, its line end included."""
        signature = base64.b64encode(self.verifier.key_id + self._key.sign(text.encode())).decode()
        return f"— {self.name} {signature}\n"


class Checkpoint(msgspec.Struct, frozen=True):
    """The head of a log: how many entries it has, and the root of the tree over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def signed(self, keys: Iterable[SigningKey]) -> str:
        """The note with a signature of each key."""
        return self.text + "\n" + "".join(key.sign(self.text) for key in keys)


def split_note(note: str) -> tuple[str, list[tuple[tuple[str, bytes], bytes]]]:
    """The text of a note, and its signatures as ((name, id), signature). Raises BadNote."""
    if len(note.encode()) > _MAX_NOTE_BYTES or re.search(r"[\x00-\x09\x0b-\x1f]", note):
        raise BadNote("it is too long, or holds control characters")
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise BadNote("it has no signatures, or its end is missing")
    signatures = []
    for line in lines.removesuffix("\n").split("\n"):
        match = _SIGNATURE.fullmatch(line)
        data = _base64(match[2], "a signature") if match else b""
        if match is None or len(data) < 5:
            raise BadNote("a line of its signatures is malformed")
        signatures.append(((match[1], data[:4]), data[4:]))
    return text + "\n", signatures


def parse_checkpoint(text: str) -> Checkpoint:
    """Reads the text of a checkpoint. Raises BadNote."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise BadNote("it is not a checkpoint")
    root = _base64(lines[2], "the root")
    if len(root) != 32:
        raise BadNote("its root is not a SHA-256 hash")
    return Checkpoint(lines[0], int(lines[1]), root)


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise BadNote(f"{what} is not base64") from None
