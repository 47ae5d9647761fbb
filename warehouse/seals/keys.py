"""The file that holds the key which signs the log's head. It lies outside the ledger's folder. I/O."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path

from quayledger.warehouse.errors import WarehouseError
from quayledger.warehouse.seals.note import BadNote, SigningKey

_MAX_KEY_BYTES = 4096


class KeyUnusable(WarehouseError):
    """The signing key cannot be read, written or used; the text says which file, why, and what to do."""


def default_key_file(home: Path) -> Path | None:
    """Where the key of a ledger lies unless another place is named: in the user's own configuration; None without one."""
    try:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    except RuntimeError:
        return None
    digest = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]
    return base / "quayledger" / f"{home.resolve().name}-{digest}.key"


def new_name() -> str:
    """A name for a new key, and with it for the log: unlike that of any other, and telling nothing of the host."""
    return f"quayledger/{secrets.token_hex(8)}"


def create_key(path: Path, name: str) -> SigningKey:
    """Makes a new key and writes it to a file that only its owner can read. Raises KeyUnusable where the file exists: a key
    that is lost cannot be made again."""
    try:
        key = SigningKey.create(name)
    except BadNote as error:
        raise KeyUnusable(f"{name!r} cannot be the name of a signing key: {error}") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.to_secret() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise KeyUnusable(f"{path} exists. It is not replaced: name another file for the new key") from None
    except OSError as error:
        raise KeyUnusable(f"the signing key cannot be written to {path}: {_reason(error)}") from None
    return key


def read_key(path: Path) -> SigningKey:
    """The key in a file. Raises KeyUnusable, also where others than the owner and the group may read it; never repeats it."""
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            data = file.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise KeyUnusable(
            f"the signing key {path} cannot be read: {_reason(error)}. Check seal.key_file, or make a key with "
            "`quayledger key create`"
        ) from None
    if mode & stat.S_IROTH:
        raise KeyUnusable(f"everybody on this machine may read the signing key {path}. Run: chmod o-rwx {path}")
    try:
        return SigningKey.parse(data.decode("ascii"))
    except (BadNote, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, BadNote) else "it is not ASCII text"
        raise KeyUnusable(f"{path} is not a signing key: {why}. Restore it from a backup") from None


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
