"""The ledger's log as files in `seals/` of its folder, laid out as C2SP tlog-tiles: tiles of hashes, bundles of entries, the
checkpoint. I/O on that folder. They are made from the live file, so what a crash left out is written at the next sealing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from quayledger.warehouse.publish import sync_folder
from quayledger.warehouse.seals import merkle

SEALS_FOLDER = "seals"
CHECKPOINT_NAME = "checkpoint"
PUBLIC_KEY_NAME = "public-key"
TILE_WIDTH = 256


def tile_path(level: int | str, index: int, width: int) -> Path:
    """Where a tile lies: `tile/0/x001/234`, and `….p/17` where it is not full."""
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = Path("tile", str(level), *(f"x{part}" for part in parts[:-1]), parts[-1])
    return path if width == TILE_WIDTH else path.with_name(f"{path.name}.p") / str(width)


def write_tiles(
    folder: Path, leaves: Sequence[bytes], from_size: int, entries: Callable[[int, int], Sequence[bytes]]
) -> None:
    """Writes the tiles of a log with these leaf hashes that a log of `from_size` entries did not have. `entries`: those from
    the first index on, up to before the second. Raises OSError."""
    level, hashes = 0, list(leaves)
    while hashes:
        first = from_size // TILE_WIDTH ** (level + 1)
        for index in range(first, -(-len(hashes) // TILE_WIDTH)):
            part = hashes[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]
            write_whole(folder / tile_path(level, index, len(part)), b"".join(part))
            if level == 0:
                bundle = entries(index * TILE_WIDTH, index * TILE_WIDTH + len(part))
                data = b"".join(len(entry).to_bytes(2, "big") + entry for entry in bundle)
                write_whole(folder / tile_path("entries", index, len(part)), data)
        full = len(hashes) // TILE_WIDTH
        hashes = [merkle.root(hashes[at * TILE_WIDTH : (at + 1) * TILE_WIDTH]) for at in range(full)]
        level += 1


def write_whole(path: Path, data: bytes, mode: int = 0o444) -> None:
    """Writes a file so that it is there as a whole or not at all, also after a power cut; one that is the same stays."""
    try:
        if path.read_bytes() == data:
            return
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
