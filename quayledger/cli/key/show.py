"""Print the public key, which those need who check the ledger."""

from __future__ import annotations

from quayledger import settings as settings_room
from quayledger.cli._options import Home
from quayledger.cli._output import out
from quayledger.settings import SettingsError
from quayledger.warehouse.seals.keys import read_key


def command(home: Home = settings_room.DEFAULT_HOME) -> None:
    """Raises SettingsError where no key is set, KeyUnusable where it cannot be read."""
    path = settings_room.load(home).seal.key_file
    if path is None:
        raise SettingsError("no signing key is set (seal.key_file). Make one with `quayledger key create`")
    out.print(str(read_key(path).verifier), soft_wrap=True, highlight=False, markup=False)
