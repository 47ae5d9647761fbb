"""The ledger's log as files in `seals/` of its folder, laid out as C2SP tlog-tiles: tiles of hashes, bundles of entries, the
checkpoint. I/O on that folder. They are made from the live file, so what a crash left out is written at the next sealing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from quayledger.warehouse.durable_files import write_whole
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


def write_tiles(folder: Path, leaves: Sequence[bytes], entries: Callable[[int, int], Sequence[bytes]]) -> None:
    """Writes the tiles that are missing of a log with these leaf hashes. `entries`: those from the first index on, up to before
    the second. Raises OSError."""
    level, hashes = 0, list(leaves)
    while hashes:
        for index in range(-(-len(hashes) // TILE_WIDTH)):
            part = hashes[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]
            _write_once(folder / tile_path(level, index, len(part)), b"".join(part))
            bundle = folder / tile_path("entries", index, len(part))
            if level == 0 and not bundle.exists():
                held = entries(index * TILE_WIDTH, index * TILE_WIDTH + len(part))
                _write_once(bundle, b"".join(len(entry).to_bytes(2, "big") + entry for entry in held))
        full = len(hashes) // TILE_WIDTH
        hashes = [merkle.root(hashes[at * TILE_WIDTH : (at + 1) * TILE_WIDTH]) for at in range(full)]
        level += 1


def _write_once(path: Path, data: bytes) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data, mode=0o444)


def remove_outgrown(folder: Path, size: int) -> None:
    """Removes the tiles that are not full and that a log of `size` entries needs no more: a bundle a day would come to hundreds
    of megabytes in a year. An older checkpoint is checked with the leaves of the fuller ones. Raises OSError."""
    needed = {tile_path("entries", size // TILE_WIDTH, size % TILE_WIDTH)}
    level = 0
    while size:
        needed.add(tile_path(level, size // TILE_WIDTH, size % TILE_WIDTH))
        level, size = level + 1, size // TILE_WIDTH
    for path in folder.glob("tile/**/*.p/*"):
        if path.relative_to(folder) not in needed:
            path.unlink()
