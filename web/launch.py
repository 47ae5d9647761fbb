"""How it is started. The command line of the app's own process, with nothing that leaves the
machine."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

APP = Path(__file__).resolve().parent / "door.py"
# The file .streamlit/config.toml says the same for `streamlit run app.py`; a test holds the two together.
OPTIONS: dict[str, str] = {
    "browser.gatherUsageStats": "false",
    "browser.serverAddress": "localhost",
    "client.disableDataExport": "true",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "logger.enableRich": "false",  # rich writes what failed to standard output, where nobody looks
    "runner.magicEnabled": "false",
    "server.fileWatcherType": "none",
    "server.headless": "true",
    "server.runOnSave": "false",
    "theme.light.primaryColor": "#2f6fb5",
    "theme.light.textColor": "#101820",
    "theme.dark.primaryColor": "#6aa9e9",
}


def command(home: Path, address: str, port: int) -> list[str]:
    """The argument list that serves the ledger in `home` on `address`; port 0 takes any that is free."""
    options = {**OPTIONS, "server.address": address, "server.port": str(port or free_port(address))}
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [
        sys.executable,
        "-m",
        "quayledger.web.streamlit_server",
        "run",
        str(APP),
        *flags,
        "--",
        "--home",
        str(home.resolve()),
    ]


def free_port(address: str) -> int:
    """A port that nobody listens on at this moment. Raises OSError if the address is none of this machine's."""
    family, kind, protocol, _, where = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.bind(where)
        return int(listener.getsockname()[1])
